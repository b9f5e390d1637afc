//! strace's part: whether it may trace here, and which system calls a run makes.

use std::path::Path;
use std::process::{Command, Stdio};

use journal_torture::script::Script;

use crate::lab::{End, Lab, run_traced};

/// One system call of the program's first thread: the n-th of that name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub name: String,
    pub number: usize,
    /// Its beginning as strace writes it, for whoever reads of a failure.
    pub line: String,
    /// About a file of the run's folder: each run makes it at the same place.
    pub is_of_folder: bool,
}

/// Whether strace is there and may stop and tamper with a process.
pub fn is_permitted() -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command = Command::new("strace");
    command.args([
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=openat",
        "-e",
        "inject=openat:signal=KILL:when=1",
        "true",
    ]);
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.signal() == Some(9))
}

/// The calls of a run from that step on, beginning with the first one that names its folder: nothing can be lost before.
pub fn calls(lab: &Lab, folder: &Path, script: Script, from: usize) -> Vec<Call> {
    let listing = lab.fresh();
    let options = ["-y", "-o", listing.to_str().unwrap()];
    let outcome = run_traced(&options, folder, script, from);
    assert_eq!(outcome.end, End::Succeeded, "{}", outcome.message);
    let text = std::fs::read_to_string(&listing).unwrap();
    lab.remove(&listing);
    let mut counts = std::collections::HashMap::<&str, usize>::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((name, _)) = line.split_once('(') else {
            continue;
        };
        let number = counts.entry(name).or_default();
        *number += 1;
        calls.push(Call {
            name: name.to_owned(),
            number: *number,
            line: line.chars().take(160).collect(),
            is_of_folder: line.contains(folder.to_str().unwrap()),
        });
    }
    let first = calls
        .iter()
        .position(|call| call.is_of_folder && call.name != "execve");
    calls.split_off(first.unwrap())
}

impl Call {
    /// strace's option that kills the process before the call does anything: after it, too, because that is before
    /// the next call.
    pub fn kill(&self) -> String {
        format!("inject={}:signal=KILL:when={}", self.name, self.number)
    }

    /// strace's option that makes the call fail.
    pub fn fail(&self, error: &str) -> String {
        format!("inject={}:error={error}:when={}", self.name, self.number)
    }
}
