//! What the services say of themselves, asked straight, not through any link.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_types::ChangesPage;
use test_support::{Client, poll_until};
use tokio::process::Command;

use super::{Evidence, Tables, tables};
use crate::cluster::{Cluster, OPERATOR_TOKEN};

/// More events than that are sampled evenly.
const EXPOSURES_MAX: usize = 300;
const VERIFY_PATIENCE: Duration = Duration::from_secs(120);

/// What a service's own `verify` said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verified {
    pub name: String,
    pub succeeded: bool,
    pub output: String,
}

/// Waits until nothing is left to settle, bet-maker has read the log to its head, and every subscriber is served;
/// how long that took, or `None` after `patience`.
///
/// # Errors
/// The database or line-provider is away.
pub async fn wait_until_settled(cluster: &Cluster, patience: Duration) -> Result<Option<Duration>> {
    let started = Instant::now();
    let client = tables::connect(&cluster.database_url()).await?;
    let operator = cluster.operator().await;
    let sql = "select (select count(*) from events where settled_seq < result_seq) = 0 and suspended is null, position
               from feed";
    let at_rest = poll_until(patience, async || {
        let row = client.query_one(sql, &[]).await.ok()?;
        let (is_settled, position): (bool, i64) = (row.get(0), row.get(1));
        let head = operator
            .get("/changes?limit=1")
            .await
            .json()
            .get("head")?
            .as_i64()?;
        let subscriptions = operator.get("/subscriptions").await.json();
        let ours = |one: &&Value| {
            cluster
                .subscribers
                .iter()
                .any(|subscriber| one["id"] == subscriber.id.to_string())
        };
        let subscriptions = subscriptions.get("items")?.as_array()?.iter().filter(ours);
        let mut served = subscriptions.map(|one| one["lag_positions"] == 0);
        (is_settled && position == head && served.all(|served| served)).then_some(())
    });
    Ok(at_rest.await.ok().map(|()| started.elapsed()))
}

/// Waits until nothing has been added, settled or logged for so long: whatever somebody gave up is over by then.
///
/// # Errors
/// The database or line-provider is away, or it does not become quiet.
pub async fn wait_until_quiet(cluster: &Cluster, quiet: Duration, patience: Duration) -> Result<()> {
    let client = tables::connect(&cluster.database_url()).await?;
    let sql = "select (select count(*) from bets), (select count(*) from ledger), (select count(*) from idempotency_keys),
                      (select count(*) from audit.versions), position from feed";
    let mut last: Option<([i64; 5], Instant)> = None;
    let is_quiet = poll_until(patience, async || {
        let row = client.query_one(sql, &[]).await.ok()?;
        let now: [i64; 5] = [row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)];
        match last {
            Some((before, since)) if before == now => (since.elapsed() >= quiet).then_some(()),
            _ => {
                last = Some((now, Instant::now()));
                None
            }
        }
    });
    ensure!(
        is_quiet.await.is_ok(),
        "the system does not become quiet: {last:?}"
    );
    Ok(())
}

pub(super) async fn read_log(cluster: &Cluster, evidence: &mut Evidence) -> Result<()> {
    let client = Client::new(&cluster.line_provider.url().await);
    let mut after = 0;
    loop {
        let answer = client.get(&format!("/changes?after={after}&limit=500")).await;
        ensure!(answer.status == 200, "{answer:?}");
        let page: ChangesPage = serde_json::from_slice(&answer.body).context("no page of the log")?;
        evidence.head = page.head;
        let instance = page.instance.to_string();
        if !evidence.instances.contains(&instance) {
            evidence.instances.push(instance);
        }
        if page.items.is_empty() {
            return Ok(());
        }
        after = page.next;
        evidence.log.extend(page.items);
    }
}

pub(super) async fn read_exposures(cluster: &Cluster, tables: &Tables) -> Result<HashMap<String, Value>> {
    let ids = tables.events_with_bets();
    let step = ids.len().div_ceil(EXPOSURES_MAX).max(1);
    let mut clients = Vec::new();
    for (process, _) in &cluster.replicas {
        clients.push(Client::new(&process.url().await));
    }
    let mut exposures = HashMap::new();
    for (id, client) in ids.into_iter().step_by(step).zip(clients.iter().cycle()) {
        let answer = client.get(&format!("/events/{id}/exposure")).await;
        ensure!(answer.status == 200, "{answer:?}");
        exposures.insert(id.to_owned(), answer.json());
    }
    Ok(exposures)
}

/// Runs `verify` of both services, as an operator does.
pub(super) async fn verify(cluster: &Cluster) -> Result<Vec<Verified>> {
    let folder = cluster.binaries();
    let line_provider = cluster.line_provider.url().await;
    let mut line_provider_verify = Command::new(folder.join("line-provider"));
    line_provider_verify
        .arg("verify")
        .env("LINE_PROVIDER_DATA_DIR", cluster.journal());
    let mut bet_maker_verify = Command::new(folder.join("bet-maker"));
    bet_maker_verify
        .args(["verify", "--settled"])
        .env("BET_MAKER_DATABASE_URL", cluster.database_url())
        .env("BET_MAKER_LINE_PROVIDER_URL", line_provider)
        .env("BET_MAKER_LINE_PROVIDER_TOKEN", OPERATOR_TOKEN);
    let mut verified = Vec::new();
    for (name, mut command) in [
        ("line-provider verify", line_provider_verify),
        ("bet-maker verify", bet_maker_verify),
    ] {
        let run = tokio::time::timeout(VERIFY_PATIENCE, command.kill_on_drop(true).output());
        let output = run.await.with_context(|| format!("{name} has no end"))??;
        verified.push(Verified {
            name: name.to_owned(),
            succeeded: output.status.success(),
            output: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        });
    }
    Ok(verified)
}
