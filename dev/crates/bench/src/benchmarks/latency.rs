//! From a result to a settled bet, while nothing else goes on: one PATCH at line-provider, then the bet is asked
//! for at bet-maker until it is won. Includes the two ways over HTTP and about half a pause between two questions.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::apart;
use crate::cli::Size;
use crate::http::{Connection, render};
use crate::lab::{Lab, event_ids};
use crate::progress::Progress;
use crate::report::{Figure, Section};
use crate::stats::{Latencies, millis};

const BELOW: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_micros(250);
const PATIENCE: Duration = Duration::from_secs(10);
/// Lets the services come to rest, so that results are not queued behind each other.
const REST: Duration = Duration::from_millis(20);
const WARM_UP: usize = 20;

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    let lab = Lab::start(progress).await?;
    let ids = event_ids(size.single_results + WARM_UP);
    lab.provider.create_events(&ids, progress).await?;
    lab.wait_for_events(ids.len()).await?;
    let (bet_maker, provider) = (lab.bet_maker.address(), lab.provider.address());
    let ask = |id: &String| {
        let body = format!(r#"{{"event_id":"{id}","stake":"10.00"}}"#);
        let place = render("POST", "/bets", bet_maker, None, &body);
        let result = lab.provider.request(
            "PATCH",
            &format!("/events/{id}"),
            r#"{"status":"first_team_won"}"#,
        );
        (place, result)
    };
    let questions: Vec<_> = ids.iter().map(ask).collect();

    // Apart: between two questions it sleeps for less than a timer of the runtime can.
    let measuring = apart::on_thread("asking", move || async move {
        let mut pair = Pair {
            bet_maker: (bet_maker, Connection::open(bet_maker).await?),
            provider: Connection::open(provider).await?,
        };
        let mut latencies = Latencies::default();
        for (number, (place, result)) in questions.iter().enumerate() {
            let latency = pair.settle_one(place, result).await?;
            if number >= WARM_UP {
                latencies.push(latency);
            }
            thread::sleep(REST);
        }
        Ok(latencies)
    });
    let takes = REST * u32::try_from(ids.len())?;
    let what = "delivering: one result at a time";
    let latencies = progress.timed(what, takes, measuring).await?;
    let section = Section {
        figures: vec![Figure::Time {
            name: format!("result to settled bet, median of {}", latencies.len()),
            ours: vec![latencies.percentile(50)],
            below: BELOW,
        }],
        notes: vec![
            format!(
                "from PATCH to a bet that is read as won: {}, longest {}",
                latencies.summary(),
                millis(latencies.percentile(100)),
            ),
            lab.describe().await?,
        ],
        faults: Vec::new(),
    };
    lab.stop().await;
    Ok(section)
}

struct Pair {
    bet_maker: (SocketAddr, Connection),
    provider: Connection,
}

impl Pair {
    async fn settle_one(&mut self, place: &[u8], result: &[u8]) -> Result<Duration> {
        let (address, bet_maker) = &mut self.bet_maker;
        let bet = expect(201, bet_maker.exchange(place).await?)?;
        let Some(id) = bet.get("id").and_then(Value::as_str) else {
            bail!("a bet without an id: {bet}");
        };
        let ask = render("GET", &format!("/bets/{id}"), *address, None, "");
        let started = Instant::now();
        expect(200, self.provider.exchange(result).await?)?;
        loop {
            let bet = expect(200, bet_maker.exchange(&ask).await?)?;
            let latency = started.elapsed();
            match bet.get("status").and_then(Value::as_str) {
                Some("won") => return Ok(latency),
                Some("pending") if latency < PATIENCE => thread::sleep(PAUSE),
                _ => bail!("not won after {} s: {bet}", latency.as_secs()),
            }
        }
    }
}

fn expect(status: u16, answer: (u16, &[u8])) -> Result<Value> {
    let body = serde_json::from_slice(answer.1)?;
    if answer.0 != status {
        bail!("{} instead of {status}: {body}", answer.0);
    }
    Ok(body)
}
