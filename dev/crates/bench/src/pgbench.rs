//! The limit of placing: PostgreSQL's own `pgbench`, each client with one prepared INSERT of the same row.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What pgbench inserts into `{table}`: ids in order of time like a UUID v7, one of `:events` events.
fn script(table: &str) -> String {
    format!(
        r"\set n :n + 1
\set event random(1, :events)
\set bettor random(1, :bettors)
insert into {table} (id, event_id, bettor, stake, odds, event_revision, placed_at) values (lpad(to_hex(:n::bigint * 4096 + :client_id), 32, '0')::uuid, 'event-' || :event, 'bettor-' || :bettor, 1000, 185, 1, clock_timestamp());
"
    )
}

pub struct Insert<'a> {
    pub binaries: &'a Path,
    pub url: &'a str,
    pub table: &'a str,
    pub clients: usize,
    pub events: usize,
    pub bettors: usize,
    pub time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inserted {
    pub count: u64,
    pub per_second: f64,
    pub latency_average: Duration,
}

impl Insert<'_> {
    /// Blocks for the stated time.
    ///
    /// # Errors
    /// pgbench is not there, or one of its statements failed.
    pub fn run(&self) -> Result<Inserted> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("insert.sql");
        fs::write(&file, script(self.table))?;
        let program = self.binaries.join("pgbench");
        let output = Command::new(&program)
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--jobs={}", crate::cpu::processors()))
            .arg(format!("--client={}", self.clients))
            .arg(format!("--time={}", self.time.as_secs().max(1)))
            .arg(format!("--define=events={}", self.events))
            .arg(format!("--define=bettors={}", self.bettors))
            .arg("--define=n=0")
            .arg("--file")
            .arg(&file)
            .arg(self.url)
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        parse(&text).with_context(|| format!("pgbench answered something else:\n{text}"))
    }
}

/// `None` also where transactions failed.
fn parse(text: &str) -> Option<Inserted> {
    let value = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    let failed = value("number of failed transactions: ").unwrap_or_default();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("number of transactions actually processed: "))?;
    (failed == 0.0).then_some(Inserted {
        count: count.split(['/', ' ']).next()?.parse().ok()?,
        per_second: value("tps = ")?,
        latency_average: Duration::from_secs_f64(value("latency average = ")? / 1000.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "pgbench (15.18)\nnumber of transactions actually processed: 33684\nnumber of failed transactions: 0 (0.000%)\n\
        latency average = 9.500 ms\ninitial connection time = 80.1 ms\n\
        tps = 6736.84 (without initial connection time)\n";

    #[test]
    fn rate_and_latency_are_found() {
        let inserted = parse(ANSWER).unwrap();
        assert!((inserted.per_second - 6736.84).abs() < 0.001);
        assert_eq!(inserted.count, 33_684);
        assert_eq!(inserted.latency_average, Duration::from_micros(9500));
    }

    #[test]
    fn failed_statements_are_no_figure() {
        assert_eq!(parse(&ANSWER.replace(": 0 (", ": 3 (")), None);
        assert_eq!(parse("pgbench (15.18)\n"), None);
    }
}
