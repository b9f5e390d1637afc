//! Reads old changes from the journal, on a thread and a connection of its own.
//!
//! It serves who is far behind the head; the log's tail serves everybody else. Every row's checksum is checked
//! again, so that a page that rots while the service runs is never sent.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diesel::prelude::*;
use shared_types::Instance;
use tokio::sync::{mpsc, oneshot};

use super::connection::{open_for_reading, store_error};
use super::error::JournalError;
use super::record::{Logged, Row, signed};
use super::schema::changes;

const QUEUE: usize = 256;
/// Over waiting for one's turn and reading.
const READ_WITHIN: Duration = Duration::from_secs(5);

type Changes = Vec<Arc<Logged>>;

struct Request {
    after: u64,
    limit: usize,
    reply: oneshot::Sender<Result<Changes, JournalError>>,
}

/// Asks the reading thread, which ends with the last of its askers.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    requests: mpsc::Sender<Request>,
}

impl Reader {
    /// Opens the file, and gives up to `limit` changes after that position.
    ///
    /// # Errors
    /// [`JournalError::Store`] where SQLite fails; [`JournalError::Damaged`] for a change that does not add up.
    pub(super) fn open(
        file: &Path,
        instance: Instance,
        after: u64,
        limit: usize,
    ) -> Result<(Self, Changes), JournalError> {
        let mut connection = open_for_reading(file)?;
        let first = read(&mut connection, file, instance, after, limit)?;
        let file = file.to_owned();
        let (requests, mut received) = mpsc::channel::<Request>(QUEUE);
        thread::Builder::new()
            .name("journal-reader".to_owned())
            .spawn(move || {
                while let Some(request) = received.blocking_recv() {
                    if request.reply.is_closed() {
                        continue;
                    }
                    let found = read(&mut connection, &file, instance, request.after, request.limit);
                    // Whoever asked may have gone meanwhile.
                    let _ = request.reply.send(found);
                }
            })
            .expect("the process can start one more thread");
        Ok((Self { requests }, first))
    }

    /// Up to `limit` changes after that position.
    ///
    /// # Errors
    /// As [`Reader::open`]; [`JournalError::Late`]; [`JournalError::Closed`] where the reading thread has ended.
    pub(super) async fn read(&self, after: u64, limit: usize) -> Result<Changes, JournalError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { after, limit, reply };
        let read = async {
            let sent = self.requests.send(request).await;
            sent.map_err(|_| JournalError::Closed)?;
            answer.await.map_err(|_| JournalError::Closed)?
        };
        tokio::time::timeout(READ_WITHIN, read)
            .await
            .unwrap_or(Err(JournalError::Late))
    }
}

fn read(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    after: u64,
    limit: usize,
) -> Result<Changes, JournalError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = changes::table
        .filter(changes::position.gt(signed(after)))
        .order(changes::position.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(connection)
        .map_err(|source| store_error(file, "cannot read the changes of", source))?;
    let mut found = Vec::with_capacity(rows.len());
    for (row, expected) in rows.into_iter().zip(after + 1..) {
        let at = row.position;
        let record = row
            .check(instance)
            .and_then(|record| match record.position == expected {
                true => Ok(record),
                false => Err("it is not the one that comes next"),
            })
            .map_err(|what| JournalError::Damaged {
                file: file.to_owned(),
                what: format!("the change at position {at}: {what}"),
            })?;
        found.push(Arc::new(Logged::new(&record, instance)));
    }
    Ok(found)
}
