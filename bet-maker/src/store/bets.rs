//! Bets: reading them. Placing is in [`super::placements`], settling in [`super::settlements`].

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use shared_types::{Bet, BetId, BetStatus, BettorId, EventId, Money, Odds};
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use super::codes::{bet_status, corrupt, to_bet_status, to_count, to_void_reason};
use super::schema::bets;
use crate::settlement::potential_payout;

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = bets, check_for_backend(diesel::pg::Pg))]
pub(super) struct BetRow {
    id: Uuid,
    event_id: String,
    bettor: Option<String>,
    stake: i64,
    odds: i32,
    event_revision: i64,
    placed_at: OffsetDateTime,
    status: i16,
    void_reason: Option<i16>,
    payout: Option<i64>,
    settled_at: Option<OffsetDateTime>,
}

impl TryFrom<BetRow> for Bet {
    type Error = StoreError;

    fn try_from(row: BetRow) -> Result<Self, StoreError> {
        let stake = Money::from_cents(row.stake);
        let odds = Odds::from_hundredths(row.odds.into()).map_err(|_| corrupt("odds", row.odds))?;
        Ok(Self {
            id: BetId::from_uuid(row.id),
            event_id: row
                .event_id
                .parse()
                .map_err(|_| corrupt("event id", &row.event_id))?,
            bettor: match row.bettor {
                Some(bettor) => Some(bettor.parse().map_err(|_| corrupt("bettor", &bettor))?),
                None => None,
            },
            stake,
            odds,
            potential_payout: potential_payout(stake, odds),
            status: to_bet_status(row.status)?,
            void_reason: row.void_reason.map(to_void_reason).transpose()?,
            payout: row.payout.map(Money::from_cents),
            event_revision: to_count(row.event_revision)?,
            placed_at: row.placed_at.into(),
            settled_at: row.settled_at.map(Into::into),
        })
    }
}

/// Which bets to list; absent means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BetFilter {
    pub event_id: Option<EventId>,
    pub bettor: Option<BettorId>,
    pub status: Option<BetStatus>,
}

/// The bet of that id, or `None`.
///
/// # Errors
/// [`StoreError`].
pub async fn find(conn: &mut AsyncPgConnection, id: BetId) -> Result<Option<Bet>, StoreError> {
    let row = bets::table
        .find(id.as_uuid())
        .select(BetRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Bet::try_from).transpose()
}

/// Bets by descending id, which is newest first; those before `before`.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &BetFilter,
    before: Option<BetId>,
    limit: u16,
) -> Result<Vec<Bet>, StoreError> {
    let mut query = bets::table
        .order(bets::id.desc())
        .limit(limit.into())
        .select(BetRow::as_select())
        .into_boxed();
    if let Some(event_id) = &filter.event_id {
        query = query.filter(bets::event_id.eq(event_id.as_str()));
    }
    if let Some(bettor) = &filter.bettor {
        query = query.filter(bets::bettor.eq(bettor.as_str()));
    }
    if let Some(status) = filter.status {
        query = query.filter(bets::status.eq(bet_status(status)));
    }
    if let Some(before) = before {
        query = query.filter(bets::id.lt(*before.as_uuid()));
    }
    query.load(conn).await?.into_iter().map(Bet::try_from).collect()
}
