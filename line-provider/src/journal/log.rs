//! The log as its readers see it: the feed, delivery, and whoever waits for the next change.
//!
//! The newest changes stand in memory, already as JSON, so that readers at the head never touch the disk; older
//! ones come from the journal's reader. Only durable changes are published, in order of position, without gaps.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, RwLock};

use shared_types::Instance;
use tokio::sync::watch;

use super::error::JournalError;
use super::reader::Reader;
use super::record::Logged;

/// How many of the newest changes stand in memory.
const TAIL: usize = 4096;
const UNPOISONED: &str = "nobody panics while holding this lock";

/// The readable end of the journal.
#[derive(Debug)]
pub struct Log {
    instance: Instance,
    tail: RwLock<Tail>,
    head: watch::Sender<u64>,
    reader: Reader,
}

#[derive(Debug)]
struct Tail {
    /// Position of the newest change.
    head: u64,
    /// The newest changes; the last one is at `head`.
    changes: VecDeque<Arc<Logged>>,
}

impl Tail {
    /// The position before the first change that stands in memory.
    fn base(&self) -> u64 {
        let held = u64::try_from(self.changes.len()).unwrap_or(u64::MAX);
        self.head.saturating_sub(held)
    }
}

impl Log {
    /// The log of that file, with its newest changes in memory.
    ///
    /// # Errors
    /// The file cannot be opened, or the changes cannot be read.
    pub(super) fn open(file: &Path, instance: Instance, head: u64) -> Result<Self, JournalError> {
        let tail = u64::try_from(TAIL).unwrap_or(u64::MAX);
        let (reader, changes) = Reader::open(file, instance, head.saturating_sub(tail), TAIL)?;
        Ok(Self {
            instance,
            tail: RwLock::new(Tail {
                head,
                changes: changes.into(),
            }),
            head: watch::Sender::new(head),
            reader,
        })
    }

    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// Position of the newest change, 0 while there is none.
    pub fn head(&self) -> u64 {
        self.tail.read().expect(UNPOISONED).head
    }

    /// Tells the head whenever it moves.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Shows changes that have become durable, and wakes who waits for them.
    pub fn publish(&self, changes: impl IntoIterator<Item = Arc<Logged>>) {
        let mut tail = self.tail.write().expect(UNPOISONED);
        for change in changes {
            assert_eq!(change.position, tail.head + 1, "the log has no gaps");
            tail.head = change.position;
            tail.changes.push_back(change);
            if tail.changes.len() > TAIL {
                tail.changes.pop_front();
            }
        }
        let head = tail.head;
        drop(tail);
        self.head.send_replace(head);
    }

    /// Up to `limit` changes after that position, in order.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn read(&self, after: u64, limit: usize) -> Result<Vec<Arc<Logged>>, JournalError> {
        match self.read_tail(after, limit) {
            Some(changes) => Ok(changes),
            None => self.reader.read(after, limit).await,
        }
    }

    /// The same without the journal: `None` where memory does not reach back that far.
    pub fn read_tail(&self, after: u64, limit: usize) -> Option<Vec<Arc<Logged>>> {
        let tail = self.tail.read().expect(UNPOISONED);
        if after >= tail.head {
            return Some(Vec::new());
        }
        let skipped = usize::try_from(after.checked_sub(tail.base())?).ok()?;
        Some(tail.changes.iter().skip(skipped).take(limit).cloned().collect())
    }
}
