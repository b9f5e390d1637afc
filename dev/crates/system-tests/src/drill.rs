//! The drill: one settlement of very many bets while the replica that is settling is killed again and again, then a
//! correction of it all while every callback is repeated in any order to all replicas. Totals must be exact.
//!
//! The bets are put into the table by one statement, as a million requests would have; everything after that is the
//! system's own doing.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use awc::http::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use shared_types::change::message_id;
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER};
use shared_types::{Callback, ChangesPage, SubscriptionId, Timestamp};
use test_support::{Client, poll_until};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Client as Postgres;

use crate::cluster::process::revive;
use crate::cluster::{Cluster, SECRET};
use crate::evidence::tables;
use crate::progress::Progress;

const EVENT: &str = "the-final";
const ODDS: &str = "1.85";
/// Of a settlement, on a busy machine, with all its kills.
const PATIENCE: Duration = Duration::from_secs(900);
/// For a replica to be found at work.
const AT_WORK: Duration = Duration::from_secs(60);
/// Kills between two chunks that come through.
const KILLS_PER_CHUNK: u32 = 2;

/// What to drill.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub seed: u64,
    pub bets: u32,
    /// Within the first settlement; fewer where that is over before.
    pub kills: u32,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drilled {
    pub settlements: i64,
    pub kills: u32,
    pub repeated_callbacks: u64,
    pub first_s: f64,
    pub second_s: f64,
}

/// What all bets come to, worked out by Postgres from stakes and odds alone.
struct Expected {
    bets: i64,
    payouts: i64,
}

/// # Errors
/// The system does not come to rest, or a total is wrong.
pub async fn settle_through_kills(cluster: Rc<Cluster>, size: Size, progress: &Progress) -> Result<Drilled> {
    let client = tables::connect(&cluster.database_url()).await?;
    let operator = cluster.operator().await;
    progress.phase("placing the bets", None);
    let expected = prepare(&cluster, &client, &operator, size.bets).await?;

    progress.phase("settling, under SIGKILL", None);
    let (first, kills) = {
        command(
            &operator,
            Method::PATCH,
            &format!("/events/{EVENT}"),
            &json!({"status": "first_team_won"}),
        )
        .await?;
        let started = Instant::now();
        let kills = kill_while_settling(&cluster, &client, size.kills).await?;
        wait_until_settled(&client, 2).await?;
        (started.elapsed(), kills)
    };
    check(&client, &expected, expected.payouts, expected.bets).await?;

    progress.phase("correcting, under repeated callbacks", None);
    let (stop, stopped) = watch::channel(false);
    let mut sowing = JoinSet::new();
    sowing.spawn_local(sow(Rc::clone(&cluster), operator.clone(), size.seed, stopped));
    let started = Instant::now();
    let correction = json!({"status": "second_team_won", "reason": "the drill"});
    command(
        &operator,
        Method::POST,
        &format!("/events/{EVENT}/corrections"),
        &correction,
    )
    .await?;
    wait_until_settled(&client, 3).await?;
    let second = started.elapsed();
    stop.send_replace(true);
    let sown = sowing.join_next().await.context("somebody sows")??;
    check(&client, &expected, 0, 2 * expected.bets).await?;
    Ok(Drilled {
        settlements: 2 * expected.bets,
        kills,
        repeated_callbacks: sown?,
        first_s: first.as_secs_f64(),
        second_s: second.as_secs_f64(),
    })
}

async fn command(operator: &Client, method: Method, path: &str, body: &serde_json::Value) -> Result<()> {
    let answer = operator.send(method, path, &[], Some(body)).await;
    ensure!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
    Ok(())
}

async fn prepare(cluster: &Cluster, client: &Postgres, operator: &Client, bets: u32) -> Result<Expected> {
    let deadline = Timestamp::now().saturating_add(Duration::from_secs(24 * 3600));
    let event = json!({"id": EVENT, "odds": ODDS, "deadline": deadline});
    command(operator, Method::POST, "/events", &event).await?;
    let (first, _) = cluster.replicas.first().context("there are replicas")?;
    let bet_maker = Client::new(&first.url().await);
    let known = poll_until(AT_WORK, async || {
        (bet_maker.get(&format!("/events/{EVENT}")).await.status == 200).then_some(())
    });
    ensure!(known.await.is_ok(), "bet-maker does not hear of the event");
    let insert = "insert into bets (id, event_id, bettor, stake, odds, event_revision, placed_at)
                  select gen_random_uuid(), $1, 'bettor-' || n % 1000, 1 + n * 7919::bigint % 1000000, 185, 1,
                         clock_timestamp()
                  from generate_series(1, $2::int) n";
    client.execute(insert, &[&EVENT, &i32::try_from(bets)?]).await?;
    client.batch_execute("vacuum (analyze) bets").await?;
    let row = client
        .query_one("select count(*), sum(stake * odds / 100)::bigint from bets", &[])
        .await?;
    Ok(Expected {
        bets: row.get(0),
        payouts: row.get(1),
    })
}

/// Kills the replica that settles, whichever it is, in the middle of a chunk.
async fn kill_while_settling(cluster: &Rc<Cluster>, client: &Postgres, kills: u32) -> Result<u32> {
    let mut revivals = JoinSet::new();
    let mut killed = 0;
    // A session outlives its client until its statement ends: each is struck once.
    let mut struck = HashSet::new();
    while killed < kills {
        let mut session = None;
        let found = poll_until(AT_WORK, async || {
            if !is_due(client).await.unwrap_or(true) {
                return Some(());
            }
            session = settling_session(client).await.ok()?;
            session
                .as_ref()
                .filter(|session| !struck.contains(*session))
                .map(|_| ())
        });
        ensure!(found.await.is_ok(), "nobody settles");
        let Some(session) = session.filter(|session| !struck.contains(session)) else {
            break;
        };
        let (port, _) = session;
        // Ports are used again: the newest connection by that port is the one.
        let owners = cluster.replicas.iter().filter_map(|(process, links)| {
            let passed = links.to_database.passed();
            let newest = passed.iter().rfind(|passed| passed.port == port)?;
            Some((newest.at, process))
        });
        let Some((_, process)) = owners.max_by_key(|(at, _)| *at) else {
            continue;
        };
        struck.insert(session);
        // A replica that is being revived already is somebody else's now.
        let Ok(mut service) = process.service.try_lock() else {
            continue;
        };
        service.kill9().await;
        drop(service);
        killed += 1;
        let process = Rc::clone(process);
        revivals.spawn_local(async move { revive(&mut *process.service.lock().await).await });
        if killed % KILLS_PER_CHUNK == 0 {
            wait_for_progress(client).await?;
        }
    }
    while let Some(revived) = revivals.join_next().await {
        revived??;
    }
    Ok(killed)
}

/// The session that settles a chunk, by its client's port and its beginning.
async fn settling_session(client: &Postgres) -> Result<Option<(u16, String)>> {
    let sql = "select client_port, backend_start::text from pg_stat_activity
               where datname = current_database() and state <> 'idle' and query like '%settle_bets%'
                 and pid <> pg_backend_pid() order by backend_start desc limit 1";
    let row = client.query_opt(sql, &[]).await?;
    row.map(|row| Ok((row.get::<_, i32>(0).try_into()?, row.get(1))))
        .transpose()
}

async fn is_due(client: &Postgres) -> Result<bool> {
    let sql = "select settled_seq < result_seq or result_seq = 0 from events where id = $1";
    Ok(client.query_one(sql, &[&EVENT]).await?.get(0))
}

async fn progress_of(client: &Postgres) -> Option<(i64, Option<String>)> {
    let sql = "select settled_seq, settle_after::text from events where id = $1";
    let row = client.query_one(sql, &[&EVENT]).await.ok()?;
    Some((row.get(0), row.get(1)))
}

async fn wait_for_progress(client: &Postgres) -> Result<()> {
    let before = progress_of(client).await;
    // Settled meanwhile, it does not move any more.
    let moved = poll_until(PATIENCE, async || {
        let is_over = is_due(client).await.is_ok_and(|is_due| !is_due);
        (is_over || progress_of(client).await != before).then_some(())
    });
    ensure!(moved.await.is_ok(), "no chunk comes through");
    Ok(())
}

async fn wait_until_settled(client: &Postgres, revision: i64) -> Result<()> {
    let sql = "select revision = $2 and settled_seq = result_seq from events where id = $1";
    let settled = poll_until(PATIENCE, async || {
        let row = client.query_one(sql, &[&EVENT, &revision]).await.ok()?;
        row.get::<_, bool>(0).then_some(())
    });
    ensure!(settled.await.is_ok(), "the settlement has no end");
    Ok(())
}

/// Every bet is settled as the newest result wants it, booked once for each result, and all sums are exact.
async fn check(client: &Postgres, expected: &Expected, paid: i64, booked: i64) -> Result<()> {
    let sql = "select (select count(*) from bets where status <> 0), (select sum(payout)::bigint from bets),
                      (select count(*) from ledger), (select sum(amount)::bigint from ledger),
                      (select count(*) from bets b where b.payout is distinct from
                          (select sum(l.amount)::bigint from ledger l where l.bet_id = b.id))";
    let row = client.query_one(sql, &[]).await?;
    let found: [i64; 5] = [row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)];
    if found != [expected.bets, paid, booked, paid, 0] {
        bail!(
            "settled bets, payouts, entries, amounts, bets that differ from their entries: {found:?}; \
             expected {:?}",
            [expected.bets, paid, booked, paid, 0]
        );
    }
    Ok(())
}

/// Sends every change of the log again and again, in any order, to any replica; how often.
async fn sow(
    cluster: Rc<Cluster>,
    operator: Client,
    seed: u64,
    stopped: watch::Receiver<bool>,
) -> Result<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let secret: Secret = SECRET.parse().context("the secret of the run")?;
    let mut replicas = Vec::new();
    for (process, _) in &cluster.replicas {
        replicas.push(Client::new(&process.url().await));
    }
    let mut sown = 0;
    while !*stopped.borrow() {
        let answer = operator.get("/changes?limit=500").await;
        let page: ChangesPage = serde_json::from_slice(&answer.body).context("no page of the log")?;
        for _ in 0..20 {
            let change = page
                .items
                .choose(&mut random)
                .context("the log is not empty")?
                .clone();
            let bet_maker = replicas.choose(&mut random).context("there are replicas")?;
            let (id, now) = (message_id(change.instance, change.position), Timestamp::now());
            let callback = Callback {
                kind: change.kind,
                timestamp: change.occurred_at,
                subscription_id: SubscriptionId::from_uuid(uuid(&mut random)),
                data: change,
            };
            let body = serde_json::to_vec(&callback)?;
            let (seconds, signature) = (now.unix_seconds().to_string(), secret.sign(&id, now, &body));
            let headers = [
                (ID_HEADER, id.as_str()),
                (TIMESTAMP_HEADER, seconds.as_str()),
                (SIGNATURE_HEADER, signature.as_str()),
                ("content-type", "application/json"),
            ];
            let answer = bet_maker
                .send_bytes(Method::POST, "/callbacks/line-provider", &headers, body)
                .await;
            ensure!(
                answer.status == 204,
                "a repeated callback was answered {answer:?}"
            );
            sown += 1;
        }
    }
    Ok(sown)
}

fn uuid(random: &mut StdRng) -> uuid::Uuid {
    uuid::Uuid::from_u128(random.random())
}
