//! What the audit compares outside of the database: events, the revisions that bets were placed on, and sums.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Numeric, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::TryStreamExt as _;
use rust_decimal::Decimal;
use shared_types::Event;
use time::OffsetDateTime;

use super::questions;
use crate::store::StoreError;
use crate::store::codes::{EventColumns, to_bet_status, to_count};
use crate::store::events::ExposureLine;
use crate::store::schema::events;

/// How much there is.
#[derive(QueryableByName, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    #[diesel(sql_type = BigInt)]
    pub bets: i64,
    #[diesel(sql_type = BigInt)]
    pub ledger: i64,
    #[diesel(sql_type = BigInt)]
    pub keys: i64,
}

/// # Errors
/// [`StoreError`].
pub async fn counts(conn: &mut AsyncPgConnection) -> Result<Counts, StoreError> {
    let query = "select (select count(*) from events) as events, (select count(*) from bets) as bets,
         (select count(*) from ledger) as ledger, (select count(*) from idempotency_keys) as keys";
    Ok(diesel::sql_query(query).get_result(conn).await?)
}

/// All revisions of all events, added up.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct Revisions {
    #[diesel(sql_type = Numeric)]
    pub total: Decimal,
}

/// # Errors
/// [`StoreError`].
pub async fn revisions(conn: &mut AsyncPgConnection) -> Result<Revisions, StoreError> {
    let query = "select coalesce(sum(revision), 0) as total from events";
    Ok(diesel::sql_query(query).get_result(conn).await?)
}

/// An event's row, with the history that its revision counts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    pub event: Event,
    pub generation: i32,
}

/// Gives `take` every event; one that cannot be read as its reason.
///
/// # Errors
/// [`StoreError`].
pub async fn each_event(
    conn: &mut AsyncPgConnection,
    mut take: impl FnMut(Result<KnownEvent, StoreError>),
) -> Result<(), StoreError> {
    let mut rows = events::table
        .select((EventColumns::as_select(), events::generation))
        .load_stream::<(EventColumns, i32)>(conn)
        .await?;
    while let Some((row, generation)) = rows.try_next().await? {
        take(Event::try_from(row).map(|event| KnownEvent { event, generation }));
    }
    Ok(())
}

/// The bets that were placed on one revision of one event.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct Group {
    #[diesel(sql_type = Text)]
    pub event_id: String,
    #[diesel(sql_type = BigInt)]
    pub revision: i64,
    #[diesel(sql_type = BigInt)]
    pub bets: i64,
    #[diesel(sql_type = Integer)]
    pub least_odds: i32,
    #[diesel(sql_type = Integer)]
    pub most_odds: i32,
    #[diesel(sql_type = Timestamptz)]
    pub last_placed_at: OffsetDateTime,
}

/// Gives `take` every revision that bets were placed on.
///
/// # Errors
/// [`StoreError`].
pub async fn each_group(conn: &mut AsyncPgConnection, mut take: impl FnMut(Group)) -> Result<(), StoreError> {
    let query = "select event_id, event_revision as revision, count(*) as bets, min(odds) as least_odds,
         max(odds) as most_odds, max(placed_at) as last_placed_at from bets group by event_id, event_revision";
    let mut rows = diesel::sql_query(query).load_stream::<Group>(conn).await?;
    while let Some(group) = rows.try_next().await? {
        take(group);
    }
    Ok(())
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    event_id: String,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = BigInt)]
    bets: i64,
    #[diesel(sql_type = Numeric)]
    stakes: Decimal,
    #[diesel(sql_type = Numeric)]
    payout_if_first_team_wins: Decimal,
    #[diesel(sql_type = Numeric)]
    paid: Decimal,
}

/// Begins to add up the bets of every event, for [`next_sums`].
///
/// # Errors
/// [`StoreError`].
pub async fn begin_sums(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    Ok(conn.batch_execute(questions::SUMS).await?)
}

/// The next sums, sorted by (event, status); none behind the last. What was paid is worked out from stakes and odds: it
/// is what should have been paid.
///
/// # Errors
/// [`StoreError`].
pub async fn next_sums(conn: &mut AsyncPgConnection) -> Result<Vec<(String, ExposureLine)>, StoreError> {
    let rows: Vec<SumRow> = diesel::sql_query(questions::NEXT_SUMS).load(conn).await?;
    rows.into_iter()
        .map(|row| {
            let line = ExposureLine {
                status: to_bet_status(row.status)?,
                bets: to_count(row.bets)?,
                stakes: row.stakes,
                payout_if_first_team_wins: row.payout_if_first_team_wins,
                paid: row.paid,
            };
            Ok((row.event_id, line))
        })
        .collect()
}
