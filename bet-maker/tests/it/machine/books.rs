//! The model's books: where each bet stands, by which lines of the ledger, and how far each event is settled. As plain
//! as the model.

use std::collections::BTreeMap;

use shared_types::{BetStatus, EventStatus, VoidReason};

use super::model::{Model, Placed, Told, When};

/// Where a bet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: BetStatus,
    pub reason: Option<VoidReason>,
    pub payout: Option<i64>,
}

impl Standing {
    pub const PENDING: Self = Self {
        status: BetStatus::Pending,
        reason: None,
        payout: None,
    };
}

/// What an event says of a bet.
pub fn standing(told: &Told, bet: &Placed) -> Standing {
    let standing = |status, reason, payout| Standing {
        status,
        reason,
        payout: Some(payout),
    };
    let void = |reason| standing(BetStatus::Void, Some(reason), bet.stake);
    if told
        .closed_at
        .is_some_and(|closed_at| When::At(bet.at) >= closed_at)
    {
        return void(VoidReason::PlacedAfterClose);
    }
    match told.status {
        EventStatus::Unfinished => Standing::PENDING,
        EventStatus::FirstTeamWon => standing(BetStatus::Won, None, bet.stake * bet.odds / 100),
        EventStatus::SecondTeamWon => standing(BetStatus::Lost, None, 0),
        EventStatus::Cancelled => void(VoidReason::EventCancelled),
    }
}

/// One line of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub result: u64,
    pub revision: u64,
    pub status: BetStatus,
    pub amount: i64,
}

/// How far an event is settled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub settled: u64,
    /// The pass under way: for which result, and the bet that was done last.
    pass: u64,
    after: u64,
}

/// What settlement has made of the bets so far. Which event's turn it is, is bet-maker's choice.
#[derive(Debug, Default)]
pub struct Books {
    pub bets: BTreeMap<u64, (Standing, Vec<Line>)>,
    pub progress: [Progress; 3],
}

/// What one chunk did.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    pub seen: usize,
    pub settled: usize,
    pub finished: bool,
}

impl Books {
    pub fn of(&self, bet: &Placed) -> (Standing, Vec<Line>) {
        let booked = self.bets.get(&bet.at).cloned();
        booked.unwrap_or((Standing::PENDING, Vec::new()))
    }

    /// The events whose turn it may be: those not begun before those that are.
    pub fn due(&self, model: &Model) -> Vec<usize> {
        let due = |event: &usize| self.progress[*event].settled < model.known[*event].results;
        let begun = |event: &usize| self.progress[*event].pass == model.known[*event].results;
        let (begun, fresh): (Vec<_>, Vec<_>) = (0..3).filter(due).partition(begun);
        if fresh.is_empty() { begun } else { fresh }
    }

    pub fn settle(&mut self, model: &Model, event: usize, limit: usize) -> Chunk {
        let known = &model.known[event];
        let before = self.progress[event];
        let after = if before.pass == known.results {
            before.after
        } else {
            0
        };
        let bets: Vec<&Placed> = model
            .bets
            .iter()
            .filter(|bet| bet.event == event && bet.at > after)
            .take(limit)
            .collect();
        let mut settled = 0;
        for bet in &bets {
            let (stands, mut lines) = self.of(bet);
            let new = standing(&known.told, bet);
            if new != stands {
                settled += 1;
                lines.push(Line {
                    result: known.results,
                    revision: known.result_revision,
                    status: new.status,
                    amount: new.payout.unwrap_or(0) - stands.payout.unwrap_or(0),
                });
                self.bets.insert(bet.at, (new, lines));
            }
        }
        let finished = bets.len() < limit;
        self.progress[event] = Progress {
            settled: if finished { known.results } else { before.settled },
            pass: known.results,
            after: bets.last().filter(|_| !finished).map_or(0, |bet| bet.at),
        };
        Chunk {
            seen: bets.len(),
            settled,
            finished,
        }
    }
}
