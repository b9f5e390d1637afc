//! Nothing exists that nobody asked for: no change of an event, no bet, and no callback without a change behind it.

use std::collections::{HashMap, HashSet};

use shared_types::{Change, Event, Money, Odds, Timestamp};

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::StoredBet;
use crate::history::{Call, Wish};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let asked = Asked::of(evidence);
    let mut before: HashMap<&str, &Event> = HashMap::new();
    for change in &evidence.log {
        let id = change.event_id.as_str();
        let calls = asked.events.get(id).map(Vec::as_slice).unwrap_or_default();
        let previous = before.insert(id, &change.event);
        let mut before_it = calls
            .iter()
            .take_while(|(asked_at, _)| *asked_at <= change.occurred_at);
        findings.require(
            before_it.any(|(_, call)| explains(call, previous, &change.event)),
            || {
                format!(
                    "nobody asked for revision {} of event {id}: {:?}",
                    change.revision, change.event
                )
            },
        );
        findings.require(
            usize::try_from(change.revision).is_ok_and(|count| count <= calls.len()),
            || {
                format!(
                    "event {id} has revision {}, after {} commands",
                    change.revision,
                    calls.len()
                )
            },
        );
    }
    bets_were_asked_for(evidence, &asked, findings);
    callbacks_are_of_the_log(evidence, findings);
}

/// What the operators and the bettors sent, whatever came of it.
struct Asked<'a> {
    /// In the order of asking; commands that were refused are left out.
    events: HashMap<&'a str, Vec<(Timestamp, &'a Call)>>,
    keyed: HashMap<&'a str, Vec<&'a Wish>>,
    /// By bettor.
    keyless: HashMap<&'a str, Vec<&'a Wish>>,
}

impl<'a> Asked<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut asked = Self {
            events: HashMap::new(),
            keyed: HashMap::new(),
            keyless: HashMap::new(),
        };
        for operation in &evidence.history.operations {
            let refusal = operation
                .answer()
                .filter(|(status, _)| matches!(status, 404 | 409 | 412 | 422));
            match &operation.call {
                Call::CreateEvent { .. } | Call::PatchEvent { .. } | Call::Correct { .. }
                    if refusal.is_some() => {}
                call @ (Call::CreateEvent { id, .. }
                | Call::PatchEvent { id, .. }
                | Call::Correct { id, .. }) => {
                    asked
                        .events
                        .entry(id)
                        .or_default()
                        .push((operation.invoked_at, call));
                }
                Call::PlaceBet { wish, .. } => {
                    let wishes = match &wish.key {
                        Some(key) => asked.keyed.entry(key),
                        None => asked.keyless.entry(&wish.bettor),
                    };
                    wishes.or_default().push(wish);
                }
                Call::GetEvent { .. } | Call::GetBet { .. } | Call::Look { .. } => {}
            }
        }
        asked
    }
}

/// Whether the call alone makes the one event of the other.
fn explains(call: &Call, before: Option<&Event>, after: &Event) -> bool {
    let same = |given: &Option<String>, now: String, was: String| {
        given.as_ref().map_or(now == was, |given| *given == now)
    };
    match (call, before) {
        (
            Call::CreateEvent {
                title,
                odds,
                deadline,
                ..
            },
            None,
        ) => {
            *title == after.title
                && *odds == after.odds.to_string()
                && *deadline == after.deadline.to_string()
        }
        (
            Call::PatchEvent {
                odds,
                deadline,
                status,
                ..
            },
            Some(before),
        ) => {
            before.title == after.title
                && same(odds, after.odds.to_string(), before.odds.to_string())
                && same(deadline, after.deadline.to_string(), before.deadline.to_string())
                && status.unwrap_or(before.status) == after.status
        }
        (Call::Correct { status, .. }, Some(before)) => {
            let fixed = |event: &Event| (event.title.clone(), event.odds, event.deadline, event.closed_at);
            fixed(before) == fixed(after) && *status == after.status
        }
        _ => false,
    }
}

fn bets_were_asked_for(evidence: &Evidence, asked: &Asked<'_>, findings: &mut Findings) {
    let keys: HashMap<_, _> = evidence
        .tables
        .keys
        .iter()
        .filter_map(|(key, bet)| Some((bet.as_deref()?, key)))
        .collect();
    let mut keyless = HashSet::new();
    for bet in &evidence.tables.bets {
        let wishes = match keys.get(bet.id.as_str()) {
            Some(key) => asked.keyed.get(key.as_str()),
            None => asked.keyless.get(bet.bettor.as_deref().unwrap_or_default()),
        };
        let wishes = wishes.map(Vec::as_slice).unwrap_or_default();
        findings.require(wishes.iter().any(|wish| is_of(wish, bet)), || {
            format!("nobody asked for {bet:?}")
        });
        if !keys.contains_key(bet.id.as_str()) {
            findings.require(keyless.insert(bet.bettor.as_deref()), || {
                format!("a bet that was asked for once, without a key, is there again: {bet:?}")
            });
        }
    }
}

fn is_of(wish: &Wish, bet: &StoredBet) -> bool {
    let Wish {
        event_id,
        stake,
        odds,
        odds_change,
        bettor,
        ..
    } = wish;
    let asked_odds = odds
        .as_ref()
        .and_then(|odds| odds.parse::<Odds>().ok())
        .map(|odds| i64::from(odds.hundredths()));
    let agrees = match (odds_change.as_deref(), asked_odds) {
        (_, None) | (Some("any"), _) => true,
        (Some("higher"), Some(asked)) => bet.odds >= asked,
        (_, Some(asked)) => bet.odds == asked,
    };
    *event_id == bet.event_id
        && stake.parse() == Ok(Money::from_cents(bet.stake))
        && Some(bettor.as_str()) == bet.bettor.as_deref()
        && agrees
}

fn callbacks_are_of_the_log(evidence: &Evidence, findings: &mut Findings) {
    let log: HashMap<u64, &Change> = evidence
        .log
        .iter()
        .map(|change| (change.position, change))
        .collect();
    for subscriber in &evidence.subscribers {
        for receipt in &subscriber.receipts {
            let position = receipt.change.position;
            findings.require(log.get(&position) == Some(&&receipt.change), || {
                format!(
                    "{} was told at position {position} what the log has not: {:?}",
                    subscriber.name, receipt.change
                )
            });
            findings.require(receipt.is_genuine, || {
                format!(
                    "{} got a callback whose signature is wrong: {}",
                    subscriber.name, receipt.webhook_id
                )
            });
        }
    }
}
