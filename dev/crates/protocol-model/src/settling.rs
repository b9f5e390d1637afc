//! Settlement: a due event's row is picked and held, then a chunk of its bets is settled and committed with its
//! progress.
//!
//! After `bet-maker/src/store/settlements.rs`. Every step is `None` where it cannot be made.

use crate::flaw::Flaw;
use crate::rules::{self, Event, Row};
use crate::size::Size;
use crate::state::{Bet, Settling, State};

impl State {
    /// A settler picks an event that is due and that nobody holds, and reads the next chunk of its bets.
    pub fn pick(&mut self, replica: u8, event: u8, size: &Size) -> Option<()> {
        let row = self.store.rows[event].filter(Row::is_due)?;
        if self.replicas[replica].settling.is_some() || self.is_held(event, size) {
            return None;
        }
        let bets = self.next_bets(&row, size);
        let settling = Settling {
            row,
            bets: bets.into_iter().collect(),
        };
        if size.flaw == Some(Flaw::ProgressBeforeChunk) {
            self.advance(&settling, size);
        }
        self.replicas[replica].settling = Some(settling);
        Some(())
    }

    /// Whether a settler holds that event's row.
    pub fn is_held(&self, event: u8, size: &Size) -> bool {
        let locks = !matches!(size.flaw, Some(Flaw::NoRowLock | Flaw::UnguardedSettlement));
        let mut settling = self
            .replicas
            .iter()
            .filter_map(|replica| replica.settling.as_ref());
        locks && settling.any(|settling| settling.row.event.id == event)
    }

    fn next_bets(&self, row: &Row, size: &Size) -> Vec<Bet> {
        // A pass begun for an earlier result starts over.
        let goes_on = row.settling_seq == row.result_seq || size.flaw == Some(Flaw::CorrectionKeepsProgress);
        let after = row.settle_after.filter(|_| goes_on);
        let of_event = self.store.bets.iter().filter(|bet| bet.event == row.event.id);
        of_event
            .filter(|bet| after.is_none_or(|after| bet.id > after))
            .take(size.chunk.into())
            .cloned()
            .collect()
    }

    /// The chunk is settled and booked, and all of it commits. Where a bet has that result or a newer one by now, all of
    /// it is undone.
    pub fn settle(&mut self, replica: u8, size: &Size) -> Option<()> {
        let settling = self.replicas[replica].settling.take()?;
        let result_seq = settling.row.result_seq;
        let event = judged(&settling.row.event, size);
        let settled = settling.bets.iter().map(|read| {
            let outcome = rules::settle(&event, read.odds, read.placed_at);
            (read, outcome)
        });
        let changed: Vec<_> = settled
            .filter(|(read, outcome)| *outcome != read.outcome)
            .collect();
        if size.flaw != Some(Flaw::UnguardedSettlement)
            && changed
                .iter()
                .any(|(read, _)| self.has_result(read.id, result_seq))
        {
            assert_eq!(
                size.flaw,
                Some(Flaw::NoRowLock),
                "a row that is held keeps others from its bets"
            );
            return Some(());
        }
        for (read, outcome) in changed {
            // What it moves is reckoned from what was read.
            let amount = outcome.payout().unwrap_or(0) - read.outcome.payout().unwrap_or(0);
            let bet = self.store.bets.iter_mut().find(|bet| bet.id == read.id)?;
            (bet.outcome, bet.settled_seq) = (outcome, result_seq);
            bet.ledger.push((result_seq, amount));
        }
        if size.flaw != Some(Flaw::ProgressBeforeChunk) {
            self.advance(&settling, size);
        }
        Some(())
    }

    fn has_result(&self, bet: u8, result_seq: u8) -> bool {
        let mut bets = self.store.bets.iter();
        bets.any(|known| known.id == bet && known.settled_seq >= result_seq)
    }

    fn advance(&mut self, settling: &Settling, size: &Size) {
        let read = settling.row;
        let Some(row) = self.store.rows[read.event.id].as_mut() else {
            return;
        };
        row.settling_seq = read.result_seq;
        match settling.bets.last() {
            Some(last) if settling.bets.len() == size.chunk => {
                row.settled_seq = read.settled_seq;
                row.settle_after = Some(last.id);
            }
            _ => {
                row.settled_seq = read.result_seq;
                row.settle_after = None;
            }
        }
    }
}

/// The event as the rule of settlement sees it.
fn judged(event: &Event, size: &Size) -> Event {
    let late_bets_are_paid = size.flaw == Some(Flaw::LateBetsArePaid);
    Event {
        closed_at: event.closed_at.filter(|_| !late_bets_are_paid),
        ..*event
    }
}

impl Row {
    pub const fn is_due(&self) -> bool {
        self.settled_seq < self.result_seq
    }
}
