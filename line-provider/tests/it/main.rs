//! line-provider from the outside: over HTTP, over its data folder, and as a process that is killed.
//!
//! Apps run in the test's process on port 0 unless the test is about the process itself. Nothing sleeps to let
//! something happen: tests wait for a state, with a deadline.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod auto_result;
mod changes;
mod crash;
mod damage;
mod delivery;
mod document;
mod events;
mod hangs;
mod journal;
mod machine;
mod receiver;
mod requests;
mod subscriptions;
mod support;
mod verify;
mod waiting;
mod writer;
