//! The servers that are measured: a durable Postgres and the real services, private, on loopback, gone afterwards.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand::Rng as _;
use shared_types::Timestamp;
use shared_types::signature::Secret;
use tempfile::TempDir;
use test_support::{Client, Postgres, Service, poll_until};
use tokio_postgres::NoTls;

use crate::cpu::Program;
use crate::http::load::{Load, Outcome, Until};
use crate::http::render;
use crate::progress::Progress;

/// The line that says where a service listens is needed, and written once.
pub const RUST_LOG: &str = "warn,line_provider::app=info,bet_maker::app=info";
/// The same for both sides of every comparison.
const POSTGRES: [(&str, &str); 3] = [
    ("shared_buffers", "512MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
];
const DATABASE: &str = "bench";
const READY_PATIENCE: Duration = Duration::from_secs(30);
const NEWS_PATIENCE: Duration = Duration::from_secs(60);
/// Commands that create events, at once.
const CREATORS: usize = 64;
const DEADLINE_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
pub const ODDS: &str = "1.85";

/// A line-provider with a journal of its own.
pub struct Provider {
    pub service: Service,
    pub token: String,
    _data: TempDir,
}

impl Provider {
    pub async fn start() -> Result<Self> {
        let data = tempfile::Builder::new().prefix("bench-journal-").tempdir()?;
        let token: String = rand::rng()
            .sample_iter(rand::distr::Alphanumeric)
            .take(32)
            .map(char::from)
            .collect();
        let service = Service::named("line-provider")
            .env("RUST_LOG", RUST_LOG)
            .env("LINE_PROVIDER_DATA_DIR", data.path().display().to_string())
            .env("LINE_PROVIDER_OPERATOR_TOKEN", &token)
            .env("LINE_PROVIDER_AUTO_RESULT", "off")
            .try_start()
            .await?;
        wait_until_ready(&service).await?;
        Ok(Self {
            service,
            token,
            _data: data,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.service.address()
    }

    pub fn client(&self) -> Client {
        self.service.client().with_bearer(&self.token)
    }

    pub fn program(&self) -> Result<Program> {
        program("line-provider", self.service.pid())
    }

    pub fn data(&self) -> &Path {
        self._data.path()
    }

    /// A rendered operator's request.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        render(method, path, self.address(), Some(&self.token), body)
    }

    /// Creates open events of these ids.
    pub async fn create_events(&self, ids: &[String], progress: &Progress) -> Result<()> {
        let deadline = Timestamp::now().saturating_add(DEADLINE_AHEAD);
        let create = |id: &String| {
            let body = format!(
                r#"{{"id":"{id}","title":"First against second, {id}","odds":"{ODDS}","deadline":"{deadline}"}}"#
            );
            self.request("POST", "/events", &body)
        };
        let requests = ids.iter().map(create).collect();
        let what = format!("creating {} events", ids.len());
        self.send_all(requests, 201, &what, progress).await?;
        Ok(())
    }

    /// Sends every request once.
    ///
    /// # Errors
    /// One of them was not answered by `expect`.
    pub async fn send_all(
        &self,
        requests: Arc<[Vec<u8>]>,
        expect: u16,
        what: &str,
        progress: &Progress,
    ) -> Result<Outcome> {
        let total = u64::try_from(requests.len())?;
        let load = Load {
            address: self.address(),
            connections: CREATORS,
            requests,
            expect,
            expect_bytes: None,
            until: Until::AllSent,
            processor: None,
        };
        let answered = Arc::new(AtomicU64::new(0));
        let counted = || answered.load(Ordering::Relaxed);
        let outcome = progress
            .during(what, total, counted, load.run(Arc::clone(&answered)))
            .await?;
        if outcome.good != total {
            bail!(
                "{what}: {} of {total} succeeded: {:?}",
                outcome.good,
                outcome.faults
            );
        }
        Ok(outcome)
    }
}

/// The pair over a Postgres. Fields end in their order.
pub struct Lab {
    pub bet_maker: Service,
    pub provider: Provider,
    pub database: tokio_postgres::Client,
    pub postgres: Postgres,
}

impl Lab {
    pub async fn start(progress: &Progress) -> Result<Self> {
        progress.say("starting Postgres and the pair");
        let provider = Provider::start().await?;
        let postgres = tokio::task::spawn_blocking(|| {
            let settings = POSTGRES.iter();
            settings
                .fold(Postgres::builder().durable(), |builder, (name, value)| {
                    builder.setting(name, value)
                })
                .start()
        });
        let postgres = postgres.await??;
        test_support::ensure_database(&postgres.url("postgres"), DATABASE).await?;
        let url = postgres.url(DATABASE);
        let secret = Secret::from_bytes(&rand::random::<[u8; 32]>())?;
        let bet_maker = Service::named("bet-maker")
            .env("RUST_LOG", RUST_LOG)
            .env("BET_MAKER_DATABASE_URL", &url)
            .env("BET_MAKER_LINE_PROVIDER_URL", provider.service.url())
            .env("BET_MAKER_LINE_PROVIDER_TOKEN", &provider.token)
            .env("BET_MAKER_CALLBACK_SECRET", secret.expose())
            .env("BET_MAKER_CALLBACK_URL", "")
            .try_start()
            .await?;
        wait_until_ready(&bet_maker).await?;
        let (database, connection) = tokio_postgres::connect(&url, NoTls).await?;
        actix_rt::spawn(connection);
        Ok(Self {
            bet_maker,
            provider,
            database,
            postgres,
        })
    }

    pub fn database_url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    pub fn programs(&self) -> Result<Vec<Program>> {
        Ok(vec![
            program("bet-maker", self.bet_maker.pid())?,
            Program {
                whole_family: true,
                ..program("Postgres", self.postgres.pid())?
            },
            self.provider.program()?,
            program("generator", Some(std::process::id()))?,
        ])
    }

    /// Waits until bet-maker knows so many events, then lets Postgres look at its tables once.
    pub async fn wait_for_events(&self, events: usize) -> Result<()> {
        let events = i64::try_from(events)?;
        poll_until(NEWS_PATIENCE, async || {
            let row = self.database.query_one("select count(*) from events", &[]).await;
            row.is_ok_and(|row| row.get::<_, i64>(0) >= events).then_some(())
        })
        .await
        .map_err(|_| anyhow::anyhow!("bet-maker does not learn of {events} events"))?;
        self.database.batch_execute("vacuum (analyze)").await?;
        Ok(())
    }

    /// An empty copy of the table of bets, with its checks, indexes and storage settings.
    pub async fn create_copy_of_bets(&self, name: &str) -> Result<()> {
        let row = self
            .database
            .query_one(
                "select array_to_string(reloptions, ', ') from pg_class where oid = 'bets'::regclass",
                &[],
            )
            .await?;
        let options: String = row.get(0);
        self.database
            .batch_execute(&format!(
                "drop table if exists {name}; create table {name} (like bets including all) with ({options})"
            ))
            .await?;
        Ok(())
    }

    /// What was measured on, for the notes.
    pub async fn describe(&self) -> Result<String> {
        let names = [
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "shared_buffers",
            "max_wal_size",
        ];
        let mut settings = Vec::new();
        for name in names {
            let row = self
                .database
                .query_one("select current_setting($1)", &[&name])
                .await?;
            settings.push(format!("{name}={}", row.get::<_, String>(0)));
        }
        let row = self.database.query_one("show server_version", &[]).await?;
        let version: String = row.get(0);
        Ok(format!(
            "PostgreSQL {version}, both sides on the same server: {}",
            settings.join(" ")
        ))
    }

    /// Ends everything in order; dropping would do as well, but less gently.
    pub async fn stop(mut self) {
        self.bet_maker.terminate().await;
        self.provider.service.terminate().await;
        self.postgres.stop();
    }
}

pub fn program(name: &'static str, pid: Option<u32>) -> Result<Program> {
    let pid = pid.with_context(|| format!("{name} is not running"))?;
    Ok(Program {
        name,
        pid,
        whole_family: false,
    })
}

async fn wait_until_ready(service: &Service) -> Result<()> {
    let mut last = None;
    let ready = poll_until(READY_PATIENCE, async || match service.check_ready().await {
        Ok(()) => Some(()),
        Err(error) => {
            last = Some(error);
            None
        }
    });
    if ready.await.is_err() {
        bail!(
            "{} is not ready: {:#}\n{}",
            service.name(),
            last.context("it was not asked")?,
            service.last_log_lines(20)
        );
    }
    Ok(())
}

/// `event-1`, `event-2`, …
pub fn event_ids(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("event-{number}")).collect()
}
