//! Killed by the parent, which does not know where it strikes: what any machine can do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use journal_torture::run::ACKNOWLEDGED;
use journal_torture::script::Script;
use rand::Rng as _;

use crate::lab::{End, Lab, Outcome, program, report, run, said};
use crate::reference::{Reference, Witness};

const MOMENTS: usize = 150;
/// What stands in for the kills at every system call.
pub const INSTEAD_OF_INJECTION: usize = 2000;

pub fn after_each_acknowledgement(lab: &Lab) {
    for script in [Script::Mixed, Script::Bulky] {
        let reference = Reference::of(lab, script);
        let steps = script.steps().len();
        lab.each(1..=steps, |step| {
            let folder = lab.fresh();
            let mut child = program(&folder, script, 0)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut heard = String::new();
            while !heard.ends_with(&format!("{ACKNOWLEDGED} {step}\n")) {
                assert!(
                    lines.read_line(&mut heard).unwrap() > 0,
                    "it ended before step {step}"
                );
            }
            child.kill().unwrap();
            // What it said between that line and its death counts as well.
            lines.read_to_string(&mut heard).unwrap();
            let outcome = said(child.wait().unwrap(), heard.as_bytes(), b"");
            let mut witness = Witness::default();
            witness.hear(&outcome);
            reference.judge(&folder, &witness, &format!("killed after step {step}"));
            lab.remove(&folder);
        });
        report(&format!(
            "killed after each of {steps} acknowledgements of the {} script",
            script.as_str()
        ));
    }
}

pub fn at_any_moment(lab: &Lab) {
    kill_at_moments(lab, MOMENTS * lab.rounds);
}

pub fn instead_of_injection(lab: &Lab) {
    kill_at_moments(lab, INSTEAD_OF_INJECTION * lab.rounds);
}

/// Half of the moments lie in first runs, half in the recoveries after them.
fn kill_at_moments(lab: &Lab, moments: usize) {
    let script = Script::Mixed;
    let reference = Reference::of(lab, script);
    let started = Instant::now();
    assert_eq!(run(&lab.fresh(), script, 0).end, End::Succeeded);
    let whole = started.elapsed();
    let killed = AtomicUsize::new(0);
    lab.each(0..moments / 2, |number| {
        let folder = lab.fresh();
        let mut random = lab.random(number);
        let mut witness = Witness::default();
        let mut what = String::new();
        for _ in 0..2 {
            let after = whole.mul_f64(random.random_range(0.0..1.0));
            let outcome = kill_after(after, &folder, script, witness.acknowledged);
            if let (Some(_), false) = (&outcome.opened, what.is_empty()) {
                reference.judge_opened(&outcome, &witness, &what);
            }
            killed.fetch_add(usize::from(outcome.end == End::Killed), Ordering::Relaxed);
            witness.hear(&outcome);
            what.push_str(&format!("killed after {after:?}; "));
        }
        reference.judge(&folder, &witness, &what);
        lab.remove(&folder);
    });
    report(&format!(
        "killed {} times at {moments} moments within {whole:?} (seed {})",
        killed.into_inner(),
        lab.seed
    ));
}

fn kill_after(delay: Duration, folder: &std::path::Path, script: Script, from: usize) -> Outcome {
    let mut child = program(folder, script, from)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The moment itself, not a wait for something.
    thread::sleep(delay);
    // It may have ended by itself.
    let _ = child.kill();
    let mut heard = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut heard).unwrap();
    said(child.wait().unwrap(), &heard, b"")
}
