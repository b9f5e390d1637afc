//! The folder of one Postgres: `data`, the log, and a lock that says which launcher holds it.
//!
//! Invariant: `data` appears complete or not at all (initdb works beside it and the result is renamed), and one
//! launcher at a time holds the folder. A server that outlives its launcher for a moment is waited for.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::account::Account;
use super::{Durability, run};
use crate::guarded::Guarded;

/// How long a server whose launcher was killed may take for its last checkpoint.
const LEFTOVER_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    log_file: PathBuf,
    /// Held for as long as this value lives.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path, log_file: Option<&Path>, account: &Account) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot read {}", path.display()))?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write into {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "{} is held by another process that runs its Postgres",
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        account.give(&path)?;
        if !account.can_enter(&path) {
            bail!(
                "the user that runs Postgres cannot enter {}: a folder above it is closed to others",
                path.display()
            );
        }
        let log_file = log_file.map_or_else(|| path.join("server.log"), Path::to_path_buf);
        Ok(Self {
            path,
            log_file,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log_file(&self) -> &Path {
        &self.log_file
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// The major version that made the data; `None` if there is none yet.
    pub(super) fn version(&self) -> Option<String> {
        let version = std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?;
        Some(version.trim().to_owned())
    }

    pub(super) fn initialise(
        &self,
        binaries: &Path,
        account: &Account,
        durability: Durability,
    ) -> Result<()> {
        if self.data().exists() {
            return Ok(());
        }
        let unfinished = self.path.join("data.new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)
                .with_context(|| format!("cannot remove {}", unfinished.display()))?;
        }
        let mut initdb = account.command(&binaries.join("initdb"), &self.path);
        initdb.args([
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
            "--username=postgres",
            "-D",
        ]);
        initdb.arg(&unfinished);
        if durability == Durability::Fast {
            initdb.arg("--no-sync");
        }
        run(&mut initdb)?;
        std::fs::rename(&unfinished, self.data()).context("cannot rename the new data folder")
    }

    /// Waits for a server of a killed launcher to finish its shutdown.
    pub(super) fn wait_until_free(&self) -> Result<()> {
        let deadline = Instant::now() + LEFTOVER_PATIENCE;
        while let Some(pid) = self.holder() {
            if Instant::now() > deadline {
                bail!(
                    "{} is held by another Postgres, process {pid}; stop that one, or use another folder",
                    self.path.display()
                );
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// The process that runs on the data: it has written its id there, and it works in that folder.
    fn holder(&self) -> Option<u32> {
        let pid = self.status_line(0)?.parse().ok()?;
        let works_in = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (works_in == self.data()).then_some(pid)
    }

    /// Ready when the server that we started says so; a file left by a killed one names another process.
    pub(super) fn wait_until_ready(&self, server: &mut Guarded, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = server.exited() {
                bail!("it ended ({status})");
            }
            let ours = self.status_line(0) == Some(server.id().to_string());
            if ours && self.status_line(7).as_deref() == Some("ready") {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("it was not ready after {} s", patience.as_secs());
            }
            sleep(POLL);
        }
    }

    /// A line of postmaster.pid: 0 is the process id, 7 the state.
    fn status_line(&self, number: usize) -> Option<String> {
        let text = std::fs::read_to_string(self.pid_file()).ok()?;
        Some(text.lines().nth(number)?.trim().to_owned())
    }
}
