//! What bet-maker learns from line-provider. Callbacks are a hint and make news fast; the log is the truth and
//! makes it complete: only reading the log moves the bookmark, and each page must continue the history that was
//! read before. Both end in [`crate::store::changes::merge`].

pub mod apply;
pub mod client;
pub mod freshness;
pub mod history;
pub mod inbox;
pub mod poller;
pub mod registration;

pub use freshness::Freshness;
pub use inbox::Inbox;
