//! Settling a chunk of one event's bets: outcomes, ledger and progress commit together.
//!
//! The event's row is held meanwhile, so that one event is settled by one worker, over all replicas, and a
//! newer result waits for the chunk. No bet can join the event: its result came in under the exclusive fence.

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use shared_types::{EventId, Money, Odds, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use super::codes::{bet_status, corrupt, to_event_status, void_reason};
use super::schema::functions::{clock_timestamp, settle_bets};
use super::schema::{bets, events};
use crate::settlement::{Outcome, Verdict, settle};

/// What one chunk did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub event_id: EventId,
    /// Bets looked at.
    pub seen: usize,
    /// Bets that became something else.
    pub settled: usize,
    /// Whether the event has nothing left to settle.
    pub finished: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(diesel::pg::Pg))]
struct DueEvent {
    id: String,
    status: i16,
    closed_at: Option<OffsetDateTime>,
    result_seq: i64,
    result_revision: i64,
    settled_seq: i64,
    settling_seq: i64,
    settle_after: Option<Uuid>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = bets, check_for_backend(diesel::pg::Pg))]
struct OpenBet {
    id: Uuid,
    stake: i64,
    odds: i32,
    placed_at: OffsetDateTime,
    status: i16,
    void_reason: Option<i16>,
    payout: Option<i64>,
}

/// A chunk could not be settled. It is redone later, without double effect.
#[derive(Debug, thiserror::Error)]
#[error("a chunk could not be settled")]
pub struct SettleError {
    /// Whose bets they were, if that was known by then.
    pub event_id: Option<String>,
    pub source: StoreError,
}

impl From<StoreError> for SettleError {
    fn from(source: StoreError) -> Self {
        Self {
            event_id: None,
            source,
        }
    }
}

impl From<diesel::result::Error> for SettleError {
    fn from(error: diesel::result::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Settles up to `limit` bets of an event that is due, that nobody else is settling, and that is not among those
/// `spared`; `None` if there is no such event. Events that were not begun yet come first, so that a large one holds up
/// no small one.
///
/// # Errors
/// [`SettleError`].
pub async fn settle_chunk(
    conn: &mut AsyncPgConnection,
    limit: u16,
    spared: &[String],
) -> Result<Option<Chunk>, SettleError> {
    conn.transaction(async |tx| {
        let due = events::table
            .filter(events::settled_seq.lt(events::result_seq))
            .filter(events::id.ne_all(spared))
            .order(events::settling_seq.eq(events::result_seq))
            .limit(1)
            .select((DueEvent::as_select(), clock_timestamp()))
            .for_update()
            .skip_locked()
            .first::<(DueEvent, OffsetDateTime)>(tx)
            .await
            .optional()?;
        let Some((event, now)) = due else { return Ok(None) };
        match settle_next(tx, &event, limit, now).await {
            Ok(chunk) => Ok(Some(chunk)),
            Err(source) => Err(SettleError {
                event_id: Some(event.id),
                source,
            }),
        }
    })
    .await
}

async fn settle_next(
    tx: &mut AsyncPgConnection,
    event: &DueEvent,
    limit: u16,
    now: OffsetDateTime,
) -> Result<Chunk, StoreError> {
    let bets = next_bets(tx, event, limit).await?;
    let finished = bets.len() < usize::from(limit);
    let settled = settle_all(tx, event, &bets, now).await?;
    let progress = match bets.last() {
        Some(last) if !finished => Progress::Behind(last.id),
        _ => Progress::Finished,
    };
    advance(tx, event, progress).await?;
    let event_id = event.id.parse().map_err(|_| corrupt("event id", &event.id))?;
    Ok(Chunk {
        event_id,
        seen: bets.len(),
        settled,
        finished,
    })
}

async fn next_bets(
    tx: &mut AsyncPgConnection,
    event: &DueEvent,
    limit: u16,
) -> Result<Vec<OpenBet>, StoreError> {
    // A pass begun for an earlier result starts over.
    let after = event
        .settle_after
        .filter(|_| event.settling_seq == event.result_seq)
        .unwrap_or(Uuid::nil());
    Ok(bets::table
        .filter(bets::event_id.eq(&event.id).and(bets::id.gt(after)))
        .order(bets::id)
        .limit(limit.into())
        .select(OpenBet::as_select())
        .load(tx)
        .await?)
}

/// Settles those of `bets` that the verdict changes.
async fn settle_all(
    tx: &mut AsyncPgConnection,
    event: &DueEvent,
    bets: &[OpenBet],
    now: OffsetDateTime,
) -> Result<usize, StoreError> {
    let verdict = Verdict {
        status: to_event_status(event.status)?,
        closed_at: event.closed_at.map(Timestamp::from),
    };
    let (mut ids, mut statuses, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    let (mut payouts, mut amounts) = (Vec::new(), Vec::new());
    for bet in bets {
        let outcome = bet.outcome(verdict)?;
        let (status, reason) = (
            bet_status(outcome.status()),
            outcome.void_reason().map(void_reason),
        );
        let payout = outcome.payout().map(Money::cents);
        if (status, reason, payout) == (bet.status, bet.void_reason, bet.payout) {
            continue;
        }
        ids.push(bet.id);
        statuses.push(status);
        reasons.push(reason);
        payouts.push(payout);
        amounts.push(payout.unwrap_or(0) - bet.payout.unwrap_or(0));
    }
    let asked = ids.len();
    if asked > 0 {
        let statement = settle_bets(
            event.result_seq,
            event.result_revision,
            now,
            ids,
            statuses,
            reasons,
            payouts,
            amounts,
        );
        let settled: i64 = diesel::select(statement).get_result(tx).await?;
        if usize::try_from(settled) != Ok(asked) {
            return Err(StoreError::SettledTwice(event.id.clone()));
        }
    }
    Ok(asked)
}

impl OpenBet {
    fn outcome(&self, verdict: Verdict) -> Result<Outcome, StoreError> {
        let odds = Odds::from_hundredths(self.odds.into()).map_err(|_| corrupt("odds", self.odds))?;
        Ok(settle(
            verdict,
            Money::from_cents(self.stake),
            odds,
            self.placed_at.into(),
        ))
    }
}

/// How far an event's bets are settled.
enum Progress {
    Behind(Uuid),
    Finished,
}

async fn advance(tx: &mut AsyncPgConnection, event: &DueEvent, progress: Progress) -> Result<(), StoreError> {
    let (settled_seq, settle_after) = match progress {
        Progress::Behind(last) => (event.settled_seq, Some(last)),
        Progress::Finished => (event.result_seq, None),
    };
    diesel::update(events::table.find(&event.id))
        .set((
            events::settling_seq.eq(event.result_seq),
            events::settled_seq.eq(settled_seq),
            events::settle_after.eq(settle_after),
        ))
        .execute(tx)
        .await?;
    Ok(())
}
