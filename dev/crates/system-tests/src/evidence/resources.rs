//! What a process holds: memory, descriptors, threads, as the kernel counts them.

use std::fmt;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub resident_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
}

/// What a process may hold more than before: what it learnt meanwhile, and connections to six subscribers, 32 at most to
/// each, which awc closes at the next call only.
const MORE_RESIDENT_KIB: u64 = 96 * 1024;
const MORE_DESCRIPTORS: u64 = 6 * 32;
const MORE_THREADS: u64 = 4;

impl Resources {
    /// Whether it is about as much as it was.
    pub const fn is_back_to(self, before: Self) -> bool {
        self.resident_kib <= before.resident_kib + MORE_RESIDENT_KIB
            && self.descriptors <= before.descriptors + MORE_DESCRIPTORS
            && self.threads <= before.threads + MORE_THREADS
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resident_kib,
            descriptors,
            threads,
        } = self;
        write!(
            f,
            "{resident_kib} KiB, {descriptors} descriptors, {threads} threads"
        )
    }
}

/// # Errors
/// There is no such process.
pub fn measure(pid: u32) -> Result<Resources> {
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
    })
}
