//! bet-maker as a whole: the app on port 0, a real Postgres with a database per test, and a line-provider that
//! does as the test says. Beside it, actors that call the store's own functions in every order.

#![expect(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod harness;

mod callbacks;
mod candidates;
mod deadline;
mod events;
mod feed;
mod fence;
mod hangs;
mod hangups;
mod histories;
mod idempotency;
mod interleavings;
mod lists;
mod machine;
mod openapi;
mod operations;
mod outage;
mod overload;
mod placing;
mod pools;
mod registration;
mod replicas;
mod resumption;
mod schema;
mod settlement;
mod unavailable;
mod verify;
