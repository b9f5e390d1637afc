//! The model's words in the product's, and the other way round.

use bet_maker::placement::{OddsPolicy, PlaceBet, Refusal};
use bet_maker::store::placements::{Answer as Answered, Ticket};
use shared_types::{BetId, BetStatus, EventStatus, Money, Odds, Timestamp, VoidReason};
use uuid::Uuid;

use super::model::{Answer, Deed, EVENTS, Placed, Policy, Reply, Request};
use crate::harness::{History, in_seconds};

pub fn do_deed(history: &mut History, id: &str, deed: Deed) {
    match deed {
        Deed::Odds(odds) => history.set_odds(id, &format!("{}.{:02}", odds / 100, odds % 100)),
        Deed::DeadlineNow => history.set_deadline(id, Timestamp::now()),
        Deed::Status { status, closes_now } => {
            let now = if closes_now {
                Timestamp::now()
            } else {
                in_seconds(3600)
            };
            history.set_status_at(id, status, now)
        }
    };
}

pub fn ticket(request: &Request, at: u64) -> Ticket {
    let odds = |hundredths| Odds::from_hundredths(hundredths).unwrap();
    Ticket {
        id: BetId::from_uuid(Uuid::from_u128(at.into())),
        bet: PlaceBet {
            event_id: EVENTS[request.event].parse().unwrap(),
            stake: Money::from_cents(request.stake),
            odds: match request.policy {
                Policy::Any => OddsPolicy::Any,
                Policy::Exactly(hundredths) => OddsPolicy::Exactly(odds(hundredths)),
                Policy::AtLeast(hundredths) => OddsPolicy::AtLeast(odds(hundredths)),
            },
            bettor: None,
            key: request.key.map(|key| format!("key-{key}").parse().unwrap()),
        },
    }
}

/// In the model's words.
pub fn read_answer(answer: &Answered) -> Answer {
    match answer {
        Answered::Decided { outcome, replayed } => {
            let reply = match outcome {
                Ok(bet) => {
                    assert_eq!((bet.status, bet.payout), (BetStatus::Pending, None));
                    Reply::Accepted(Placed {
                        at: bet.id.as_uuid().as_u128().try_into().unwrap(),
                        event: EVENTS.iter().position(|id| *id == bet.event_id.as_str()).unwrap(),
                        stake: bet.stake.cents(),
                        odds: bet.odds.hundredths().into(),
                        revision: bet.event_revision,
                    })
                }
                Err(Refusal::EventNotFound) => Reply::NoSuchEvent,
                Err(Refusal::BettingClosed) => Reply::Closed,
                Err(Refusal::OddsChanged { current_odds }) => {
                    Reply::OddsAre(current_odds.hundredths().into())
                }
            };
            if *replayed {
                Answer::Again(reply)
            } else {
                Answer::New(reply)
            }
        }
        Answered::KeyReused => Answer::KeyReused,
        Answered::Halted(halt) => panic!("bets are halted: {halt:?}"),
    }
}

pub const fn event_code(status: EventStatus) -> i16 {
    match status {
        EventStatus::Unfinished => 0,
        EventStatus::FirstTeamWon => 1,
        EventStatus::SecondTeamWon => 2,
        EventStatus::Cancelled => 3,
    }
}

pub const fn bet_code(status: BetStatus) -> i16 {
    match status {
        BetStatus::Pending => 0,
        BetStatus::Won => 1,
        BetStatus::Lost => 2,
        BetStatus::Void => 3,
    }
}

pub const fn reason_code(reason: VoidReason) -> i64 {
    match reason {
        VoidReason::EventCancelled => 1,
        VoidReason::PlacedAfterClose => 2,
    }
}
