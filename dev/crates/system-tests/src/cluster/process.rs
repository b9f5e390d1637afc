//! A process of the system that is killed and started again, and the Postgres, with a watch over both: whoever ends
//! without having been told to is started again, as a supervisor does, and the end is written down.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex as BlockingMutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use test_support::{Frozen, Postgres, Service};
use tokio::sync::Mutex;

const REVIVAL_PATIENCE: Duration = Duration::from_secs(90);
const BETWEEN_REVIVALS: Duration = Duration::from_millis(200);

/// One service. Whoever does something to it holds it.
#[derive(Debug)]
pub struct Process {
    pub name: String,
    pub service: Mutex<Service>,
    /// How it ended without having been told to.
    pub unasked_ends: RefCell<Vec<String>>,
}

impl Process {
    pub fn new(name: &str, service: Service) -> Rc<Self> {
        Rc::new(Self {
            name: name.to_owned(),
            service: Mutex::new(service),
            unasked_ends: RefCell::default(),
        })
    }

    pub async fn url(&self) -> String {
        self.service.lock().await.url()
    }

    pub async fn pid(&self) -> Option<u32> {
        self.service.lock().await.pid()
    }

    pub async fn log(&self) -> String {
        self.service.lock().await.log()
    }

    /// Starts it again if it ended by itself. Leaves it alone while somebody else holds it.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn look_after(&self, before_start: impl FnOnce()) -> Result<()> {
        let Ok(mut service) = self.service.try_lock() else {
            return Ok(());
        };
        match service.exited() {
            Some(status) => {
                let end = format!("{status}: {}", service.last_log_lines(5));
                self.unasked_ends.borrow_mut().push(end);
            }
            // A start that was cut short leaves none.
            None if service.pid().is_none() => {}
            None => return Ok(()),
        }
        before_start();
        revive(&mut service).await
    }
}

/// Tells a service to end, and waits.
///
/// # Errors
/// It ends otherwise than in order.
pub async fn end(service: &mut Service) -> Result<()> {
    match service.terminate().await {
        Some(status) if !status.success() => {
            bail!("{} was told to end, and ended with {status}", service.name())
        }
        _ => Ok(()),
    }
}

/// Starts a service that has ended, again and again while what it needs is away.
///
/// # Errors
/// It does not start within 90 s.
pub async fn revive(service: &mut Service) -> Result<()> {
    let deadline = Instant::now() + REVIVAL_PATIENCE;
    loop {
        let error = match service.try_start_again().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            bail!("{} does not come back: {error:#}", service.name());
        }
        tokio::time::sleep(BETWEEN_REVIVALS).await;
    }
}

/// The Postgres behind all bet-makers: durable, on TCP so that links can stand before it.
#[derive(Clone, Debug)]
pub struct Database {
    server: Arc<BlockingMutex<Postgres>>,
    port: u16,
    url: String,
}

const UNPOISONED: &str = "nobody panics while holding the server";

impl Database {
    /// # Errors
    /// As [`test_support::PostgresBuilder::start`].
    pub async fn start() -> Result<Self> {
        let start = || {
            Postgres::builder()
                .durable()
                .port(0)
                // Tells in which order placements and results became true.
                .setting("track_commit_timestamp", "on")
                .start()
        };
        let server = tokio::task::spawn_blocking(start).await??;
        Ok(Self {
            port: server.port(),
            url: server.url(""),
            server: Arc::new(BlockingMutex::new(server)),
        })
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Over its Unix socket.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.url)
    }

    pub fn pid(&self) -> Option<u32> {
        self.server.lock().expect(UNPOISONED).pid()
    }

    pub fn log_file(&self) -> std::path::PathBuf {
        self.server.lock().expect(UNPOISONED).log_file().to_owned()
    }

    /// Halts all its processes, locks in hand, for as long as the guard lives.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> Result<Frozen> {
        self.server.lock().expect(UNPOISONED).freeze()
    }

    /// Ends it in that way, waits, and starts it again.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn interrupt(&self, end: fn(&mut Postgres), down: Duration) -> Result<()> {
        let server = Arc::clone(&self.server);
        let interrupted = tokio::task::spawn_blocking(move || {
            let mut server = server.lock().expect(UNPOISONED);
            end(&mut server);
            std::thread::sleep(down);
            server.restart()
        });
        interrupted.await?.context("Postgres does not come back")
    }
}
