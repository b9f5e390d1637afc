//! Disks that fail: strace makes the journal's writes and syncs return errors in the running line-provider.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use test_support::Service;
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the disk answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Writing finds no space.
    Full,
    /// Syncing fails.
    SyncFails,
}

impl DiskFault {
    const fn injection(self) -> &'static str {
        match self {
            Self::Full => "inject=pwrite64:error=ENOSPC",
            Self::SyncFails => "inject=fdatasync,fsync:error=EIO",
        }
    }
}

/// Lets the disk fail under a running service until the service ends, which it must.
///
/// # Errors
/// strace cannot be attached, or the service goes on.
pub async fn fail(service: &mut Service, fault: DiskFault) -> Result<std::process::ExitStatus> {
    let pid = service.pid().context("it does not run")?;
    let mut strace = attach(pid, fault.injection())?;
    let ended = test_support::poll_until(PATIENCE, async || service.exited()).await;
    let _ = strace.kill().await;
    ended
        .ok()
        .with_context(|| format!("{} goes on although its disk fails ({fault:?})", service.name()))
}

fn attach(pid: u32, injection: &str) -> Result<Child> {
    Command::new("strace")
        .args(["-f", "-qq", "-p", &pid.to_string()])
        .args(["-e", "trace=pwrite64,fdatasync,fsync", "-e", injection])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("strace is missing: apt-get install strace")
}

/// Whether this machine lets us attach to a process that we started: containers often do not.
///
/// # Errors
/// strace is not installed.
pub async fn is_permitted() -> Result<bool> {
    let mut sleeper = Command::new("sleep")
        .arg("5")
        .kill_on_drop(true)
        .spawn()
        .context("cannot start sleep")?;
    let pid = sleeper.id().context("it ended at once")?;
    let mut strace = attach(pid, "inject=pwrite64:error=ENOSPC")?;
    // Refused, it ends at once; attached, it stays.
    let refused = tokio::time::timeout(Duration::from_millis(300), strace.wait())
        .await
        .is_ok();
    let _ = strace.kill().await;
    let _ = sleeper.kill().await;
    Ok(!refused)
}
