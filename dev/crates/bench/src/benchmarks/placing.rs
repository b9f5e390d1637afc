//! Placing: bets over HTTP, each durable when it is answered, on 1,000 open events of a real line-provider; beside
//! pgbench, whose 64 clients each put the same row by one prepared INSERT into a table of the same shape.
//!
//! Every round empties both tables first, measures each side once, and counts that as many bets are stored as
//! were answered.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Result;
use awc::http::Method;
use rand::Rng as _;

use crate::cli::Size;
use crate::cpu::Meter;
use crate::http::load::{Load, Outcome, Until};
use crate::http::render;
use crate::lab::{Lab, event_ids};
use crate::pgbench;
use crate::progress::Progress;
use crate::report::{Figure, Section, number};
use crate::stats::{float, millis, rate};

const EVENTS: usize = 1000;
const BETTORS: usize = 10_000;
const PEER_CLIENTS: usize = 64;
const CONNECTIONS: [(usize, f64); 2] = [(64, 1.0), (256, 2.0)];
/// Requests that are rendered once and repeated.
const DIFFERENT_REQUESTS: usize = 10_000;
const BATCHES: &str = "bet_maker_placement_batch_size_count ";
const COPY: &str = "bets_of_pgbench";

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    let lab = Lab::start(progress).await?;
    lab.provider.create_events(&event_ids(EVENTS), progress).await?;
    lab.create_copy_of_bets(COPY).await?;
    lab.wait_for_events(EVENTS).await?;
    let requests = requests(&lab);
    let mut section = Section::default();
    section.notes.push(lab.describe().await?);

    let run = Run {
        lab: &lab,
        progress,
        requests,
    };
    if let Some(time) = size.warm_up {
        run.insert(time, "warm-up", &mut Section::default()).await?;
        for (connections, _) in CONNECTIONS {
            run.place(connections, time, "warm-up", &mut Section::default())
                .await?;
        }
    }
    let mut limit = Vec::new();
    let mut ours = CONNECTIONS.map(|_| Vec::new());
    for round in 1..=size.rounds {
        let of = format!("round {round} of {}", size.rounds);
        limit.push(run.insert(size.load, &of, &mut section).await?.per_second);
        for ((connections, _), rates) in CONNECTIONS.into_iter().zip(&mut ours) {
            let outcome = run.place(connections, size.load, &of, &mut section).await?;
            rates.push(rate(outcome.good, outcome.took));
        }
    }
    for ((connections, at_least), ours) in CONNECTIONS.into_iter().zip(ours) {
        section.figures.push(Figure::Rate {
            name: format!("bets placed, {connections} connections"),
            limit_name: "pgbench, 64 clients, one INSERT each",
            unit: "/s",
            limit: limit.clone(),
            ours,
            at_least,
        });
    }
    lab.stop().await;
    Ok(section)
}

struct Run<'a> {
    lab: &'a Lab,
    progress: &'a Progress,
    requests: Arc<[Vec<u8>]>,
}

impl Run<'_> {
    async fn insert(&self, time: Duration, round: &str, section: &mut Section) -> Result<pgbench::Inserted> {
        self.empty_tables().await?;
        let binaries = self.lab.postgres.binaries().to_path_buf();
        let url = self.lab.database_url();
        let inserting = tokio::task::spawn_blocking(move || {
            pgbench::Insert {
                binaries: &binaries,
                url: &url,
                table: COPY,
                clients: PEER_CLIENTS,
                events: EVENTS,
                bettors: BETTORS,
                time,
            }
            .run()
        });
        let what = format!("placing, {round}: pgbench");
        let meter = Meter::start(self.lab.programs()?);
        let inserted = self.progress.timed(&what, time, inserting).await??;
        let used = meter.stop(inserted.count, "bet");
        let summary = format!(
            "{what}: {}/s, {} on average",
            number(inserted.per_second),
            millis(inserted.latency_average)
        );
        self.progress.say(&summary);
        section.notes.push(format!("{summary}; {used} (pgbench itself)"));
        Ok(inserted)
    }

    async fn place(
        &self,
        connections: usize,
        time: Duration,
        round: &str,
        section: &mut Section,
    ) -> Result<Outcome> {
        self.empty_tables().await?;
        let load = Load {
            address: self.lab.bet_maker.address(),
            connections,
            requests: Arc::clone(&self.requests),
            expect: 201,
            expect_bytes: None,
            until: Until::Elapsed(time),
            processor: None,
        };
        let what = format!("placing, {round}: {connections} connections");
        let batches = self.batches().await?;
        let meter = Meter::start(self.lab.programs()?);
        let outcome = self
            .progress
            .timed(&what, time, load.run(Arc::new(AtomicU64::new(0))))
            .await?;
        let used = meter.stop(outcome.good, "bet");
        let batches = (self.batches().await? - batches).max(1.0);
        let summary = format!(
            "{what}: {}/s, {}, {:.1} bets a transaction",
            number(rate(outcome.good, outcome.took)),
            outcome.latencies.summary(),
            float(outcome.good) / batches,
        );
        self.progress.say(&summary);
        section.notes.push(format!("{summary}; {used}"));
        for (fault, times) in &outcome.faults {
            section.faults.push(format!("{what}: {times} times {fault}"));
        }
        let row = self
            .lab
            .database
            .query_one("select count(*) from bets", &[])
            .await?;
        let stored = u64::try_from(row.get::<_, i64>(0))?;
        if stored != outcome.good {
            let answered = outcome.good;
            section.faults.push(format!(
                "{what}: {answered} bets were answered, {stored} are stored"
            ));
        }
        Ok(outcome)
    }

    /// How many transactions bet-maker has placed bets in.
    async fn batches(&self) -> Result<f64> {
        let metrics = self
            .lab
            .bet_maker
            .client()
            .try_send(Method::GET, "/metrics", &[], Vec::new())
            .await?
            .text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(BATCHES));
        Ok(line
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or_default())
    }

    /// Both sides begin with an empty table and a log without a past.
    async fn empty_tables(&self) -> Result<()> {
        let empty = format!("truncate bets, {COPY}; checkpoint");
        self.lab.database.batch_execute(&empty).await?;
        Ok(())
    }
}

fn requests(lab: &Lab) -> Arc<[Vec<u8>]> {
    let host = lab.bet_maker.address();
    let mut random = rand::rng();
    let mut request = || {
        let (event, bettor) = (random.random_range(1..=EVENTS), random.random_range(1..=BETTORS));
        let body = format!(r#"{{"event_id":"event-{event}","stake":"10.00","bettor":"bettor-{bettor}"}}"#);
        render("POST", "/bets", host, None, &body)
    };
    (0..DIFFERENT_REQUESTS).map(|_| request()).collect()
}
