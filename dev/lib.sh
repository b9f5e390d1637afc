# What the commands in dev/ share: where things are, and installing what is missing (Debian, Ubuntu).
# Sourced with `set -euo pipefail`, from the project's root.

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# Only names of packages that are not there: nothing that is installed is touched or upgraded.
apt_install() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "please install: $* (as root: apt-get install $*)"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || die "please install what Debian calls: $*"
  say "installing $*"
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >&2
}

have_postgres() {
  [ -n "${PG_BIN:-}" ] || command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# Debian would make and start a server of its own on port 5432: a drop-in file, there during the installation only,
# keeps it from that. An installed Postgres is left alone.
need_postgres() {
  have_postgres && return
  local drop_in=/etc/postgresql-common/createcluster.d/none-by-dev-commands.conf as_root=() done=yes
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  apt_install postgresql-common
  "${as_root[@]}" sh -c "mkdir -p ${drop_in%/*} && echo 'create_main_cluster = false' > $drop_in"
  apt_install postgresql || done=no
  "${as_root[@]}" sh -c "rm $drop_in && rmdir --ignore-fail-on-non-empty ${drop_in%/*}"
  [ "$done" = yes ] || die "PostgreSQL could not be installed"
}

# The C compiler is for SQLite and for TLS.
need_tools() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v curl >/dev/null || missing+=(curl)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# Fails system calls of a running process, and kills at them. Where tracing is forbidden, tests say so, and do what can
# be done without.
need_strace() {
  command -v strace >/dev/null || apt_install strace
}

# Sets the clock of one process.
need_faketime() {
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || apt_install libfaketime
}

# libFuzzer is C++.
need_cxx() {
  command -v c++ >/dev/null || apt_install g++
}

# Rust's installer puts cargo where only new logins look.
find_cargo() {
  command -v cargo >/dev/null && return
  [ -x "$HOME/.cargo/bin/cargo" ] || die "Rust is missing: see https://rustup.rs"
  export PATH="$HOME/.cargo/bin:$PATH"
}

target_dir() {
  cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
