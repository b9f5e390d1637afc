//! One key, one bet, one answer: whoever repeats a request with its key hears the same, on whatever replica, after
//! whatever crash; and a key serves one request only.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Findings;
use crate::evidence::Evidence;
use crate::history::{Call, Operation, Wish};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let mut by_key: HashMap<&str, Vec<&Operation>> = HashMap::new();
    for operation in &evidence.history.operations {
        if let Some(key) = wish(operation).and_then(|wish| wish.key.as_deref()) {
            by_key.entry(key).or_default().push(operation);
        }
    }
    for (key, operations) in &by_key {
        check_key(key, operations, evidence, findings);
    }
    refused_without_a_key(evidence, findings);
    let mut named: HashMap<&str, &str> = HashMap::new();
    for (key, bet) in &evidence.tables.keys {
        if let Some(other) = bet.as_deref().and_then(|bet| named.insert(bet, key)) {
            findings.require(false, || format!("keys {key} and {other} stand for one bet"));
        }
        findings.require(by_key.contains_key(key.as_str()), || {
            format!("nobody used key {key}")
        });
    }
}

/// Whoever was refused, and asked once, has no bet; without a key a bet is told apart by its bettor.
fn refused_without_a_key(evidence: &Evidence, findings: &mut Findings) {
    let bets = &evidence.tables.bets;
    let bettors: HashSet<_> = bets.iter().map(|bet| bet.bettor.as_deref()).collect();
    for operation in &evidence.history.operations {
        let Some(wish) = wish(operation).filter(|wish| wish.key.is_none()) else {
            continue;
        };
        if let Some((status @ (404 | 409 | 422), body)) = operation.answer() {
            findings.require(!bettors.contains(&Some(wish.bettor.as_str())), || {
                format!("{} was refused a bet ({status} {body}), and has it", wish.bettor)
            });
        }
    }
}

fn wish(operation: &Operation) -> Option<&Wish> {
    match &operation.call {
        Call::PlaceBet { wish, .. } => Some(wish),
        _ => None,
    }
}

fn check_key(key: &str, operations: &[&Operation], evidence: &Evidence, findings: &mut Findings) {
    let first = operations.first().and_then(|operation| wish(operation));
    let mut told: Option<(u16, Value)> = None;
    let mut originals = 0;
    for operation in operations {
        let Some((status, body)) = operation.answer() else {
            continue;
        };
        if wish(operation) != first {
            let refused = status == 422 && body["code"] == "idempotency_key_reused";
            findings.require(refused || !is_decision(status), || {
                format!("key {key} served another request too: {status} {body}")
            });
            continue;
        }
        if !is_decision(status) {
            continue;
        }
        originals += u64::from(!operation.is_replayed());
        let answer = (status, essence(body));
        match &told {
            None => told = Some(answer),
            Some(told) => findings.require(*told == answer, || {
                format!(
                    "key {key} was answered {} {}, and {} {}",
                    told.0, told.1, answer.0, answer.1
                )
            }),
        }
    }
    findings.require(originals <= 1, || {
        format!("key {key} was decided {originals} times")
    });
    if let Some((status, body)) = &told {
        let promised = body.get("id").and_then(Value::as_str).filter(|_| *status == 201);
        let stored = evidence.tables.keys.get(key).map(Option::as_deref);
        findings.require(stored == Some(promised), || {
            format!("key {key} was answered {status} {body}, and stands for {stored:?}")
        });
    }
}

/// Answers that a key keeps.
const fn is_decision(status: u16) -> bool {
    matches!(status, 200 | 201 | 404 | 409 | 422)
}

/// The answer without what is each request's own.
fn essence(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    body
}
