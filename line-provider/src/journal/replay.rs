//! Reading the whole journal at start, and refusing one that does not add up.
//!
//! Checked are: every row's checksum, positions and each event's revisions from 1 without gaps, one cursor per
//! subscription and none beyond the log. Only each event's first and newest JSON is parsed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use shared_types::{ChangeType, Event, EventId, Instance, SubscriptionId};
use uuid::Uuid;

use super::checksum::Checksum;
use super::connection::store_error;
use super::error::JournalError;
use super::record::{Record, Row};
use super::registration;
use super::schema::{changes, journal, subscription_cursors, subscriptions};
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

/// The journal's row about itself; a new journal has none.
///
/// # Errors
/// [`JournalError::Damaged`] where it does not match its checksum; [`JournalError::Store`] where SQLite fails.
pub(super) fn read_instance(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<Option<Instance>, JournalError> {
    let row: Option<(i64, Vec<u8>, i64, i64)> = journal::table
        .first(connection)
        .optional()
        .map_err(|source| store_error(file, "cannot read the instance of", source))?;
    let Some((_, instance, created_at, crc32)) = row else {
        return Ok(None);
    };
    Uuid::from_slice(&instance)
        .ok()
        .map(Instance::from_uuid)
        .filter(|instance| instance_checksum(*instance, created_at) == crc32)
        .map(Some)
        .ok_or_else(|| {
            damaged(
                file,
                "the row that holds its instance does not match its checksum",
            )
        })
}

pub(super) fn instance_checksum(instance: Instance, created_at: i64) -> i64 {
    Checksum::new("journal", instance).number(created_at).finish()
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
    let (head, ends) = read_changes(connection, file, instance)?;
    let mut events = Vec::with_capacity(ends.len());
    for (_, Ends { first, newest }) in ends {
        let created = parse(&first).map_err(|what| damaged(file, what))?;
        let creation = NewEvent {
            id: created.id.clone(),
            title: created.title.clone(),
            odds: created.odds,
            deadline: created.deadline,
        };
        let (event, json) = match newest {
            None => (created, first.body),
            Some(newest) => (parse(&newest).map_err(|what| damaged(file, what))?, newest.body),
        };
        events.push(Replayed {
            newest: Entry { event, json },
            creation,
        });
    }
    let subscriptions = read_subscriptions(connection, file, instance, head)?;
    Ok(Contents {
        head,
        events,
        subscriptions,
    })
}

fn read_changes(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
) -> Result<(u64, HashMap<EventId, Ends>), JournalError> {
    let failed = |source| store_error(file, "cannot read the changes of", source);
    let mut head = 0;
    let mut ends: HashMap<EventId, Ends> = HashMap::new();
    let rows = changes::table
        .order(changes::position.asc())
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)
        .map_err(failed)?;
    for row in rows {
        let row = row.map_err(failed)?;
        let expected = head + 1;
        let at = row.position;
        if u64::try_from(at) != Ok(expected) {
            let what = format!("position {expected} is missing, {at} follows {head}");
            return Err(damaged(file, what));
        }
        let record = row
            .check(instance)
            .map_err(|what| damaged(file, format!("the change at position {at}: {what}")))?;
        continue_event(&mut ends, record)
            .map_err(|what| damaged(file, format!("the change at position {at}: {what}")))?;
        head = expected;
    }
    Ok((head, ends))
}

fn continue_event(ends: &mut HashMap<EventId, Ends>, record: Record) -> Result<(), String> {
    let known = ends.get_mut(&record.event_id);
    let last = known.as_ref().map_or(0, |ends| {
        ends.newest
            .as_ref()
            .map_or(ends.first.revision, |newest| newest.revision)
    });
    if record.revision != last + 1 {
        return Err(format!(
            "revision {} of event {} follows {last}",
            record.revision, record.event_id
        ));
    }
    if (record.kind == ChangeType::Created) != (record.revision == 1) {
        return Err("an event is created by its first revision and by no other".to_owned());
    }
    match known {
        Some(ends) => ends.newest = Some(record),
        None => {
            let id = record.event_id.clone();
            ends.insert(
                id,
                Ends {
                    first: record,
                    newest: None,
                },
            );
        }
    }
    Ok(())
}

fn parse(record: &Record) -> Result<Event, String> {
    let at = record.position;
    let event: Event = serde_json::from_str(&record.body)
        .map_err(|error| format!("the event at position {at} cannot be read: {error}"))?;
    if event.id == record.event_id && event.revision == record.revision {
        Ok(event)
    } else {
        Err(format!("the event at position {at} is not the one that changed"))
    }
}

fn read_subscriptions(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    head: u64,
) -> Result<Vec<(Arc<Registration>, u64)>, JournalError> {
    let failed = |source| store_error(file, "cannot read the subscriptions of", source);
    let cursor_rows = subscription_cursors::table
        .select(registration::CursorRow::as_select())
        .load(connection)
        .map_err(failed)?;
    let mut cursors: HashMap<SubscriptionId, u64> = HashMap::new();
    for row in cursor_rows {
        let (id, cursor) = row
            .check(instance)
            .map_err(|what| damaged(file, format!("a subscription's cursor: {what}")))?;
        if cursor > head {
            let what = format!("subscription {id} was served up to {cursor}, but the log ends at {head}");
            return Err(damaged(file, what));
        }
        cursors.insert(id, cursor);
    }
    let rows = subscriptions::table
        .select(registration::Row::as_select())
        .load(connection)
        .map_err(failed)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let registration = row
            .check(instance)
            .map_err(|what| damaged(file, format!("a subscription: {what}")))?;
        let id = registration.id;
        let cursor = cursors
            .remove(&id)
            .ok_or_else(|| damaged(file, format!("subscription {id} has no cursor")))?;
        found.push((Arc::new(registration), cursor));
    }
    match cursors.keys().next() {
        None => Ok(found),
        Some(id) => Err(damaged(
            file,
            format!("the subscription of cursor {id} is missing"),
        )),
    }
}

fn damaged(file: &Path, what: impl Into<String>) -> JournalError {
    JournalError::Damaged {
        file: file.to_owned(),
        what: what.into(),
    }
}
