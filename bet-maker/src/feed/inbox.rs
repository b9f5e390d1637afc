//! The inbox of callbacks: many that arrive together share one transaction. A callback is answered only after
//! its change is durable.

use std::sync::Arc;

use shared_types::Change;
use tokio::sync::Notify;

use super::apply::{self, Received};
use crate::batching::{Batches, Queue, Unanswered, queue};
use crate::store::{Store, StoreError};

const WAITING: usize = 1024;
const BATCH: usize = 128;

/// Why a change was not taken over; its sender tries again later.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InboxError {
    #[error("too many callbacks wait already")]
    Full,
    #[error("the change belongs to a history that is not followed")]
    NotFollowing,
    #[error(transparent)]
    Store(Arc<StoreError>),
}

/// Where callbacks hand in their changes.
#[derive(Clone)]
pub struct Inbox {
    letters: Queue<Change, Result<(), InboxError>>,
}

/// The other end of an [`Inbox`], to be run.
pub struct Clerk {
    letters: Batches<Change, Result<(), InboxError>>,
    store: Store,
    wake_settler: Arc<Notify>,
    wake_poller: Arc<Notify>,
}

impl Inbox {
    /// Makes the inbox and the clerk that empties it, waking the settler when results come and the poller when
    /// the history does not fit.
    pub fn new(store: Store, wake_settler: Arc<Notify>, wake_poller: Arc<Notify>) -> (Self, Clerk) {
        let (queue, batches) = queue(WAITING, BATCH);
        (
            Self { letters: queue },
            Clerk {
                letters: batches,
                store,
                wake_settler,
                wake_poller,
            },
        )
    }

    /// Returns once the change is durable, or was already.
    ///
    /// # Errors
    /// [`InboxError`]: the change must come again.
    pub async fn hand_in(&self, change: Change) -> Result<(), InboxError> {
        self.letters
            .ask(change)
            .await
            .unwrap_or_else(|unanswered| Err(unanswered.into()))
    }
}

impl From<Unanswered> for InboxError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Full => Self::Full,
            Unanswered::Late => Self::Store(Arc::new(StoreError::TimedOut)),
        }
    }
}

impl Clerk {
    /// Works until the last inbox is gone.
    pub async fn run(self) {
        while let Some((changes, askers)) = self.letters.next().await {
            let instances: Vec<_> = changes.iter().map(|change| change.instance).collect();
            match self.receive(changes).await {
                Ok(received) => askers.answer(instances.into_iter().map(|instance| {
                    let is_followed = received.followed == Some(instance);
                    is_followed.then_some(()).ok_or(InboxError::NotFollowing)
                })),
                Err(error) => {
                    let error = Arc::new(error);
                    askers.answer_all(|| Err(InboxError::Store(Arc::clone(&error))));
                }
            }
        }
    }

    async fn receive(&self, changes: Vec<Change>) -> Result<Received, StoreError> {
        let asked = changes.len();
        let received = self
            .store
            .work(async |conn| apply::receive(conn, changes).await)
            .await?;
        metrics::counter!("bet_maker_callback_changes_total").increment(asked.try_into().unwrap_or(u64::MAX));
        if received.merged.due {
            self.wake_settler.notify_one();
        }
        // The log tells whether the history was rewritten.
        if received.followed.is_none() || received.merged.conflicts > 0 {
            self.wake_poller.notify_one();
        }
        Ok(received)
    }
}
