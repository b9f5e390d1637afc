//! `line-provider verify`: checks a journal without altering anything in its folder and without its lock, while a
//! line-provider runs on it and while none does.
//!
//! It reads one moment of the journal, goes on behind each finding, and looks at more than the start does: every event
//! of every change beside the one before it, by the rules told once more in [`history`](super::history). Memory grows with
//! the events, not with the changes. While it reads a running journal, that one's write-ahead log grows.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use diesel::prelude::*;
use http_edge::report::Report;
use http_edge::telemetry::chain;
use shared_types::{Event, EventId, Timestamp};

use super::connection::{Depth, open_for_verifying, store_error, structure};
use super::error::JournalError;
use super::folder::{SMALLEST_PAGE_BYTES, journal_in};
use super::history::judge;
use super::reading::{self, Check, Tell};
use super::record::Record;
use super::schema::changes;
use super::standing::Standing;
use super::wal;

/// How often it begins anew where a journal is opened or written by others meanwhile.
const TRIES: u32 = 5;
const STRUCTURE: &str = Check::Structure.as_str();

/// Checks the journal in that data folder.
///
/// # Errors
/// It could not be checked: [`JournalError::Missing`], [`JournalError::Foreign`], [`JournalError::Newer`],
/// [`JournalError::Older`], [`JournalError::Disturbed`], or [`JournalError::Store`] where it cannot be opened.
pub fn verify(folder: &Path) -> Result<Report, JournalError> {
    let failed = |source| JournalError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let missing = || JournalError::Missing {
        folder: folder.to_owned(),
    };
    let file = match fs::canonicalize(journal_in(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
        Err(error) => return Err(failed(error)),
    };
    for _ in 0..TRIES {
        let standing = Standing::of(&file).map_err(failed)?;
        if (standing.journal_bytes(), standing.wal_bytes()) == (0, 0) {
            return Err(missing());
        }
        let report = verify_once(&file, standing)?;
        if standing.is_open || Standing::of(&file).map_err(failed)? == standing {
            return Ok(report);
        }
    }
    Err(JournalError::Disturbed { file })
}

fn verify_once(file: &Path, standing: Standing) -> Result<Report, JournalError> {
    let mut report = Report::new(Check::ALL.map(Check::as_str));
    // SQLite would take it for a new file, and delete its write-ahead log.
    if standing.journal_bytes() < SMALLEST_PAGE_BYTES {
        let what = format!("it is cut off after {} bytes", standing.journal_bytes());
        report.find(STRUCTURE, what);
        return Ok(report);
    }
    if standing.is_open {
        report.note(
            "a process has the journal open: it was read as of one moment, and its write-ahead log, whose end is in \
             flux, was not checked by itself",
        );
    } else if let Err(error) = wal::check(file) {
        match error {
            JournalError::Damaged { what, .. } => report.find(Check::WriteAheadLog.as_str(), what),
            error => return Err(error),
        }
    }
    let mut connection = open_for_verifying(file, standing.way())?;
    match structure(&mut connection, file, Depth::Full) {
        Ok(found) => found.into_iter().for_each(|what| report.find(STRUCTURE, what)),
        Err(error) => report.find(STRUCTURE, chain(&error)),
    }
    // It is ours and could be opened, so that what cannot be read of it is damage.
    if let Err(error) = read(&mut connection, file, &mut report) {
        report.find(STRUCTURE, chain(&error));
    }
    Ok(report)
}

fn read(connection: &mut SqliteConnection, file: &Path, report: &mut Report) -> Result<(), JournalError> {
    let mut tell = |check: Check, what: String| {
        report.find(check.as_str(), what);
        Ok(())
    };
    let tell: &mut Tell<'_> = &mut tell;
    let rows: i64 = changes::table
        .count()
        .get_result(connection)
        .map_err(|source| store_error(file, "cannot read the changes of", source))?;
    let mut damaged = false;
    let instance = reading::instance(connection, file, &mut |check, what| {
        damaged = true;
        tell(check, what)
    })?;
    let Some(instance) = instance else {
        // Nothing has a checksum that could be told without it. A start may have been cut off before it made it.
        if rows > 0 && !damaged {
            tell(
                Check::Instance,
                "the row that holds its instance is missing".to_owned(),
            )?;
        }
        report.count("changes", rows);
        return Ok(());
    };
    let mut histories = Histories::default();
    let head = reading::changes(connection, file, instance, tell, |record, tell| {
        histories.take(&record, tell)
    })?;
    let subscriptions = reading::subscriptions(connection, file, instance, head, tell)?;
    report.count("events", histories.events.len());
    report.count("changes", rows);
    report.count("head", head);
    report.count("subscriptions", subscriptions.len());
    report.count("instance", instance);
    Ok(())
}

/// Where each event stands, while the log goes by.
#[derive(Default)]
struct Histories {
    events: HashMap<EventId, Past>,
    /// When the change before occurred.
    latest: Option<Timestamp>,
}

struct Past {
    revision: u64,
    /// As the last change that could be read left it.
    event: Option<Event>,
}

impl Histories {
    fn take(&mut self, record: &Record, tell: &mut Tell<'_>) -> Result<(), JournalError> {
        let at = record.position;
        if let Some(latest) = self.latest.filter(|latest| record.occurred_at < *latest) {
            let what = format!(
                "the change at position {at} occurred at {}, before the one at {latest}",
                record.occurred_at
            );
            tell(Check::Times, what)?;
        }
        self.latest = self.latest.max(Some(record.occurred_at));
        let past = self.events.get(&record.event_id);
        reading::follows(record, past.map_or(0, |past| past.revision), tell)?;
        let before = past.and_then(|past| past.event.as_ref());
        let after = match reading::parse(record) {
            Ok(event) => Some(event),
            Err(what) => {
                tell(Check::Events, what)?;
                None
            }
        };
        if let Some(after) = &after
            && (before.is_some() || record.revision == 1)
        {
            for (check, what) in judge(before, after, record) {
                tell(check, what)?;
            }
        }
        let event = after.or_else(|| before.cloned());
        let revision = record.revision;
        self.events
            .insert(record.event_id.clone(), Past { revision, event });
        Ok(())
    }
}
