//! Changes: the one way by which anything learnt of line-provider's events becomes durable.
//!
//! Whoever applies changes holds the feed's row, so that appliers of all replicas take turns, and then the
//! fences of the events that change, exclusively. What is news is decided by [`crate::news`]; a revision with two
//! contents is kept as a conflict. A result that is news makes settlement due by raising the event's `result_seq`
//! in the same transaction.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use shared_types::{Change, Event, EventId, Timestamp};
use time::OffsetDateTime;

use super::codes::{EventColumns, corrupt, event_status, to_bigint, to_count};
use super::feed::Digest;
use super::schema::functions::clock_timestamp;
use super::schema::{events, feed_conflicts};
use super::{StoreError, fence};
use crate::news::{Known, News, Source, compare};

/// What a run of changes did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Events that are at a newer revision now.
    pub changed: usize,
    /// Whether settlement became due for any of them.
    pub due: bool,
    /// Revisions that came with two contents.
    pub conflicts: usize,
}

/// Takes over what is new in `changes`, counting their revisions in `generation`. The caller holds the feed's
/// row.
///
/// # Errors
/// [`StoreError`]; the caller's transaction must then be given up.
pub async fn merge(
    tx: &mut AsyncPgConnection,
    changes: &[Change],
    generation: i32,
    source: Source,
) -> Result<Merged, StoreError> {
    if changes.is_empty() {
        return Ok(Merged::default());
    }
    let known = find_known(tx, changes).await?;
    let mut merged = Merged::default();
    let mut rows: HashMap<&EventId, Known> = HashMap::new();
    for change in changes {
        let before = rows.get(&change.event_id).or_else(|| known.get(&change.event_id));
        match compare(before, &change.event, generation, source) {
            News::Old => {}
            News::Newer => {
                let after = Known::after(before, &change.event, generation);
                rows.insert(&change.event_id, after);
            }
            News::Confirmed => {
                let confirmed = before.map(|known| Known {
                    generation,
                    ..known.clone()
                });
                rows.extend(confirmed.map(|known| (&change.event_id, known)));
            }
            News::Conflict => {
                keep_conflict(tx, change, generation).await?;
                merged.conflicts += 1;
            }
        }
    }
    merged.changed = rows.len();
    merged.due = rows
        .values()
        .any(|row| row.result_seq != known.get(&row.event.id).map_or(0, |known| known.result_seq));
    if !rows.is_empty() {
        fence::exclude(tx, rows.keys().copied()).await?;
        write(tx, rows.into_values()).await?;
    }
    Ok(merged)
}

async fn find_known(
    tx: &mut AsyncPgConnection,
    changes: &[Change],
) -> Result<HashMap<EventId, Known>, StoreError> {
    let mut ids: Vec<&str> = changes.iter().map(|change| change.event_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows: Vec<(EventColumns, i32, i64, i64)> = events::table
        .filter(events::id.eq_any(ids))
        .select((
            EventColumns::as_select(),
            events::generation,
            events::result_seq,
            events::result_revision,
        ))
        .load(tx)
        .await?;
    rows.into_iter()
        .map(|(row, generation, result_seq, result_revision)| {
            let event = Event::try_from(row)?;
            Ok((
                event.id.clone(),
                Known {
                    event,
                    generation,
                    result_seq: to_count(result_seq)?,
                    result_revision: to_count(result_revision)?,
                },
            ))
        })
        .collect()
}

#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
struct Row {
    id: String,
    title: String,
    odds: i32,
    deadline: OffsetDateTime,
    status: i16,
    revision: i64,
    generation: i32,
    closed_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    result_seq: i64,
    result_revision: i64,
}

impl From<Known> for Row {
    fn from(known: Known) -> Self {
        let Known {
            event,
            generation,
            result_seq,
            result_revision,
        } = known;
        Self {
            id: event.id.to_string(),
            title: event.title,
            odds: event.odds.hundredths(),
            deadline: event.deadline.as_offset_date_time(),
            status: event_status(event.status),
            revision: to_bigint(event.revision),
            generation,
            closed_at: event.closed_at.map(Timestamp::as_offset_date_time),
            created_at: event.created_at.as_offset_date_time(),
            updated_at: event.updated_at.as_offset_date_time(),
            result_seq: to_bigint(result_seq),
            result_revision: to_bigint(result_revision),
        }
    }
}

async fn write(tx: &mut AsyncPgConnection, rows: impl Iterator<Item = Known>) -> Result<(), StoreError> {
    diesel::insert_into(events::table)
        .values(rows.map(Row::from).collect::<Vec<_>>())
        .on_conflict(events::id)
        .do_update()
        .set((
            events::title.eq(excluded(events::title)),
            events::odds.eq(excluded(events::odds)),
            events::deadline.eq(excluded(events::deadline)),
            events::status.eq(excluded(events::status)),
            events::revision.eq(excluded(events::revision)),
            events::generation.eq(excluded(events::generation)),
            events::closed_at.eq(excluded(events::closed_at)),
            events::created_at.eq(excluded(events::created_at)),
            events::updated_at.eq(excluded(events::updated_at)),
            events::result_seq.eq(excluded(events::result_seq)),
            events::result_revision.eq(excluded(events::result_revision)),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

async fn keep_conflict(
    tx: &mut AsyncPgConnection,
    change: &Change,
    generation: i32,
) -> Result<(), StoreError> {
    let received = serde_json::to_value(change).expect("a change is made of strings and numbers");
    tracing::error!(event_id = %change.event_id, revision = change.revision, "one revision has two contents");
    metrics::counter!("bet_maker_feed_conflicts_total").increment(1);
    diesel::insert_into(feed_conflicts::table)
        .values((
            feed_conflicts::event_id.eq(change.event_id.as_str()),
            feed_conflicts::generation.eq(generation),
            feed_conflicts::revision.eq(to_bigint(change.revision)),
            feed_conflicts::digest.eq(Digest::of(change).as_bytes()),
            feed_conflicts::received.eq(received),
            feed_conflicts::seen_at.eq(clock_timestamp()),
        ))
        .on_conflict_do_nothing()
        .execute(tx)
        .await?;
    Ok(())
}

/// Unfinished events that the history counted in `generation` has not named, or contradicts: while there are
/// any, that history cannot be trusted to end what this one began.
///
/// # Errors
/// [`StoreError`].
pub async fn count_unconfirmed(tx: &mut AsyncPgConnection, generation: i32) -> Result<i64, StoreError> {
    let open = events::status.eq(0).and(events::closed_at.is_null());
    let contradicted = feed_conflicts::table
        .filter(feed_conflicts::generation.eq(generation))
        .select(feed_conflicts::event_id);
    let in_doubt = events::table
        .filter(events::generation.lt(generation))
        .filter(open.or(events::id.eq_any(contradicted)));
    Ok(in_doubt.count().get_result(tx).await?)
}

/// Closes betting on up to 500 of the events that the history counted in `generation` has not named, and says on
/// how many. Their bets stay as they are: nothing is voided for lack of news.
///
/// # Errors
/// [`StoreError`].
pub async fn close_unconfirmed(tx: &mut AsyncPgConnection, generation: i32) -> Result<usize, StoreError> {
    let open = events::status
        .eq(0)
        .and(events::closed_at.is_null())
        .and(events::generation.lt(generation));
    let ids: Vec<String> = events::table
        .filter(open)
        .order(events::id)
        .limit(500)
        .select(events::id)
        .load(tx)
        .await?;
    let fences = ids
        .iter()
        .map(|id| id.parse().map_err(|_| corrupt("event id", id)))
        .collect::<Result<Vec<EventId>, _>>()?;
    fence::exclude(tx, &fences).await?;
    // No result becomes due by this: the fences see to it that every bet was placed before this clock is read.
    let closed = diesel::update(events::table.filter(events::id.eq_any(ids)))
        .set(events::closed_at.eq(sql::<Nullable<Timestamptz>>("least(deadline, clock_timestamp())")))
        .execute(tx)
        .await?;
    Ok(closed)
}
