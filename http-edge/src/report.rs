//! What a `verify` subcommand found, and how it tells an operator: a line for each finding under its check's name, then
//! what was looked at. All findings are counted, the first [`LISTED`] of each check are kept.
//!
//! It ends with 0 where nothing was found, 1 with findings, 2 where none was, but not all could be checked.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::telemetry;

/// Findings of one check that are kept and told.
pub const LISTED: usize = 100;

const FOUND: u8 = 1;
const COULD_NOT_CHECK: u8 = 2;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    name: &'static str,
    found: u64,
    listed: Vec<String>,
}

impl Check {
    /// `name` is stable: snake_case.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            found: 0,
            listed: Vec::new(),
        }
    }

    pub fn find(&mut self, what: impl Into<String>) {
        self.found += 1;
        if self.listed.len() < LISTED {
            self.listed.push(what.into());
        }
    }

    /// Takes over what another found.
    pub fn absorb(&mut self, other: Self) {
        self.found += other.found;
        let room = LISTED.saturating_sub(self.listed.len());
        self.listed.extend(other.listed.into_iter().take(room));
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// All that were found.
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// The first of them, one line each.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }
}

/// What all checks found, what an operator should know beside it, and what was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    checks: Vec<Check>,
    unchecked: Vec<String>,
    notes: Vec<String>,
    counts: Vec<(&'static str, String)>,
}

impl Report {
    /// With checks of these names that have found nothing yet.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            checks: names.into_iter().map(Check::new).collect(),
            ..Self::default()
        }
    }

    /// Adds to what the check of that name found.
    pub fn find(&mut self, name: &'static str, what: impl Into<String>) {
        let known = self.checks.iter().position(|check| check.name == name);
        let place = known.unwrap_or_else(|| {
            self.checks.push(Check::new(name));
            self.checks.len() - 1
        });
        if let Some(check) = self.checks.get_mut(place) {
            check.find(what);
        }
    }

    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// What should have been checked and could not be, with the reason.
    pub fn could_not_check(&mut self, what: impl Into<String>) {
        self.unchecked.push(what.into());
    }

    /// Something to know that is not wrong.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What was looked at, such as a number of events.
    pub fn count(&mut self, name: &'static str, count: impl ToString) {
        self.counts.push((name, count.to_string()));
    }

    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether all was checked that should be.
    pub const fn is_whole(&self) -> bool {
        self.unchecked.is_empty()
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All findings of all checks.
    pub fn found(&self) -> u64 {
        self.checks.iter().map(Check::found).sum()
    }

    /// The names of the checks that found something, in their order.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.checks.iter().filter(|check| check.found > 0);
        broken.map(Check::name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            for what in &check.listed {
                writeln!(f, "{}: {}", check.name, OneLine(what))?;
            }
            let listed = u64::try_from(check.listed.len()).unwrap_or(u64::MAX);
            let more = check.found.saturating_sub(listed);
            if more > 0 {
                writeln!(f, "{}: and {more} more", check.name)?;
            }
        }
        for what in &self.unchecked {
            writeln!(f, "not checked: {}", OneLine(what))?;
        }
        for note in &self.notes {
            writeln!(f, "note: {}", OneLine(note))?;
        }
        let counts = self.counts.iter().map(|(name, count)| format!("{name} {count}"));
        writeln!(f, "checked: {}", counts.collect::<Vec<_>>().join(", "))?;
        let checks = self
            .checks
            .iter()
            .map(|check| format!("{} {}", check.name, check.found));
        writeln!(f, "findings: {}", checks.collect::<Vec<_>>().join(", "))
    }
}

/// A text that may quote what somebody wrote into a row.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            control if control.is_control() => write!(f, "{}", control.escape_default()),
            plain => f.write_char(plain),
        })
    }
}

/// Tells a report on standard output, or why there is none on standard error.
pub fn conclude<E: Error>(program: &str, verified: Result<Report, E>) -> ExitCode {
    let told = match &verified {
        Ok(report) => io::stdout().write_all(report.to_string().as_bytes()),
        Err(error) => {
            eprintln!("{program}: {}", telemetry::chain(error));
            Ok(())
        }
    };
    match (verified, told) {
        (Ok(report), _) if report.found() > 0 => FOUND.into(),
        (Ok(report), Ok(())) if report.is_whole() => ExitCode::SUCCESS,
        _ => COULD_NOT_CHECK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_listed_up_to_a_cap_and_all_counted() {
        let mut report = Report::new(["sums", "keys"]);
        for bet in 0..LISTED + 3 {
            report.find("keys", format!("bet {bet}\nis wrong"));
        }
        report.note("a note");
        report.could_not_check("the log\nis away");
        report.count("bets", 7);
        report.count("events", 2);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), LISTED + 5);
        assert_eq!(lines[0], "keys: bet 0\\nis wrong");
        assert_eq!(
            lines[LISTED..],
            [
                "keys: and 3 more",
                "not checked: the log\\nis away",
                "note: a note",
                "checked: bets 7, events 2",
                "findings: sums 0, keys 103",
            ]
        );
        assert_eq!((report.found(), report.broken()), (103, vec!["keys"]));
    }

    #[test]
    fn the_exit_code_tells_right_from_wrong_from_unchecked() {
        let code = |verified| format!("{:?}", conclude::<io::Error>("test", verified));
        let is = |number: u8| format!("{:?}", ExitCode::from(number));
        let mut wrong = Report::new(["sums"]);
        assert_eq!(code(Ok(wrong.clone())), is(0));
        wrong.could_not_check("the log");
        assert_eq!(code(Ok(wrong.clone())), is(2));
        wrong.find("sums", "off by a cent");
        assert_eq!(code(Ok(wrong)), is(1));
        assert_eq!(code(Err(io::Error::other("away"))), is(2));
    }
}
