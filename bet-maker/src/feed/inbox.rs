//! The inbox of callbacks: many that arrive together share one transaction. A callback is answered only after
//! its change is durable.

use std::sync::Arc;

use shared_types::Change;
use tokio::sync::{Notify, mpsc, oneshot};

use super::apply::{self, Received};
use crate::store::{Store, StoreError, WORK_DEADLINE, within};

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

struct Letter {
    change: Change,
    answer: oneshot::Sender<Result<(), InboxError>>,
}

/// Where callbacks hand in their changes.
#[derive(Clone)]
pub struct Inbox {
    letters: mpsc::Sender<Letter>,
}

/// The other end of an [`Inbox`], to be run.
pub struct Clerk {
    letters: mpsc::Receiver<Letter>,
    store: Store,
    wake_settler: Arc<Notify>,
    wake_poller: Arc<Notify>,
}

impl Inbox {
    /// Makes the inbox and the clerk that empties it, waking the settler when results come and the poller when
    /// the history does not fit.
    pub fn new(store: Store, wake_settler: Arc<Notify>, wake_poller: Arc<Notify>) -> (Self, Clerk) {
        let (sender, letters) = mpsc::channel(WAITING);
        (
            Self { letters: sender },
            Clerk {
                letters,
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
        let (answer, answered) = oneshot::channel();
        self.letters
            .try_send(Letter { change, answer })
            .map_err(|_| InboxError::Full)?;
        // The clerk answers every letter; it is gone only when the process stops.
        answered.await.unwrap_or(Err(InboxError::Full))
    }
}

impl Clerk {
    /// Works until the last inbox is gone.
    pub async fn run(mut self) {
        let mut letters = Vec::with_capacity(BATCH);
        while self.letters.recv_many(&mut letters, BATCH).await > 0 {
            let (changes, answers): (Vec<_>, Vec<_>) = letters
                .drain(..)
                .map(|Letter { change, answer }| (change, answer))
                .unzip();
            let instances: Vec<_> = changes.iter().map(|change| change.instance).collect();
            let received = self
                .receive(changes)
                .await
                .map_err(|error| InboxError::Store(Arc::new(error)));
            for (instance, answer) in instances.into_iter().zip(answers) {
                let result = match &received {
                    Ok(received) if received.followed == Some(instance) => Ok(()),
                    Ok(_) => Err(InboxError::NotFollowing),
                    Err(error) => Err(error.clone()),
                };
                // A sender that hung up hears nothing; the change is durable all the same.
                let _ = answer.send(result);
            }
        }
    }

    async fn receive(&self, changes: Vec<Change>) -> Result<Received, StoreError> {
        let asked = changes.len();
        let received = within(WORK_DEADLINE, async {
            apply::receive(&mut *self.store.connection().await?, changes).await
        })
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
