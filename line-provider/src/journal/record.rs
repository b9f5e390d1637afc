//! One change as the journal keeps it, and as readers of the log get it.
//!
//! A row that is served becomes a [`Record`] only after its checksum was found right, wherever it is read.

use std::sync::Arc;

use diesel::prelude::*;
use http_edge::Traceparent;
use shared_types::{ChangeType, EventId, Instance, Timestamp};

use super::checksum::Checksum;
use super::schema::changes;

pub(super) const WRONG_CHECKSUM: &str = "its checksum does not match";
pub(super) const UNREADABLE: &str = "a column holds what this program never writes";

/// A change with the event's JSON after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub position: u64,
    pub event_id: EventId,
    pub revision: u64,
    pub kind: ChangeType,
    pub occurred_at: Timestamp,
    /// The event as JSON.
    pub body: Arc<str>,
    /// Why a result was corrected.
    pub note: Option<String>,
    /// The request that made the change. It is never stored: what is read from the journal has none.
    pub trace: Option<Traceparent>,
}

/// A change of the log with its JSON, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Logged {
    pub position: u64,
    pub kind: ChangeType,
    pub event_id: EventId,
    pub occurred_at: Timestamp,
    /// The request that made the change, unless it was read from the journal or made by this service itself.
    pub trace: Option<Traceparent>,
    /// `{"position", "instance", "type", "event_id", "revision", "occurred_at", "event"}`
    pub json: Box<str>,
}

impl Logged {
    pub fn new(record: &Record, instance: Instance) -> Self {
        let Record {
            position,
            event_id,
            revision,
            kind,
            occurred_at,
            body,
            note: _,
            trace,
        } = record;
        let kind_word = kind.as_str();
        // None of these texts holds a character that JSON escapes.
        let json = format!(
            r#"{{"position":{position},"instance":"{instance}","type":"{kind_word}","event_id":"{event_id}","revision":{revision},"occurred_at":"{occurred_at}","event":{body}}}"#
        );
        Self {
            position: *position,
            kind: *kind,
            event_id: event_id.clone(),
            occurred_at: *occurred_at,
            trace: *trace,
            json: json.into(),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
pub(super) struct NewRow<'a> {
    position: i64,
    event_id: &'a str,
    revision: i64,
    kind: &'a str,
    occurred_at: i64,
    body: &'a str,
    note: Option<&'a str>,
    crc32: i64,
}

impl<'a> NewRow<'a> {
    pub(super) fn new(record: &'a Record, instance: Instance) -> Self {
        let mut row = Self {
            position: signed(record.position),
            event_id: record.event_id.as_str(),
            revision: signed(record.revision),
            kind: record.kind.as_str(),
            occurred_at: record.occurred_at.unix_micros(),
            body: &record.body,
            note: record.note.as_deref(),
            crc32: 0,
        };
        row.crc32 = Checksum::new("changes", instance)
            .number(row.position)
            .text(row.event_id)
            .number(row.revision)
            .text(row.kind)
            .number(row.occurred_at)
            .text(row.body)
            .optional(row.note)
            .finish();
        row
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = changes)]
pub(super) struct Row {
    pub(super) position: i64,
    event_id: String,
    revision: i64,
    kind: String,
    occurred_at: i64,
    body: String,
    note: Option<String>,
    crc32: i64,
}

impl Row {
    /// The record, or what is wrong with the row.
    pub(super) fn check(self, instance: Instance) -> Result<Record, &'static str> {
        if self.matches_checksum(instance) {
            self.parse().ok_or(UNREADABLE)
        } else {
            Err(WRONG_CHECKSUM)
        }
    }

    pub(super) fn matches_checksum(&self, instance: Instance) -> bool {
        let found = Checksum::new("changes", instance)
            .number(self.position)
            .text(&self.event_id)
            .number(self.revision)
            .text(&self.kind)
            .number(self.occurred_at)
            .text(&self.body)
            .optional(self.note.as_deref())
            .finish();
        found == self.crc32
    }

    /// The record, whether its checksum matches or not; `None` where a column holds what this program never writes.
    pub(super) fn parse(self) -> Option<Record> {
        Some(Record {
            position: self.position.try_into().ok()?,
            event_id: self.event_id.parse().ok()?,
            revision: self.revision.try_into().ok()?,
            kind: kind(&self.kind)?,
            occurred_at: Timestamp::from_unix_micros(self.occurred_at)?,
            body: self.body.into(),
            note: self.note,
            trace: None,
        })
    }
}

pub(super) fn kind(word: &str) -> Option<ChangeType> {
    ChangeType::ALL.into_iter().find(|kind| kind.as_str() == word)
}

/// SQLite's integers are signed.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("positions and revisions stay below 2^63")
}
