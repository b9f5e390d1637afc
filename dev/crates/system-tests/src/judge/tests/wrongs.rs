//! What may be wrong with the healthy system, one thing at a time.

use serde_json::{Value, json};
use shared_types::BetStatus;

use super::healthy::{BET, at, event, operation, place, receipt};
use crate::evidence::Evidence;
use crate::evidence::tables::StoredBet;
use crate::history::{Call, Note, Operation, Outcome};
use crate::judge::Check;

/// One thing that is wrong, and the check that must say so.
pub(super) type Wrong = (&'static str, Check, fn(&mut Evidence));

fn answer_of(operation: &mut Operation) -> (&mut u16, &mut Value) {
    match &mut operation.outcome {
        Outcome::Answered { status, body, .. } => (status, body),
        Outcome::Unknown { .. } => panic!("every operation here has an answer"),
    }
}

fn again(evidence: &Evidence, place: usize) -> Operation {
    let operation = &evidence.history.operations[place];
    Operation {
        invoked_at: at(40),
        returned_at: Some(at(41)),
        ..operation.clone()
    }
}

pub(super) const WRONGS: &[Wrong] = &[
    (
        "an acknowledged change is missing",
        Check::AcknowledgedIsThere,
        |e| {
            e.log.pop();
        },
    ),
    (
        "an acknowledged bet is missing",
        Check::AcknowledgedIsThere,
        |e| e.tables.bets.clear(),
    ),
    ("a bet has another stake", Check::AcknowledgedIsThere, |e| {
        e.tables.bets[0].stake = 98
    }),
    ("a reader is told of no bet", Check::AcknowledgedIsThere, |e| {
        let call = Call::GetBet {
            replica: 0,
            id: BET.to_owned(),
        };
        e.history
            .operations
            .push(operation(call, 30, 404, json!({"code": "bet_not_found"})));
    }),
    ("a revision is unsaid", Check::AcknowledgedIsThere, |e| {
        let call = Call::GetEvent {
            id: "game".to_owned(),
        };
        e.history
            .operations
            .push(operation(call, 50, 200, json!(event(2))));
    }),
    ("a change that nobody asked for", Check::NothingUnasked, |e| {
        e.history.operations.remove(1);
    }),
    ("a bet that nobody asked for", Check::NothingUnasked, |e| {
        e.history.operations.remove(2);
    }),
    ("a keyless bet twice", Check::NothingUnasked, |e| {
        e.tables.keys.clear();
        if let Call::PlaceBet { wish, .. } = &mut e.history.operations[2].call {
            wish.key = None;
        }
        let twin = StoredBet {
            id: "twin".to_owned(),
            ..e.tables.bets[0].clone()
        };
        e.tables.bets.push(twin);
    }),
    ("a callback that the log has not", Check::NothingUnasked, |e| {
        e.subscribers[0].receipts[1].change.event.title = "another".to_owned();
    }),
    ("a forged callback", Check::NothingUnasked, |e| {
        e.subscribers[0].receipts[1].is_genuine = false
    }),
    (
        "a bet that was refused and is there",
        Check::OneKeyOneAnswer,
        |e| {
            let (status, body) = answer_of(&mut e.history.operations[2]);
            (*status, *body) = (409, json!({"code": "betting_closed"}));
        },
    ),
    (
        "a keyless bet that was refused and is there",
        Check::OneKeyOneAnswer,
        |e| {
            let mut refused = again(e, 2);
            if let Call::PlaceBet { wish, .. } = &mut refused.call {
                wish.key = None;
            }
            let (status, body) = answer_of(&mut refused);
            (*status, *body) = (409, json!({"code": "betting_closed"}));
            e.history.operations.push(refused);
        },
    ),
    ("two answers to one key", Check::OneKeyOneAnswer, |e| {
        let mut other = again(e, 2);
        answer_of(&mut other).1["stake"] = json!("0.98");
        e.history.operations.push(other);
    }),
    ("a key decided twice", Check::OneKeyOneAnswer, |e| {
        let again = again(e, 2);
        e.history.operations.push(again);
    }),
    ("a key that served another request", Check::OneKeyOneAnswer, |e| {
        let other = Operation {
            call: place(1, "10.99"),
            ..again(e, 2)
        };
        e.history.operations.push(other);
    }),
    ("a bet at the deadline", Check::PlacedBeforeClose, |e| {
        e.tables.bets[0].placed_at = at(100)
    }),
    ("a bet at other odds", Check::PlacedBeforeClose, |e| {
        e.tables.bets[0].odds = 186
    }),
    (
        "a clock read before the revision was known",
        Check::PlacedBeforeClose,
        |e| e.tables.bets[0].placed_at = at(10),
    ),
    ("a bet behind its event's close", Check::PlacedBeforeClose, |e| {
        e.tables.bets[0].committed_at = Some(at(22))
    }),
    ("a bet taken blind", Check::PlacedBeforeClose, |e| {
        e.history.notes = vec![
            (at(5), Note::Blind { replica: 0 }),
            (at(18), Note::Sighted { replica: 0 }),
        ];
    }),
    ("a bet left pending", Check::SettledByNewest, |e| {
        e.tables.bets[0].status = BetStatus::Pending;
        e.tables.bets[0].payout = None;
    }),
    ("a payout rounded up", Check::SettledByNewest, |e| {
        e.tables.bets[0].payout = Some(184)
    }),
    ("a late bet paid", Check::SettledByNewest, |e| {
        e.tables.bets[0].placed_at = at(20)
    }),
    ("a settlement that is still due", Check::SettledByNewest, |e| {
        e.tables.events.get_mut("game").unwrap().is_settled = false;
    }),
    ("no rest", Check::SettledByNewest, |e| e.rest_s = None),
    ("a payout booked twice", Check::SumsAgree, |e| {
        e.tables.ledger.get_mut(BET).unwrap().amount = 366
    }),
    ("a payout not booked", Check::SumsAgree, |e| {
        e.tables.ledger.clear()
    }),
    ("an exposure a cent off", Check::SumsAgree, |e| {
        e.exposures.get_mut("game").unwrap()["total"]["paid"] = json!("1.84");
    }),
    ("a position is missing", Check::HistoryWithoutGaps, |e| {
        e.log.remove(1);
    }),
    ("two instances", Check::HistoryWithoutGaps, |e| {
        e.instances.push("another".to_owned())
    }),
    ("a close that moves", Check::HistoryWithoutGaps, |e| {
        e.log[2].event.closed_at = Some(at(19));
    }),
    ("an old revision at bet-maker", Check::HistoryWithoutGaps, |e| {
        e.tables.events.get_mut("game").unwrap().revision = 2;
    }),
    ("a conflict", Check::HistoryWithoutGaps, |e| {
        e.tables.feed.conflicts = 1
    }),
    ("a bookmark behind the head", Check::HistoryWithoutGaps, |e| {
        e.tables.feed.position = 2
    }),
    (
        "an older revision after a newer one",
        Check::HistoryWithoutGaps,
        |e| e.tables.versions.get_mut("game").unwrap()[0].committed_at = at(12),
    ),
    ("a suspended feed", Check::HistoryWithoutGaps, |e| {
        e.tables.feed.suspended = Some("why".to_owned())
    }),
    ("a change never told", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts.pop();
    }),
    ("a change never taken", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts[2].answered = 500
    }),
    (
        "a change skipped, and listed nowhere",
        Check::SubscribersTold,
        |e| {
            e.subscribers[0].receipts.remove(1);
        },
    ),
    ("a cursor behind the head", Check::SubscribersTold, |e| {
        e.subscribers[0].cursor = 2
    }),
    ("changes out of order", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts.swap(1, 2)
    }),
    ("a superseded change sent again", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts[1].answered = 500;
        e.subscribers[0].receipts.insert(2, receipt(2, 30));
    }),
    ("an unnamed failure", Check::NothingFailedUnnamed, |e| {
        let mut failed = again(e, 4);
        *answer_of(&mut failed).0 = 500;
        e.history.operations.push(failed);
    }),
    ("a 503 without Retry-After", Check::NothingFailedUnnamed, |e| {
        let mut failed = again(e, 4);
        let (status, body) = answer_of(&mut failed);
        (*status, *body) = (503, json!({"code": "overloaded"}));
        e.history.operations.push(failed);
    }),
    ("a panic", Check::NothingFailedUnnamed, |e| {
        e.accounts[0].log = "thread 'main' panicked at src/x.rs".to_owned();
    }),
    ("an unasked end", Check::NothingFailedUnnamed, |e| {
        e.accounts[0].unasked_ends.push("signal 11".to_owned())
    }),
    ("an open transaction", Check::NothingFailedUnnamed, |e| {
        e.open_transactions.push("42: idle".to_owned())
    }),
    ("a leak", Check::NothingFailedUnnamed, |e| {
        e.accounts[0].resources.as_mut().unwrap().1.resident_kib = 900_000
    }),
    ("tasks that do not end", Check::NothingFailedUnnamed, |e| {
        e.accounts[0].resources.as_mut().unwrap().1.tasks = 400
    }),
    ("what does not heal", Check::NothingFailedUnnamed, |e| {
        e.not_healed.push("bet-maker-1".to_owned())
    }),
    ("verify finds something", Check::VerifyAgrees, |e| {
        e.verified[0].succeeded = false
    }),
];
