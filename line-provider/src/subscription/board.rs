//! The read model of subscriptions: what each one is, and how far it was served.
//!
//! The writer puts registrations here after they are durable; delivery reads them and tells its progress; the API
//! shows both. No lock is held over an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

use shared_types::{SubscriptionId, Timestamp};
use tokio::sync::watch;

use super::Registration;

const UNPOISONED: &str = "nobody panics while holding this lock";

/// How far a subscription was served, as delivery last told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to this position is delivered, superseded, filtered out or given up.
    pub cursor: u64,
    /// The last attempt failed, and what failed is still to be made again.
    pub failing: bool,
    pub next_attempt_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// A subscription on the board.
#[derive(Debug)]
pub struct Posted {
    pub registration: Arc<Registration>,
    progress: Arc<Mutex<Progress>>,
}

impl Posted {
    pub fn progress(&self) -> Progress {
        self.progress.lock().expect(UNPOISONED).clone()
    }

    pub fn set_progress(&self, progress: Progress) {
        *self.progress.lock().expect(UNPOISONED) = progress;
    }
}

/// Every subscription, by id.
#[derive(Debug)]
pub struct Board {
    posted: RwLock<BTreeMap<SubscriptionId, Arc<Posted>>>,
    changed: watch::Sender<()>,
}

impl Board {
    /// Starts with what the journal holds: each registration and its cursor.
    pub fn new(stored: impl IntoIterator<Item = (Arc<Registration>, u64)>) -> Self {
        let board = Self {
            posted: RwLock::default(),
            changed: watch::Sender::new(()),
        };
        for (registration, cursor) in stored {
            board.put(registration, cursor);
        }
        board
    }

    /// Puts up a new subscription, served up to `cursor`.
    pub fn put(&self, registration: Arc<Registration>, cursor: u64) {
        let progress = Progress {
            cursor,
            ..Progress::default()
        };
        self.post(registration, Arc::new(Mutex::new(progress)));
    }

    /// Shows a known subscription as it is now; its progress stays.
    pub fn change(&self, registration: Arc<Registration>) {
        if let Some(known) = self.find(registration.id) {
            self.post(registration, Arc::clone(&known.progress));
        }
    }

    fn post(&self, registration: Arc<Registration>, progress: Arc<Mutex<Progress>>) {
        let id = registration.id;
        let posted = Arc::new(Posted {
            registration,
            progress,
        });
        self.posted.write().expect(UNPOISONED).insert(id, posted);
        self.changed.send_replace(());
    }

    pub fn remove(&self, id: SubscriptionId) {
        self.posted.write().expect(UNPOISONED).remove(&id);
        self.changed.send_replace(());
    }

    pub fn find(&self, id: SubscriptionId) -> Option<Arc<Posted>> {
        self.posted.read().expect(UNPOISONED).get(&id).cloned()
    }

    /// Up to `limit` subscriptions with an id above `after`, in the order of their ids.
    pub fn list(&self, after: Option<SubscriptionId>, limit: usize) -> Vec<Arc<Posted>> {
        let posted = self.posted.read().expect(UNPOISONED);
        let above = |id: &SubscriptionId| after.is_none_or(|after| *id > after);
        posted
            .iter()
            .filter(|(id, _)| above(id))
            .take(limit)
            .map(|(_, posted)| Arc::clone(posted))
            .collect()
    }

    /// Tells whenever a registration was put up or removed.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
