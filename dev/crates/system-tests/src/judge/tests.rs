//! A small healthy system, and what each check says when one thing of it is wrong.

use serde_json::{Value, json};
use shared_types::{BetStatus, Change, ChangeType, Event, EventStatus, Timestamp};

use super::*;
use crate::evidence::tables::{Booked, Feed, StoredBet, StoredEvent, Version};
use crate::evidence::{Account, Heard, Resources, Verified};
use crate::history::{Call, Note, Operation, Outcome, Wish};
use crate::proxy::Passed;
use crate::wire::Receipt;

const BET: &str = "01a20690-5597-72ca-9294-dc0c7a632f51";
const INSTANCE: &str = "01a20690-5597-72ca-9294-000000000000";

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros((1_800_000_000 + second) * 1_000_000).unwrap()
}

/// Revision 1 at second 0; other odds at second 10; the first team wins at second 20.
fn event(revision: u64) -> Event {
    let odds = if revision == 1 { "1.50" } else { "1.85" };
    let is_over = revision == 3;
    Event {
        id: "game".parse().unwrap(),
        title: "Reds - Blues".to_owned(),
        odds: odds.parse().unwrap(),
        deadline: at(100),
        status: if is_over {
            EventStatus::FirstTeamWon
        } else {
            EventStatus::Unfinished
        },
        revision,
        closed_at: is_over.then(|| at(20)),
        created_at: at(0),
        updated_at: at(10 * (i64::try_from(revision).unwrap() - 1)),
    }
}

fn change(revision: u64) -> Change {
    let event = event(revision);
    Change {
        position: revision,
        instance: INSTANCE.parse().unwrap(),
        kind: [
            ChangeType::Created,
            ChangeType::Updated,
            ChangeType::StatusChanged,
        ][usize::try_from(revision).unwrap() - 1],
        event_id: event.id.clone(),
        revision,
        occurred_at: event.updated_at,
        event,
    }
}

fn operation(call: Call, from: i64, status: u16, body: Value) -> Operation {
    Operation {
        actor: "somebody".to_owned(),
        call,
        invoked_at: at(from),
        returned_at: Some(at(from + 1)),
        outcome: Outcome::Answered {
            status,
            replayed: false,
            retry_after: false,
            body,
        },
    }
}

fn patch(odds: Option<&str>, status: Option<EventStatus>) -> Call {
    Call::PatchEvent {
        id: "game".to_owned(),
        odds: odds.map(str::to_owned),
        deadline: None,
        status,
    }
}

fn place(replica: usize, stake: &str) -> Call {
    let wish = Wish {
        key: Some("key-1".to_owned()),
        event_id: "game".to_owned(),
        stake: stake.to_owned(),
        odds: None,
        odds_change: None,
        bettor: "alice".to_owned(),
    };
    Call::PlaceBet { replica, wish }
}

fn bet_body() -> Value {
    json!({
        "id": BET, "event_id": "game", "bettor": "alice", "stake": "0.99", "odds": "1.85", "potential_payout": "1.83",
        "status": "pending", "void_reason": null, "payout": null, "event_revision": 2, "placed_at": at(15),
        "settled_at": null,
    })
}

fn receipt(revision: u64, second: i64) -> Receipt {
    Receipt {
        at: at(second),
        port: Some(4000),
        webhook_id: format!("msg_{revision}"),
        signed_at_s: at(second).unix_seconds(),
        is_genuine: true,
        answered: 204,
        change: change(revision),
    }
}

fn healthy() -> Evidence {
    let mut evidence = Evidence {
        log: (1..=3).map(change).collect(),
        head: 3,
        instances: vec![INSTANCE.to_owned()],
        rest_s: Some(1.0),
        stale_after_s: 3,
        ..Evidence::default()
    };
    let create = Call::CreateEvent {
        id: "game".to_owned(),
        title: "Reds - Blues".to_owned(),
        odds: "1.50".to_owned(),
        deadline: at(100).to_string(),
    };
    evidence.history.operations = vec![
        operation(create, 0, 201, json!(event(1))),
        operation(patch(Some("1.85"), None), 10, 200, json!(event(2))),
        operation(place(0, "0.99"), 15, 201, bet_body()),
        operation(
            patch(None, Some(EventStatus::FirstTeamWon)),
            20,
            200,
            json!(event(3)),
        ),
        operation(
            Call::GetEvent {
                id: "game".to_owned(),
            },
            30,
            200,
            json!(event(3)),
        ),
    ];
    evidence.subscribers = vec![Heard {
        name: "subscriber-0".to_owned(),
        receipts: vec![receipt(1, 1), receipt(2, 11), receipt(3, 21)],
        passed: vec![Passed {
            at: at(0),
            port: 4000,
            epoch: 1,
        }],
        cursor: 3,
        ..Heard::default()
    }];
    let tables = &mut evidence.tables;
    tables.bets = vec![StoredBet {
        id: BET.to_owned(),
        event_id: "game".to_owned(),
        bettor: Some("alice".to_owned()),
        stake: 99,
        odds: 185,
        event_revision: 2,
        placed_at: at(15),
        status: BetStatus::Won,
        void_reason: None,
        payout: Some(183),
        committed_at: Some(at(16)),
    }];
    let known = StoredEvent {
        revision: 3,
        odds: 185,
        deadline: at(100),
        status: EventStatus::FirstTeamWon,
        closed_at: Some(at(20)),
        is_settled: true,
    };
    tables.events.insert("game".to_owned(), known);
    let version = |revision, second| Version {
        revision,
        is_closed: revision == 3,
        committed_at: at(second),
    };
    tables.versions.insert(
        "game".to_owned(),
        vec![version(1, 1), version(2, 11), version(3, 21)],
    );
    let booked = Booked {
        amount: 183,
        rows: 1,
        status: Some(BetStatus::Won),
    };
    tables.ledger.insert(BET.to_owned(), booked);
    tables.keys.insert("key-1".to_owned(), Some(BET.to_owned()));
    tables.feed = Feed {
        instance: Some(INSTANCE.to_owned()),
        position: 3,
        ..Feed::default()
    };
    let line = |bets: u64, stakes: &str, payout: &str, paid: &str| json!({"bets": bets, "stakes": stakes, "payout_if_first_team_wins": payout, "paid": paid});
    let none = line(0, "0.00", "0.00", "0.00");
    let won = line(1, "0.99", "1.83", "1.83");
    let by_status = json!({"pending": none, "won": won, "lost": none, "void": none});
    evidence
        .exposures
        .insert("game".to_owned(), json!({"total": won, "by_status": by_status}));
    let held = Resources {
        resident_kib: 50_000,
        descriptors: 30,
        threads: 8,
    };
    evidence.accounts = vec![Account {
        name: "bet-maker-0".to_owned(),
        resources: Some((held, held)),
        ..Account::default()
    }];
    evidence.verified = vec![Verified {
        name: "bet-maker verify",
        succeeded: true,
        output: String::new(),
    }];
    evidence
}

#[test]
fn a_healthy_system_passes_every_check_and_none_of_them_is_vacuous() {
    let verdict = Verdict::of(&healthy());
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.vacuous().count(), 0, "{verdict}");
}

/// One thing that is wrong, and the check that must say so.
type Wrong = (&'static str, Check, fn(&mut Evidence));

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

const WRONGS: &[Wrong] = &[
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
    ("a suspended feed", Check::HistoryWithoutGaps, |e| {
        e.tables.feed.suspended = Some("why".to_owned())
    }),
    ("a change never told", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts.pop();
    }),
    ("a change never taken", Check::SubscribersTold, |e| {
        e.subscribers[0].receipts[2].answered = 500
    }),
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
    ("what does not heal", Check::NothingFailedUnnamed, |e| {
        e.not_healed.push("bet-maker-1".to_owned())
    }),
    ("verify finds something", Check::VerifyAgrees, |e| {
        e.verified[0].succeeded = false
    }),
];

#[test]
fn every_check_sees_what_it_is_there_for() {
    for (what, check, spoil) in WRONGS {
        let mut evidence = healthy();
        spoil(&mut evidence);
        let failed: Vec<_> = Verdict::of(&evidence).failed().collect();
        assert!(
            failed.contains(check),
            "{what}: {check} does not see it, {failed:?} do"
        );
    }
    for check in Check::value_variants() {
        assert!(
            WRONGS.iter().any(|(_, seen, _)| seen == check),
            "nothing shows that {check} sees"
        );
    }
}

#[test]
fn what_is_sent_again_after_a_crash_is_not_out_of_order() {
    let mut evidence = healthy();
    let subscriber = &mut evidence.subscribers[0];
    subscriber.passed.push(Passed {
        at: at(30),
        port: 4001,
        epoch: 2,
    });
    for revision in 1..=3 {
        subscriber.receipts.push(Receipt {
            port: Some(4001),
            ..receipt(revision, 31)
        });
    }
    let verdict = Verdict::of(&evidence);
    assert!(verdict.is_clean(), "{verdict}");
}
