//! The proof that the judge can see: bugs, kept as patches beside this crate, are planted one by one in a copy of the
//! tree; each is built, attacked, and must be caught by the very check that its patch names, for the reason it names.
//!
//! A patch that no longer applies, or a bug that is not caught, is a failure, and so is a finding of the judge where no
//! bug was planted: the control. The product's own code stays clean.

mod bug;
mod scratch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::plan::Kind;
use crate::progress::Progress;
use crate::run::{Judged, Options, run};
use crate::workload::Crowd;

pub use bug::Bug;
use scratch::Scratch;

/// Where the patches are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("planted")
}

/// Every bug, in order of its file's name; with `names`, those whose name contains one of them.
///
/// # Errors
/// A patch cannot be read, or there is none.
pub fn list(names: &[String]) -> Result<Vec<Bug>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder()).context("there are no planted bugs")? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    let bugs = files
        .iter()
        .map(|file| Bug::read(file))
        .collect::<Result<Vec<_>>>()?;
    let wanted = |bug: &Bug| names.is_empty() || names.iter().any(|name| bug.name.contains(name));
    let bugs: Vec<_> = bugs.into_iter().filter(wanted).collect();
    ensure!(!bugs.is_empty(), "no planted bug is named so");
    Ok(bugs)
}

/// The names of those that do not apply to the tree any more.
///
/// # Errors
/// The tree cannot be copied.
pub fn stale(bugs: &[Bug]) -> Result<Vec<String>> {
    let scratch = Scratch::make()?;
    let stale = bugs.iter().filter(|bug| !scratch.takes(bug));
    Ok(stale.map(|bug| bug.name.clone()).collect())
}

/// What became of one bug.
#[derive(Debug)]
pub enum Proof {
    /// With what the check found.
    Caught(String),
    /// With what the judge said instead.
    Missed(String),
}

/// Attacks the tree as it is in each way in which one of the bugs is attacked; whether the judge finds nothing.
///
/// # Errors
/// As [`list`].
pub async fn control(names: &[String]) -> Result<bool> {
    let mut longest: BTreeMap<Vec<Kind>, u64> = BTreeMap::new();
    for bug in list(names)? {
        let seconds = longest.entry(bug.faults).or_default();
        *seconds = bug.seconds.max(*seconds);
    }
    let count = longest.len();
    let mut all_clean = true;
    for (number, (kinds, seconds)) in (1..).zip(longest) {
        let faults = if kinds.is_empty() {
            "load alone".to_owned()
        } else {
            format!("{kinds:?}")
        };
        let progress = Progress::new(&format!("control {number}/{count} {faults}"));
        let attack = Attack {
            kinds,
            seconds,
            seed: 1,
            binaries: None,
        };
        let judged = attack.carry_out(&progress).await;
        drop(progress);
        match judged {
            Ok(Judged { verdict, .. }) if verdict.is_clean() => {
                println!("clean   {faults}");
                continue;
            }
            Ok(Judged { verdict, figures }) => println!("FOUND   {faults}\n{figures}{verdict}"),
            Err(error) => println!("FAILED  {faults}: {error:#}"),
        }
        all_clean = false;
    }
    Ok(all_clean)
}

/// Plants, builds, attacks and judges each; whether all were caught.
///
/// # Errors
/// The tree cannot be copied, a patch does not apply, or a planted tree does not build.
pub async fn prove(names: &[String]) -> Result<bool> {
    let mut all_caught = true;
    let bugs = list(names)?;
    let scratch = Scratch::make()?;
    let count = bugs.len();
    for (number, bug) in (1..).zip(bugs) {
        let progress = Progress::new(&format!("planted {number}/{count} {}", bug.name));
        let proof = prove_one(&scratch, &bug, &progress).await?;
        drop(progress);
        match proof {
            Proof::Caught(finding) => {
                println!(
                    "caught  {:<34} by {}\n          {finding}",
                    bug.name, bug.caught_by
                );
            }
            Proof::Missed(verdict) => {
                all_caught = false;
                println!("MISSED  {:<34} by {}\n{verdict}", bug.name, bug.caught_by);
            }
        }
    }
    Ok(all_caught)
}

async fn prove_one(scratch: &Scratch, bug: &Bug, progress: &Progress) -> Result<Proof> {
    progress.phase("building", None);
    let binaries = scratch.build_with(bug)?;
    let mut verdict = String::new();
    for (attempt, seed) in (1..).zip(bug.seeds()) {
        progress.tell(&format!("attack {attempt}, seed {seed}"));
        let attack = Attack {
            kinds: bug.faults.clone(),
            seconds: bug.seconds,
            seed,
            binaries: Some(binaries.clone()),
        };
        let judged = match attack.carry_out(progress).await {
            Ok(judged) => judged,
            Err(error) => {
                verdict = format!("the attack failed: {error:#}\n");
                continue;
            }
        };
        if let Some(finding) = judged.verdict.finding(bug.caught_by, &bug.finding) {
            return Ok(Proof::Caught(finding.to_owned()));
        }
        verdict = format!("{}{}", judged.figures, judged.verdict);
    }
    Ok(Proof::Missed(verdict))
}

/// One attack, in a folder that is gone afterwards.
struct Attack {
    kinds: Vec<Kind>,
    seconds: u64,
    seed: u64,
    /// Of the services; `None`: those of this build.
    binaries: Option<PathBuf>,
}

impl Attack {
    async fn carry_out(self, progress: &Progress) -> Result<Judged> {
        let folder = tempfile::tempdir()?;
        let options = Options {
            seed: self.seed,
            load: Duration::from_secs(self.seconds),
            kinds: self.kinds,
            crowd: Crowd::default(),
            folder: folder.path().join("run"),
            binaries: self.binaries,
        };
        run(options, progress).await
    }
}
