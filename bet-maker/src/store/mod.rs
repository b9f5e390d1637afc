//! Everything that speaks SQL. One file a concern; each takes a connection, so that the caller decides what
//! stands in one transaction.
//!
//! Two writers change an event's row: [`changes`], one at a time across all replicas (it holds the feed's row),
//! and [`settlements`], which holds the event's row. Bets are inserted only under their event's fence.

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
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;

/// No statement, no wait for a lock, and no idle transaction outlives these: a stuck one must not hold a fence.
const SESSION: &str = "set statement_timeout = '20s'; set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '10s'; set timezone = 'UTC'";

const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(3);

/// Why the store did not do as asked. Nothing was changed, except where a commit's answer was lost.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection could be had.
    #[error("the database is away")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
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
        Self::Unavailable(Box::new(error))
    }
}

/// A pool of connections to one database.
#[derive(Clone)]
pub struct Store {
    pool: Pool<AsyncPgConnection>,
}

impl Store {
    /// Makes a pool of at most `connections`; connects on first use.
    pub fn new(database_url: &str, connections: usize) -> Self {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(|url| {
            async move {
                let mut conn = AsyncPgConnection::establish(url).await?;
                conn.batch_execute(SESSION)
                    .await
                    .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(conn)
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(database_url, config);
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_FOR_CONNECTION))
            .create_timeout(Some(WAIT_FOR_CONNECTION))
            .recycle_timeout(Some(WAIT_FOR_CONNECTION))
            .build()
            .expect("a runtime is given, which is all that building needs");
        Self { pool }
    }

    /// A connection outside of any transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when none can be had within three seconds.
    pub async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        Ok(self.pool.get().await?)
    }
}
