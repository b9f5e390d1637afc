//! The power goes off: what a run wrote is heard from strace, byte by byte, and what the disk may hold of it after each
//! operation is laid out in a folder and recovered from.
//!
//! Acknowledged counts as soon as the line is begun to be written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use journal_torture::run::ACKNOWLEDGED;
use journal_torture::script::Script;

use crate::disk::{Kindness, Operation, lay_out};
use crate::lab::{End, Lab, report, run_traced};
use crate::reference::{Reference, Witness};

/// Beside nothing and all of what was not synced, how many mixtures of it are drawn after each operation.
const MIXTURES: usize = 2;
const DRAWN: usize = 12;

pub fn at_every_operation(lab: &Lab) {
    let script = Script::Mixed;
    let operations = operations(lab, script);
    let all = (1..=operations.len()).collect();
    cut(lab, script, &operations, all);
}

pub fn around_a_checkpoint(lab: &Lab) {
    let script = Script::Bulky;
    let operations = operations(lab, script);
    let begin = operations
        .iter()
        .position(|operation| matches!(operation, Operation::Acknowledged(2)))
        .unwrap();
    let (many, mut moments): (Vec<usize>, Vec<usize>) =
        (begin..=operations.len()).partition(|at| matches!(operations[at - 1], Operation::Write { .. }));
    let mut random = lab.random(2);
    moments
        .extend((0..DRAWN * lab.rounds).map(|_| many[rand::Rng::random_range(&mut random, 0..many.len())]));
    cut(lab, script, &operations, moments);
}

fn cut(lab: &Lab, script: Script, operations: &[Operation], moments: Vec<usize>) {
    let reference = Reference::of(lab, script);
    let (count, kinds) = (moments.len(), 2 + MIXTURES * lab.rounds);
    let images = moments
        .into_iter()
        .flat_map(|at| (0..kinds).map(move |kind| (at, kind)));
    lab.each(images, |(at, kind)| {
        let folder = lab.fresh();
        let done = &operations[..at];
        let mut random = lab.random(at * kinds + kind);
        let kindness = match kind {
            0 => Kindness::None,
            1 => Kindness::Full,
            _ => Kindness::Random(&mut random),
        };
        lay_out(done, kindness, folder.parent().unwrap());
        let acknowledged = done.iter().rev().find_map(|operation| match operation {
            Operation::Acknowledged(steps) => Some(*steps),
            _ => None,
        });
        let witness = Witness {
            acknowledged: acknowledged.unwrap_or(0),
            instance: None,
        };
        let what = format!(
            "the power went off after operation {at} (mixture {kind}), {}",
            named(done.last())
        );
        reference.judge(&folder, &witness, &what);
        lab.remove(&folder);
    });
    report(&format!(
        "the power went off after {count} operations, {kinds} images each (seed {})",
        lab.seed
    ));
}

fn named(operation: Option<&Operation>) -> String {
    match operation {
        Some(Operation::Write { file, at, bytes }) => {
            format!("{} bytes at {at} of {}", bytes.len(), file.display())
        }
        other => format!("{other:?}"),
    }
}

/// What an undisturbed run does, in order.
fn operations(lab: &Lab, script: Script) -> Vec<Operation> {
    let (folder, log) = (lab.fresh(), lab.fresh());
    let base = folder.parent().unwrap();
    let options = [
        "-f",
        "-y",
        "-xx",
        "-s",
        "100000",
        "-o",
        log.to_str().unwrap(),
        "-e",
        "trace=mkdir,openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename,renameat,renameat2,fallocate",
    ];
    let outcome = run_traced(&options, &folder, script, 0);
    assert_eq!(outcome.end, End::Succeeded, "{}", outcome.message);
    let text = std::fs::read_to_string(&log).unwrap();
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut files = Vec::new();
    let mut operations = Vec::new();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        // Another thread's call may stand between a call and its result.
        let whole = match (rest.strip_suffix(" <unfinished ...>"), rest.strip_prefix("<... ")) {
            (Some(begin), _) => {
                operations.extend(acknowledgement(begin));
                begun.insert(pid, begin);
                continue;
            }
            (_, Some(resumed)) => {
                let result = resumed.split_once("resumed>").unwrap().1;
                format!("{}{result}", begun.remove(pid).unwrap())
            }
            _ => rest.to_owned(),
        };
        operations.extend(acknowledgement(&whole));
        operations.extend(operation(&whole, base, &mut files));
    }
    lab.remove(&folder);
    lab.remove(&log);
    operations
}

fn acknowledgement(call: &str) -> Option<Operation> {
    let written = decode(call.strip_prefix("write(")?.split('"').nth(1)?);
    let line = String::from_utf8(written).ok()?;
    let steps = line.strip_prefix(ACKNOWLEDGED)?.trim().parse().unwrap();
    Some(Operation::Acknowledged(steps))
}

/// What a call did to what lies in `base`; `files` is what was made there so far.
fn operation(call: &str, base: &Path, files: &mut Vec<PathBuf>) -> Option<Operation> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    let within = |hex: &str| {
        let path = PathBuf::from(String::from_utf8(decode(hex)).unwrap());
        let path = path.strip_prefix(base).ok()?.to_owned();
        // Memory that processes share; no recovery needs it.
        (!path.to_str().unwrap().ends_with("-shm")).then_some(path)
    };
    let quoted = || arguments.split('"').nth(1).unwrap();
    let opened = || arguments.split(['<', '>']).nth(1).unwrap();
    let number = |text: &str| text.trim().trim_end_matches(')').parse::<usize>().unwrap();
    match name {
        "mkdir" => Some(Operation::MakeFolder(within(quoted())?)),
        "unlink" => {
            let path = within(quoted())?;
            files.retain(|file| *file != path);
            Some(Operation::Remove(path))
        }
        "openat" => {
            let path = within(quoted())?;
            if !arguments.contains("O_CREAT") || files.contains(&path) {
                return None;
            }
            files.push(path.clone());
            Some(Operation::MakeFile(path))
        }
        "pwrite64" => {
            let file = within(opened())?;
            let at = number(arguments.rsplit_once(',').unwrap().1);
            let bytes = decode(quoted());
            assert_eq!(bytes.len(), number(result), "{name} was cut off");
            Some(Operation::Write { file, at, bytes })
        }
        "ftruncate" => {
            let length = number(arguments.rsplit_once(',').unwrap().1);
            Some(Operation::Truncate {
                file: within(opened())?,
                length,
            })
        }
        "fsync" | "fdatasync" => within(opened()).map(Operation::Sync),
        "write" => None,
        _ => {
            assert!(
                !arguments.contains(base.to_str().unwrap()),
                "the model of the disk knows no {name}"
            );
            None
        }
    }
}

/// `\x61\x62` as bytes.
fn decode(hex: &str) -> Vec<u8> {
    let digits = hex.split("\\x").skip(1);
    digits
        .map(|pair| u8::from_str_radix(&pair[..2], 16).unwrap())
        .collect()
}
