//! The questions of an audit: one snapshot of the whole database, read in statements over all rows and streamed, so that
//! neither bets nor findings are held in memory. Written apart from what places and settles: it is the second opinion.
//!
//! Answers are findings, a line each; [`crate::verify`] says what they are filed under.

mod questions;
mod rows;

use std::pin::pin;
use std::time::Duration;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{BigInt, Bool, Integer, Text, Timestamptz};
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::TryStreamExt as _;
use http_edge::report::Check;
use shared_types::{Odds, Timestamp};
use time::OffsetDateTime;

use super::{StoreError, migrate, within};

pub use rows::{
    Counts, Group, KnownEvent, Revisions, begin_sums, counts, each_event, each_group, next_sums, revisions,
};

/// Nothing here waits for a lock that anybody holds for long. A backend whose client is gone ends its statement, and
/// with it what it holds. A cursor is read to its end: a plan that is quick to begin would read the bets in an index's
/// order.
const SESSION: &str = "set lock_timeout = '10s'; set client_connection_check_interval = '5s'; set timezone = 'UTC'; \
     set work_mem = '64MB'; set cursor_tuple_fraction = 1";

/// How much longer the server waits than who asks.
const SPARE: Duration = Duration::from_secs(5);
/// Over connecting and the first, small statements: a server that hangs already is not waited for as one that works.
const OPEN_WITHIN: Duration = Duration::from_secs(15);

/// Why a database cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the database is not one of bet-maker, or was never started on")]
    Foreign,
    #[error("the database has the schema {found:?}, this bet-maker knows {known:?}")]
    OtherSchema { found: Vec<String>, known: Vec<String> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for AuditError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A connection in a transaction that sees one moment and can write nothing. Dropping it ends both. No statement, and no
/// pause between two, may take longer than `patience`.
///
/// # Errors
/// [`AuditError`], by cause.
pub async fn open(database_url: &str, patience: Duration) -> Result<AsyncPgConnection, AuditError> {
    within(OPEN_WITHIN, begin(database_url, patience)).await
}

async fn begin(database_url: &str, patience: Duration) -> Result<AsyncPgConnection, AuditError> {
    #[derive(QueryableByName)]
    struct Present {
        #[diesel(sql_type = Bool)]
        present: bool,
    }
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let mut conn = AsyncPgConnection::establish(database_url)
        .await
        .map_err(|error| StoreError::Unavailable(error.into()))?;
    // What waits for us gives up first, and says so.
    let patience_ms = (patience + SPARE).as_millis();
    let session = format!(
        "{SESSION}; set statement_timeout = {patience_ms}; set idle_in_transaction_session_timeout = {patience_ms}"
    );
    conn.batch_execute(&session).await?;
    conn.batch_execute("begin isolation level repeatable read, read only")
        .await?;
    let present = "select to_regclass('__diesel_schema_migrations') is not null
         and to_regclass('bets') is not null as present";
    let Present { present } = diesel::sql_query(present).get_result(&mut conn).await?;
    if !present {
        return Err(AuditError::Foreign);
    }
    let versions = "select version::text from __diesel_schema_migrations order by version";
    let found: Vec<Version> = diesel::sql_query(versions).load(&mut conn).await?;
    let found: Vec<String> = found.into_iter().map(|row| row.version).collect();
    let known = migrate::versions();
    if found == known {
        Ok(conn)
    } else {
        Err(AuditError::OtherSchema { found, known })
    }
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    finding: String,
}

/// Adds every row of `question` to the findings.
async fn ask<'q, Q>(conn: &mut AsyncPgConnection, check: &mut Check, question: Q) -> Result<(), StoreError>
where
    Q: LoadQuery<'q, AsyncPgConnection, Finding> + QueryFragment<Pg> + Send + 'q,
{
    let mut rows = pin!(question.load_stream::<Finding>(conn).await?);
    while let Some(row) = rows.try_next().await? {
        check.find(row.finding);
    }
    Ok(())
}

/// Bets that are not what the newest result of their event makes of them; events whose settlement is due are left out.
///
/// # Errors
/// [`StoreError`].
pub async fn settled_by_newest(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    ask(conn, check, diesel::sql_query(questions::SETTLED_BY_NEWEST)).await
}

/// Events whose settlement is due or under way.
///
/// # Errors
/// [`StoreError`].
pub async fn due(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    ask(conn, check, diesel::sql_query(questions::DUE)).await
}

/// Where bets and ledger differ.
///
/// # Errors
/// [`StoreError`].
pub async fn ledger_agrees(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    ask(conn, check, diesel::sql_query(questions::LEDGER_AGREES)).await
}

/// Keys without their bet, and bets with two keys.
///
/// # Errors
/// [`StoreError`].
pub async fn keys_agree(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    ask(conn, check, diesel::sql_query(questions::KEYS_AGREE)).await?;
    ask(conn, check, diesel::sql_query(questions::KEYS_SHARED)).await
}

/// Bets that contradict the very revision that their event is at, or each other. Says the truth only while one history
/// was ever followed.
///
/// # Errors
/// [`StoreError`].
pub async fn placed_by_tables(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    ask(conn, check, diesel::sql_query(questions::PLACED_BY_TABLES)).await?;
    ask(conn, check, diesel::sql_query(questions::PLACED_AT_ONE_PRICE)).await
}

/// A revision of an event, for the bets that were placed on it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub event_id: String,
    pub revision: i64,
    /// `None` where the log has no such revision.
    pub terms: Option<OfferTerms>,
}

/// At which odds and until when a revision takes bets.
#[derive(Clone, Copy, Debug)]
pub struct OfferTerms {
    pub odds: Odds,
    pub deadline: Timestamp,
    /// Whether it takes any at all.
    pub is_open: bool,
}

/// Bets that were placed on a revision otherwise than it allows.
///
/// # Errors
/// [`StoreError`].
pub async fn placed_on(
    conn: &mut AsyncPgConnection,
    check: &mut Check,
    offer: &Offer,
) -> Result<(), StoreError> {
    let (event_id, revision) = (&offer.event_id, offer.revision);
    match offer.terms {
        None => {
            let question = diesel::sql_query(questions::PLACED_ON_NOTHING)
                .bind::<Text, _>(event_id)
                .bind::<BigInt, _>(revision);
            ask(conn, check, question).await
        }
        Some(terms) => {
            let question = diesel::sql_query(questions::PLACED_ON)
                .bind::<Text, _>(event_id)
                .bind::<BigInt, _>(revision)
                .bind::<Integer, _>(terms.odds.hundredths())
                .bind::<Timestamptz, OffsetDateTime>(terms.deadline.as_offset_date_time())
                .bind::<Bool, _>(terms.is_open);
            ask(conn, check, question).await
        }
    }
}

/// Events' rows that contradict themselves, and revisions that came with two contents. `generation` is the highest that
/// an event may have.
///
/// # Errors
/// [`StoreError`].
pub async fn events_alone(
    conn: &mut AsyncPgConnection,
    check: &mut Check,
    generation: i32,
) -> Result<(), StoreError> {
    let question = diesel::sql_query(questions::EVENTS_ALONE).bind::<Integer, _>(generation);
    ask(conn, check, question).await?;
    ask(conn, check, diesel::sql_query(questions::CONFLICTS)).await
}
