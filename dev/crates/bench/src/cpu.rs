//! Processor time: who used how much of it, and keeping a program on one processor. From Linux' /proc and the
//! command `taskset`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// What /proc counts in: USER_HZ, 100 on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// A program whose use is measured.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: &'static str,
    pub pid: u32,
    /// With its children, ended ones included: Postgres' sessions.
    pub whole_family: bool,
}

/// Measures from its start to [`Meter::stop`].
pub struct Meter {
    programs: Vec<(Program, Duration)>,
    busy: Duration,
    started: Instant,
}

impl Meter {
    pub fn start(programs: Vec<Program>) -> Self {
        let with_use = |program: Program| {
            let used = used_by(&program);
            (program, used)
        };
        Self {
            programs: programs.into_iter().map(with_use).collect(),
            busy: machine_busy(),
            started: Instant::now(),
        }
    }

    /// Who used how much for each of `pieces`, and how much of the machine was used by all and by others.
    pub fn stop(self, pieces: u64, piece: &str) -> String {
        let took = self.started.elapsed();
        let busy = machine_busy().saturating_sub(self.busy);
        let mut ours = Duration::ZERO;
        let mut parts = Vec::new();
        for (program, before) in self.programs {
            let used = used_by(&program).saturating_sub(before);
            ours += used;
            let each = used / u32::try_from(pieces.max(1)).unwrap_or(u32::MAX);
            parts.push(format!("{} {:.1}", program.name, each.as_secs_f64() * 1e6));
        }
        let share = |used: Duration| used.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE);
        format!(
            "CPU microseconds per {piece}: {}; processors in use: {:.2} of {}, {:.2} of them by others",
            parts.join(", "),
            share(busy),
            processors(),
            share(busy.saturating_sub(ours)),
        )
    }
}

pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Keeps this thread, and those it will start, on one processor.
///
/// # Errors
/// There is no `taskset`, or no such processor.
pub fn pin_this_thread(processor: usize) -> Result<()> {
    let this = std::fs::read_link("/proc/thread-self").context("cannot read /proc/thread-self")?;
    let id = this
        .file_name()
        .and_then(|id| id.to_str()?.parse().ok())
        .context("cannot tell this thread's id")?;
    taskset(&[], processor, id)
}

/// Keeps all threads of a process on one processor.
///
/// # Errors
/// As [`pin_this_thread`].
pub fn pin_process(processor: usize, pid: u32) -> Result<()> {
    taskset(&["--all-tasks"], processor, pid)
}

fn taskset(options: &[&str], processor: usize, id: u32) -> Result<()> {
    let output = Command::new("taskset")
        .args(options)
        .args(["--cpu-list", "--pid", &processor.to_string(), &id.to_string()])
        .output()
        .context("cannot start taskset")?;
    if !output.status.success() {
        bail!("taskset: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn used_by(program: &Program) -> Duration {
    let Some(own) = Stat::read(program.pid) else {
        return Duration::ZERO;
    };
    if !program.whole_family {
        return own.used;
    }
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let children: Duration = pids
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Stat::read)
        .filter(|stat| stat.parent == program.pid)
        .map(|stat| stat.used)
        .sum();
    own.used + own.used_by_ended_children + children
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    used: Duration,
    used_by_ended_children: Duration,
}

impl Stat {
    /// `None` for a process that has ended.
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name, in parentheses, may hold anything: fields are counted from behind it.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |at: usize| -> Option<Duration> {
            let ticks: u32 = fields.get(at)?.parse().ok()?;
            Some(TICK * ticks)
        };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            used: ticks(11)? + ticks(12)?,
            used_by_ended_children: ticks(13)? + ticks(14)?,
        })
    }
}

/// Time that all processors together were not idle, since the machine started.
fn machine_busy() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    parse_busy(&text).unwrap_or_default()
}

/// First line: `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the last two are counted in
/// the first two as well.
fn parse_busy(text: &str) -> Option<Duration> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    let busy = ticks
        .iter()
        .enumerate()
        .filter(|(at, _)| !matches!(at, 3 | 4 | 8 | 9));
    Some(busy.map(|(_, ticks)| TICK * *ticks).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_process_are_found_behind_a_name_with_blanks_and_parentheses() {
        let text = "42 (a) (b c) S 7 42 42 0 -1 4194560 1 0 0 0 150 50 25 75 20 0 1 0 99";
        let stat = Stat {
            parent: 7,
            used: Duration::from_secs(2),
            used_by_ended_children: Duration::from_secs(1),
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("42 (a) S 7"), None);
    }

    #[test]
    fn idle_waiting_and_guests_do_not_count_as_busy() {
        let text = "cpu  100 10 50 9000 400 5 15 20 30 40\ncpu0 1 1 1 1\n";
        assert_eq!(parse_busy(text), Some(Duration::from_secs(2)));
        assert_eq!(parse_busy("intr 1"), None);
    }

    #[test]
    fn this_process_is_found() {
        let me = Stat::read(std::process::id()).unwrap();
        assert_eq!(me.parent, std::os::unix::process::parent_id());
    }
}
