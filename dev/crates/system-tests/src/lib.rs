//! Nothing but the tests beside it: the real binaries, over HTTP, against a real Postgres.
