//! What tests and developers' commands need around the two services: a private Postgres, a database per test,
//! the real binaries as processes, and a small HTTP client. Nothing of it is shipped.
//!
//! The invariant of this crate: whatever it starts ends with the process that started it, even if that process is
//! killed by SIGKILL, and nothing it did not start is ever signalled.
//!
//! # A test of one service, in its own process
//! ```no_run
//! # async fn migrate(_url: String) -> Result<(), std::io::Error> { Ok(()) }
//! # async fn a_test() {
//! use test_support::{Client, TestDatabase, wait_until};
//! use std::time::Duration;
//!
//! // The first caller builds the template with the given migration; everybody else copies it (about 30 ms).
//! let database = TestDatabase::create("bet_maker", migrate).await;
//! // ... start the app on port 0 with `database.url()` ...
//! let client = Client::new("http://127.0.0.1:8082").with_bearer("operator-token");
//! let answer = client.get("/events?limit=10").await;
//! assert_eq!(answer.status, 200, "{answer:?}");
//! assert_eq!(answer.json()["items"], serde_json::json!([]));
//! let bet = wait_until("the bet is settled", Duration::from_secs(10), async || {
//!     let bet = client.get("/bets/1").await.json();
//!     (bet["status"] == "won").then_some(bet)
//! })
//! .await;
//! # let _ = bet;
//! # }
//! ```
//!
//! # The real binaries
//! ```no_run
//! # async fn a_test() {
//! use test_support::Service;
//! let mut line_provider = Service::named("line-provider")
//!     .env("LINE_PROVIDER_OPERATOR_TOKEN", "a-long-enough-token")
//!     .start()
//!     .await; // on 127.0.0.1, a free port; answers /readyz
//! let _ = line_provider.url(); // "http://127.0.0.1:40123"
//! line_provider.kill9().await;
//! line_provider.restart().await; // the same port, settings and log file
//! # }
//! ```
//! `./dev/test` builds the binaries first; a missing one panics with the command that builds it.
//!
//! All `async` functions need an actix system or another tokio runtime; [`Client`] needs one that can spawn local
//! tasks (`#[actix_rt::test]`).

mod database;
mod guarded;
mod http;
mod log;
mod postgres;
mod service;

pub use database::{TEST_POSTGRES_URL, TestDatabase, ensure_database, with_database};
pub use http::{Client, Response, TimedOut, poll_until, wait_until};
pub use log::last_lines;
pub use postgres::{Builder as PostgresBuilder, Durability, Frozen, Postgres};
pub use service::{Builder as ServiceBuilder, Service, find_binary, reachable};
