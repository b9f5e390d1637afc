//! Every subscriber took every change that it wants, or the change is listed as superseded and a newer one of the same
//! event was taken; in order within the event; and whatever is sent again is the newest of its event.
//!
//! Order is judged within one run of line-provider: a crash forgets how far the subscriber was served, and sends some
//! changes again. Callbacks that arrived long after they were signed are not judged: they lay in the buffers of a
//! halted process, and their attempt had been given up meanwhile. Two of one signature are one attempt, which met a
//! pooled connection that was closed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use shared_types::Timestamp;

use super::Findings;
use crate::evidence::{Evidence, Heard};
use crate::wire::Receipt;

/// Below the 10 s after which line-provider gives an attempt up.
const STRAGGLER: Duration = Duration::from_secs(8);
/// From a change's being answered to delivery's having seen it, however busy the machine.
const VISIBLE: Duration = Duration::from_secs(2);

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    for subscriber in &evidence.subscribers {
        check_completeness(evidence, subscriber, findings);
        check_order(evidence, subscriber, findings);
    }
}

fn check_completeness(evidence: &Evidence, subscriber: &Heard, findings: &mut Findings) {
    let name = &subscriber.name;
    let mut taken = HashSet::new();
    // The newest position of each event that the subscriber has taken.
    let mut newest: HashMap<&str, u64> = HashMap::new();
    for receipt in subscriber.receipts.iter().filter(|receipt| receipt.is_taken()) {
        let position = receipt.change.position;
        taken.insert(position);
        let newest = newest.entry(receipt.change.event_id.as_str()).or_default();
        *newest = position.max(*newest);
    }
    for change in evidence
        .log
        .iter()
        .filter(|change| change.position > subscriber.since)
    {
        let wanted = &subscriber.event_types;
        if !wanted.is_empty() && !wanted.iter().any(|kind| kind == change.kind.as_str()) {
            continue;
        }
        let (event, position) = (change.event_id.as_str(), change.position);
        let newest = newest.get(event).copied().unwrap_or_default();
        findings.require(newest >= position, || {
            format!("{name} never heard of position {position} of {event}, only up to {newest}")
        });
        findings.require(
            taken.contains(&position) || subscriber.superseded.contains(&position),
            || {
                format!(
                    "{name} did not take position {position} of {event}, which nothing lists as superseded"
                )
            },
        );
    }
    findings.require(subscriber.cursor == evidence.head, || {
        format!(
            "{name} is served up to {} of {}",
            subscriber.cursor, evidence.head
        )
    });
}

fn check_order(evidence: &Evidence, subscriber: &Heard, findings: &mut Findings) {
    let name = &subscriber.name;
    let set_back = evidence.set_back();
    let mut lanes: HashMap<(u64, &str), u64> = HashMap::new();
    // When each callback was first signed.
    let mut attempts: HashMap<(u64, &str), i64> = HashMap::new();
    let newer = newer_changes(evidence);
    for receipt in &subscriber.receipts {
        let signed_at = Timestamp::from_unix_micros(receipt.signed_at_s * 1_000_000);
        if signed_at.is_none_or(|signed_at| receipt.at.saturating_since(signed_at) > STRAGGLER) {
            continue;
        }
        // Reset before it was taken up: line-provider knows that this attempt failed.
        let Some(port) = receipt.port else { continue };
        let Some(epoch) = epoch(subscriber, receipt, port) else {
            findings.require(false, || {
                format!("{name} got a callback by a connection that nobody made: {receipt:?}")
            });
            continue;
        };
        let (event, position) = (receipt.change.event_id.as_str(), receipt.change.position);
        let last = lanes.entry((epoch, event)).or_default();
        findings.require(position >= *last, || {
            format!("{name} heard of position {position} of {event} after {last}")
        });
        *last = position.max(*last);

        let attempt = (epoch, receipt.webhook_id.as_str());
        let first_signed_at_s = *attempts.entry(attempt).or_insert(receipt.signed_at_s);
        let is_retry = receipt.signed_at_s > first_signed_at_s;
        let was_set_back = set_back
            .iter()
            .any(|(from, to)| *from <= receipt.at && receipt.at <= *to);
        let next = newer
            .get(&(event, position))
            .filter(|_| is_retry && !was_set_back);
        if let (Some(next), Some(signed_at)) = (next, signed_at) {
            findings.require(signed_at < next.saturating_add(VISIBLE), || {
                format!("{name} was sent position {position} of {event} again at {signed_at}, superseded since {next}")
            });
        }
    }
}

/// By when each change was superseded for everybody: the answer to a newer one had been given.
fn newer_changes(evidence: &Evidence) -> HashMap<(&str, u64), Timestamp> {
    let mut told: HashMap<(&str, u64), Timestamp> = HashMap::new();
    for operation in &evidence.history.operations {
        let (Some((200 | 201, body)), Some(at)) = (operation.answer(), operation.returned_at) else {
            continue;
        };
        let event = operation.call.event();
        if let (Some(event), Some(revision)) = (event, body.get("revision").and_then(Value::as_u64)) {
            let first = told.entry((event, revision)).or_insert(at);
            *first = at.min(*first);
        }
    }
    let mut last: HashMap<&str, u64> = HashMap::new();
    let mut newer = HashMap::new();
    for change in &evidence.log {
        let event = change.event_id.as_str();
        if let Some(position) = last.insert(event, change.position)
            && let Some(at) = told.get(&(event, change.revision))
        {
            newer.insert((event, position), *at);
        }
    }
    newer
}

/// Which run of line-provider made the connection that a callback came by.
fn epoch(subscriber: &Heard, receipt: &Receipt, port: u16) -> Option<u64> {
    let made = |passed: &&crate::proxy::Passed| passed.port == port && passed.at <= receipt.at;
    subscriber.passed.iter().rfind(made).map(|passed| passed.epoch)
}
