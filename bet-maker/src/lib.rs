//! bet-maker: takes bets on line-provider's events, keeps them in Postgres, and settles each exactly once.
//!
//! Bets come in through [`http`], are decided in batches by [`placing`] under the rule in [`placement`], and are
//! stored by [`store`]. Events come in through [`feed`], by callback and by reading line-provider's log; both
//! end in the same [`store::changes::merge`]. [`settler`] settles what a result made due, by the rule in
//! [`settlement`]. [`verify`] checks all of it afterwards.

pub mod app;
mod batching;
pub mod config;
pub mod feed;
pub mod http;
pub mod news;
pub mod placement;
pub mod placing;
pub mod settlement;
pub mod settler;
pub mod store;
pub mod verify;
