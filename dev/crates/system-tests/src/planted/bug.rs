//! One planted bug: a patch with a head that says what it breaks, which check must catch it and by finding what, and
//! what brings it out.
//!
//! ```text
//! Bug: answers before the batch is synced
//! Caught by: acknowledged_is_there
//! Finding: is not in the log
//! Faults: line-provider
//! Seconds: 20
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::ValueEnum as _;

use crate::judge::Check;
use crate::plan::Kind;

/// A race may miss its moment in one run; three in a row would be blindness.
const ATTEMPTS: u64 = 3;

#[derive(Clone, Debug)]
pub struct Bug {
    pub name: String,
    pub file: PathBuf,
    /// What is wrong, in a line.
    pub what: String,
    pub caught_by: Check,
    /// Words of what the check must find: not whatever else a broken system does.
    pub finding: String,
    /// None where the load alone brings it out.
    pub faults: Vec<Kind>,
    pub seconds: u64,
}

impl Bug {
    /// # Errors
    /// The file cannot be read, or its head lacks something.
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("its name is text")?;
        Self::parse(name, file, &text).with_context(|| format!("{} has no proper head", file.display()))
    }

    fn parse(name: &str, file: &Path, text: &str) -> Result<Self> {
        let field = |name: &str| {
            let mut head = text.lines().take_while(|line| !line.starts_with("---"));
            let value = head.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(str::trim).with_context(|| format!("{name} is missing"))
        };
        let check = field("Caught by")?;
        let words = field("Finding")?;
        ensure!(!words.is_empty(), "Finding is empty");
        let kinds = field("Faults")?
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty());
        Ok(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            what: field("Bug")?.to_owned(),
            caught_by: Check::from_str(check, false).map_err(|_| anyhow!("there is no check {check}"))?,
            finding: words.to_owned(),
            faults: kinds
                .map(|kind| Kind::from_str(kind, false).map_err(|_| anyhow!("there is no kind {kind}")))
                .collect::<Result<_>>()?,
            seconds: field("Seconds")?.parse().context("Seconds")?,
        })
    }

    /// Of the attacks, one after the other until it is caught.
    pub fn seeds(&self) -> impl Iterator<Item = u64> {
        1..=ATTEMPTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_is_wrong_and_what_must_catch_it() {
        let head = "Bug: b\nCaught by: sums_agree\nFinding: a sum\nFaults: bet-makers, links\nSeconds: 9\n--- a/x\nSeconds: 8\n";
        let bug = Bug::parse("n", Path::new("n.patch"), head).unwrap();
        assert_eq!((bug.caught_by, bug.seconds), (Check::SumsAgree, 9));
        assert_eq!(bug.finding, "a sum");
        assert_eq!(bug.faults, [Kind::BetMakers, Kind::Links]);
        let without = Bug::parse("n", Path::new("n.patch"), &head.replace("bet-makers, links", "")).unwrap();
        assert!(without.faults.is_empty());
        assert!(Bug::parse("n", Path::new("n.patch"), &head.replace("sums_agree", "sums")).is_err());
        assert!(Bug::parse("n", Path::new("n.patch"), &head.replace("Bug", "Bag")).is_err());
        assert!(Bug::parse("n", Path::new("n.patch"), &head.replace("a sum", "")).is_err());
    }
}
