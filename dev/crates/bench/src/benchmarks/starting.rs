//! Starting: a real line-provider whose journal holds 100,000 events, from the start of the process until `/readyz`
//! says 200. The journal was written by the service itself, and lies in the machine's cache.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cli::Size;
use crate::http::{Connection, render};
use crate::lab::{Provider, event_ids};
use crate::progress::Progress;
use crate::report::{Figure, Section, number};
use crate::stats::{float, millis, rate};

const BELOW: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    progress.say("starting line-provider");
    let mut provider = Provider::start().await?;
    let ids = event_ids(size.journal_events);
    let began = Instant::now();
    provider.create_events(&ids, progress).await?;
    let count = u64::try_from(ids.len())?;
    let mut section = Section::default();
    section.notes.push(format!(
        "the journal was written by POST /events, {}/s over 64 connections",
        number(rate(count, began.elapsed())),
    ));
    let mut ours = Vec::new();
    for round in 1..=size.rounds {
        let what = format!("starting, round {round} of {}", size.rounds);
        progress.say(&what);
        provider.service.terminate().await;
        let address = provider.address();
        let started = Instant::now();
        let (ready, ()) = tokio::join!(
            wait_until_ready(address, started),
            provider.service.restart_unready()
        );
        let ready = ready?;
        progress.say(format!("{what}: {}", millis(ready)));
        ours.push(ready);
    }
    let bytes: u64 = std::fs::read_dir(provider.data())?
        .flatten()
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum();
    section.notes.push(format!(
        "the journal's folder holds {} bytes",
        number(float(bytes))
    ));
    section.figures.push(Figure::Time {
        name: format!("start with {} events", number(float(count))),
        ours,
        below: BELOW,
    });
    provider.service.terminate().await;
    Ok(section)
}

async fn wait_until_ready(address: SocketAddr, started: Instant) -> Result<Duration> {
    let ask = render("GET", "/readyz", address, None, "");
    loop {
        if let Ok(mut connection) = Connection::open(address).await
            && let Ok((200, _)) = connection.exchange(&ask).await
        {
            return Ok(started.elapsed());
        }
        if started.elapsed() > PATIENCE {
            bail!("not ready within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}
