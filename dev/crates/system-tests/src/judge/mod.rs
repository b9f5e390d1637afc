//! The judge: reads the evidence and says, check by check, what is not as promised. Each check is a pure function of
//! the evidence, and has a name that a planted bug must be caught by.

mod acceptance;
mod acknowledged;
mod deliveries;
mod failures;
mod gaps;
mod keys;
mod settlement;
mod sums;
#[cfg(test)]
mod tests;
mod unasked;
mod verified;

use std::fmt;

use clap::ValueEnum;

use crate::evidence::Evidence;

/// What is checked, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Check {
    /// Every acknowledged event, result and bet is there, unaltered, and never was missing for a reader.
    AcknowledgedIsThere,
    /// Nothing exists, and nobody was told of anything, that nobody asked for.
    NothingUnasked,
    /// One key, one bet, one answer.
    OneKeyOneAnswer,
    /// A bet is placed before the deadline, at the odds of the revision that it names, and commits before whatever
    /// closes its event; none is taken by a replica that is blind for too long.
    PlacedBeforeClose,
    /// Every bet is as the newest result of its event wants it, and nothing is left to settle.
    SettledByNewest,
    /// Stakes, payouts, exposures and the ledger agree with the bets.
    SumsAgree,
    /// Positions and revisions without gaps, one instance, a close that stays; bet-maker knows the newest of all.
    HistoryWithoutGaps,
    /// Every subscriber heard of every change, or of a newer one of its event, in order within the event.
    SubscribersTold,
    /// Nothing failed but by a named 503; no panic, no unasked end, no open transaction, nothing leaks.
    NothingFailedUnnamed,
    /// The operators' own `verify` finds nothing.
    VerifyAgrees,
}

impl Check {
    fn run(self, evidence: &Evidence) -> Findings {
        let mut findings = Findings::default();
        match self {
            Self::AcknowledgedIsThere => acknowledged::check(evidence, &mut findings),
            Self::NothingUnasked => unasked::check(evidence, &mut findings),
            Self::OneKeyOneAnswer => keys::check(evidence, &mut findings),
            Self::PlacedBeforeClose => acceptance::check(evidence, &mut findings),
            Self::SettledByNewest => settlement::check(evidence, &mut findings),
            Self::SumsAgree => sums::check(evidence, &mut findings),
            Self::HistoryWithoutGaps => gaps::check(evidence, &mut findings),
            Self::SubscribersTold => deliveries::check(evidence, &mut findings),
            Self::NothingFailedUnnamed => failures::check(evidence, &mut findings),
            Self::VerifyAgrees => verified::check(evidence, &mut findings),
        }
        findings
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no check is skipped");
        f.write_str(value.get_name())
    }
}

/// Findings of one check beyond this many are only counted.
const TOLD: usize = 50;
/// Of those, the ones that a verdict shows.
const SHOWN: usize = 5;

/// What a check found, and how much it looked at: a check that looked at nothing proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub looked_at: u64,
    pub count: u64,
    pub told: Vec<String>,
}

impl Findings {
    /// One more thing was looked at.
    fn look(&mut self) {
        self.looked_at += 1;
    }

    fn add(&mut self, what: impl fmt::Display) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(what.to_string());
        }
    }

    fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.look();
        if !holds {
            self.add(otherwise());
        }
    }
}

/// All checks with their findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict(pub Vec<(Check, Findings)>);

impl Verdict {
    pub fn of(evidence: &Evidence) -> Self {
        let checks = Check::value_variants().iter();
        Self(checks.map(|check| (*check, check.run(evidence))).collect())
    }

    pub fn is_clean(&self) -> bool {
        self.0.iter().all(|(_, findings)| findings.count == 0)
    }

    /// The checks that found something.
    pub fn failed(&self) -> impl Iterator<Item = Check> {
        let failed = self.0.iter().filter(|(_, findings)| findings.count > 0);
        failed.map(|(check, _)| *check)
    }

    /// The first finding of a check in which these words occur, of those that are told.
    pub fn finding(&self, wanted: Check, words: &str) -> Option<&str> {
        let (_, findings) = self.0.iter().find(|(check, _)| *check == wanted)?;
        let finding = findings.told.iter().find(|finding| finding.contains(words));
        finding.map(String::as_str)
    }

    /// The checks that had nothing to look at.
    pub fn vacuous(&self) -> impl Iterator<Item = Check> {
        let vacuous = self.0.iter().filter(|(_, findings)| findings.looked_at == 0);
        vacuous.map(|(check, _)| *check)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, findings) in &self.0 {
            let Findings {
                looked_at,
                count,
                told,
            } = findings;
            let verdict = if *count == 0 { "holds" } else { "BROKEN" };
            writeln!(
                f,
                "  {:<24} {verdict:<7} {looked_at:>9} looked at, {count} findings",
                check.to_string()
            )?;
            for finding in told.iter().take(SHOWN) {
                writeln!(f, "      {finding}")?;
            }
        }
        Ok(())
    }
}
