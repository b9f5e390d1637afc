//! A line-provider and some bet-makers over one database, as processes of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{Client, Service, TestDatabase, wait_until};

pub const TOKEN: &str = "an-operator-token-for-tests";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Dropping it kills the processes.
pub struct Pair {
    pub line_provider: Service,
    pub bet_makers: Vec<Service>,
    pub journal: TempDir,
    pub database: Option<TestDatabase>,
}

/// A line-provider that keeps its journal in `journal`, not started yet.
pub fn line_provider(journal: &Path) -> test_support::ServiceBuilder {
    Service::named("line-provider")
        .env("LINE_PROVIDER_DATA_DIR", journal.display().to_string())
        .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
}

/// A bet-maker, not started yet.
pub fn bet_maker(database_url: &str, line_provider_url: &str) -> test_support::ServiceBuilder {
    Service::named("bet-maker")
        .env("BET_MAKER_DATABASE_URL", database_url)
        .env("BET_MAKER_LINE_PROVIDER_URL", line_provider_url)
        .env("BET_MAKER_LINE_PROVIDER_TOKEN", TOKEN)
        .env("BET_MAKER_CALLBACK_SECRET", SECRET)
}

/// A program of this workspace, built beside this test.
pub fn binary(name: &str) -> PathBuf {
    let mut binary = std::env::current_exe().unwrap();
    binary.pop();
    binary.pop();
    binary.push(name);
    assert!(
        binary.is_file(),
        "{} is missing: cargo build -p {name}",
        binary.display()
    );
    binary
}

impl Pair {
    /// One of each, ready.
    pub async fn start() -> Self {
        Self::with_replicas(1).await
    }

    /// One line-provider and that many bet-makers, ready.
    pub async fn with_replicas(replicas: usize) -> Self {
        let journal = tempfile::tempdir().unwrap();
        let line_provider = line_provider(journal.path()).start().await;
        let database = TestDatabase::empty().await;
        let mut bet_makers = Vec::new();
        for _ in 0..replicas {
            bet_makers.push(bet_maker(database.url(), &line_provider.url()).start().await);
        }
        Self {
            line_provider,
            bet_makers,
            journal,
            database: Some(database),
        }
    }

    pub fn operator(&self) -> Client {
        self.line_provider.client().with_bearer(TOKEN)
    }

    /// The first bet-maker.
    pub fn bettor(&self) -> Client {
        self.bet_makers[0].client()
    }

    pub async fn create_event(&self, id: &str) {
        let event = json!({"id": id, "odds": "1.85", "deadline": in_an_hour()});
        assert_eq!(self.operator().post("/events", &event).await.status, 201);
    }

    /// Waits until the first bet-maker knows the event, then places a bet on it.
    pub async fn place_bet(&self, event_id: &str, stake: &str) -> Value {
        self.know(&self.bettor(), event_id).await;
        let answer = self
            .bettor()
            .post("/bets", &json!({"event_id": event_id, "stake": stake}))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    pub async fn know(&self, bettor: &Client, event_id: &str) {
        wait_until("bet-maker knows the event", PATIENCE, async || {
            (bettor.get(&format!("/events/{event_id}")).await.status == 200).then_some(())
        })
        .await;
    }

    pub async fn end_event(&self, id: &str, status: &str) {
        let answer = self
            .operator()
            .patch(&format!("/events/{id}"), &json!({"status": status}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Waits until the bet has that status, and answers it.
    pub async fn settled(&self, bet: &Value, status: &str) -> Value {
        let path = format!("/bets/{}", bet["id"].as_str().unwrap());
        let bettor = self.bettor();
        wait_until(&format!("the bet is {status}"), PATIENCE, async || {
            let bet = bettor
                .try_send("GET".parse().unwrap(), &path, &[], Vec::new())
                .await
                .ok()?
                .json();
            (bet["status"] == status).then_some(bet)
        })
        .await
    }
}

pub fn in_an_hour() -> String {
    shared_types::Timestamp::now()
        .saturating_add(Duration::from_secs(3600))
        .to_string()
}
