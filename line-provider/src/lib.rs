//! line-provider: publishes events and their results, and calls subscribers back on every change.
//!
//! One way for all data: `http` parses a command, the `writer` decides it by the rules of `event` and
//! `subscription`, the `journal` makes it durable, then the `catalogue` (for reads), the log (for the feed) and
//! `delivery` (for callbacks) see it. Nothing is visible before it is durable.

pub mod app;
pub mod auto_result;
pub mod catalogue;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod event;
pub mod http;
pub mod journal;
pub mod metrics;
pub mod subscription;
pub mod writer;
