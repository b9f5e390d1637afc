//! What must hold, each by its name: always, and whenever the services are at rest. What must be reached, so that none of
//! it holds for lack of anything happening, stands in [`crate::reached`].

use shared_types::EventStatus;
use stateright::Property;

use crate::model::Protocol;
use crate::reached::REACHED;
use crate::rules::{self, Event, Outcome};
use crate::size::Size;
use crate::state::{Answer, Bet, Bettor, Bookmark, Lane, State, Work};

/// What must hold in a model of that size.
pub fn of(size: &Size) -> Vec<Property<Protocol>> {
    let mut properties = ALWAYS
        .iter()
        .map(|(name, holds)| Property::always(name, *holds))
        .collect::<Vec<_>>();
    let reached = REACHED.iter().filter(|(_, is_asked, _)| is_asked(size));
    properties.extend(reached.map(|(name, _, is_so)| Property::sometimes(name, *is_so)));
    properties
}

pub type Holds = fn(&Protocol, &State) -> bool;

const ALWAYS: [(&str, Holds); 17] = [
    ("positions and revisions have no gaps", |_, state| {
        counts_have_no_gaps(state)
    }),
    ("nothing that was answered is lost", |_, state| {
        !state.seen.lost_answer && state.provider.answered <= state.provider.durable
    }),
    ("nothing is told that no journal holds", |_, state| {
        told(state).all(|event| state.was_said(event))
    }),
    (
        "the saved cursor passes nothing that is still to be told",
        |_, state| cursor_is_right(state),
    ),
    ("an event never goes back to an older revision", |_, state| {
        !state.seen.went_back
    }),
    ("no bet joins an event whose close is known", |_, state| {
        !state.seen.joined_closed
    }),
    ("one key, one bet, one answer", |_, state| keys_are_right(state)),
    ("no accepted bet is lost", |_, state| {
        accepted_bets_are_there(state)
    }),
    ("a bet has the odds of its revision", |_, state| {
        bets(state).all(|bet| odds_are_right(state, bet))
    }),
    ("no bet goes back to an older result", |_, state| {
        bets(state).all(Bet::is_in_order)
    }),
    ("the ledger adds up to the payout", |_, state| {
        bets(state).all(Bet::adds_up)
    }),
    ("nothing is void without a reason", |_, state| {
        bets(state).all(|bet| is_void_for_a_reason(state, bet))
    }),
    ("a bet placed after the close is never paid", |_, state| {
        bets(state).all(|bet| is_paid_in_time(state, bet))
    }),
    ("at rest every bet has the newest result", |model, state| {
        bets(state).all(|bet| has_newest_result(state, bet)) || !model.is_at_rest(state)
    }),
    ("at rest the newest of every event was told", |model, state| {
        newest_is_known(state, model.0.callbacks) || !model.is_at_rest(state)
    }),
    ("at rest the bookmark stands in the log", |model, state| {
        bookmark_is_right(state) || !model.is_at_rest(state)
    }),
    ("at rest nobody waits", |model, state| {
        nobody_waits(state) || !model.is_at_rest(state)
    }),
];

pub fn bets(state: &State) -> impl Iterator<Item = &Bet> {
    state.store.bets.iter()
}

fn counts_have_no_gaps(state: &State) -> bool {
    let log = &state.provider.log;
    let follows = |number: u8| {
        let change = log[number];
        let before = log
            .first(number)
            .rfind(|earlier| earlier.event.id == change.event.id);
        let revision = before.map_or(0, |before| before.event.revision) + 1;
        change.position == number + 1 && change.event.revision == revision
    };
    log.numbers().all(follows)
}

/// What left line-provider: callbacks on their way, pages, and what bet-maker made of them.
fn told(state: &State) -> impl Iterator<Item = &Event> {
    let applying = state.replicas.iter().flat_map(|replica| replica.applying());
    let in_hand = applying.flat_map(|applying| {
        let (callback, page) = match &applying.work {
            Work::Callback(callback) => (Some(&callback.change), None),
            Work::Page { changes, .. } => (None, Some(changes.iter())),
        };
        callback.into_iter().chain(page.into_iter().flatten())
    });
    let flying = state.flying.iter().map(|callback| &callback.change);
    let known = state.store.rows.iter().flatten().map(|row| &row.event);
    in_hand.chain(flying).map(|change| &change.event).chain(known)
}

impl State {
    /// What some journal holds, or held.
    fn said(&self) -> impl Iterator<Item = &Event> {
        let durable = self
            .provider
            .log
            .first(self.provider.durable)
            .map(|change| &change.event);
        durable.chain(self.seen.forgotten.iter())
    }

    fn was_said(&self, event: &Event) -> bool {
        // bet-maker keeps the earliest close that it heard of, and closes what an adopted log does not name.
        let like = |said: &Event| {
            said == event
                || self.seen.restored
                    && Event {
                        closed_at: event.closed_at,
                        ..*said
                    } == *event
        };
        self.said().any(like)
    }
}

fn cursor_is_right(state: &State) -> bool {
    let (log, saved) = (&state.provider.log, state.provider.saved);
    let is_told = |number: u8| {
        let event = log[number].event;
        let is_newest = log
            .iter()
            .skip(usize::from(number) + 1)
            .all(|later| later.event.id != event.id);
        !is_newest || state.store.taken[event.id] >= event.revision
    };
    state.seen.restored || (0..saved).all(is_told)
}

fn keys_are_right(state: &State) -> bool {
    state.bettors.numbers().all(|bettor| {
        let placed = bets(state).filter(|bet| bet.bettor == bettor).count();
        let key = state.store.keys[bettor];
        let heard = match state.bettors[bettor] {
            Bettor::Thinking | Bettor::Asking => None,
            Bettor::Answered(answer) => Some(answer),
        };
        placed == usize::from(key == Some(Answer::Accepted))
            && heard.is_none_or(|heard| heard == Answer::Halted || key == Some(heard))
    })
}

fn accepted_bets_are_there(state: &State) -> bool {
    state.bettors.numbers().all(|bettor| {
        state.bettors[bettor] != Bettor::Answered(Answer::Accepted)
            || bets(state).any(|bet| bet.bettor == bettor)
    })
}

fn odds_are_right(state: &State, bet: &Bet) -> bool {
    state
        .said()
        .any(|event| (event.id, event.revision, event.odds) == (bet.event, bet.revision, bet.odds))
}

impl Bet {
    /// Each result is newer than the one before, and so none comes twice.
    fn is_in_order(&self) -> bool {
        let later = self.ledger.iter().skip(1);
        let last = self.ledger.last().map_or(0, |(result, _)| *result);
        self.ledger.iter().zip(later).all(|(one, next)| one.0 < next.0) && self.settled_seq == last
    }

    fn adds_up(&self) -> bool {
        let sum: i16 = self.ledger.iter().map(|(_, amount)| amount).sum();
        sum == self.outcome.payout().unwrap_or(0)
    }
}

fn is_void_for_a_reason(state: &State, bet: &Bet) -> bool {
    let mut said = state.said().filter(|event| event.id == bet.event);
    match bet.outcome {
        Outcome::Pending | Outcome::Won(_) | Outcome::Lost => true,
        Outcome::Cancelled(_) => said.any(|event| event.status == EventStatus::Cancelled),
        Outcome::Late(_) => said.any(|event| event.closed_at.is_some_and(|at| at <= bet.placed_at)),
    }
}

fn is_paid_in_time(state: &State, bet: &Bet) -> bool {
    let mut rows = state.store.rows.iter().flatten();
    let closed_at = rows
        .find(|row| row.event.id == bet.event)
        .and_then(|row| row.event.closed_at);
    let is_late = closed_at.is_some_and(|at| at <= bet.placed_at);
    !(is_late && matches!(bet.outcome, Outcome::Won(_)))
}

/// The newest result is the log's; after a journal was set back, the one that bet-maker knows.
fn has_newest_result(state: &State, bet: &Bet) -> bool {
    let known = state.store.rows[bet.event].as_ref().map(|row| &row.event);
    let newest = if state.seen.restored {
        known
    } else {
        state.provider.newest(bet.event)
    };
    newest.is_some_and(|event| bet.outcome == rules::settle(event, bet.odds, bet.placed_at))
}

fn newest_is_known(state: &State, by_callback_too: bool) -> bool {
    let knows = |event: u8| {
        let newest = state.provider.newest(event).map_or(0, |event| event.revision);
        let known = state.store.rows[event].map_or(0, |row| row.event.revision);
        known == newest && (!by_callback_too || state.store.taken[event] == newest)
    };
    state.seen.restored || state.store.rows.numbers().all(knows)
}

/// Either the log that is followed is line-provider's, up to its end, or acceptance is suspended.
fn bookmark_is_right(state: &State) -> bool {
    let (feed, provider) = (&state.store.feed, &state.provider);
    let is_followed = |bookmark: Bookmark| {
        bookmark.instance == provider.instance
            && bookmark.position == provider.log.len()
            && bookmark.change.as_ref() == provider.log.last()
    };
    feed.suspension.is_some() || feed.followed.is_some_and(is_followed)
}

fn nobody_waits(state: &State) -> bool {
    let settled = state.store.rows.iter().flatten().all(|row| !row.is_due());
    let provider = &state.provider;
    let answered = provider.answered == provider.log.len();
    let asking = state.bettors.iter().any(|bettor| *bettor == Bettor::Asking);
    let under_way = provider
        .window
        .lanes
        .iter()
        .any(|lane| matches!(lane, Lane::InFlight(_)));
    settled && answered && !asking && !under_way
}
