//! Sums of stakes, payouts and exposure agree with the bets, and so does the ledger, bet by bet.

use std::collections::HashMap;

use serde_json::Value;
use shared_types::BetStatus;

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::StoredBet;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let tables = &evidence.tables;
    let mut by_event: HashMap<&str, Vec<&StoredBet>> = HashMap::new();
    for bet in &tables.bets {
        by_event.entry(&bet.event_id).or_default().push(bet);
        let booked = tables.ledger.get(&bet.id).cloned().unwrap_or_default();
        findings.require(booked.amount == bet.payout.unwrap_or(0), || {
            format!("{booked:?} are booked for {bet:?}")
        });
        findings.require(booked.status.unwrap_or(BetStatus::Pending) == bet.status, || {
            format!("the last entry of the ledger is {:?} for {bet:?}", booked.status)
        });
    }
    let ids: std::collections::HashSet<_> = tables.bets.iter().map(|bet| bet.id.as_str()).collect();
    for (bet, booked) in &tables.ledger {
        findings.require(ids.contains(bet.as_str()), || {
            format!("{booked:?} are booked for no bet ({bet})")
        });
    }
    for (id, exposure) in &evidence.exposures {
        let bets = by_event.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        check_line(id, "total", &exposure["total"], bets, |_| true, findings);
        for status in BetStatus::ALL {
            let line = exposure
                .pointer(&format!("/by_status/{}", status.as_str()))
                .unwrap_or(&Value::Null);
            check_line(
                id,
                status.as_str(),
                line,
                bets,
                |bet| bet.status == status,
                findings,
            );
        }
    }
}

fn check_line(
    id: &str,
    name: &str,
    line: &Value,
    bets: &[&StoredBet],
    belongs: impl Fn(&StoredBet) -> bool,
    findings: &mut Findings,
) {
    let (mut count, mut stakes, mut payout, mut paid) = (0_u64, 0_i128, 0_i128, 0_i128);
    for bet in bets.iter().filter(|bet| belongs(bet)) {
        count += 1;
        stakes += i128::from(bet.stake);
        payout += i128::from(match bet.status {
            BetStatus::Void => bet.stake,
            _ => bet.stake * bet.odds / 100,
        });
        paid += i128::from(bet.payout.unwrap_or(0));
    }
    let expected = [stakes, payout, paid].map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
    let told =
        ["stakes", "payout_if_first_team_wins", "paid"].map(|sum| line[sum].as_str().unwrap_or_default());
    findings.require(line["bets"] == count && expected.iter().eq(told.iter()), || {
        format!("the exposure of {id}, {name}, is told as {line}, and is {count} bets, {expected:?}")
    });
}
