//! What kind of server is wanted, and the settings of Postgres that follow from it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::account::Account;
use super::folder::Folder;
use super::{Postgres, binaries};

/// Whether a commit that was acknowledged survives a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Durable,
    /// fsync, synchronous commits and full page writes off: for throw-away servers only.
    Fast,
}

/// Settings of a server that is not started yet; see [`Postgres::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    data_dir: Option<PathBuf>,
    durability: Durability,
    port: Option<u16>,
    log_file: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            data_dir: None,
            durability: Durability::Fast,
            port: None,
            log_file: None,
            settings: Vec::new(),
        }
    }
}

impl Builder {
    /// A kept folder, made if it is absent. It may be a link.
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// Real fsyncs; the default is [`Durability::Fast`].
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durability = Durability::Durable;
        self
    }

    /// Also listens on 127.0.0.1 (every local user may then connect); 0 picks a free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Where the server's log is appended; `server.log` in the folder by default.
    #[must_use]
    pub fn log_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.log_file = Some(file.into());
        self
    }

    /// One more setting as in postgresql.conf; the last one of a name wins.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Blocks until connections are accepted: about a second for a new folder.
    ///
    /// # Errors
    /// No Postgres is installed; the folder is held by another server or cannot be reached by the user that runs
    /// the server; the server does not start (its last log lines are in the message).
    pub fn start(self) -> Result<Postgres> {
        let account = Account::choose(self.data_dir.as_deref())?;
        let scratch = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir()
            .context("cannot make a scratch folder")?;
        account.give(scratch.path())?;
        let folder = Folder::open(
            self.data_dir.as_deref().unwrap_or(scratch.path()),
            self.log_file.as_deref(),
            &account,
        )?;
        let binaries = binaries::find(folder.version().as_deref())?;
        folder.initialise(&binaries, &account, self.durability)?;

        let port = match self.port {
            None => 5432,
            Some(0) => free_port()?,
            Some(port) => port,
        };
        let mut postgres = Postgres {
            arguments: self.arguments(),
            binaries,
            account,
            socket_dir: scratch.path().to_path_buf(),
            port,
            folder,
            server: None,
            _scratch: scratch,
        };
        postgres.launch()?;
        Ok(postgres)
    }

    fn arguments(&self) -> Vec<String> {
        let kept = self.data_dir.is_some();
        let mut settings = vec![
            (
                "listen_addresses",
                if self.port.is_some() { "127.0.0.1" } else { "" },
            ),
            // Parallel tests each bring their own connection pools.
            ("max_connections", if kept { "200" } else { "500" }),
            // Placements hold many advisory locks at once.
            ("max_locks_per_transaction", "256"),
            ("shared_buffers", if kept { "256MB" } else { "128MB" }),
            ("max_wal_size", "2GB"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        if self.durability == Durability::Fast {
            settings.extend([
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
            ]);
        }
        let own = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        settings
            .into_iter()
            .chain(own)
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
