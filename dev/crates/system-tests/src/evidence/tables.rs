//! bet-maker's tables, and our audit of them, as they are in Postgres. Read with SQL of our own: the judge must not
//! see through the eyes of the code that it judges.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared_types::{BetStatus, EventStatus, Timestamp, VoidReason};
use test_support::poll_until;
use tokio_postgres::{Client, NoTls, Row};

/// The longest that bet-maker's own limits let a unit of work live, and some more.
const TRANSACTION_MAX: Duration = Duration::from_secs(35);

/// A stored bet. Amounts in cents, odds in hundredths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredBet {
    pub id: String,
    pub event_id: String,
    pub bettor: Option<String>,
    pub stake: i64,
    pub odds: i64,
    pub event_revision: u64,
    pub placed_at: Timestamp,
    pub status: BetStatus,
    pub void_reason: Option<VoidReason>,
    pub payout: Option<i64>,
    /// When its placement became true; `None` where no audit knows of it.
    pub committed_at: Option<Timestamp>,
}

/// What bet-maker knows of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    pub revision: u64,
    pub odds: i64,
    pub deadline: Timestamp,
    pub status: EventStatus,
    pub closed_at: Option<Timestamp>,
    pub is_settled: bool,
}

/// A version of an event that bet-maker knew at some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub revision: u64,
    pub is_closed: bool,
    pub committed_at: Timestamp,
}

/// The ledger's rows of one bet, summed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Booked {
    pub amount: i64,
    pub rows: i64,
    /// As the newest row says.
    pub status: Option<BetStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    pub instance: Option<String>,
    pub position: u64,
    pub suspended: Option<String>,
    pub conflicts: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tables {
    pub bets: Vec<StoredBet>,
    pub events: HashMap<String, StoredEvent>,
    /// In the order in which they became true.
    pub versions: HashMap<String, Vec<Version>>,
    pub ledger: HashMap<String, Booked>,
    /// Each key, and the bet that it stands for.
    pub keys: HashMap<String, Option<String>>,
    pub feed: Feed,
}

/// A session that ends with the client.
///
/// # Errors
/// The server is away.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .context("cannot connect")?;
    tokio::spawn(connection);
    Ok(client)
}

/// Transactions of other sessions that are open now and stay so: none of ours may last that long.
///
/// # Errors
/// The server is away.
pub async fn open_transactions(client: &Client) -> Result<Vec<String>> {
    let sql = "select pid, xact_start::text, state || ': ' || query from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
                 and xact_start is not null";
    let mut left: Option<BTreeMap<(i32, String), String>> = None;
    let gone = poll_until(TRANSACTION_MAX, async || {
        let rows = client.query(sql, &[]).await.ok()?;
        let open = rows
            .iter()
            .map(|row| ((row.get(0), row.get(1)), row.get(2)))
            .collect();
        let open: BTreeMap<_, _> = open;
        let seen = left.get_or_insert_with(|| open.clone());
        seen.retain(|transaction, _| open.contains_key(transaction));
        seen.is_empty().then_some(())
    });
    if gone.await.is_ok() {
        return Ok(Vec::new());
    }
    Ok(left
        .unwrap_or_default()
        .into_iter()
        .map(|((pid, since), what)| format!("{pid} since {since}, {what}"))
        .collect())
}

impl Tables {
    /// # Errors
    /// The database is away, or holds what cannot be.
    pub async fn read(client: &Client) -> Result<Self> {
        // All of it as of one moment.
        client
            .batch_execute("begin isolation level repeatable read read only")
            .await?;
        let tables = Self {
            bets: read_bets(client).await?,
            events: read_events(client).await?,
            versions: read_versions(client).await?,
            ledger: read_ledger(client).await?,
            keys: read_keys(client).await?,
            feed: read_feed(client).await?,
        };
        client.batch_execute("commit").await?;
        Ok(tables)
    }

    /// The events that have bets, in order of their ids.
    pub fn events_with_bets(&self) -> Vec<&str> {
        let mut ids: Vec<_> = self.bets.iter().map(|bet| bet.event_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

const BET_STATUS: &str = "(array['pending', 'won', 'lost', 'void'])[status + 1]";

async fn read_bets(client: &Client) -> Result<Vec<StoredBet>> {
    let sql = format!(
        "select b.id::text, event_id, bettor, stake, odds::bigint, event_revision, {}, {BET_STATUS},
                (array['event_cancelled', 'placed_after_close'])[void_reason], payout, {}
         from bets b left join audit.placements p on p.bet_id = b.id order by b.id",
        micros("placed_at"),
        micros("pg_xact_commit_timestamp(p.xmin)"),
    );
    let rows = client.query(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredBet {
                id: row.get(0),
                event_id: row.get(1),
                bettor: row.get(2),
                stake: row.get(3),
                odds: row.get(4),
                event_revision: row.get::<_, i64>(5).try_into()?,
                placed_at: time(row, 6)?.context("a bet was placed at some time")?,
                status: word(row, 7)?.context("a bet has a status")?,
                void_reason: word(row, 8)?,
                payout: row.get(9),
                committed_at: time(row, 10)?,
            })
        })
        .collect()
}

const EVENT_STATUS: &str =
    "(array['unfinished', 'first_team_won', 'second_team_won', 'cancelled'])[status + 1]";

async fn read_events(client: &Client) -> Result<HashMap<String, StoredEvent>> {
    let sql = format!(
        "select id, revision, odds::bigint, {}, {EVENT_STATUS}, {}, settled_seq = result_seq from events",
        micros("deadline"),
        micros("closed_at"),
    );
    let rows = client.query(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            let event = StoredEvent {
                revision: row.get::<_, i64>(1).try_into()?,
                odds: row.get(2),
                deadline: time(row, 3)?.context("an event has a deadline")?,
                status: word(row, 4)?.context("an event has a status")?,
                closed_at: time(row, 5)?,
                is_settled: row.get(6),
            };
            Ok((row.get(0), event))
        })
        .collect()
}

async fn read_versions(client: &Client) -> Result<HashMap<String, Vec<Version>>> {
    let committed_at = micros("pg_xact_commit_timestamp(xmin)");
    let sql = format!(
        "select event_id, revision, status <> 0 or closed_at is not null, {committed_at} from audit.versions order by 4"
    );
    let mut versions: HashMap<String, Vec<Version>> = HashMap::new();
    for row in client.query(&sql, &[]).await? {
        let version = Version {
            revision: row.get::<_, i64>(1).try_into()?,
            is_closed: row.get(2),
            committed_at: time(&row, 3)?.context("the commits of this run are tracked")?,
        };
        versions.entry(row.get(0)).or_default().push(version);
    }
    Ok(versions)
}

async fn read_ledger(client: &Client) -> Result<HashMap<String, Booked>> {
    let sql = format!(
        "select bet_id::text, sum(amount)::bigint, count(*),
                (array_agg({BET_STATUS} order by result_seq desc))[1]
         from ledger group by bet_id"
    );
    let rows = client.query(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            let booked = Booked {
                amount: row.get(1),
                rows: row.get(2),
                status: word(row, 3)?,
            };
            Ok((row.get(0), booked))
        })
        .collect()
}

async fn read_keys(client: &Client) -> Result<HashMap<String, Option<String>>> {
    let rows = client
        .query("select key, bet_id::text from idempotency_keys", &[])
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn read_feed(client: &Client) -> Result<Feed> {
    let sql = "select instance::text, position, suspended, (select count(*) from feed_conflicts) from feed";
    let row = client.query_one(sql, &[]).await?;
    Ok(Feed {
        instance: row.get(0),
        position: row.get::<_, i64>(1).try_into()?,
        suspended: row.get(2),
        conflicts: row.get(3),
    })
}

fn micros(column: &str) -> String {
    format!("(extract(epoch from {column}) * 1000000)::bigint")
}

fn time(row: &Row, column: usize) -> Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column);
    micros
        .map(|micros| Timestamp::from_unix_micros(micros).context("a time beyond all times"))
        .transpose()
}

/// A word of the contract.
fn word<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Option<T>> {
    let word: Option<String> = row.get(column);
    word.map(|word| serde_json::from_value(word.into()).context("a word of the contract"))
        .transpose()
}
