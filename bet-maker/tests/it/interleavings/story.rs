//! Stories: what stands when the actors begin, and what each of them is about to do.

use bet_maker::placement::OddsPolicy;
use shared_types::EventStatus;

/// One thing that line-provider's operator does to the event.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Odds(&'static str),
    /// The deadline is moved to now.
    DeadlineNow,
    Status(EventStatus),
}

#[derive(Clone, Debug)]
pub struct Wish {
    pub stake: i64,
    pub odds: OddsPolicy,
    /// One key of one schedule.
    pub key: Option<&'static str>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            stake: 1000,
            odds: OddsPolicy::Any,
            key: None,
        }
    }
}

/// Whom an actor plays.
#[derive(Clone, Debug)]
pub enum Part {
    /// Places one bet.
    Bettor(Wish),
    /// Places one bet, wrongly.
    Blunderer,
    /// Receives line-provider's changes one after the other.
    Operator(Vec<Deed>),
    /// Awake if a result is due from the start; the first of them is woken by every result. Settles chunks of that many
    /// bets until it finds nothing to do, or all held by another.
    Settler(u16),
    /// Turns to another journal, which does not know the event.
    Adopter,
}

#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Bets placed before anything else.
    pub bets: usize,
    /// Done, and known, before the actors begin.
    pub before: Vec<Deed>,
    pub actors: Vec<Part>,
}
