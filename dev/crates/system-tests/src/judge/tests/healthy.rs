//! A small healthy system: one event of three revisions, one bet, one subscriber.

use serde_json::{Value, json};
use shared_types::{BetStatus, Change, ChangeType, Event, EventStatus, Timestamp};

use crate::evidence::tables::{Booked, Feed, StoredBet, StoredEvent, Version};
use crate::evidence::{Account, Evidence, Heard, Resources, Verified};
use crate::history::{Call, Operation, Outcome, Wish};
use crate::proxy::Passed;
use crate::wire::Receipt;

pub(super) const BET: &str = "01a20690-5597-72ca-9294-dc0c7a632f51";
pub(super) const INSTANCE: &str = "01a20690-5597-72ca-9294-000000000000";

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros((1_800_000_000 + second) * 1_000_000).unwrap()
}

/// Revision 1 at second 0; other odds at second 10; the first team wins at second 20.
pub(super) fn event(revision: u64) -> Event {
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

pub(super) fn change(revision: u64) -> Change {
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

pub(super) fn operation(call: Call, from: i64, status: u16, body: Value) -> Operation {
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

pub(super) fn patch(odds: Option<&str>, status: Option<EventStatus>) -> Call {
    Call::PatchEvent {
        id: "game".to_owned(),
        odds: odds.map(str::to_owned),
        deadline: None,
        status,
    }
}

pub(super) fn place(replica: usize, stake: &str) -> Call {
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

pub(super) fn bet_body() -> Value {
    json!({
        "id": BET, "event_id": "game", "bettor": "alice", "stake": "0.99", "odds": "1.85", "potential_payout": "1.83",
        "status": "pending", "void_reason": null, "payout": null, "event_revision": 2, "placed_at": at(15),
        "settled_at": null,
    })
}

pub(super) fn receipt(revision: u64, second: i64) -> Receipt {
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

pub(super) fn healthy() -> Evidence {
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
        tasks: 40,
    };
    evidence.accounts = vec![Account {
        name: "bet-maker-0".to_owned(),
        resources: Some((held, held)),
        ..Account::default()
    }];
    evidence.verified = vec![Verified {
        name: "bet-maker verify".to_owned(),
        succeeded: true,
        output: String::new(),
    }];
    evidence
}
