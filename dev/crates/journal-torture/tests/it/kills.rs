//! Killed by strace at the n-th call of each kind, for every n.

use std::sync::atomic::{AtomicUsize, Ordering};

use journal_torture::script::Script;
use rand::Rng as _;

use crate::lab::{End, Lab, report, run_traced};
use crate::reference::{Reference, Witness};
use crate::trace::{Call, calls};

/// Of the calls that repeat by the thousand, how many are drawn.
const DRAWN: usize = 10;
const WRITES_OF_A_LONG_COMMIT: usize = 1100;
const REPEATED: [&str; 2] = ["pwrite64", "pread64"];

pub fn at_every_syscall(lab: &Lab) {
    let script = Script::Mixed;
    let reference = Reference::of(lab, script);
    let folder = lab.fresh();
    let first_start = calls(lab, &folder, script, 0);
    // The journal that an undisturbed run left: opened, left alone and closed.
    let later_start = calls(lab, &folder, script, script.steps().len());
    let killed = kill_at_each(lab, &reference, first_start, 0);
    report(&format!(
        "killed at {killed} calls of a run, and recovered each time"
    ));
    let killed = kill_at_each(lab, &reference, later_start, script.steps().len());
    report(&format!(
        "killed at {killed} calls of a run that finds the whole journal, and recovered each time"
    ));
}

/// Commits of 600 pages each, the copying of the log, and the commits that begin it again.
pub fn around_a_checkpoint(lab: &Lab) {
    let script = Script::Bulky;
    let reference = Reference::of(lab, script);
    let folder = lab.fresh();
    let calls = calls(lab, &folder, script, 0);
    let is_repeated = |call: &Call| REPEATED.contains(&call.name.as_str());
    // Before, it does what every first run does.
    let begin = calls
        .iter()
        .position(|call| is_repeated(call) && call.number > WRITES_OF_A_LONG_COMMIT)
        .unwrap();
    let touching = calls
        .into_iter()
        .skip(begin)
        .filter(|call| call.is_of_folder && call.name != "fcntl");
    let (many, mut few): (Vec<_>, Vec<_>) = touching.partition(is_repeated);
    let mut random = lab.random(1);
    few.extend((0..DRAWN * lab.rounds).map(|_| many[random.random_range(0..many.len())].clone()));
    let killed = kill_at_each(lab, &reference, few, 0);
    report(&format!(
        "killed at {killed} calls, {} of them drawn from {} reads and writes (seed {})",
        DRAWN * lab.rounds,
        many.len(),
        lab.seed
    ));
}

/// Gives the number of calls that were killed at.
fn kill_at_each(lab: &Lab, reference: &Reference, calls: Vec<Call>, from: usize) -> usize {
    let killed = AtomicUsize::new(0);
    lab.each(calls, |call| {
        let folder = lab.fresh();
        if from > 0 {
            assert_eq!(crate::lab::run(&folder, reference.script, 0).end, End::Succeeded);
        }
        let mut witness = Witness {
            acknowledged: from,
            instance: None,
        };
        let is_killed = kill(&mut witness, &folder, reference.script, &call);
        assert!(is_killed || !call.is_of_folder, "not come to: {}", call.line);
        killed.fetch_add(usize::from(is_killed), Ordering::Relaxed);
        reference.judge(
            &folder,
            &witness,
            &format!("killed at {} {}", call.number, call.line),
        );
        lab.remove(&folder);
    });
    killed.into_inner()
}

/// A run that is killed at that call; `false` where it did not come to it.
fn kill(witness: &mut Witness, folder: &std::path::Path, script: Script, call: &Call) -> bool {
    let from = witness.acknowledged;
    // strace tampers only with what it traces.
    let (traced, kill) = (format!("trace={}", call.name), call.kill());
    let options = ["-o", "/dev/null", "-e", &traced, "-e", &kill];
    let outcome = run_traced(&options, folder, script, from);
    witness.hear(&outcome);
    let is_killed = outcome.end == End::Killed;
    assert!(
        is_killed || outcome.end == End::Succeeded,
        "{}: {}",
        call.line,
        outcome.message
    );
    is_killed
}

/// Every call of a recovery, each on a journal whose run was killed at a call that is drawn, and then once more.
pub fn during_recovery(lab: &Lab) {
    let script = Script::Mixed;
    let reference = Reference::of(lab, script);
    let first = calls(lab, &lab.fresh(), script, 0);
    let writing: Vec<_> = first
        .into_iter()
        .filter(|call| {
            ["pwrite64", "fsync", "fdatasync", "ftruncate", "unlink"].contains(&call.name.as_str())
        })
        .collect();
    let drawn = |n: usize| &writing[lab.random(n).random_range(0..writing.len())];
    // Some recovery in the middle tells how many calls there are.
    let folder = lab.fresh();
    let mut witness = Witness::default();
    assert!(kill(&mut witness, &folder, script, &writing[writing.len() / 2]));
    let recovery = calls(lab, &folder, script, witness.acknowledged);
    let each =
        (0..lab.rounds).flat_map(|round| recovery.iter().enumerate().map(move |(n, call)| (round, n, call)));
    let killed = AtomicUsize::new(0);
    lab.each(each, |(round, n, call)| {
        let folder = lab.fresh();
        let first = drawn(round * recovery.len() + n);
        let what = format!(
            "killed at {}, then in recovery at {} {}",
            first.line, call.number, call.line
        );
        let mut witness = Witness::default();
        assert!(kill(&mut witness, &folder, script, first), "{what}");
        if kill(&mut witness, &folder, script, call) {
            killed.fetch_add(1, Ordering::Relaxed);
        }
        reference.judge(&folder, &witness, &what);
        lab.remove(&folder);
    });
    report(&format!(
        "killed in recovery at {} of {} calls, on images drawn from {} (seed {})",
        killed.into_inner(),
        recovery.len() * lab.rounds,
        writing.len(),
        lab.seed
    ));
}
