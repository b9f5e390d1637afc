//! Calls that fail: after a write or a sync that failed nothing is acknowledged, nothing is synced again as if that
//! could still help, and the process ends with a failure.

use std::path::Path;

use journal_torture::script::Script;

use crate::lab::{End, Lab, report, run_traced};
use crate::reference::{Reference, Witness};
use crate::trace::{Call, calls};

const WRITES_AND_SYNCS: [&str; 4] = ["pwrite64", "fsync", "fdatasync", "ftruncate"];
const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];
/// Of the writes of the long commits every so many-th is failed.
const STRIDE: usize = 200;
/// So many writes are of the script's beginning, which the other script has, too.
const BEGINNING: usize = 60;

pub fn of_every_write_and_sync(lab: &Lab) {
    let (script, folder) = (Script::Mixed, lab.fresh());
    let calls = writes_and_syncs(lab, &folder, script);
    fail_each(lab, &Reference::of(lab, script), &calls);
}

/// The long commits, the copying of the log in passing, and what follows it.
pub fn of_a_checkpoint(lab: &Lab) {
    let (script, folder) = (Script::Bulky, lab.fresh());
    let mut calls = writes_and_syncs(lab, &folder, script);
    let begin = calls
        .iter()
        .position(|call| call.name == "pwrite64" && call.number > BEGINNING);
    let mut calls = calls.split_off(begin.unwrap());
    calls.retain(|call| call.name != "pwrite64" || call.number % STRIDE == 0);
    fail_each(lab, &Reference::of(lab, script), &calls);
}

fn writes_and_syncs(lab: &Lab, folder: &Path, script: Script) -> Vec<Call> {
    let mut calls = calls(lab, folder, script, 0);
    calls.retain(|call| WRITES_AND_SYNCS.contains(&call.name.as_str()));
    calls
}

fn fail_each(lab: &Lab, reference: &Reference, calls: &[Call]) {
    let secret = kept_secret(calls);
    let each = calls.iter().flat_map(|call| ERRORS.map(|error| (call, error)));
    lab.each(each, |(call, error)| {
        let end = if secret.contains(call) {
            End::Succeeded
        } else {
            End::Failed
        };
        fail(lab, reference, call, error, end);
    });
    report(&format!(
        "failed {} writes and syncs, each with {}; recovered each time ({} of the folder, which SQLite keeps to itself)",
        calls.len(),
        ERRORS.join(" and with "),
        secret.len()
    ));
}

/// SQLite tells nobody when the folder cannot be synced in which it has made a file, so line-provider syncs it again.
/// Its own syncs come first (of the folder's name, of the file's name) and last.
fn kept_secret(calls: &[Call]) -> Vec<Call> {
    let of_folder = calls
        .iter()
        .filter(|call| call.name == "fsync" && !call.line.contains("/journal."));
    let mut secret: Vec<_> = of_folder.skip(2).cloned().collect();
    secret.pop();
    secret
}

fn fail(lab: &Lab, reference: &Reference, call: &Call, error: &str, end: End) {
    let what = format!("{error} from {} {}", call.number, call.line);
    let (folder, log) = (lab.fresh(), lab.fresh());
    let traced = format!("trace={}", WRITES_AND_SYNCS.join(","));
    let (failing, log_name) = (call.fail(error), log.to_str().unwrap());
    // Other threads are watched, too: they must not sync either. It is the first one that comes to the call first.
    let options = ["-f", "-y", "-o", log_name, "-e", &traced, "-e", &failing];
    let outcome = run_traced(&options, &folder, reference.script, 0);
    assert_eq!(outcome.end, end, "{what}: the process ends otherwise");
    let log_text = std::fs::read_to_string(&log).unwrap();
    let mut after = log_text.lines().skip_while(|line| !line.contains("(INJECTED)"));
    assert!(after.next().is_some(), "{what}: it was not failed");
    let synced = after.find(|line| line.contains("sync(") && line.contains("journal.sqlite"));
    assert!(
        synced.is_none() || end == End::Succeeded || outcome.opened.is_none(),
        "{what}: the journal was synced again: {synced:?}"
    );
    let mut witness = Witness::default();
    witness.hear(&outcome);
    reference.judge(&folder, &witness, &what);
    lab.remove(&folder);
    lab.remove(&log);
}
