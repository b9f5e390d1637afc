//! When a bet may be accepted: before the deadline and at the odds of the revision that it names, by a clock that was
//! read after that revision was known, committed before anything newer of its event was, and never by a replica that
//! has been blind for too long.

use shared_types::Timestamp;

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::{StoredBet, Version};
use crate::history::{Call, History, Note};

/// For the round of the poller that was under way when the replica went blind, and for the request's own way.
const BLIND_GRACE_S: u64 = 2;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let revisions = evidence.revisions();
    for bet in &evidence.tables.bets {
        let id = &bet.id;
        match revisions.get(&(bet.event_id.as_str(), bet.event_revision)) {
            None => findings.require(false, || {
                format!("bet {id} is on a revision that never was: {bet:?}")
            }),
            Some(change) => {
                let event = &change.event;
                findings.require(bet.placed_at < event.deadline, || {
                    format!(
                        "bet {id} was placed at {}, the deadline was {}",
                        bet.placed_at, event.deadline
                    )
                });
                findings.require(bet.odds == i64::from(event.odds.hundredths()), || {
                    format!(
                        "bet {id} has odds {}, revision {} has {}",
                        bet.odds, event.revision, event.odds
                    )
                });
                findings.require(event.closed_at.is_none(), || {
                    format!(
                        "bet {id} was placed on revision {}, which is closed",
                        event.revision
                    )
                });
            }
        }
        let versions = evidence
            .tables
            .versions
            .get(&bet.event_id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        check_order(bet, versions, findings);
    }
    check_blindness(evidence, findings);
}

fn check_order(bet: &StoredBet, versions: &[Version], findings: &mut Findings) {
    let id = &bet.id;
    let Some(committed_at) = bet.committed_at else {
        return findings.require(false, || format!("bet {id} was stored by no placement"));
    };
    let known = versions
        .iter()
        .find(|version| version.revision == bet.event_revision);
    findings.require(
        known.is_some_and(|known| known.committed_at <= bet.placed_at),
        || {
            format!(
                "bet {id} was placed at {} on what was known later: {known:?}",
                bet.placed_at
            )
        },
    );
    let newer = versions
        .iter()
        .find(|version| version.revision > bet.event_revision);
    findings.require(
        newer.is_none_or(|newer| committed_at <= newer.committed_at),
        || {
            format!(
                "bet {id} on revision {} committed at {committed_at}, behind {newer:?}",
                bet.event_revision
            )
        },
    );
    let close = versions.iter().find(|version| version.is_closed);
    findings.require(
        close.is_none_or(|close| committed_at <= close.committed_at),
        || format!("bet {id} committed at {committed_at}, after its event's close: {close:?}"),
    );
}

fn check_blindness(evidence: &Evidence, findings: &mut Findings) {
    let grace = std::time::Duration::from_secs(evidence.stale_after_s + BLIND_GRACE_S);
    for (replica, from, to) in blind_spans(&evidence.history) {
        let blind_from = from.saturating_add(grace);
        for operation in &evidence.history.operations {
            let Call::PlaceBet { replica: asked, .. } = &operation.call else {
                continue;
            };
            let within = operation.invoked_at > blind_from && operation.returned_at.is_some_and(|at| at < to);
            let Some((status, _)) = operation.answer().filter(|_| *asked == replica && within) else {
                continue;
            };
            findings.require(status != 201 || operation.is_replayed(), || {
                format!(
                    "bet-maker-{replica} accepted a bet at {}, blind since {from}",
                    operation.invoked_at
                )
            });
        }
    }
}

fn blind_spans(history: &History) -> Vec<(usize, Timestamp, Timestamp)> {
    let replicas = history.notes.iter().filter_map(|(_, note)| match note {
        Note::Blind { replica } => Some(*replica),
        _ => None,
    });
    let mut replicas: Vec<_> = replicas.collect();
    replicas.sort_unstable();
    replicas.dedup();
    let spans = |replica| {
        let spans = history.spans(
            move |note| *note == Note::Blind { replica },
            move |note| *note == Note::Sighted { replica },
        );
        spans.into_iter().map(move |(from, to)| (replica, from, to))
    };
    replicas.into_iter().flat_map(spans).collect()
}
