//! Reading the whole journal at start, and refusing one that does not add up at its first finding.
//!
//! Beside what every [reading](super::reading) checks, each event's first and newest JSON is parsed: the others are
//! left to `verify`, because the start waits for this.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use diesel::prelude::*;
use shared_types::{EventId, Instance};

use super::error::JournalError;
use super::reading::{self, Check};
use super::record::Record;
use crate::catalogue::Entry;
use crate::event::NewEvent;
use crate::subscription::Registration;

/// An event as the journal tells it.
#[derive(Debug)]
pub struct Replayed {
    pub newest: Entry,
    pub creation: NewEvent,
}

/// What the journal held when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// Position of the newest change, 0 in a new journal.
    pub head: u64,
    pub events: Vec<Replayed>,
    pub subscriptions: Vec<(Arc<Registration>, u64)>,
}

/// The first and newest record of an event.
struct Ends {
    first: Record,
    newest: Option<Record>,
}

impl Ends {
    fn last_revision(&self) -> u64 {
        self.newest.as_ref().unwrap_or(&self.first).revision
    }
}

/// The journal's instance; a new journal has none.
///
/// # Errors
/// [`JournalError::Damaged`] where it does not match its checksum; [`JournalError::Store`] where SQLite fails.
pub(super) fn read_instance(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<Option<Instance>, JournalError> {
    reading::instance(connection, file, &mut refuse(file))
}

/// Everything that the journal holds.
///
/// # Errors
/// [`JournalError::Damaged`] for whatever does not add up; [`JournalError::Store`] where SQLite fails.
pub(super) fn read(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
) -> Result<Contents, JournalError> {
    let mut ends: HashMap<EventId, Ends> = HashMap::new();
    let head = reading::changes(
        connection,
        file,
        instance,
        &mut refuse(file),
        |record, refuse| match ends.get_mut(&record.event_id) {
            Some(ends) => {
                reading::follows(&record, ends.last_revision(), refuse)?;
                ends.newest = Some(record);
                Ok(())
            }
            None => {
                reading::follows(&record, 0, refuse)?;
                let (id, newest) = (record.event_id.clone(), None);
                ends.insert(
                    id,
                    Ends {
                        first: record,
                        newest,
                    },
                );
                Ok(())
            }
        },
    )?;
    let events = ends
        .into_values()
        .map(|ends| replayed(ends).map_err(|what| damaged(file, what)))
        .collect::<Result<_, _>>()?;
    let subscriptions = reading::subscriptions(connection, file, instance, head, &mut refuse(file))?;
    Ok(Contents {
        head,
        events,
        subscriptions,
    })
}

fn replayed(Ends { first, newest }: Ends) -> Result<Replayed, String> {
    let created = reading::parse(&first)?;
    let creation = NewEvent {
        id: created.id.clone(),
        title: created.title.clone(),
        odds: created.odds,
        deadline: created.deadline,
    };
    let (event, json) = match newest {
        None => (created, first.body),
        Some(newest) => (reading::parse(&newest)?, newest.body),
    };
    Ok(Replayed {
        newest: Entry { event, json },
        creation,
    })
}

fn refuse(file: &Path) -> impl FnMut(Check, String) -> Result<(), JournalError> {
    move |_, what| Err(damaged(file, what))
}

fn damaged(file: &Path, what: String) -> JournalError {
    JournalError::Damaged {
        file: file.to_owned(),
        what,
    }
}
