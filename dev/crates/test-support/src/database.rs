//! A database per test, copied from a template that is migrated once per server.
//!
//! The server is the one in `TEST_POSTGRES_URL` (set by `with-postgres`, a throw-away server: a template found there
//! is taken as current), else one that this process starts for itself. An advisory lock makes the first caller,
//! among all test processes, build the template. Dropping a [`TestDatabase`] drops the database, sessions included.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use tokio_postgres::{Client, NoTls};

use crate::postgres::Postgres;

/// The URL of the shared server's database `postgres`, as its superuser.
pub const TEST_POSTGRES_URL: &str = "TEST_POSTGRES_URL";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A migrated database of one test's own.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Copies the template of that name (a lower-case identifier of at most 30 letters), which the first caller
    /// makes by `migrate(url)` on an empty database.
    ///
    /// # Panics
    /// No server can be had, or `migrate` failed.
    pub async fn create<E>(template: &str, migrate: impl AsyncFnOnce(String) -> Result<(), E>) -> Self
    where
        E: Into<anyhow::Error>,
    {
        let server = server_url();
        let made = async {
            build_template(&server, template, migrate).await?;
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{template}_{}_{number}", std::process::id());
            let admin = connect(&server).await?;
            // A killed process of the same id may have left one.
            admin
                .batch_execute(&format!("drop database if exists {name} with (force)"))
                .await?;
            admin
                .batch_execute(&format!("create database {name} template {template}"))
                .await?;
            anyhow::Ok(name)
        };
        let name = made
            .await
            .unwrap_or_else(|error| panic!("no test database: {error:#}"));
        Self {
            url: with_database(&server, &name),
            server,
            name,
        }
    }

    /// An empty database.
    ///
    /// # Panics
    /// No server can be had.
    pub async fn empty() -> Self {
        Self::create("empty", async |_| anyhow::Ok(())).await
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A plain connection, to look at what the code under test wrote.
    ///
    /// # Panics
    /// The server is gone.
    pub async fn connect(&self) -> Client {
        connect(&self.url)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // Drop may run inside a runtime, which cannot be blocked on from within: use a thread of its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let admin = connect(&server).await?;
                admin
                    .batch_execute(&format!("drop database if exists {name} with (force)"))
                    .await?;
                anyhow::Ok(())
            })
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("test database {} is left behind: {error:#}", self.name);
        }
    }
}

/// The same server's URL for another database.
///
/// # Panics
/// `url` has no path.
pub fn with_database(url: &str, database: &str) -> String {
    let (address, query) = url
        .split_once('?')
        .map_or((url, None), |(address, query)| (address, Some(query)));
    let (server, _) = address
        .rsplit_once('/')
        .expect("a database URL ends with /<database>");
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{server}/{database}{query}")
}

/// Creates a database unless it is there.
///
/// # Errors
/// The server cannot be reached, or the name is not an identifier.
pub async fn ensure_database(server: &str, name: &str) -> Result<()> {
    let admin = connect(server).await?;
    let found = admin
        .query_opt("select from pg_database where datname = $1", &[&name])
        .await?;
    if found.is_none() {
        admin.batch_execute(&format!("create database {name}")).await?;
    }
    Ok(())
}

fn server_url() -> String {
    static OWN: OnceLock<Postgres> = OnceLock::new();
    std::env::var(TEST_POSTGRES_URL).unwrap_or_else(|_| {
        OWN.get_or_init(|| {
            Postgres::builder()
                // Dozens of short-lived databases: its launcher would only disturb.
                .setting("autovacuum", "off")
                .start()
                .unwrap_or_else(|error| panic!("no Postgres for the tests: {error:#}"))
        })
        .url("postgres")
    })
}

async fn build_template<E>(
    server: &str,
    template: &str,
    migrate: impl AsyncFnOnce(String) -> Result<(), E>,
) -> Result<()>
where
    E: Into<anyhow::Error>,
{
    let admin = connect(server).await?;
    if is_built(&admin, template).await? {
        return Ok(());
    }
    // The lock goes with the session, so that a builder that is killed blocks nobody.
    admin
        .execute("select pg_advisory_lock(hashtextextended($1, 0))", &[&template])
        .await?;
    if is_built(&admin, template).await? {
        return Ok(());
    }
    admin
        .batch_execute(&format!("drop database if exists {template} with (force)"))
        .await?;
    admin
        .batch_execute(&format!("create database {template}"))
        .await?;
    migrate(with_database(server, template))
        .await
        .map_err(Into::into)
        .with_context(|| format!("the migration of template {template} failed"))?;
    // A template that somebody is connected to cannot be copied: close it, then show it as built.
    admin
        .batch_execute(&format!("alter database {template} allow_connections false"))
        .await?;
    admin
        .execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1",
            &[&template],
        )
        .await?;
    admin
        .batch_execute(&format!("alter database {template} is_template true"))
        .await?;
    Ok(())
}

async fn is_built(admin: &Client, template: &str) -> Result<bool> {
    let row = admin
        .query_one(
            "select exists (select from pg_database where datname = $1 and datistemplate)",
            &[&template],
        )
        .await?;
    Ok(row.get(0))
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .with_context(|| format!("cannot connect to {url}"))?;
    // Ends when the client is dropped; what went wrong is told to the client's caller.
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced_and_the_rest_stays() {
        assert_eq!(
            with_database("postgres://me@%2Ftmp%2Fx:5432/postgres", "b"),
            "postgres://me@%2Ftmp%2Fx:5432/b"
        );
        assert_eq!(
            with_database("postgres://h/a?host=/tmp", "b"),
            "postgres://h/b?host=/tmp"
        );
    }
}
