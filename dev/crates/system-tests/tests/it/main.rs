//! The pair as users run it: real processes, real Postgres, real HTTP, and `SIGKILL`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod crashes;
mod descriptors;
mod games;
mod histories;
mod pair;
mod results;
mod stopping;
mod wire;
