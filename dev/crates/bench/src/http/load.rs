//! The load generator: so many connections, each sending its next request when the last one was answered, from
//! one thread of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Connection;
use crate::stats::Latencies;
use crate::{apart, cpu};

/// A connection that breaks so often is given up.
const BREAKS: usize = 10;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// The requests are repeated for that long.
    Elapsed(Duration),
    /// Every request was sent once.
    AllSent,
}

/// What to send.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub requests: Arc<[Vec<u8>]>,
    /// Every other status is a fault.
    pub expect: u16,
    /// Every other length of a body is a fault; `None`: any.
    pub expect_bytes: Option<usize>,
    pub until: Until,
    /// The processor to stay on, if any.
    pub processor: Option<usize>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers as expected.
    pub good: u64,
    /// What else happened, and how often.
    pub faults: BTreeMap<String, u64>,
    pub took: Duration,
    pub latencies: Latencies,
}

impl Load {
    /// Counts good answers in `answered` as it goes. Ends at the latest when its limit is reached and the last
    /// answers are in, even if the future is dropped.
    ///
    /// # Errors
    /// The server cannot be reached at all.
    pub async fn run(self, answered: Arc<AtomicU64>) -> Result<Outcome> {
        apart::on_thread("load", || self.drive(answered)).await
    }

    async fn drive(self, answered: Arc<AtomicU64>) -> Result<Outcome> {
        if let Some(processor) = self.processor {
            cpu::pin_this_thread(processor)?;
        }
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(self.address).await?);
        }
        let started = Instant::now();
        let run = Rc::new(Run {
            next: Cell::new(0),
            deadline: match self.until {
                Until::Elapsed(time) => Some(started + time),
                Until::AllSent => None,
            },
            faults: RefCell::default(),
            answered,
            load: self,
        });
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|connection| actix_rt::spawn(Rc::clone(&run).send_on(connection)))
            .collect();
        let mut outcome = Outcome::default();
        for task in tasks {
            let latencies = task.await?;
            outcome.good += u64::try_from(latencies.len())?;
            outcome.latencies.append(latencies);
        }
        outcome.took = started.elapsed();
        outcome.faults = run.faults.take();
        Ok(outcome)
    }
}

struct Run {
    load: Load,
    next: Cell<usize>,
    deadline: Option<Instant>,
    faults: RefCell<BTreeMap<String, u64>>,
    answered: Arc<AtomicU64>,
}

impl Run {
    async fn send_on(self: Rc<Self>, mut connection: Connection) -> Latencies {
        let mut latencies = Latencies::default();
        let mut breaks = 0;
        while let Some(request) = self.next_request() {
            let sent = Instant::now();
            match connection.exchange(request).await {
                Ok((status, body)) if self.is_expected(status, body) => {
                    latencies.push(sent.elapsed());
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok((status, body)) => {
                    self.fault(format!("{status}, {} bytes, {}", body.len(), excerpt(body)));
                }
                Err(error) => {
                    self.fault(format!("{error:#}"));
                    breaks += 1;
                    match Connection::open(self.load.address).await {
                        Ok(new) if breaks < BREAKS => connection = new,
                        _ => break,
                    }
                }
            }
        }
        latencies
    }

    fn is_expected(&self, status: u16, body: &[u8]) -> bool {
        let load = &self.load;
        status == load.expect && load.expect_bytes.is_none_or(|bytes| bytes == body.len())
    }

    fn next_request(&self) -> Option<&[u8]> {
        let next = self.next.get();
        self.next.set(next + 1);
        let requests = &self.load.requests;
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => None,
            Some(_) => requests.get(next % requests.len().max(1)),
            None => requests.get(next),
        }
        .map(Vec::as_slice)
    }

    fn fault(&self, what: String) {
        *self.faults.borrow_mut().entry(what).or_default() += 1;
    }
}

/// Enough of a body to see what is wrong, without what differs each time.
fn excerpt(body: &[u8]) -> String {
    let problem = serde_json::from_slice::<serde_json::Value>(body).ok();
    let code = problem.as_ref().and_then(|problem| problem.get("code")?.as_str());
    match code {
        Some(code) => code.to_owned(),
        None => String::from_utf8_lossy(body).chars().take(80).collect(),
    }
}
