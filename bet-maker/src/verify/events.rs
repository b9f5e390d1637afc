//! `events_follow_the_log`: what is known of events beside what line-provider's log says of them.
//!
//! An event must be what the log says at the very revision that is known, and no older than the bookmark. An event that
//! was taken over from another log may have closed earlier than this one says, and be of other times; one that this log
//! has not named, or forgot a result of, stays as it was known before (`crate::news`).

use diesel_async::AsyncPgConnection;
use http_edge::report::{Check, Report};
use rust_decimal::Decimal;
use shared_types::Timestamp;

use super::log::{self, Log, Said};
use crate::store::StoreError;
use crate::store::audit::{self, KnownEvent};
use crate::store::feed::FeedState;

pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    state: &FeedState,
    log: Option<Log>,
    check: &mut Check,
    report: &mut Report,
) -> Result<(), StoreError> {
    let candidate = state.suspension.as_ref().map(|suspension| suspension.generation);
    let newest = candidate.unwrap_or(state.generation).max(state.generation);
    audit::events_alone(conn, check, newest).await?;
    bookmark_alone(conn, state, check).await?;
    let Some(log) = log else { return Ok(()) };
    bookmark(state, &log, check);
    rows(conn, state, log, check, report).await
}

/// What the feed's row says by itself, and beside the number of revisions that are known.
async fn bookmark_alone(
    conn: &mut AsyncPgConnection,
    state: &FeedState,
    check: &mut Check,
) -> Result<(), StoreError> {
    let (position, digest) = state.followed.as_ref().map_or((0, None), |bookmark| {
        (bookmark.position, bookmark.digest.as_ref())
    });
    if (position > 0) != digest.is_some() {
        check.find(format!(
            "the bookmark at position {position} has no digest, or one too many"
        ));
    }
    if state.highest < position {
        check.find(format!(
            "the bookmark stands at position {position}, but none beyond {} was ever heard of",
            state.highest
        ));
    }
    // Each change is one revision of one event, as long as one history counts them.
    let total = audit::revisions(conn).await?.total;
    let heard_of = Decimal::from(position)..=Decimal::from(state.highest);
    let is_first_history = state.generation == 1 && state.suspension.is_none();
    if is_first_history && !heard_of.contains(&total) {
        check.find(format!(
            "{total} revisions are known, but the log was read up to {position}, and {} is the most that was heard of",
            state.highest
        ));
    }
    Ok(())
}

/// Whether the bookmark is a place in this log.
fn bookmark(state: &FeedState, log: &Log, check: &mut Check) {
    if state.highest > log.head {
        check.find(format!(
            "the log ends at {}, but position {} was heard of",
            log.head, state.highest
        ));
    }
    let Some(bookmark) = &state.followed else { return };
    if bookmark.instance != log.instance {
        check.find(format!(
            "the log is of instance {}, but {} is followed",
            log.instance, bookmark.instance
        ));
    }
    if bookmark.digest != log.at_bookmark {
        check.find(format!(
            "the log's change at position {} is not the one that was read",
            bookmark.position
        ));
    }
}

async fn rows(
    conn: &mut AsyncPgConnection,
    state: &FeedState,
    mut log: Log,
    check: &mut Check,
    report: &mut Report,
) -> Result<(), StoreError> {
    let bookmark = state.followed.as_ref().map_or(0, |bookmark| bookmark.position);
    let mut kept = 0_u64;
    audit::each_event(conn, |known| match known {
        Err(error) => check.find(error.to_string()),
        Ok(known) => {
            let said = log.events.remove(&known.event.id).unwrap_or_default();
            // Of a history before, which this one has not taken the place of.
            if known.generation < state.generation {
                kept += 1;
            } else if let Err(what) = compare(&known, &said, bookmark) {
                check.find(format!("event {} {what}", known.event.id));
            }
        }
    })
    .await?;
    for (id, said) in log.events {
        if let Some(first) = said.first().filter(|first| first.position <= bookmark) {
            check.find(format!(
                "event {id} is not known, although the log was read beyond its position {}",
                first.position
            ));
        }
    }
    if kept > 0 {
        report.note(format!(
            "{kept} events are known by a log that was followed before; they were not compared with this one"
        ));
    }
    Ok(())
}

/// Whether an event is what the log says of it.
fn compare(known: &KnownEvent, said: &[Said], bookmark: u64) -> Result<(), String> {
    let event = &known.event;
    let read = said.iter().rev().find(|said| said.position <= bookmark);
    if let Some(read) = read.filter(|read| read.revision > event.revision) {
        let (is, should) = (event.revision, read.revision);
        return Err(format!(
            "is at revision {is}, but the log was read beyond its revision {should}"
        ));
    }
    let Some(said) = log::find(said, event.revision) else {
        return Err(format!(
            "is at revision {}, which the log does not have",
            event.revision
        ));
    };
    let content = (event.title.as_str(), event.odds, event.deadline, event.status);
    let is_first_history = known.generation == 1;
    let times = (event.created_at, event.updated_at) == (said.created_at, said.updated_at);
    if content != (&*said.title, said.odds, said.deadline, said.status) || (is_first_history && !times) {
        let position = said.position;
        return Err(format!(
            "is not what the log says of its revision {} at {position}",
            event.revision
        ));
    }
    let closed_in_time = if is_first_history {
        event.closed_at == said.closed_at
    } else {
        event.closed_at.map_or(said.closed_at.is_none(), |ours| {
            said.closed_at.is_none_or(|theirs| ours <= theirs)
        })
    };
    if closed_in_time {
        Ok(())
    } else {
        let (ours, theirs) = (moment(event.closed_at), moment(said.closed_at));
        Err(format!("closed at {ours}, but by the log at {theirs}"))
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "no time".to_owned(), |at| at.to_string())
}
