//! Disks that fail: strace makes the journal's writes and syncs return errors in the running line-provider.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use test_support::{Service, poll_until};
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
    let mut strace = attach(pid, fault.injection())
        .await?
        .context("strace may not attach")?;
    let ended = poll_until(PATIENCE, async || service.exited()).await;
    let _ = strace.kill().await;
    ended
        .ok()
        .with_context(|| format!("{} goes on although its disk fails ({fault:?})", service.name()))
}

/// Returns once strace is attached; `None` where it is refused.
async fn attach(pid: u32, injection: &str) -> Result<Option<Child>> {
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-p", &pid.to_string()])
        .args(["-e", "trace=pwrite64,fdatasync,fsync", "-e", injection])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("strace is missing: apt-get install strace")?;
    let tracer = format!("TracerPid:\t{}\n", strace.id().unwrap_or_default());
    let attached = poll_until(PATIENCE, async || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if status.contains(&tracer) {
            return Some(true);
        }
        strace.try_wait().ok().flatten().map(|_| false)
    });
    match attached.await {
        Ok(true) => Ok(Some(strace)),
        Ok(false) => Ok(None),
        Err(_) => bail!("strace neither attaches nor gives up"),
    }
}

/// Whether this machine lets us attach to a process that we started: containers often do not.
///
/// # Errors
/// strace is not installed.
pub async fn is_permitted() -> Result<bool> {
    let mut sleeper = Command::new("sleep")
        .arg("60")
        .kill_on_drop(true)
        .spawn()
        .context("cannot start sleep")?;
    let pid = sleeper.id().context("it ended at once")?;
    let strace = attach(pid, "inject=pwrite64:error=ENOSPC").await?;
    let is_permitted = strace.is_some();
    if let Some(mut strace) = strace {
        let _ = strace.kill().await;
    }
    let _ = sleeper.kill().await;
    Ok(is_permitted)
}
