//! A private Postgres: found on this machine, run as this user (or, for root, as another one, since Postgres refuses
//! root), on a Unix socket that only that user and root can reach, and gone when we are gone.
//!
//! A *temporary* server lives in a scratch folder that is removed with it. A *kept* one has a folder of its own
//! (`data`, `server.log`, `lock`) which survives; one launcher at a time holds it.

mod account;
mod binaries;
mod builder;
mod folder;
mod frozen;

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::guarded::{Guarded, Orphan};
use crate::log::last_lines;
use account::Account;
use folder::Folder;

pub use builder::{Builder, Durability};
pub use frozen::Frozen;

/// Recovery of a kept folder may take long; a server that is simply wrong ends by itself.
const START_PATIENCE: Duration = Duration::from_secs(300);
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    folder: Folder,
    binaries: PathBuf,
    account: Account,
    socket_dir: PathBuf,
    port: u16,
    arguments: Vec<String>,
    server: Option<Guarded>,
    /// Declared after the server, so that it is removed after the server has stopped.
    _scratch: TempDir,
}

impl Postgres {
    /// A temporary, fast server on a Unix socket only, unless told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The superuser's URL of a database, over the Unix socket: understood by tokio-postgres, diesel-async, psql
    /// and pgbench. The databases `postgres` and `template1` exist.
    pub fn url(&self, database: &str) -> String {
        let host = self
            .socket_dir
            .display()
            .to_string()
            .replace('%', "%25")
            .replace('/', "%2F");
        format!("postgres://postgres@{host}:{}/{database}", self.port)
    }

    /// The same over TCP; only with [`Builder::port`].
    pub fn tcp_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where `psql` and `pgbench` of the same version are.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    pub fn log_file(&self) -> &Path {
        self.folder.log_file()
    }

    /// The postmaster's process id; `None` once it was stopped.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Guarded::id)
    }

    /// The server's exit status if it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.server.as_mut().and_then(Guarded::exited)
    }

    /// Fast shutdown: open transactions are rolled back, sessions are closed. Blocks until it is down.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop("INT", STOP_PATIENCE);
        }
    }

    /// Immediate shutdown: sessions are cut off where they are, and the next start recovers from the log.
    pub fn stop_immediately(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop("QUIT", STOP_PATIENCE);
        }
    }

    /// Smart shutdown, as an orchestrator asks for it: no new sessions, and those that there are go on; SIGKILL once
    /// the grace is over.
    pub fn terminate(&mut self, grace: Duration) {
        if let Some(mut server) = self.server.take() {
            server.stop("TERM", grace);
        }
    }

    /// SIGKILL of the postmaster, as a crash; its data stays for [`Postgres::restart`].
    pub fn kill9(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    /// SIGSTOP to the server and all its sessions, until the answer is dropped: a host that hangs.
    ///
    /// # Errors
    /// It does not run, or `sh` cannot be started.
    pub fn freeze(&self) -> Result<Frozen> {
        Frozen::new(self.pid().context("Postgres does not run")?)
    }

    /// Starts again with the same data, URL and settings; stops the server first if it runs.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.launch()
    }

    fn launch(&mut self) -> Result<()> {
        self.folder.wait_until_free()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log_start = std::fs::metadata(self.log_file()).map_or(0, |log| log.len());
            let mut server = self.spawn()?;
            match self.folder.wait_until_ready(&mut server, START_PATIENCE) {
                Ok(()) => {
                    self.server = Some(server);
                    return Ok(());
                }
                Err(error) => {
                    let log = last_lines(self.log_file(), log_start, 12);
                    // After a SIGKILL of the postmaster its workers need a moment to notice.
                    let workers_left = log.contains("pre-existing shared memory block");
                    if !workers_left || Instant::now() > deadline {
                        return Err(error.context(format!("Postgres did not start:\n{log}")));
                    }
                    sleep(Duration::from_millis(100));
                }
            }
        }
    }

    fn spawn(&self) -> Result<Guarded> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .with_context(|| format!("cannot write {}", self.log_file().display()))?;
        let mut command = self
            .account
            .command(&self.binaries.join("postgres"), self.folder.path());
        command
            .arg("-D")
            .arg(self.folder.data())
            .arg("-k")
            .arg(&self.socket_dir);
        command.arg("-p").arg(self.port.to_string());
        for setting in &self.arguments {
            command.arg("-c").arg(setting);
        }
        command.stdout(log.try_clone()?).stderr(log);
        Guarded::spawn(
            &mut command,
            &Orphan::StopPostgres {
                pid_file: &self.folder.pid_file(),
                scratch: &self.socket_dir,
            },
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes `folder` the account's, and closed to everybody else but root.
fn close_to_others(folder: &Path, owner: Option<(u32, u32)>) -> Result<()> {
    if let Some((uid, gid)) = owner {
        chown(folder, Some(uid), Some(gid)).with_context(|| format!("cannot chown {}", folder.display()))?;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot chmod {}", folder.display()))
}

/// Runs a command to its end; its error output becomes the error.
fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}):\n{}{}",
            command.get_program().display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
