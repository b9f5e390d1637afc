//! The load: an operator's commands, bettors with keys, and readers, drawn from the seed. Every call goes through
//! `caller`, which writes it into the history.
//!
//! Whoever wants something repeats it until it is answered, as a client should; a bet without a key is never
//! repeated. When time is over, nothing new is begun, and what was begun is repeated to its end.

mod bettor;
mod caller;
mod operator;
mod reader;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use shared_types::{Event, Timestamp};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, watch};
use tokio::task::JoinSet;

use crate::history::Recorder;

/// How many of each.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub operators: usize,
    pub bettors: usize,
    pub readers: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            operators: 4,
            bettors: 48,
            readers: 3,
        }
    }
}

/// Lets operators through, or holds them back once their calls under way are answered.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<RwLock<()>>);

impl Gate {
    /// Waits for what is under way; open again when the guard is dropped.
    pub async fn close(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.0).write_owned().await
    }
}

/// Where the load goes to.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub line_provider: String,
    pub replicas: Vec<String>,
    pub operator_token: String,
}

/// What all actors know together.
struct World {
    addresses: Addresses,
    recorder: Rc<Recorder>,
    gate: Gate,
    /// As the operators last heard of them.
    events: RefCell<HashMap<String, Event>>,
    /// Bets that were acknowledged.
    bets: RefCell<Vec<String>>,
    next_key: Cell<u64>,
    over: watch::Receiver<bool>,
}

impl World {
    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits, but not beyond the end.
    async fn pause(&self, time: Duration) {
        let mut over = self.over.clone();
        let _ = tokio::time::timeout(time, over.wait_for(|over| *over)).await;
    }

    /// Events on which bets may still be taken, as far as the operators know.
    fn open_events(&self) -> Vec<Event> {
        let now = Timestamp::now();
        let events = self.events.borrow();
        let open = |event: &&Event| event.closed_at.is_none() && event.deadline > now;
        let mut open: Vec<_> = events.values().filter(open).cloned().collect();
        open.sort_by(|a, b| a.id.cmp(&b.id));
        open
    }
}

/// A running load.
pub struct Workload {
    actors: JoinSet<()>,
}

impl Workload {
    /// Starts everybody. Nothing new is begun once `over` is true.
    pub fn start(
        seed: u64,
        crowd: Crowd,
        addresses: Addresses,
        recorder: Rc<Recorder>,
        gate: Gate,
        over: watch::Receiver<bool>,
    ) -> Self {
        let world = Rc::new(World {
            addresses,
            recorder,
            gate,
            events: RefCell::default(),
            bets: RefCell::default(),
            next_key: Cell::new(1),
            over,
        });
        let mut actors = JoinSet::new();
        let mut stream = 0;
        let mut random = || {
            stream += 1;
            StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(stream))
        };
        for number in 0..crowd.operators {
            actors.spawn_local(operator::run(Rc::clone(&world), number, random()));
        }
        for number in 0..crowd.bettors {
            actors.spawn_local(bettor::run(Rc::clone(&world), number, random()));
        }
        for number in 0..crowd.readers {
            actors.spawn_local(reader::run(Rc::clone(&world), number, random()));
        }
        Self { actors }
    }

    /// Waits until everybody has had their last answer.
    ///
    /// # Errors
    /// Somebody waits in vain for longer than `patience`.
    ///
    /// # Panics
    /// An actor did.
    pub async fn finish(mut self, patience: Duration) -> anyhow::Result<()> {
        let all = async {
            while let Some(ended) = self.actors.join_next().await {
                ended.expect("an actor does not panic");
            }
        };
        tokio::time::timeout(patience, all)
            .await
            .map_err(|_| anyhow::anyhow!("after {patience:?} of a healed system, calls still get no answer"))
    }
}
