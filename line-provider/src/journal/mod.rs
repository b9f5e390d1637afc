//! The journal: the only durable truth of line-provider, a SQLite file in the data folder.
//!
//! Invariants: what [`Journal::commit`] returned for is on the disk, whole; every row carries a checksum, and a
//! journal that does not add up is not opened; one process holds the folder. The writer's thread owns the journal;
//! everybody else reads the [`Log`].

mod checksum;
mod connection;
mod error;
mod folder;
mod history;
mod log;
mod reader;
mod reading;
mod record;
mod registration;
mod replay;
mod schema;
mod standing;
mod verify;
mod wal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::prelude::*;
use shared_types::{Instance, SubscriptionId, Timestamp};
use uuid::Uuid;

pub use error::JournalError;
pub use log::Log;
pub use reading::Check;
pub use record::{Logged, Record};
pub use replay::{Contents, Replayed};
pub use verify::verify;

use crate::subscription::Registration;
use connection::store_error;
use folder::Folder;
use schema::{changes, journal, subscription_cursors, subscriptions};

/// About how many pages the write-ahead log may grow by before it is copied into the file: 4 MiB.
const CHECKPOINT_PAGES: usize = 1000;
const PAGE_BYTES: usize = 4096;
/// Pages that every commit changes, besides those that its rows fill.
const PAGES_OF_A_COMMIT: usize = 3;

/// One thing to make durable.
#[derive(Debug)]
pub enum Write {
    Change(Record),
    /// A new subscription and where it starts.
    Subscribe(Arc<Registration>, u64),
    /// A known subscription as it is now.
    ChangeSubscription(Arc<Registration>),
    Unsubscribe(SubscriptionId),
    /// How far a known subscription was served.
    Cursor(SubscriptionId, u64),
}

impl Write {
    /// About how many pages it changes.
    fn pages(&self) -> usize {
        match self {
            Self::Change(record) => 1 + record.body.len() / PAGE_BYTES,
            Self::Subscribe(..) | Self::ChangeSubscription(_) | Self::Unsubscribe(_) | Self::Cursor(..) => 1,
        }
    }
}

/// The open journal.
pub struct Journal {
    // Fields are dropped in this order: the lock goes last.
    connection: SqliteConnection,
    file: PathBuf,
    instance: Instance,
    /// About how many pages were written since the last checkpoint.
    logged_pages: usize,
    _folder: Folder,
}

impl Journal {
    /// Opens the journal in `folder`, making both where they are missing; a new journal gets `fresh` as its
    /// instance.
    ///
    /// # Errors
    /// [`JournalError`], by cause; a journal that is damaged, foreign or newer stays as it is.
    pub fn open(folder: &Path, fresh: Uuid, now: Timestamp) -> Result<(Self, Contents), JournalError> {
        let folder = Folder::open(folder)?;
        let file = folder.journal_file()?;
        wal::check(&file)?;
        let mut connection = connection::open_for_writing(&file)?;
        folder.sync()?;
        let instance = match replay::read_instance(&mut connection, &file)? {
            Some(instance) => instance,
            None => found(&mut connection, &file, Instance::from_uuid(fresh), now)?,
        };
        let contents = replay::read(&mut connection, &file, instance)?;
        let journal = Self {
            connection,
            file,
            instance,
            logged_pages: 0,
            _folder: folder,
        };
        Ok((journal, contents))
    }

    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// A log of this journal for readers, which ends at `head`.
    ///
    /// # Errors
    /// The file cannot be opened a second time, or its newest changes cannot be read.
    pub fn log(&self, head: u64) -> Result<Log, JournalError> {
        Log::open(&self.file, self.instance, head)
    }

    /// Makes all of `writes` durable, or none.
    ///
    /// # Errors
    /// The disk or the file failed. What the disk holds is then unknown until the journal is opened again.
    pub fn commit(&mut self, writes: &[Write]) -> Result<(), JournalError> {
        let instance = self.instance;
        self.connection
            .immediate_transaction(|connection| {
                writes
                    .iter()
                    .try_for_each(|write| apply(connection, write, instance))
            })
            .map_err(|source| store_error(&self.file, "cannot write", source))?;
        self.logged_pages += PAGES_OF_A_COMMIT + writes.iter().map(Write::pages).sum::<usize>();
        Ok(())
    }

    /// Copies the write-ahead log into the file where it has become long. Nothing is more durable by it; but a disk
    /// that fails here must not be trusted with the next commit.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn tidy(&mut self) -> Result<(), JournalError> {
        if self.logged_pages < CHECKPOINT_PAGES {
            return Ok(());
        }
        self.logged_pages = 0;
        connection::checkpoint_in_passing(&mut self.connection)
            .map_err(|source| store_error(&self.file, "cannot tidy up", source))
    }

    /// Moves everything into the one file and gives the folder free.
    ///
    /// # Errors
    /// The file cannot be written; nothing is lost by it.
    pub fn close(mut self) -> Result<(), JournalError> {
        connection::checkpoint(&mut self.connection)
            .map_err(|source| store_error(&self.file, "cannot tidy up", source))
    }
}

/// Gives a new journal its instance.
fn found(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    now: Timestamp,
) -> Result<Instance, JournalError> {
    let failed = |source| store_error(file, "cannot set up", source);
    let changes: i64 = changes::table.count().get_result(connection).map_err(failed)?;
    if changes > 0 {
        return Err(JournalError::Damaged {
            file: file.to_owned(),
            what: "the row that holds its instance is missing".to_owned(),
        });
    }
    let created_at = now.unix_micros();
    diesel::insert_into(journal::table)
        .values((
            journal::id.eq(1),
            journal::instance.eq(instance.as_uuid().as_bytes().as_slice()),
            journal::created_at.eq(created_at),
            journal::crc32.eq(reading::instance_checksum(instance, created_at)),
        ))
        .execute(connection)
        .map_err(failed)?;
    Ok(instance)
}

fn apply(connection: &mut SqliteConnection, write: &Write, instance: Instance) -> QueryResult<()> {
    match write {
        Write::Change(record) => {
            diesel::insert_into(changes::table)
                .values(record::NewRow::new(record, instance))
                .execute(connection)?;
        }
        Write::Subscribe(registration, cursor) => {
            diesel::insert_into(subscriptions::table)
                .values(registration::Row::new(registration, instance))
                .execute(connection)?;
            diesel::insert_into(subscription_cursors::table)
                .values(registration::CursorRow::new(registration.id, *cursor, instance))
                .execute(connection)?;
        }
        Write::ChangeSubscription(registration) => {
            let id = registration.id.as_uuid().as_bytes().as_slice();
            diesel::update(subscriptions::table.find(id))
                .set(registration::Row::new(registration, instance))
                .execute(connection)?;
        }
        Write::Unsubscribe(id) => {
            let id = id.as_uuid().as_bytes().as_slice();
            diesel::delete(subscriptions::table.find(id)).execute(connection)?;
            diesel::delete(subscription_cursors::table.find(id)).execute(connection)?;
        }
        Write::Cursor(id, cursor) => {
            let key = id.as_uuid().as_bytes().as_slice();
            diesel::update(subscription_cursors::table.find(key))
                .set(registration::CursorRow::new(*id, *cursor, instance))
                .execute(connection)?;
        }
    }
    Ok(())
}
