//! The wire contract between line-provider, bet-maker and their clients, and nothing else: no I/O, no clock
//! reading beyond [`Timestamp::now`], no database, no handler.
//!
//! Two kinds of types live here. *Facts* ([`event::Event`], [`bet::Bet`], [`change::Change`]) hold values that
//! were checked when they were made. *Requests* ([`event::CreateEvent`], [`bet::PlaceBet`]) hold what a client
//! sent, field by field, so that a service can tell an unreadable body (400) from a broken rule (422).

pub mod bet;
pub mod change;
pub mod event;
pub mod ids;
pub mod money;
pub mod odds;
pub mod problem;
pub mod schema;
pub mod signature;
pub mod subscription;
pub mod timestamp;
pub mod token;

pub use bet::{Bet, BetStatus, VoidReason};
pub use change::{Callback, Change, ChangeType, ChangesPage};
pub use event::{Event, EventStatus};
pub use ids::{BetId, BettorId, EventId, IdempotencyKey, Instance, SubscriptionId};
pub use money::Money;
pub use odds::Odds;
pub use timestamp::Timestamp;
