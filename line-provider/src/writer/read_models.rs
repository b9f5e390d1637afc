//! Where the writer shows what has become durable, and everybody else reads it: nothing stands there before it is in the
//! journal.

use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::journal::{Contents, Journal, JournalError, Log};
use crate::subscription::board::Board;

/// Where the writer shows what has become durable.
#[derive(Clone)]
pub struct ReadModels {
    pub catalogue: Arc<Catalogue>,
    pub board: Arc<Board>,
    pub log: Arc<Log>,
}

impl ReadModels {
    /// Those of a journal that was just opened. The events are shown once a [`Writer`](super::Writer) is made of it.
    ///
    /// # Errors
    /// As [`Journal::log`].
    pub fn of(journal: &Journal, contents: &Contents) -> Result<Self, JournalError> {
        let subscriptions = contents
            .subscriptions
            .iter()
            .map(|(registration, cursor)| (Arc::clone(registration), *cursor));
        Ok(Self {
            catalogue: Arc::new(Catalogue::default()),
            board: Arc::new(Board::new(subscriptions)),
            log: Arc::new(journal.log(contents.head)?),
        })
    }
}
