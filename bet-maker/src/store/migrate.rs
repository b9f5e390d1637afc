//! Brings the database to this version's schema; safe when several replicas start at once.

use std::time::{Duration, Instant};

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::{
    AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection as _,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/bet-maker");

/// Another replica that hangs in a migration, or a table that somebody holds, ends the start and not the waiting.
/// Migrations themselves may take long on large tables.
const SESSION: &str = "set statement_timeout = '5min'; set idle_in_transaction_session_timeout = '1min'";
const TURN_WITHIN: Duration = Duration::from_secs(60);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A migration failed, or the database could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot reach the database to migrate it")]
    Unreachable(#[source] BoxedError),
    #[error("other replicas, which take turns at migrating, did not end within {} s", .patience.as_secs())]
    NoTurn {
        patience: Duration,
        #[source]
        source: BoxedError,
    },
    #[error("cannot migrate the database")]
    Failed(#[source] BoxedError),
    #[error("the database did not answer within {} s while it was migrated", .0.as_secs())]
    TimedOut(Duration),
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the pending migrations under a lock that all replicas respect. Blocks; run it on a thread of its own,
/// because diesel-async's harness needs a multi-threaded runtime, and do not wait for that without end.
///
/// # Errors
/// [`MigrateError`], by cause; a failed migration leaves no trace.
pub fn run(database_url: &str) -> Result<(), MigrateError> {
    run_in_turn(database_url, TURN_WITHIN)
}

/// [`run`], with another patience for its turn.
///
/// # Errors
/// As [`run`].
pub fn run_in_turn(database_url: &str, patience: Duration) -> Result<(), MigrateError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| MigrateError::Failed(error.into()))?;
    runtime.block_on(async {
        let connected = tokio::time::timeout(CONNECT_WITHIN, AsyncPgConnection::establish(database_url));
        let mut conn = connected
            .await
            .map_err(|error| MigrateError::Unreachable(error.into()))?
            .map_err(|error| MigrateError::Unreachable(error.into()))?;
        let session = format!("{SESSION}; set lock_timeout = {}", patience.as_millis());
        conn.batch_execute(&session)
            .await
            .map_err(|error| MigrateError::Failed(error.into()))?;
        // Two-part keys are a space apart from the fences' one-part keys. Released when the session ends.
        let began = Instant::now();
        conn.batch_execute("select pg_advisory_lock(1112756557, 1)")
            .await
            // diesel tells no SQLSTATE: what came sooner was no waiting in vain.
            .map_err(|error| {
                let source = error.into();
                if began.elapsed() >= patience {
                    MigrateError::NoTurn { patience, source }
                } else {
                    MigrateError::Failed(source)
                }
            })?;
        let mut harness = AsyncMigrationHarness::new(conn);
        harness
            .run_pending_migrations(MIGRATIONS)
            .map(|_| ())
            .map_err(MigrateError::Failed)
    })
}

/// The versions of all migrations, in their order.
pub fn versions() -> Vec<String> {
    let migrations =
        MigrationSource::<Pg>::migrations(&MIGRATIONS).expect("they were read when this was built");
    let mut versions: Vec<String> = migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    versions.sort_unstable();
    versions
}
