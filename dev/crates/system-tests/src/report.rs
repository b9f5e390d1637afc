//! The figures of a run: how much was asked, done and damaged.

use std::fmt;

use crate::evidence::Evidence;
use crate::harm::Harm;
use crate::history::{Call, History, Note};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub calls: usize,
    /// Calls whose outcome nobody knows.
    pub unknown: usize,
    pub faults: usize,
    pub harm: Harm,
    /// Bets that were acknowledged, at the least.
    pub bets: u64,
    pub stored_bets: usize,
    pub changes: usize,
    /// Entries of the ledger.
    pub settlements: i64,
    pub deliveries: usize,
    /// Answers given again to a key.
    pub replays: usize,
    pub late_bets: usize,
    pub rest_s: Option<f64>,
    pub disks_failed: bool,
}

impl Figures {
    /// What the history alone tells.
    pub fn of(history: &History) -> Self {
        let mut figures = Self {
            calls: history.operations.len(),
            ..Self::default()
        };
        for operation in &history.operations {
            match operation.answer() {
                None => figures.unknown += 1,
                Some((201, _)) if matches!(operation.call, Call::PlaceBet { .. }) => {
                    figures.bets += u64::from(!operation.is_replayed());
                }
                Some(_) => {}
            }
            figures.replays += usize::from(operation.is_replayed());
        }
        for (_, note) in &history.notes {
            figures.faults += usize::from(matches!(note, Note::Fault(_)));
        }
        figures
    }

    /// With what the evidence adds.
    pub fn with(self, evidence: &Evidence, disks_failed: bool) -> Self {
        use shared_types::VoidReason;
        let late =
            |bet: &&crate::evidence::tables::StoredBet| bet.void_reason == Some(VoidReason::PlacedAfterClose);
        Self {
            stored_bets: evidence.tables.bets.len(),
            changes: evidence.log.len(),
            settlements: evidence.tables.ledger.values().map(|booked| booked.rows).sum(),
            deliveries: evidence
                .subscribers
                .iter()
                .map(|subscriber| subscriber.receipts.len())
                .sum(),
            late_bets: evidence.tables.bets.iter().filter(late).count(),
            rest_s: evidence.rest_s,
            disks_failed,
            ..self
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            unknown,
            faults,
            harm,
            stored_bets,
            changes,
            ..
        } = self;
        let Self {
            settlements,
            deliveries,
            replays,
            late_bets,
            ..
        } = self;
        writeln!(
            f,
            "{calls} calls, {unknown} of them with an unknown outcome, {replays} answered again by their key"
        )?;
        writeln!(
            f,
            "{faults} faults: {harm}{}",
            if self.disks_failed { "" } else { "; no disk failed" }
        )?;
        writeln!(f, "{changes} changes, {deliveries} callbacks to subscribers")?;
        writeln!(
            f,
            "{stored_bets} bets, {settlements} settlements, {late_bets} bets refunded as placed after the close"
        )?;
        match self.rest_s {
            Some(rest_s) => writeln!(f, "at rest {rest_s:.1} s after the last answer"),
            None => writeln!(f, "not at rest in its time"),
        }
    }
}
