//! Every acknowledged event, result and bet is there, unaltered; and whoever read after an acknowledgement saw it.

use std::collections::HashMap;

use serde_json::Value;
use shared_types::{Bet, Change, Event, Money, Timestamp};

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::StoredBet;
use crate::history::{Call, Operation};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let revisions = evidence.revisions();
    let bets: HashMap<_, _> = evidence
        .tables
        .bets
        .iter()
        .map(|bet| (bet.id.as_str(), bet))
        .collect();
    for operation in &evidence.history.operations {
        let Some((status, body)) = operation.answer() else {
            continue;
        };
        match (&operation.call, status) {
            (
                Call::CreateEvent { id, .. }
                | Call::PatchEvent { id, .. }
                | Call::Correct { id, .. }
                | Call::GetEvent { id },
                200 | 201,
            ) => event_is_there(id, body, &revisions, findings),
            (Call::PlaceBet { .. } | Call::GetBet { .. }, 200 | 201) => bet_is_there(body, &bets, findings),
            (Call::GetEvent { id }, 404) if !evidence.was_set_back_during(operation) => {
                findings.require(false, || {
                    format!("event {id} was acknowledged, and a reader was told of none")
                });
            }
            (Call::GetBet { id, .. }, 404) => {
                findings.require(false, || {
                    format!("bet {id} was acknowledged, and a reader was told of none")
                });
            }
            _ => {}
        }
    }
    reads_go_forward(evidence, findings);
}

fn event_is_there(
    id: &str,
    body: &Value,
    revisions: &HashMap<(&str, u64), &Change>,
    findings: &mut Findings,
) {
    let Ok(event) = serde_json::from_value::<Event>(body.clone()) else {
        return findings.require(false, || {
            format!("the answer about event {id} is no event: {body}")
        });
    };
    let logged = revisions.get(&(id, event.revision)).map(|change| &change.event);
    findings.require(logged == Some(&event), || {
        format!(
            "event {id} was told at revision {}, which the log has not: {body}",
            event.revision
        )
    });
}

fn bet_is_there(body: &Value, bets: &HashMap<&str, &StoredBet>, findings: &mut Findings) {
    let Ok(bet) = serde_json::from_value::<Bet>(body.clone()) else {
        return findings.require(false, || format!("an answer about a bet is no bet: {body}"));
    };
    let stored = bets.get(bet.id.to_string().as_str());
    findings.require(stored.is_some_and(|stored| is_same(stored, &bet)), || {
        format!("bet {} was told as {body}, and is stored as {stored:?}", bet.id)
    });
}

fn is_same(stored: &StoredBet, bet: &Bet) -> bool {
    stored.event_id == bet.event_id.as_str()
        && stored.bettor.as_deref() == bet.bettor.as_ref().map(|bettor| bettor.as_str())
        && Money::from_cents(stored.stake) == bet.stake
        && stored.odds == i64::from(bet.odds.hundredths())
        && stored.event_revision == bet.event_revision
        && stored.placed_at == bet.placed_at
}

/// A revision that somebody was told of is never unsaid to somebody who asks later.
fn reads_go_forward(evidence: &Evidence, findings: &mut Findings) {
    let mut told: HashMap<&str, Vec<(Timestamp, u64)>> = HashMap::new();
    let mut asked: Vec<(&str, &Operation, Timestamp, u64)> = Vec::new();
    for operation in &evidence.history.operations {
        let Some(id) = operation.call.event() else {
            continue;
        };
        let Some(((200 | 201, body), returned_at)) = operation.answer().zip(operation.returned_at) else {
            continue;
        };
        let Some(revision) = body["revision"].as_u64() else {
            continue;
        };
        if evidence.was_set_back_during(operation) {
            continue;
        }
        told.entry(id).or_default().push((returned_at, revision));
        asked.push((id, operation, operation.invoked_at, revision));
    }
    for times in told.values_mut() {
        times.sort_unstable();
        // From each time on, the highest revision told by then.
        let mut highest = 0;
        for (_, revision) in times.iter_mut() {
            highest = highest.max(*revision);
            *revision = highest;
        }
    }
    for (id, operation, invoked_at, revision) in asked {
        let times = told.get(id).map(Vec::as_slice).unwrap_or_default();
        let earlier = times.partition_point(|(at, _)| *at < invoked_at);
        let known = earlier
            .checked_sub(1)
            .and_then(|last| times.get(last))
            .map_or(0, |(_, highest)| *highest);
        findings.require(revision >= known, || {
            format!(
                "{} heard of revision {revision} of {id} after {known} had been told",
                operation.actor
            )
        });
    }
}
