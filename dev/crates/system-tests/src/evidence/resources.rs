//! What a process holds: memory, descriptors and threads, as the kernel counts them, and tasks, by its own metrics.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use awc::http::Method;
use serde::{Deserialize, Serialize};
use test_support::Client;

use crate::cluster::Process;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub resident_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
    /// Those of connections, and those that `tokio::spawn` made; 0 where the process counts none.
    pub tasks: u64,
}

/// What a process may hold more than before: what it learnt meanwhile, and connections to six subscribers, 32 at most to
/// each, which awc closes at the next call only.
const MORE_RESIDENT_KIB: u64 = 96 * 1024;
const MORE_DESCRIPTORS: u64 = 6 * 32;
const MORE_THREADS: u64 = 4;
/// Each connection to a service is a task of its own: what line-provider keeps open to a bet-maker, and our own.
const MORE_TASKS: u64 = 32 + 16;
/// The gauges that add up to a service's tasks.
const TASKS: [&str; 2] = ["tokio_tasks ", "http_connections "];

impl Resources {
    /// Whether it is about as much as it was.
    pub const fn is_back_to(self, before: Self) -> bool {
        self.resident_kib <= before.resident_kib + MORE_RESIDENT_KIB
            && self.descriptors <= before.descriptors + MORE_DESCRIPTORS
            && self.threads <= before.threads + MORE_THREADS
            && self.tasks <= before.tasks + MORE_TASKS
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resident_kib,
            descriptors,
            threads,
            tasks,
        } = self;
        write!(
            f,
            "{resident_kib} KiB, {descriptors} descriptors, {threads} threads, {tasks} tasks"
        )
    }
}

/// # Errors
/// There is no such process, or it does not answer.
pub async fn measure(process: &Process) -> Result<Resources> {
    let pid = process.pid().await.context("it does not run")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("it is gone")?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse().ok())
            .with_context(|| format!("no {name} in its status"))
    };
    Ok(Resources {
        resident_kib: number("VmRSS:")?,
        threads: number("Threads:")?,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count().try_into()?,
        tasks: tasks(&process.url().await).await?,
    })
}

async fn tasks(url: &str) -> Result<u64> {
    let asked = Client::new(url)
        .try_send(Method::GET, "/metrics", &[], Vec::new())
        .await?;
    if asked.status == 404 {
        return Ok(0);
    }
    ensure!(asked.status == 200, "its metrics are answered {}", asked.status);
    let text = asked.text();
    let mut tasks = 0;
    for line in text.lines() {
        if let Some(count) = TASKS.iter().find_map(|name| line.strip_prefix(name)) {
            tasks += count
                .parse::<u64>()
                .with_context(|| format!("{count} is no count"))?;
        }
    }
    Ok(tasks)
}
