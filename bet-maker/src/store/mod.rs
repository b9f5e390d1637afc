//! Everything that speaks SQL. One file a concern; each takes a connection, so that the caller decides what
//! stands in one transaction.
//!
//! Two writers change an event's row: [`changes`], one at a time across all replicas (it holds the feed's row),
//! and [`settlements`], which holds the event's row. Bets are inserted only under their event's fence.

pub mod audit;
pub mod bets;
pub mod changes;
pub mod codes;
pub mod events;
pub mod feed;
pub mod fence;
pub mod migrate;
pub mod placements;
pub mod schema;
pub mod settlements;

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::TimeoutType;
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;

/// No statement, no wait for a lock, and no idle transaction outlives these: a stuck one must not hold a fence.
const WORK_SESSION: &str = "set statement_timeout = '20s'; set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '10s'; set timezone = 'UTC'";
/// Reading is for anybody, so that it gets less.
const READ_SESSION: &str = "set statement_timeout = '5s'; set lock_timeout = '5s'; set idle_in_transaction_session_timeout = '5s'; \
     set default_transaction_read_only = on; set timezone = 'UTC'";

/// Over all that one unit of work asks of the database. Its own limits end sooner while it answers at all; this one
/// is for a host that froze, or a network that swallows packets.
const WORK_DEADLINE: Duration = Duration::from_secs(25);
/// As [`WORK_DEADLINE`], for reading.
const READ_DEADLINE: Duration = Duration::from_secs(8);

const WAIT_TO_WORK: Duration = Duration::from_secs(3);
const WAIT_TO_READ: Duration = Duration::from_secs(1);

/// Why the store did not do as asked. Nothing was changed, except where a commit's answer was lost or not
/// waited for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection could be had.
    #[error("the database is away")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer in time.
    #[error("the database does not answer")]
    TimedOut,
    /// All connections for this kind of work are in use.
    #[error("too much waits for the database already")]
    Busy,
    #[error("the database refused a statement")]
    Query(#[from] diesel::result::Error),
    /// Settlement met a bet that was settled by the same result or a newer one already.
    #[error("a bet on event {0} was settled already")]
    SettledTwice(String),
    /// A row holds what no code of ours writes.
    #[error("the database holds a value that cannot be: {0}")]
    Corrupt(String),
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

/// Ends `work` when it takes longer than `limit`. Its connection is in the middle of something then, which the pool
/// notices and throws it away.
///
/// # Errors
/// [`StoreError::TimedOut`], or what the work ends with.
pub async fn within<T, E: From<StoreError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(StoreError::TimedOut.into()))
}

/// Connections to one database, some for work and some for reading: reading, however much of it, must not keep bets
/// from being placed and settled.
#[derive(Clone)]
pub struct Store {
    work: Pool<AsyncPgConnection>,
    read: Pool<AsyncPgConnection>,
}

impl Store {
    /// Makes pools of at most `connections` together, half for each; connects on first use.
    pub fn new(database_url: &str, connections: usize) -> Self {
        let read = connections / 2;
        Self {
            work: pool(database_url, connections - read, WORK_SESSION, WAIT_TO_WORK),
            read: pool(database_url, read.max(1), READ_SESSION, WAIT_TO_READ),
        }
    }

    /// A connection for placing, settling and following, outside of any transaction.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unavailable`] when none can be had within three seconds.
    pub async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        Ok(self.work.get().await?)
    }

    /// Places, settles, or follows: one unit of work under one deadline.
    ///
    /// # Errors
    /// As [`Store::connection`]; [`StoreError::TimedOut`]; what `unit` ends with.
    pub async fn work<T, E: From<StoreError>>(
        &self,
        unit: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        within(WORK_DEADLINE, async {
            unit(&mut *self.connection().await?).await
        })
        .await
    }

    /// Reads, on a connection that can do nothing else.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when all such connections are in use for a second; what `query` ends with.
    pub async fn read<T>(
        &self,
        query: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        within(READ_DEADLINE, async { query(&mut *self.read.get().await?).await }).await
    }
}

fn pool(database_url: &str, size: usize, session: &'static str, wait: Duration) -> Pool<AsyncPgConnection> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| {
        async move {
            let mut conn = AsyncPgConnection::establish(url).await?;
            conn.batch_execute(session)
                .await
                .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(database_url, config);
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(wait))
        .create_timeout(Some(WAIT_TO_WORK))
        .recycle_timeout(Some(WAIT_TO_WORK))
        .build()
        .expect("a runtime is given, which is all that building needs")
}
