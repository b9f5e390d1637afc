//! Where and how runs are made: folders of their own, in memory where the system has such a place, because killing a
//! process takes nothing from the page cache; the program as a process, with or without strace around it.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use journal_torture::run::{ACKNOWLEDGED, OPENED};
use journal_torture::script::Script;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_journal-script");
const IN_MEMORY: &str = "/dev/shm";
const AT_ONCE: usize = 2;
const SIGKILL: i32 = 9;

pub struct Lab {
    scratch: TempDir,
    folders: AtomicUsize,
    pub seed: u64,
    /// How often what is drawn at random is drawn.
    pub rounds: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Killed,
    Succeeded,
    /// By its own exit code, with a message.
    Failed,
}

/// What a run said before it ended.
#[derive(Debug)]
pub struct Outcome {
    pub end: End,
    /// The instance and what the journal told when it was opened.
    pub opened: Option<(String, Value)>,
    /// Steps that were acknowledged, from the script's first.
    pub acknowledged: usize,
    pub message: String,
}

impl Lab {
    pub fn open() -> Self {
        let scratch = tempfile::Builder::new().prefix("journal-torture-").to_owned();
        let scratch = scratch
            .tempdir_in(IN_MEMORY)
            .or_else(|_| scratch.tempdir())
            .unwrap();
        let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
        Self {
            scratch,
            folders: AtomicUsize::new(0),
            seed: number("JOURNAL_TORTURE_SEED", 1),
            rounds: number("JOURNAL_TORTURE_ROUNDS", 1).try_into().unwrap(),
        }
    }

    /// The path of a folder that does not exist yet, in a folder of its own.
    pub fn fresh(&self) -> PathBuf {
        let number = self.folders.fetch_add(1, Ordering::Relaxed);
        let parent = self.scratch.path().join(number.to_string());
        std::fs::create_dir(&parent).unwrap();
        parent.join("data")
    }

    /// Removes what [`Lab::fresh`] gave.
    pub fn remove(&self, folder: &Path) {
        std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    /// Random numbers that are the same for the same seed and name.
    pub fn random(&self, number: usize) -> StdRng {
        StdRng::seed_from_u64(
            self.seed
                .wrapping_mul(1_000_003)
                .wrapping_add(number.try_into().unwrap()),
        )
    }

    /// Calls `judge` with each of the items, some at once.
    pub fn each<T: Send>(&self, items: impl IntoIterator<Item = T>, judge: impl Fn(T) + Sync) {
        let waiting: Mutex<VecDeque<T>> = Mutex::new(items.into_iter().collect());
        thread::scope(|scope| {
            let worker = || {
                let next = || waiting.lock().unwrap().pop_front();
                while let Some(item) = next() {
                    judge(item);
                }
            };
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
            let failed = workers
                .into_iter()
                .filter_map(|worker| worker.join().err())
                .next();
            if let Some(panic) = failed {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

/// The program with its arguments, for whoever starts it otherwise.
pub fn program(folder: &Path, script: Script, from: usize) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments(folder, script, from));
    command
}

/// Carries out the script's steps from that one on.
pub fn run(folder: &Path, script: Script, from: usize) -> Outcome {
    outcome(&program(folder, script, from).output().unwrap())
}

/// The same under strace with those options.
pub fn run_traced(options: &[&str], folder: &Path, script: Script, from: usize) -> Outcome {
    let mut command = Command::new("strace");
    command
        .arg("-qq")
        .args(options)
        .arg(PROGRAM)
        .args(arguments(folder, script, from));
    let output = command.output().unwrap();
    let outcome = outcome(&output);
    if outcome.end == End::Failed {
        assert!(
            outcome.message.contains("journal-script: "),
            "strace itself failed: {}",
            outcome.message
        );
    }
    outcome
}

fn arguments(folder: &Path, script: Script, from: usize) -> [String; 4] {
    let to = script.steps().len();
    [
        folder.to_str().unwrap().to_owned(),
        script.as_str().to_owned(),
        from.to_string(),
        to.to_string(),
    ]
}

pub fn outcome(output: &Output) -> Outcome {
    said(output.status, &output.stdout, &output.stderr)
}

/// Reads what a run said. A last line that was cut off was not said.
pub fn said(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Outcome {
    let message = String::from_utf8_lossy(stderr).into_owned();
    let end = match (status.code(), status.signal()) {
        (Some(0), _) => End::Succeeded,
        (Some(_), _) => End::Failed,
        (None, Some(SIGKILL)) => End::Killed,
        (None, signal) => panic!("the program ended by signal {signal:?}: {message}"),
    };
    let mut outcome = Outcome {
        end,
        opened: None,
        acknowledged: 0,
        message,
    };
    let text = std::str::from_utf8(stdout).unwrap();
    for line in text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
    {
        match line.split_once(' ').unwrap() {
            (OPENED, rest) => {
                let (instance, told) = rest.split_once(' ').unwrap();
                outcome.opened = Some((instance.to_owned(), serde_json::from_str(told).unwrap()));
            }
            (ACKNOWLEDGED, steps) => outcome.acknowledged = steps.parse().unwrap(),
            _ => panic!("the program said: {line}"),
        }
    }
    outcome
}

/// Says how much was done; the counts are what a test like these is worth.
pub fn report(line: &str) {
    eprintln!("  {line}");
}
