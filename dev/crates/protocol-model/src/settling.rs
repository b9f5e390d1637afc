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
        let is_held = self.is_held(event) && size.flaw != Some(Flaw::UnguardedSettlement);
        if self.replicas[replica].settling.is_some() || is_held {
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

    fn is_held(&self, event: u8) -> bool {
        let mut settling = self
            .replicas
            .iter()
            .filter_map(|replica| replica.settling.as_ref());
        settling.any(|settling| settling.row.event.id == event)
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

    /// The chunk is settled and booked, and all of it commits; where a bet has that result or a newer one, nothing
    /// does.
    pub fn settle(&mut self, replica: u8, size: &Size) -> Option<()> {
        let settling = self.replicas[replica].settling.take()?;
        let Row { result_seq, .. } = settling.row;
        let guarded = size.flaw != Some(Flaw::UnguardedSettlement);
        let event = judged(&settling.row.event, size);
        for read in settling.bets.iter() {
            let outcome = rules::settle(&event, read.odds, read.placed_at);
            if outcome == read.outcome {
                continue;
            }
            let amount = outcome.payout().unwrap_or(0) - read.outcome.payout().unwrap_or(0);
            let bet = self.store.bets.iter_mut().find(|bet| bet.id == read.id)?;
            if guarded && bet.settled_seq >= result_seq {
                self.undone_twice();
                return Some(());
            }
            (bet.outcome, bet.settled_seq) = (outcome, result_seq);
            bet.ledger.push((result_seq, amount));
        }
        if size.flaw != Some(Flaw::ProgressBeforeChunk) {
            self.advance(&settling, size);
        }
        Some(())
    }

    /// The event's row is held, so that this cannot be.
    fn undone_twice(&mut self) {
        unreachable!("a bet that a settler holds was settled by another");
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
