//! How long the replay waits while nothing moves. One for the whole run: as long as anything moves anywhere,
//! everyone goes on waiting, so that services may be killed and come back; once it is spent, everyone stops.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    moved_at: Cell<Instant>,
    spent: Cell<bool>,
    last_trouble: RefCell<Option<String>>,
}

impl Patience {
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            moved_at: Cell::new(Instant::now()),
            spent: Cell::new(false),
            last_trouble: RefCell::new(None),
        }
    }

    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Something that the replay waits for came.
    pub fn moved(&self) {
        self.moved_at.set(Instant::now());
    }

    /// Keeps why a call has to be repeated, to be shown while nothing moves.
    pub fn troubled(&self, trouble: String) {
        self.last_trouble.replace(Some(trouble));
    }

    pub fn last_trouble(&self) -> Option<String> {
        self.last_trouble.borrow().clone()
    }

    /// How long nothing has moved.
    pub fn idle(&self) -> Duration {
        self.moved_at.get().elapsed()
    }

    /// Whether it is over; stays so until [`Self::renew`], whatever moves later.
    pub fn is_spent(&self) -> bool {
        if self.idle() >= self.limit {
            self.spent.set(true);
        }
        self.spent.get()
    }

    /// Starts afresh, for a new stage of the run.
    pub fn renew(&self) {
        self.spent.set(false);
        self.last_trouble.replace(None);
        self.moved();
    }
}
