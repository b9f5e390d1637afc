//! What every bet must have become, worked out anew from line-provider's log: the judge has a rule of its own.

use shared_types::{BetStatus, Event, EventStatus, VoidReason};

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::StoredBet;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let newest = evidence.newest();
    for bet in &evidence.tables.bets {
        let Some(change) = newest.get(bet.event_id.as_str()) else {
            findings.require(false, || format!("bet {} is on an event that never was", bet.id));
            continue;
        };
        let expected = expected(&change.event, bet);
        let found = (bet.status, bet.void_reason, bet.payout);
        findings.require(found == expected, || {
            format!(
                "bet {} on {:?} is {found:?} and should be {expected:?}",
                bet.id, change.event
            )
        });
    }
    for (id, event) in &evidence.tables.events {
        findings.require(event.is_settled, || format!("event {id} has bets left to settle"));
    }
    findings.require(evidence.rest_s.is_some(), || {
        "the system did not come to rest in its time".to_owned()
    });
}

fn expected(event: &Event, bet: &StoredBet) -> (BetStatus, Option<VoidReason>, Option<i64>) {
    if event
        .closed_at
        .is_some_and(|closed_at| bet.placed_at >= closed_at)
    {
        return (
            BetStatus::Void,
            Some(VoidReason::PlacedAfterClose),
            Some(bet.stake),
        );
    }
    match event.status {
        EventStatus::Unfinished => (BetStatus::Pending, None, None),
        EventStatus::FirstTeamWon => (BetStatus::Won, None, Some(bet.stake * bet.odds / 100)),
        EventStatus::SecondTeamWon => (BetStatus::Lost, None, Some(0)),
        EventStatus::Cancelled => (BetStatus::Void, Some(VoidReason::EventCancelled), Some(bet.stake)),
    }
}
