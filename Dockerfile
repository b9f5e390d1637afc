# Both services in one image: `line-provider` and `bet-maker` are on the PATH, compose says which one runs.

FROM rust:1.95-bookworm AS build
WORKDIR /src

# Dependencies first, in a layer that holds until a manifest changes: the crates stand empty around them.
# The crates under dev/ are members of the workspace, so Cargo wants to see them; they are never built here.
COPY Cargo.toml Cargo.lock ./
COPY dev/crates dev/crates
COPY shared-types/Cargo.toml shared-types/
COPY http-edge/Cargo.toml http-edge/
COPY line-provider/Cargo.toml line-provider/
COPY bet-maker/Cargo.toml bet-maker/
COPY deploy/build/empty.rs shared-types/src/lib.rs
COPY deploy/build/empty.rs http-edge/src/lib.rs
COPY deploy/build/empty.rs line-provider/src/main.rs
COPY deploy/build/empty.rs bet-maker/src/main.rs
RUN cargo build --locked --release -p line-provider -p bet-maker
# Cargo compares times of files, and a checkout may be older than the empty crates.
RUN cargo clean --locked --release -p shared-types -p http-edge -p line-provider -p bet-maker

COPY shared-types shared-types
COPY http-edge http-edge
COPY migrations migrations
COPY line-provider line-provider
COPY bet-maker bet-maker
RUN cargo build --locked --release -p line-provider -p bet-maker
# Half of the size; backtraces keep the names of functions.
RUN strip --strip-debug target/release/line-provider target/release/bet-maker

FROM debian:bookworm-slim
# Nothing else is needed: certificates for callbacks by https are inside the binaries, and so are the health checks.
# A named volume takes its owner over from the folder that it is mounted on.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
 && install --directory --owner=app --group=app /var/lib/line-provider
COPY --from=build /src/target/release/line-provider /src/target/release/bet-maker /usr/local/bin/
USER 10001:10001
WORKDIR /var/lib/line-provider
EXPOSE 8081 8082
CMD ["line-provider"]
