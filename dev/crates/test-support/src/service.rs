//! One of the workspace's services as a real process on a loopback port, its output in a file.
//!
//! The process is found beside the program that asks (the target folder of this build), told to listen by
//! `<NAME>_LISTEN`, and says where it does by one line `listening on http://<address>`. It is killed with us.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use crate::guarded::{Guarded, Orphan};
use crate::http::{Client, poll_until};
use crate::log::{announced_address, last_lines, read_from};

const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Settings of a service that is not started yet; see [`Service::named`].
pub struct Builder {
    name: String,
    listen: String,
    env: Vec<(String, String)>,
    log_file: Option<PathBuf>,
    binaries: Option<PathBuf>,
}

/// A started service. Dropping it kills it.
#[derive(Debug)]
pub struct Service {
    name: String,
    binary: PathBuf,
    env: Vec<(String, String)>,
    log_file: PathBuf,
    /// Where the present run's output begins in the log.
    log_start: u64,
    address: SocketAddr,
    process: Option<Guarded>,
    _scratch: Option<TempDir>,
}

impl Builder {
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// `127.0.0.1:0` by default. A restart keeps the port that was found.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// The folder that holds the binary; by default the one that this program was built into.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// Where output is appended; a temporary file by default.
    #[must_use]
    pub fn log_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.log_file = Some(file.into());
        self
    }

    /// Starts it and waits until `GET /readyz` is 200.
    ///
    /// # Panics
    /// It does not get there within 30 s; the message has its last log lines.
    pub async fn start(self) -> Service {
        let service = self.start_unready().await;
        service.wait_until_ready(START_PATIENCE).await;
        service
    }

    /// Starts it and waits only until it listens.
    ///
    /// # Panics
    /// As [`Builder::start`].
    pub async fn start_unready(self) -> Service {
        self.try_start().await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// As [`Builder::start_unready`], for services that may refuse to start.
    ///
    /// # Errors
    /// The binary is not built, ends, or does not listen within 30 s.
    pub async fn try_start(self) -> Result<Service> {
        let (log_file, scratch) = match self.log_file {
            Some(file) => (file, None),
            None => {
                let folder = tempfile::Builder::new().prefix("log-").tempdir()?;
                (folder.path().join(format!("{}.log", self.name)), Some(folder))
            }
        };
        let mut service = Service {
            binary: match self.binaries {
                Some(folder) => folder.join(&self.name),
                None => find_binary(&self.name)?,
            },
            name: self.name,
            env: self.env,
            log_file,
            log_start: 0,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            process: None,
            _scratch: scratch,
        };
        service.launch(&self.listen).await?;
        Ok(service)
    }
}

impl Service {
    /// `"line-provider"` or `"bet-maker"`. Our own environment is passed on; [`Builder::env`] goes before it.
    pub fn named(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            env: Vec::new(),
            log_file: None,
            binaries: None,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `"http://127.0.0.1:40123"`, whichever local address it listens on.
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.address))
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// `None` once it was stopped or killed by us.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Guarded::id)
    }

    /// The exit status, if it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(Guarded::exited)
    }

    /// Any signal by its name: `"STOP"` and `"CONT"` make a service that hangs.
    pub fn signal(&mut self, name: &str) {
        if let Some(process) = &mut self.process {
            process.signal(name);
        }
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, then waits for a graceful end; SIGKILL after 30 s. `None` if it was not running.
    pub async fn terminate(&mut self) -> Option<ExitStatus> {
        let mut process = self.process.take()?;
        process.signal("TERM");
        let status = poll_until(STOP_PATIENCE, async || process.exited()).await;
        process.kill();
        status.ok().or_else(|| process.exited())
    }

    /// Starts again on the same port with the same settings and log, ready; terminates it first if it runs.
    ///
    /// # Panics
    /// As [`Builder::start`].
    pub async fn restart(&mut self) {
        self.restart_unready().await;
        self.wait_until_ready(START_PATIENCE).await;
    }

    /// As [`Service::restart`], but waits only until it listens.
    ///
    /// # Panics
    /// As [`Builder::start`].
    pub async fn restart_unready(&mut self) {
        self.terminate().await;
        let listen = self.address.to_string();
        self.launch(&listen)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Starts again on the same port with the same settings and log, once it has ended or was killed; waits only until
    /// it listens.
    ///
    /// # Errors
    /// It ends, or does not listen within 30 s.
    pub async fn try_start_again(&mut self) -> Result<()> {
        let listen = self.address.to_string();
        self.launch(&listen).await
    }

    /// Sets a variable for the next start.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.env.push((name.to_owned(), value.into()));
    }

    /// Leaves a variable out of the next start; one of our own environment is still passed on.
    pub fn remove_env(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// # Panics
    /// `GET /readyz` is not 200 within that time.
    pub async fn wait_until_ready(&self, within: Duration) {
        let client = self.client();
        let mut last = String::new();
        let ready = poll_until(within, async || match try_ready(&client).await {
            Ok(()) => Some(()),
            Err(error) => {
                last = format!("{error:#}");
                None
            }
        });
        if ready.await.is_err() {
            panic!("{} is not ready: {last}\n{}", self.name, self.last_log_lines(20));
        }
    }

    /// One question to `/readyz`.
    ///
    /// # Errors
    /// It is away, or says what it waits for.
    pub async fn check_ready(&self) -> Result<()> {
        try_ready(&self.client()).await
    }

    /// Everything it has written, over all its starts.
    pub fn log(&self) -> String {
        read_from(&self.log_file, 0)
    }

    /// The end of what the present run wrote.
    pub fn last_log_lines(&self, count: usize) -> String {
        last_lines(&self.log_file, self.log_start, count)
    }

    async fn launch(&mut self, listen: &str) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log_file)
            .with_context(|| format!("cannot write {}", self.log_file.display()))?;
        self.log_start = log.metadata()?.len();
        let variable = format!("{}_LISTEN", self.name.to_uppercase().replace('-', "_"));
        let mut command = Command::new(&self.binary);
        command
            .env(variable, listen)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Guarded::spawn(&mut command, &Orphan::Kill)?;

        let (log_file, log_start) = (self.log_file.clone(), self.log_start);
        let listening = poll_until(START_PATIENCE, async || {
            if let Some(status) = process.exited() {
                return Some(Err(anyhow!("it ended ({status})")));
            }
            announced_address(&read_from(&log_file, log_start)).map(Ok)
        });
        let address = listening
            .await
            .unwrap_or_else(|_| Err(anyhow!("it does not listen")));
        self.address = address.map_err(|error| {
            anyhow!(
                "{} did not start: {error}\n{}",
                self.name,
                last_lines(&log_file, log_start, 20)
            )
        })?;
        self.process = Some(process);
        Ok(())
    }
}

async fn try_ready(client: &Client) -> Result<()> {
    let answer = client
        .try_send(awc::http::Method::GET, "/readyz", &[], Vec::new())
        .await?;
    if answer.status != 200 {
        bail!("/readyz says {} {}", answer.status, answer.text());
    }
    Ok(())
}

/// How this machine reaches a listener: one on all addresses is reached on loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, v6.port()).into(),
        address => address,
    }
}

/// A program of this build. Tests run from `target/<profile>/deps`, programs from `target/<profile>`.
///
/// # Errors
/// It is not built.
pub fn find_binary(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!(
                "{name} is not built beside {}: run `cargo build -p {name}`, or use ./dev/test",
                program.display()
            )
        })
}
