//! Steps of actors: from gate to gate of `gates.sql`, and what each touches. Two steps of which neither has alone what
//! the other touches commute.
//!
//! What a transaction wrote is seen by nobody before it commits, so that a step that writes touches only the locks that
//! it waits for, and the step that commits touches all that it shows and all locks that it releases.

use super::schedules::Footprint;

/// Where an actor rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before or behind a call.
    Outside,
    /// Before its fence.
    Fence,
    /// Holding its fence.
    Held,
    /// Having read the clock, before the statement's other reads, or the next statement.
    Clock,
    /// Before it stores or settles bets.
    Write,
    /// Before it commits.
    Commit,
}

impl Place {
    /// As `gates.sql` names it.
    pub fn named(name: &str) -> Self {
        match name {
            "fence" => Self::Fence,
            "held" => Self::Held,
            "clock" => Self::Clock,
            "write" => Self::Write,
            "commit" => Self::Commit,
            other => panic!("no gate is named {other}"),
        }
    }
}

/// Kinds of calls, as far as their steps differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Place,
    /// A change received.
    Receive,
    Settle,
    /// A change of the feed's state that closes events.
    Adopt,
}

/// The event's fence.
const FENCE: u16 = 1;
/// The feed's row, as a lock.
const FEED_ROW: u16 = 1 << 1;
/// Whether the feed is suspended, and its generation.
const FEED: u16 = 1 << 2;
/// The event's row, as a lock.
const EVENT_ROW: u16 = 1 << 3;
/// The event's row, but for its progress.
const TERMS: u16 = 1 << 4;
/// How far the event is settled.
const PROGRESS: u16 = 1 << 5;
/// Which bets there are.
const BETS: u16 = 1 << 6;
/// Where the bets stand.
const BOOKS: u16 = 1 << 7;
/// Idempotency keys with their answers, and their index as a lock.
const KEYS: u16 = 1 << 8;
/// Whether a bet or its event's close read the clock first.
const CLOCK: u16 = 1 << 9;

const fn touches(shared: u16, alone: u16) -> Footprint {
    Footprint { shared, alone }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the next gate, or waiting for another actor before it.
    Within,
    /// With the call.
    OfCall,
    /// With a look of a settler that found nothing to do, or found it held.
    OfLook,
}

/// What a step touches that begins at `from` in a call of that kind.
pub fn footprint(kind: Kind, from: Place, end: End) -> Footprint {
    if end == End::OfLook {
        return touches(TERMS | PROGRESS | EVENT_ROW, 0);
    }
    let step = match (kind, from) {
        (Kind::Place, Place::Fence) => touches(FENCE, 0),
        // Where bets are halted, their keys would be read next; no story halts a bet that has a key.
        (Kind::Place, Place::Held) => touches(FEED | CLOCK, 0),
        (Kind::Place, Place::Clock) => touches(TERMS | FEED, 0),
        (Kind::Place, Place::Write) => touches(0, KEYS),

        (Kind::Receive | Kind::Adopt, Place::Outside) => touches(TERMS | FEED, FEED_ROW),
        (Kind::Receive | Kind::Adopt, Place::Fence) => touches(0, FENCE),
        (Kind::Receive, Place::Held) | (Kind::Adopt, Place::Clock) => touches(TERMS, EVENT_ROW),
        (Kind::Adopt, Place::Held) => touches(TERMS, CLOCK | EVENT_ROW),

        (Kind::Settle, Place::Outside) => touches(TERMS | PROGRESS, 0),
        (Kind::Settle, Place::Clock) => touches(TERMS | PROGRESS | BETS | BOOKS, EVENT_ROW),
        _ => touches(0, 0),
    };
    if end == End::OfCall {
        step.and(commit(kind))
    } else {
        step
    }
}

/// What a transaction's end shows and releases.
const fn commit(kind: Kind) -> Footprint {
    match kind {
        Kind::Place => touches(FENCE, BETS | KEYS),
        Kind::Receive => touches(0, FENCE | FEED_ROW | EVENT_ROW | TERMS),
        Kind::Settle => touches(0, EVENT_ROW | PROGRESS | BOOKS),
        Kind::Adopt => touches(0, FENCE | FEED_ROW | FEED | EVENT_ROW | TERMS),
    }
}
