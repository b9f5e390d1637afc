//! Brings the database to this version's schema; safe when several replicas start at once.

use diesel_async::{
    AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection as _,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/bet-maker");

/// A migration failed, or the database could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot migrate the database")]
pub struct MigrateError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Runs the pending migrations under a lock that all replicas respect. Blocks; run it on a thread of its own,
/// because diesel-async's harness needs a multi-threaded runtime.
///
/// # Errors
/// [`MigrateError`] when the database is away or a migration fails; a failed migration leaves no trace.
pub fn run(database_url: &str) -> Result<(), MigrateError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| MigrateError(error.into()))?;
    runtime.block_on(async {
        let mut conn = AsyncPgConnection::establish(database_url)
            .await
            .map_err(|error| MigrateError(error.into()))?;
        // Two-part keys are a space apart from the fences' one-part keys. Released when the session ends.
        conn.batch_execute("select pg_advisory_lock(1112756557, 1)")
            .await
            .map_err(|error| MigrateError(error.into()))?;
        let mut harness = AsyncMigrationHarness::new(conn);
        harness
            .run_pending_migrations(MIGRATIONS)
            .map(|_| ())
            .map_err(MigrateError)
    })
}
