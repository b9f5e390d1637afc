//! The evidence: everything that the judge reads, collected once the system is quiet: the history, line-provider's
//! log, what subscribers received, bet-maker's tables and answers, the processes' logs and what they hold.

mod api;
mod resources;
pub mod tables;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_types::{Change, Timestamp};
use test_support::poll_until;

use crate::cluster::{Cluster, Process, STALE_AFTER};
use crate::history::{History, Operation};
use crate::proxy::Passed;
use crate::wire::{self, Receipt};

pub use api::{Verified, wait_until_quiet, wait_until_settled};
pub use resources::{Resources, measure};
pub use tables::Tables;

/// Until what was held for a moment is given back.
const BACK: Duration = Duration::from_secs(30);

/// One subscriber's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Heard {
    pub name: String,
    /// Empty means all.
    pub event_types: Vec<String>,
    /// The log's head when it subscribed.
    pub since: u64,
    /// In the order of their arrival.
    pub receipts: Vec<Receipt>,
    /// The connections they came by.
    pub passed: Vec<Passed>,
    /// Where line-provider says it stands.
    pub cursor: u64,
    /// Positions that line-provider lists as superseded for it.
    pub superseded: HashSet<u64>,
}

/// What one process wrote, and how it ended when nobody had told it to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Account {
    pub name: String,
    pub log: String,
    pub unasked_ends: Vec<String>,
    /// Before the load and after the quiet; `None` where it is not measured.
    pub resources: Option<(Resources, Resources)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    pub history: History,
    /// In order of position, as line-provider serves it.
    pub log: Vec<Change>,
    pub head: u64,
    /// All instances that pages of the log named.
    pub instances: Vec<String>,
    pub subscribers: Vec<Heard>,
    pub tables: Tables,
    /// `GET /events/{id}/exposure` of each event with bets, from one of the replicas.
    pub exposures: HashMap<String, Value>,
    pub accounts: Vec<Account>,
    /// Sessions of bet-makers that sit in a transaction after the quiet.
    pub open_transactions: Vec<String>,
    /// What the operators' own checks say.
    pub verified: Vec<Verified>,
    /// How long the system took to come to rest; `None` where it did not.
    pub rest_s: Option<f64>,
    /// What did not come back although everything was healed.
    pub not_healed: Vec<String>,
    pub stale_after_s: u64,
}

/// Everything that the judge reads.
const FILE: &str = "evidence.json";

impl Evidence {
    /// Keeps it in a run's folder, to be judged again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, self)?;
        Ok(file.flush()?)
    }

    /// What a run has kept.
    ///
    /// # Errors
    /// There is none, or it was kept by another version.
    pub fn kept(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let json = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&json).with_context(|| format!("{} is no evidence", path.display()))
    }

    /// Reads everything. `before` holds what each process held before the load.
    ///
    /// # Errors
    /// Something cannot be read.
    pub async fn collect(
        cluster: &Cluster,
        history: History,
        before: &HashMap<String, Resources>,
        rest_s: Option<f64>,
        not_healed: Vec<String>,
    ) -> Result<Self> {
        let mut evidence = Self {
            history,
            rest_s,
            not_healed,
            stale_after_s: STALE_AFTER.as_secs(),
            ..Self::default()
        };
        api::read_log(cluster, &mut evidence).await?;
        let operator = cluster.operator().await;
        let log = cluster.line_provider.log().await;
        for subscriber in &cluster.subscribers {
            let posted = operator
                .get(&format!("/subscriptions/{}", subscriber.id))
                .await
                .json();
            evidence.subscribers.push(Heard {
                name: subscriber.process.name.clone(),
                event_types: subscriber.event_types.clone(),
                since: subscriber.since,
                receipts: wire::read(&subscriber.wire)?,
                passed: subscriber.link.passed(),
                cursor: posted
                    .get("cursor")
                    .and_then(Value::as_u64)
                    .context("a subscription has a cursor")?,
                superseded: superseded(&log, &subscriber.id.to_string()),
            });
        }
        let client = tables::connect(&cluster.database_url()).await?;
        evidence.tables = Tables::read(&client).await?;
        evidence.open_transactions = tables::open_transactions(&client).await?;
        evidence.exposures = api::read_exposures(cluster, &evidence.tables).await?;
        evidence.verified = api::verify(cluster).await?;
        for process in cluster.processes() {
            let was = before.get(&process.name).copied();
            let unasked_ends = process.unasked_ends.borrow().clone();
            let is = measure_at_rest(process, was).await;
            if let Err(error) = &is {
                evidence
                    .not_healed
                    .push(format!("{} cannot be measured: {error:#}", process.name));
            }
            evidence.accounts.push(Account {
                name: process.name.clone(),
                log: process.log().await,
                unasked_ends,
                resources: was.zip(is.ok()),
            });
        }
        evidence.accounts.push(Account {
            name: "postgres".to_owned(),
            log: std::fs::read_to_string(cluster.database.log_file()).unwrap_or_default(),
            ..Account::default()
        });
        Ok(evidence)
    }

    /// The newest change of each event.
    pub fn newest(&self) -> HashMap<&str, &Change> {
        self.log
            .iter()
            .map(|change| (change.event_id.as_str(), change))
            .collect()
    }

    /// Each change by its event and revision.
    pub fn revisions<'a>(&'a self) -> HashMap<(&'a str, u64), &'a Change> {
        let key = |change: &'a Change| (change.event_id.as_str(), change.revision);
        self.log.iter().map(|change| (key(change), change)).collect()
    }

    /// Whether line-provider served an older copy of its journal while the call was under way.
    pub fn was_set_back_during(&self, operation: &Operation) -> bool {
        let returned_at = operation.returned_at.unwrap_or(operation.invoked_at);
        let meets = |(from, to): &(Timestamp, Timestamp)| operation.invoked_at <= *to && returned_at >= *from;
        self.set_back().iter().any(meets)
    }

    /// When line-provider served an older copy of its journal.
    pub fn set_back(&self) -> Vec<(Timestamp, Timestamp)> {
        use crate::history::Note;
        self.history
            .spans(|note| *note == Note::SetBack, |note| *note == Note::BroughtBack)
    }
}

/// The positions that line-provider's log lists as superseded for that subscription.
fn superseded(log: &str, subscription: &str) -> HashSet<u64> {
    let ours = format!("subscription={subscription} ");
    let lines = log
        .lines()
        .filter(|line| line.contains("a change is superseded") && line.contains(&ours));
    lines
        .filter_map(|line| {
            let (_, position) = line.split_once(" position=")?;
            position.split_whitespace().next()?.parse().ok()
        })
        .collect()
}

/// What the process holds once it is back to what it was, or after a while.
async fn measure_at_rest(process: &Process, before: Option<Resources>) -> Result<Resources> {
    let mut last = Err(anyhow!("it was never asked"));
    let _ = poll_until(BACK, async || {
        match measure(process).await {
            Ok(now) => {
                last = Ok(now);
                before.is_none_or(|before| now.is_back_to(before)).then_some(())
            }
            Err(error) => {
                // A measurement before stands.
                if last.is_err() {
                    last = Err(error);
                }
                None
            }
        }
    })
    .await;
    last
}
