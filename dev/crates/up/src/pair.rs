//! The running processes: Postgres, line-provider, bet-maker, with the settings that make them a pair.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use test_support::{Postgres, Service, ensure_database, last_lines, reachable};

use crate::home::{Home, Secrets};
use crate::{Settings, say};

const READY_PATIENCE: Duration = Duration::from_secs(60);
const REMINDER: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const DATABASE: &str = "bet_maker";
const LOG_LINES: usize = 20;

/// What of it is running.
#[derive(Default)]
pub struct Pair {
    postgres: Option<Postgres>,
    line_provider: Option<Service>,
    bet_maker: Option<Service>,
}

impl Pair {
    /// # Errors
    /// Something does not start or does not become ready; what did start is still in `self`, to be stopped.
    pub async fn start(&mut self, home: &Home, settings: &Settings, secrets: &Secrets) -> Result<()> {
        let database_url = match &settings.bet_maker_database_url {
            Some(url) => {
                say("using the database of BET_MAKER_DATABASE_URL");
                url.clone()
            }
            None => self.start_postgres(home).await?,
        };

        let (line_provider, bet_maker) = (settings.line_provider_listen, settings.bet_maker_listen);
        let callback_host = reachable(bet_maker);
        let service = Service::named("line-provider")
            .listen(&line_provider.to_string())
            .log_file(home.new_log("line-provider")?)
            .env(
                "LINE_PROVIDER_DATA_DIR",
                home.line_provider_data().display().to_string(),
            )
            .env("LINE_PROVIDER_OPERATOR_TOKEN", &secrets.operator_token);
        let service = self.line_provider.insert(announce(service.try_start().await?));
        wait_until_ready(service).await?;

        let service = Service::named("bet-maker")
            .listen(&bet_maker.to_string())
            .log_file(home.new_log("bet-maker")?)
            .env("BET_MAKER_DATABASE_URL", database_url)
            .env("BET_MAKER_LINE_PROVIDER_URL", service.url())
            .env("BET_MAKER_LINE_PROVIDER_TOKEN", &secrets.operator_token)
            .env(
                "BET_MAKER_CALLBACK_URL",
                format!("http://{callback_host}/callbacks/line-provider"),
            )
            .env("BET_MAKER_CALLBACK_SECRET", &secrets.callback_secret);
        let service = self.bet_maker.insert(announce(service.try_start().await?));
        wait_until_ready(service).await
    }

    async fn start_postgres(&mut self, home: &Home) -> Result<String> {
        let folder = home.postgres_data()?;
        let log = home.new_log("postgres")?;
        say(&format!(
            "starting Postgres in {}",
            folder.canonicalize().unwrap_or_else(|_| folder.clone()).display()
        ));
        let postgres = Postgres::builder()
            .data_dir(folder)
            .durable()
            .log_file(log)
            .start()?;
        ensure_database(&postgres.url("postgres"), DATABASE).await?;
        let url = postgres.url(DATABASE);
        self.postgres = Some(postgres);
        Ok(url)
    }

    /// `(line-provider, bet-maker)` once both are running.
    pub fn urls(&self) -> Option<(String, String)> {
        Some((self.line_provider.as_ref()?.url(), self.bet_maker.as_ref()?.url()))
    }

    /// The private server's URL, if there is one.
    pub fn database_url(&self) -> Option<String> {
        Some(self.postgres.as_ref()?.url(DATABASE))
    }

    /// What has ended by itself, in words, with its last log lines.
    pub fn find_death(&mut self) -> Option<String> {
        for service in [&mut self.line_provider, &mut self.bet_maker]
            .into_iter()
            .flatten()
        {
            if let Some(status) = service.exited() {
                return Some(format!(
                    "{} has ended ({status}); its last lines:\n{}",
                    service.name(),
                    service.last_log_lines(LOG_LINES)
                ));
            }
        }
        let postgres = self.postgres.as_mut()?;
        let status = postgres.exited()?;
        let log = last_lines(postgres.log_file(), 0, LOG_LINES);
        Some(format!("Postgres has ended ({status}); its last lines:\n{log}"))
    }

    /// bet-maker first, so that it can finish its work while what it needs is there.
    pub async fn stop(&mut self) {
        for mut service in [self.bet_maker.take(), self.line_provider.take()]
            .into_iter()
            .flatten()
        {
            say(&format!("stopping {}", service.name()));
            service.terminate().await;
        }
        if let Some(mut postgres) = self.postgres.take() {
            say("stopping Postgres");
            postgres.stop();
        }
    }
}

fn announce(service: Service) -> Service {
    if let Some(pid) = service.pid() {
        say(&format!("started {} (process {pid})", service.name()));
    }
    service
}

async fn wait_until_ready(service: &mut Service) -> Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    let mut remind_at = Instant::now() + REMINDER;
    say(&format!("waiting for {}/readyz", service.url()));
    loop {
        if let Some(status) = service.exited() {
            bail!(
                "{} has ended ({status}); its last lines:\n{}",
                service.name(),
                service.last_log_lines(LOG_LINES)
            );
        }
        let Err(error) = service.check_ready().await else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return Err(error).with_context(|| {
                format!(
                    "{} was not ready after {} s; its last lines:\n{}\nThe reason",
                    service.name(),
                    READY_PATIENCE.as_secs(),
                    service.last_log_lines(LOG_LINES)
                )
            });
        }
        if Instant::now() > remind_at {
            remind_at += REMINDER;
            say(&format!("still waiting for {}: {error:#}", service.name()));
        }
        tokio::time::sleep(POLL).await;
    }
}
