//! Settling: pending bets of one event, settled by the real bet-maker in its chunks after the result was set at
//! the real line-provider; beside one UPDATE of the same rows in a table of the same shape.
//!
//! Every round starts with fresh rows, vacuumed, right after a checkpoint. Not part of the UPDATE: reading the
//! bets, the ledger, and being able to go on after a crash.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use awc::http::Method;

use crate::cli::Size;
use crate::cpu::Meter;
use crate::lab::{Lab, event_ids};
use crate::progress::Progress;
use crate::report::{Figure, Section, number};
use crate::stats::{float, rate};

const AT_LEAST: f64 = 0.25;
const POLL: Duration = Duration::from_millis(20);
/// Far longer than the slowest settlement of so many bets.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sessions tell of their updates within ten seconds of being idle.
const STATISTICS_PATIENCE: Duration = Duration::from_secs(15);
const COPY: &str = "bets_of_one_update";

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    let lab = Lab::start(progress).await?;
    let ids = event_ids(size.rounds);
    lab.provider.create_events(&ids, progress).await?;
    lab.wait_for_events(ids.len()).await?;
    let mut section = Section::default();
    section.notes.push(lab.describe().await?);
    let run = Run {
        lab: &lab,
        progress,
        bets: size.settled_bets,
    };
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for (round, event) in ids.iter().enumerate() {
        let of = format!("settling, round {} of {}", round + 1, size.rounds);
        progress
            .timed(
                format!("{of}: writing {} pending bets twice", run.bets),
                Duration::from_secs(30),
                run.write_bets(event),
            )
            .await?;
        let update = progress.timed(format!("{of}: one UPDATE"), Duration::from_secs(10), run.update());
        let update = update.await?;
        let settlement = run.settle(event, &of).await?;
        limit.push(update.rate(run.bets)?);
        ours.push(settlement.rate(run.bets)?);
        section
            .notes
            .push(format!("{of}: one UPDATE: {}", update.describe(run.bets)?));
        section.notes.push(format!(
            "{of}: bet-maker: {}; {}",
            settlement.describe(run.bets)?,
            settlement.used
        ));
        section.faults.extend(run.check(&of).await?);
    }
    section.figures.push(Figure::Rate {
        name: format!(
            "bets settled, {} of one event",
            number(float(u64::try_from(run.bets)?))
        ),
        limit_name: "one UPDATE of the same rows",
        unit: "/s",
        limit,
        ours,
        at_least: AT_LEAST,
    });
    lab.stop().await;
    Ok(section)
}

struct Run<'a> {
    lab: &'a Lab,
    progress: &'a Progress,
    bets: usize,
}

/// What one side took.
struct Taken {
    time: Duration,
    wal_bytes: u64,
    updates: u64,
    hot_updates: u64,
    used: String,
}

impl Taken {
    fn rate(&self, bets: usize) -> Result<f64> {
        Ok(rate(u64::try_from(bets)?, self.time))
    }

    fn describe(&self, bets: usize) -> Result<String> {
        let each = float(self.wal_bytes) / float(u64::try_from(bets)?);
        let hot = 100.0 * float(self.hot_updates) / float(self.updates.max(1));
        Ok(format!(
            "{:.2} s, {}/s, {hot:.1} % HOT, {} bytes of WAL per bet",
            self.time.as_secs_f64(),
            number(self.rate(bets)?),
            number(each)
        ))
    }
}

impl Run<'_> {
    /// Ids go up like those of UUID v7; stakes are 1.00 to 100.00.
    async fn write_bets(&self, event: &str) -> Result<()> {
        let (database, bets) = (&self.lab.database, self.bets);
        self.lab.create_copy_of_bets(COPY).await?;
        database
            .batch_execute(&format!(
                "truncate bets, ledger;
                 insert into bets (id, event_id, bettor, stake, odds, event_revision, placed_at)
                 select lpad(to_hex(n), 32, '0')::uuid, '{event}', 'bettor-' || n % 10000, 100 + n * 7919 % 9901,
                        185, 1, clock_timestamp()
                 from generate_series(1::bigint, {bets}) as n;
                 insert into {COPY} select * from bets order by id"
            ))
            .await?;
        database
            .batch_execute(&format!("vacuum (analyze) bets, {COPY}"))
            .await?;
        Ok(())
    }

    async fn update(&self) -> Result<Taken> {
        let before = self.start(COPY).await?;
        self.lab
            .database
            .batch_execute(&format!(
                "update {COPY} set status = 1, payout = stake * odds / 100, settled_seq = 1,
                 settled_at = clock_timestamp()"
            ))
            .await?;
        self.stop(before, COPY).await
    }

    async fn settle(&self, event: &str, round: &str) -> Result<Taken> {
        let operator = self.lab.provider.client();
        let before = self.start("bets").await?;
        let path = format!("/events/{event}");
        let result = br#"{"status":"first_team_won"}"#.to_vec();
        let json = [("content-type", "application/json")];
        let answer = operator.try_send(Method::PATCH, &path, &json, result).await?;
        if answer.status != 200 {
            bail!("the result was answered by {} {}", answer.status, answer.text());
        }
        let bets = u64::try_from(self.bets)?;
        let done = std::cell::Cell::new(0);
        let settling = self.wait_until_settled(event, &done);
        let what = format!("{round}: bet-maker");
        self.progress.during(what, bets, || done.get(), settling).await?;
        self.stop(before, "bets").await
    }

    /// The event's own row tells: light enough to be asked often. How far the pass is, the id of its last bet says.
    async fn wait_until_settled(&self, event: &str, done: &std::cell::Cell<u64>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let ask = self
            .lab
            .database
            .prepare(
                "select result_seq > 0 and settled_seq = result_seq,
                        coalesce(('x' || right(settle_after::text, 12))::bit(48)::bigint, 0)
                 from events where id = $1",
            )
            .await?;
        loop {
            let row = self.lab.database.query_one(&ask, &[&event]).await?;
            if row.get::<_, bool>(0) {
                return Ok(());
            }
            done.set(u64::try_from(row.get::<_, i64>(1))?);
            if Instant::now() > deadline {
                bail!("not settled within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn start(&self, table: &str) -> Result<Before> {
        self.lab.database.batch_execute("checkpoint").await?;
        let (updates, hot_updates) = self.updates(table).await?;
        Ok(Before {
            updates,
            hot_updates,
            wal: self.wal_position().await?,
            meter: Meter::start(self.lab.programs()?),
            started: Instant::now(),
        })
    }

    async fn stop(&self, before: Before, table: &str) -> Result<Taken> {
        let time = before.started.elapsed();
        let bets = u64::try_from(self.bets)?;
        let used = before.meter.stop(bets, "bet");
        let wal_bytes = self.wal_position().await?.saturating_sub(before.wal);
        let deadline = Instant::now() + STATISTICS_PATIENCE;
        let (updates, hot_updates) = loop {
            let (updates, hot_updates) = self.updates(table).await?;
            let new = (updates - before.updates, hot_updates - before.hot_updates);
            if new.0 >= bets || Instant::now() > deadline {
                break new;
            }
            tokio::time::sleep(POLL).await;
        };
        Ok(Taken {
            time,
            wal_bytes,
            updates,
            hot_updates,
            used,
        })
    }

    async fn updates(&self, table: &str) -> Result<(u64, u64)> {
        // Our own session tells of its updates only when it is asked to.
        self.lab
            .database
            .batch_execute("select pg_stat_force_next_flush()")
            .await?;
        let row = self
            .lab
            .database
            .query_one(
                "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = $1",
                &[&table],
            )
            .await?;
        Ok((
            u64::try_from(row.get::<_, i64>(0))?,
            u64::try_from(row.get::<_, i64>(1))?,
        ))
    }

    async fn wal_position(&self) -> Result<u64> {
        let row = self
            .lab
            .database
            .query_one("select (pg_current_wal_lsn() - '0/0')::bigint", &[])
            .await?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    /// Every bet is won and pays stake times odds, as the UPDATE says too, and the ledger has it once.
    async fn check(&self, round: &str) -> Result<Option<String>> {
        let row = self
            .lab
            .database
            .query_one(
                &format!(
                    "select (select count(*) from bets join {COPY} as copy using (id)
                             where bets.status = 1 and bets.payout = copy.payout and copy.status = 1),
                            (select count(*) from ledger join bets on bets.id = ledger.bet_id
                             where ledger.amount = bets.payout)"
                ),
                &[],
            )
            .await?;
        let (right, booked): (i64, i64) = (row.get(0), row.get(1));
        let bets = i64::try_from(self.bets)?;
        Ok(((right, booked) != (bets, bets)).then(|| {
            format!("{round}: of {bets} bets {right} are settled as the UPDATE settles them, {booked} are booked so")
        }))
    }
}

struct Before {
    started: Instant,
    meter: Meter,
    wal: u64,
    updates: u64,
    hot_updates: u64,
}
