//! The rules, which are the services' own: the model's small events are turned into real ones, the services' pure
//! functions decide, and the outcome is turned back. What the model adds is only when each step happens.

use std::sync::LazyLock;

use bet_maker::news::{self, News, Source};
use bet_maker::placement::{self, OddsPolicy, Terms};
use bet_maker::settlement::{self, Verdict};
use line_provider::event::{self, Correction, Decision, NewEvent, Update};
use shared_types::{EventId, EventStatus, Money, Odds, Timestamp, VoidReason};

/// A moment: how often the clock has moved on.
pub type Tick = u8;

/// An event after one of its revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    pub id: u8,
    pub revision: u8,
    pub status: EventStatus,
    /// Counts the odds that the event had.
    pub odds: u8,
    pub deadline: Tick,
    pub closed_at: Option<Tick>,
    pub said_at: Tick,
}

/// An event as bet-maker keeps it, with the progress of its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub event: Event,
    pub generation: u8,
    pub result_seq: u8,
    pub result_revision: u8,
    pub settled_seq: u8,
    pub settling_seq: u8,
    /// The last bet that the pass has done.
    pub settle_after: Option<u8>,
}

/// Where a bet stands; its payout in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Pending,
    Won(i16),
    Lost,
    Cancelled(i16),
    Late(i16),
}

impl Outcome {
    pub const fn payout(self) -> Option<i16> {
        match self {
            Self::Pending => None,
            Self::Lost => Some(0),
            Self::Won(payout) | Self::Cancelled(payout) | Self::Late(payout) => Some(payout),
        }
    }
}

const STAKE: Money = Money::from_cents(100);
const SMALL: &str = "the model's numbers are small";
const GOOD: &str = "the model uses good values only";

static IDS: LazyLock<[EventId; 4]> =
    LazyLock::new(|| ["e0", "e1", "e2", "e3"].map(|id| id.parse().expect(GOOD)));

/// Made once: millions of states ask for them.
static MOMENTS: LazyLock<[Timestamp; 256]> = LazyLock::new(|| {
    let mut tick = -1;
    [(); 256].map(|()| {
        tick += 1;
        Timestamp::from_unix_micros(tick * 1_000_000).expect(GOOD)
    })
});

/// Creates an event.
pub fn create(id: u8, deadline: Tick, now: Tick) -> Option<Event> {
    let new = NewEvent {
        id: event_id(id),
        title: String::new(),
        odds: odds(0),
        deadline: moment(deadline),
    };
    event::create(&new, moment(now))
        .ok()
        .map(|event| small(id, &event))
}

/// Gives an event other odds.
pub fn change_odds(event: &Event, now: Tick) -> Option<Event> {
    let update = Update {
        odds: Some(odds(event.odds + 1)),
        ..Update::default()
    };
    decided(event, event::update(&real(event), &update, moment(now)))
}

/// Gives an event its result.
pub fn finish(event: &Event, status: EventStatus, now: Tick) -> Option<Event> {
    let update = Update {
        status: Some(status),
        ..Update::default()
    };
    decided(event, event::update(&real(event), &update, moment(now)))
}

/// Puts a result right.
pub fn correct(event: &Event, status: EventStatus, now: Tick) -> Option<Event> {
    let reason = String::new();
    let correction = Correction { status, reason };
    decided(event, event::correct(&real(event), &correction, moment(now)))
}

fn decided(event: &Event, decision: Result<Decision, event::Refusal>) -> Option<Event> {
    match decision {
        Ok(Decision::Changed(changed, _)) => Some(small(event.id, &changed)),
        Ok(Decision::Unchanged) | Err(_) => None,
    }
}

/// What a change is, beside what is known.
pub fn compare(known: Option<&Row>, event: &Event, generation: u8, source: Source) -> News {
    let known = known.map(real_known);
    news::compare(known.as_ref(), &real(event), generation.into(), source)
}

/// The row after `event` was taken over; the progress of its settlement stays.
pub fn after(before: Option<&Row>, event: &Event, generation: u8) -> Row {
    let known = before.map(real_known);
    let after = news::Known::after(known.as_ref(), &real(event), generation.into());
    let (settled_seq, settling_seq, settle_after) = before.map_or((0, 0, None), |row| {
        (row.settled_seq, row.settling_seq, row.settle_after)
    });
    Row {
        event: small(event.id, &after.event),
        generation,
        result_seq: count(after.result_seq),
        result_revision: count(after.result_revision),
        settled_seq,
        settling_seq,
        settle_after,
    }
}

/// Whether a bet that takes any odds is accepted.
pub fn accepts(known: Option<&Row>, now: Tick) -> bool {
    let terms = known.map(|row| Terms {
        odds: odds(row.event.odds),
        revision: row.event.revision.into(),
        deadline: moment(row.event.deadline),
        status: row.event.status,
        closed_at: row.event.closed_at.map(moment),
    });
    placement::decide(terms.as_ref(), OddsPolicy::Any, moment(now)).is_ok()
}

/// What becomes of a bet at those odds.
pub fn settle(event: &Event, odds_taken: u8, placed_at: Tick) -> Outcome {
    let verdict = Verdict {
        status: event.status,
        closed_at: event.closed_at.map(moment),
    };
    let cents = |money: Money| i16::try_from(money.cents()).expect(SMALL);
    match settlement::settle(verdict, STAKE, odds(odds_taken), moment(placed_at)) {
        settlement::Outcome::Pending => Outcome::Pending,
        settlement::Outcome::Won { payout } => Outcome::Won(cents(payout)),
        settlement::Outcome::Lost => Outcome::Lost,
        settlement::Outcome::Void { reason, refund } => match reason {
            VoidReason::EventCancelled => Outcome::Cancelled(cents(refund)),
            VoidReason::PlacedAfterClose => Outcome::Late(cents(refund)),
        },
    }
}

fn real(event: &Event) -> shared_types::Event {
    shared_types::Event {
        id: event_id(event.id),
        title: String::new(),
        odds: odds(event.odds),
        deadline: moment(event.deadline),
        status: event.status,
        revision: event.revision.into(),
        closed_at: event.closed_at.map(moment),
        created_at: moment(0),
        updated_at: moment(event.said_at),
    }
}

fn real_known(row: &Row) -> news::Known {
    news::Known {
        event: real(&row.event),
        generation: row.generation.into(),
        result_seq: row.result_seq.into(),
        result_revision: row.result_revision.into(),
    }
}

fn small(id: u8, event: &shared_types::Event) -> Event {
    Event {
        id,
        revision: count(event.revision),
        status: event.status,
        odds: u8::try_from(event.odds.hundredths() - 150).expect(SMALL),
        deadline: tick(event.deadline),
        closed_at: event.closed_at.map(tick),
        said_at: tick(event.updated_at),
    }
}

fn event_id(id: u8) -> EventId {
    IDS.get(usize::from(id))
        .expect("a model has four events at most")
        .clone()
}

fn odds(number: u8) -> Odds {
    Odds::from_hundredths(150 + i64::from(number)).expect(GOOD)
}

/// A tick is a second.
fn moment(tick: Tick) -> Timestamp {
    *MOMENTS.get(usize::from(tick)).expect(SMALL)
}

fn tick(moment: Timestamp) -> Tick {
    Tick::try_from(moment.unix_seconds()).expect(SMALL)
}

fn count(number: u64) -> u8 {
    u8::try_from(number).expect(SMALL)
}
