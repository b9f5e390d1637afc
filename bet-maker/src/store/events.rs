//! Events as bet-maker knows them.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Numeric};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use shared_types::{BetStatus, Event, EventId, Odds, Timestamp};
use time::OffsetDateTime;

use super::StoreError;
use super::codes::{EventColumns, corrupt, to_bet_status, to_count, to_event_status};
use super::schema::functions::clock_timestamp;
use super::schema::{bets, events};
use crate::placement::Terms;

/// The event of that id, or `None`.
///
/// # Errors
/// [`StoreError`].
pub async fn find(conn: &mut AsyncPgConnection, id: &EventId) -> Result<Option<Event>, StoreError> {
    let row = events::table
        .find(id.as_str())
        .select(EventColumns::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Event::try_from).transpose()
}

/// Events open for betting by the database's clock, sorted by (deadline, id), those behind `after`.
///
/// # Errors
/// [`StoreError`].
pub async fn list_open(
    conn: &mut AsyncPgConnection,
    after: Option<(Timestamp, &EventId)>,
    limit: u16,
) -> Result<Vec<Event>, StoreError> {
    let mut query = events::table
        .filter(events::status.eq(0).and(events::closed_at.is_null()))
        .filter(events::deadline.gt(clock_timestamp()))
        .order((events::deadline, events::id))
        .limit(limit.into())
        .select(EventColumns::as_select())
        .into_boxed();
    if let Some((deadline, id)) = after {
        let deadline = deadline.as_offset_date_time();
        query = query.filter(
            events::deadline
                .gt(deadline)
                .or(events::deadline.eq(deadline).and(events::id.gt(id.as_str()))),
        );
    }
    query.load(conn).await?.into_iter().map(Event::try_from).collect()
}

/// What placements need of the events of `ids`; unknown ones are left out.
///
/// # Errors
/// [`StoreError`].
pub async fn terms(
    conn: &mut AsyncPgConnection,
    ids: &[&str],
) -> Result<HashMap<EventId, Terms>, StoreError> {
    type Row = (String, i32, i64, OffsetDateTime, i16, Option<OffsetDateTime>);
    let rows: Vec<Row> = events::table
        .filter(events::id.eq_any(ids))
        .select((
            events::id,
            events::odds,
            events::revision,
            events::deadline,
            events::status,
            events::closed_at,
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, odds, revision, deadline, status, closed_at)| {
            let terms = Terms {
                odds: Odds::from_hundredths(odds.into()).map_err(|_| corrupt("odds", odds))?,
                revision: to_count(revision)?,
                deadline: deadline.into(),
                status: to_event_status(status)?,
                closed_at: closed_at.map(Into::into),
            };
            Ok((id.parse().map_err(|_| corrupt("event id", &id))?, terms))
        })
        .collect()
}

/// Bets of one event in one status, added up. Amounts are in cents; a sum may exceed what one amount can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureLine {
    pub status: BetStatus,
    pub bets: u64,
    pub stakes: Decimal,
    /// What these bets pay if the first team wins; void ones pay their stake back.
    pub payout_if_first_team_wins: Decimal,
    /// What was paid or refunded; zero while pending.
    pub paid: Decimal,
}

/// The bets of an event by status; statuses without bets are left out.
///
/// # Errors
/// [`StoreError`].
pub async fn exposure(conn: &mut AsyncPgConnection, id: &EventId) -> Result<Vec<ExposureLine>, StoreError> {
    type Row = (i16, i64, Decimal, Decimal, Decimal);
    // Integer division cuts as the rule in `settlement` does: stakes and odds are positive.
    let rows: Vec<Row> = bets::table
        .filter(bets::event_id.eq(id.as_str()))
        .group_by(bets::status)
        .select((
            bets::status,
            sql::<BigInt>("count(*)"),
            sql::<Numeric>("sum(stake)"),
            sql::<Numeric>("sum(case when status = 3 then stake else stake * odds / 100 end)"),
            sql::<Numeric>("coalesce(sum(payout), 0)"),
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(status, bets, stakes, payout_if_first_team_wins, paid)| {
            Ok(ExposureLine {
                status: to_bet_status(status)?,
                bets: to_count(bets)?,
                stakes,
                payout_if_first_team_wins,
                paid,
            })
        })
        .collect()
}
