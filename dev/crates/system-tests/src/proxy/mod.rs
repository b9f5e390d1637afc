//! A TCP proxy of our own on every link of the system: it passes bytes on, or does to them what networks do.
//!
//! A link keeps its address for the whole run and takes a [`Condition`] at any moment. A stream that lost bytes is
//! never continued: when such a condition ends, its connections are reset, as a real network's would be in the end.
//! The proxies run on a thread of their own, so that a busy supervisor delays nobody.

mod pump;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_types::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What a link does to its bytes. *Up* is from whoever connects, *down* is back to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    Clear,
    /// Every piece waits this long, and up to `jitter` longer.
    Delay {
        base: Duration,
        jitter: Duration,
    },
    /// What goes up is swallowed.
    DropUp,
    /// What comes down is swallowed: requests are carried out, their answers are lost.
    DropDown,
    /// Each connection breaks after this many more bytes, in the middle of whatever they are.
    CutAfter {
        bytes: u64,
    },
    /// Connections are reset, new ones too.
    Reset,
    Throttle {
        bytes_per_s: u64,
    },
    /// Connections are taken, and nothing moves.
    BlackHole,
    /// A `COMMIT` of Postgres' protocol is passed on, and its answer is lost with the connection.
    LoseCommitReply,
}

impl Condition {
    /// Whether bytes of a connection are missing once it is over.
    const fn loses(self) -> bool {
        matches!(
            self,
            Self::DropUp | Self::DropDown | Self::CutAfter { .. } | Self::Reset | Self::BlackHole
        )
    }
}

/// A connection that was passed on, as the receiver's end sees it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Passed {
    pub at: Timestamp,
    /// The port that the receiver sees as its peer's.
    pub port: u16,
    /// Which run of the connecting service it belongs to.
    pub epoch: u64,
}

/// One link: an address that stands for another.
#[derive(Debug)]
pub struct Link {
    pub name: String,
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    condition: watch::Sender<Condition>,
    passed: Arc<Mutex<Vec<Passed>>>,
    harmed: AtomicU64,
}

impl Link {
    /// Where to connect instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_target(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }

    /// How often a condition has met something so far: a connection that it broke or starved, a piece that it
    /// swallowed or held up, the reply to a commit that it lost.
    pub fn harmed(&self) -> u64 {
        self.harmed.load(Ordering::Relaxed)
    }

    fn harm(&self) {
        self.harmed.fetch_add(1, Ordering::Relaxed);
    }

    /// All connections so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed
            .lock()
            .expect("nobody panics while holding it")
            .clone()
    }
}

/// The thread that all links live on. Dropping it ends them.
#[derive(Debug)]
pub struct Proxies {
    runtime: Option<Runtime>,
    /// Counts the runs of line-provider, whose connections the links to subscribers tell apart.
    pub epoch: Arc<AtomicU64>,
}

impl Proxies {
    /// # Errors
    /// The thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxies")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            epoch: Arc::default(),
        })
    }

    /// A link on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port.
    pub fn link(&self, name: &str, target: SocketAddr) -> io::Result<Arc<Link>> {
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let link = Arc::new(Link {
            name: name.to_owned(),
            address: listener.local_addr()?,
            target: watch::Sender::new(target),
            condition: watch::Sender::new(Condition::Clear),
            passed: Arc::default(),
            harmed: AtomicU64::default(),
        });
        runtime.spawn(accept(listener, Arc::clone(&link), Arc::clone(&self.epoch)));
        Ok(link)
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>, epoch: Arc<AtomicU64>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, for example: leave others the time to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let now = *link.condition.borrow();
        if now == Condition::Reset {
            link.harm();
            reset(client);
            continue;
        }
        tokio::spawn(pass(client, Arc::clone(&link), Arc::clone(&epoch)));
    }
}

async fn pass(client: TcpStream, link: Arc<Link>, epoch: Arc<AtomicU64>) {
    let target = *link.target.borrow();
    // Nobody listens: the caller sees a connection that is reset at once.
    let Ok(server) = TcpStream::connect(target).await else {
        reset(client);
        return;
    };
    if let Ok(local) = server.local_addr() {
        let passed = Passed {
            at: Timestamp::now(),
            port: local.port(),
            epoch: epoch.load(Ordering::Relaxed),
        };
        link.passed
            .lock()
            .expect("nobody panics while holding it")
            .push(passed);
    }
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    pump::both(client, server, &link).await;
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}
