//! Reading the whole journal, and telling of everything in it that does not add up.
//!
//! The same reading serves the start, which refuses at the first finding, and `verify`, which goes on behind each.
//! Checked are: every row's checksum, positions and each event's revisions from 1 without gaps, one cursor per
//! subscription and none beyond the log. What the events' JSON says is left to whoever takes the records.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use shared_types::{ChangeType, Event, Instance, SubscriptionId};
use uuid::Uuid;

use super::checksum::Checksum;
use super::connection::store_error;
use super::error::JournalError;
use super::record::{Record, Row, UNREADABLE, WRONG_CHECKSUM};
use super::registration;
use super::schema::{changes, journal, subscription_cursors, subscriptions};
use crate::subscription::Registration;

/// What a finding is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The file as SQLite sees it.
    Structure,
    WriteAheadLog,
    Instance,
    Checksums,
    Positions,
    Revisions,
    /// What a change says of its event, beside the event before it.
    Events,
    ClosedAt,
    Deadlines,
    Times,
    Subscriptions,
}

impl Check {
    pub const ALL: [Self; 11] = [
        Self::Structure,
        Self::WriteAheadLog,
        Self::Instance,
        Self::Checksums,
        Self::Positions,
        Self::Revisions,
        Self::Events,
        Self::ClosedAt,
        Self::Deadlines,
        Self::Times,
        Self::Subscriptions,
    ];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::WriteAheadLog => "write_ahead_log",
            Self::Instance => "instance",
            Self::Checksums => "checksums",
            Self::Positions => "positions",
            Self::Revisions => "revisions",
            Self::Events => "events",
            Self::ClosedAt => "closed_at",
            Self::Deadlines => "deadlines",
            Self::Times => "times",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// Hears of what does not add up. An error ends the reading; after `Ok` it goes on.
pub(super) type Tell<'a> = dyn FnMut(Check, String) -> Result<(), JournalError> + 'a;

/// The journal's row about itself; a new journal has none.
///
/// # Errors
/// What `tell` answers; [`JournalError::Store`] where SQLite fails.
pub(super) fn instance(
    connection: &mut SqliteConnection,
    file: &Path,
    tell: &mut Tell<'_>,
) -> Result<Option<Instance>, JournalError> {
    let row: Option<(i64, Vec<u8>, i64, i64)> = journal::table
        .first(connection)
        .optional()
        .map_err(|source| store_error(file, "cannot read the instance of", source))?;
    let Some((_, instance, created_at, crc32)) = row else {
        return Ok(None);
    };
    let instance = Uuid::from_slice(&instance)
        .ok()
        .map(Instance::from_uuid)
        .filter(|instance| instance_checksum(*instance, created_at) == crc32);
    if instance.is_none() {
        tell(
            Check::Instance,
            "the row that holds its instance does not match its checksum".to_owned(),
        )?;
    }
    Ok(instance)
}

pub(super) fn instance_checksum(instance: Instance, created_at: i64) -> i64 {
    Checksum::new("journal", instance).number(created_at).finish()
}

/// Gives `take` every change in order of position, and answers the last position.
///
/// # Errors
/// What `tell` and `take` answer; [`JournalError::Store`] where SQLite fails.
pub(super) fn changes(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    tell: &mut Tell<'_>,
    mut take: impl FnMut(Record, &mut Tell<'_>) -> Result<(), JournalError>,
) -> Result<u64, JournalError> {
    let failed = |source| store_error(file, "cannot read the changes of", source);
    let mut head = 0;
    let rows = changes::table
        .order(changes::position.asc())
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)
        .map_err(failed)?;
    for row in rows {
        let row = row.map_err(failed)?;
        let at = row.position;
        let expected = head + 1;
        if u64::try_from(at) != Ok(expected) {
            let what = format!("position {expected} is missing, {at} follows {head}");
            tell(Check::Positions, what)?;
        }
        head = u64::try_from(at).unwrap_or(head);
        let is_right = row.matches_checksum(instance);
        if !is_right {
            let what = format!("the change at position {at}: {WRONG_CHECKSUM}");
            tell(Check::Checksums, what)?;
        }
        match row.parse() {
            Some(record) => take(record, tell)?,
            None if is_right => {
                let what = format!("the change at position {at}: {UNREADABLE}");
                tell(Check::Checksums, what)?;
            }
            None => {}
        }
    }
    Ok(head)
}

/// Whether a change is the one that comes after revision `last` of its event.
///
/// # Errors
/// What `tell` answers.
pub(super) fn follows(record: &Record, last: u64, tell: &mut Tell<'_>) -> Result<(), JournalError> {
    let at = record.position;
    if record.revision != last + 1 {
        let what = format!(
            "the change at position {at}: revision {} of event {} follows {last}",
            record.revision, record.event_id
        );
        tell(Check::Revisions, what)?;
    }
    if (record.kind == ChangeType::Created) != (record.revision == 1) {
        let what =
            format!("the change at position {at}: an event is created by its first revision and by no other");
        tell(Check::Revisions, what)?;
    }
    Ok(())
}

/// The event after a change, or what is wrong with its JSON.
pub(super) fn parse(record: &Record) -> Result<Event, String> {
    let at = record.position;
    let event: Event = serde_json::from_str(&record.body)
        .map_err(|error| format!("the event at position {at} cannot be read: {error}"))?;
    if event.id == record.event_id && event.revision == record.revision {
        Ok(event)
    } else {
        Err(format!("the event at position {at} is not the one that changed"))
    }
}

/// All subscriptions, each with how far it was served.
///
/// # Errors
/// What `tell` answers; [`JournalError::Store`] where SQLite fails.
pub(super) fn subscriptions(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    head: u64,
    tell: &mut Tell<'_>,
) -> Result<Vec<(Arc<Registration>, u64)>, JournalError> {
    let failed = |source| store_error(file, "cannot read the subscriptions of", source);
    let mut cursors = cursors(connection, file, instance, head, tell)?;
    let rows = subscriptions::table
        .select(registration::Row::as_select())
        .load(connection)
        .map_err(failed)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let registration = match row.check(instance) {
            Ok(registration) => registration,
            Err(what) => {
                tell(Check::Subscriptions, format!("a subscription: {what}"))?;
                continue;
            }
        };
        let id = registration.id;
        match cursors.remove(&id) {
            Some(cursor) => found.push((Arc::new(registration), cursor)),
            None => tell(Check::Subscriptions, format!("subscription {id} has no cursor"))?,
        }
    }
    for id in cursors.keys() {
        let what = format!("the subscription of cursor {id} is missing");
        tell(Check::Subscriptions, what)?;
    }
    Ok(found)
}

fn cursors(
    connection: &mut SqliteConnection,
    file: &Path,
    instance: Instance,
    head: u64,
    tell: &mut Tell<'_>,
) -> Result<HashMap<SubscriptionId, u64>, JournalError> {
    let rows = subscription_cursors::table
        .select(registration::CursorRow::as_select())
        .load(connection)
        .map_err(|source| store_error(file, "cannot read the subscriptions of", source))?;
    let mut cursors = HashMap::new();
    for row in rows {
        let (id, cursor) = match row.check(instance) {
            Ok(cursor) => cursor,
            Err(what) => {
                tell(Check::Subscriptions, format!("a subscription's cursor: {what}"))?;
                continue;
            }
        };
        if cursor > head {
            let what = format!("subscription {id} was served up to {cursor}, but the log ends at {head}");
            tell(Check::Subscriptions, what)?;
        }
        cursors.insert(id, cursor);
    }
    Ok(cursors)
}
