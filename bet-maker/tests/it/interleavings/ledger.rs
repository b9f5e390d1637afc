//! What must hold of a bet and its lines of the ledger, by the contract.

use std::collections::HashMap;

use shared_types::{Bet, BetStatus, Event, EventStatus};

use super::scene::Run;
use crate::harness::Books;

/// One line of the ledger.
pub struct Line {
    pub revision: usize,
    status: i64,
    amount: i64,
}

/// The lines of the event's bets, by result.
pub async fn read(run: &Run, books: &Books) -> HashMap<String, Vec<Line>> {
    let rows = books
        .rows(&format!(
            "select bet_id::text, l.event_revision::text, l.status::text, amount::text
             from ledger l join bets b on b.id = bet_id where event_id = '{}' order by result_seq",
            run.event_id
        ))
        .await;
    let mut ledger: HashMap<String, Vec<Line>> = HashMap::new();
    for row in rows {
        let columns: Vec<&str> = row.split(' ').collect();
        ledger.entry(columns[0].to_owned()).or_default().push(Line {
            revision: columns[1].parse().unwrap(),
            status: columns[2].parse().unwrap(),
            amount: columns[3].parse().unwrap(),
        });
    }
    ledger
}

const fn code(status: BetStatus) -> i64 {
    match status {
        BetStatus::Pending => 0,
        BetStatus::Won => 1,
        BetStatus::Lost => 2,
        BetStatus::Void => 3,
    }
}

/// What the contract makes of a bet under an event.
fn standing(event: &Event, bet: &Bet) -> (BetStatus, Option<i64>) {
    let stake = bet.stake.cents();
    if event
        .closed_at
        .is_some_and(|closed_at| bet.placed_at >= closed_at)
    {
        return (BetStatus::Void, Some(stake));
    }
    match event.status {
        EventStatus::Unfinished => (BetStatus::Pending, None),
        EventStatus::FirstTeamWon => (
            BetStatus::Won,
            Some(stake * i64::from(bet.odds.hundredths()) / 100),
        ),
        EventStatus::SecondTeamWon => (BetStatus::Lost, Some(0)),
        EventStatus::Cancelled => (BetStatus::Void, Some(stake)),
    }
}

/// The bet stands as the newest result says. Its ledger adds up to what was paid, by lines that each follow another
/// result, the newest one last. Answers what is wrong.
pub fn audit(run: &Run, bet: &Bet, lines: &[Line]) -> Vec<String> {
    let mut faults = Vec::new();
    let newest = &run.changes.last().unwrap().event;
    let stands = (bet.status, bet.payout.map(|payout| payout.cents()));
    let expected = standing(newest, bet);
    if stands != expected {
        faults.push(format!(
            "a bet stands at {stands:?} instead of the newest result's {expected:?}"
        ));
    }
    let (mut paid, mut before) = (0, 0);
    for line in lines {
        let (status, payout) = standing(&run.changes[line.revision - 1].event, bet);
        paid += line.amount;
        if line.revision <= before {
            faults.push(format!("result {} was booked after {before}", line.revision));
        }
        if (line.status, paid) != (code(status), payout.unwrap_or(0)) {
            faults.push(format!("{paid} is booked by result {}", line.revision));
        }
        before = line.revision;
    }
    let stands = (code(bet.status), stands.1.unwrap_or(0));
    let booked = (lines.last().map_or(0, |line| line.status), paid);
    if stands != booked {
        faults.push(format!("a bet stands at {stands:?} and is booked at {booked:?}"));
    }
    faults
}
