//! Delivering: durable changes of a real line-provider, called back to one lean receiver; beside a bare sender that
//! signs the same bodies and posts them to the same receiver, with as many under way at once.
//!
//! Every round pauses the subscription, changes 1,000 events in turn, and measures from the resumption to the last
//! callback. All must come; one in 64 signatures is checked.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use awc::http::Method;
use serde_json::json;
use shared_types::signature::Secret;

use crate::cli::Size;
use crate::cpu::Meter;
use crate::lab::{Provider, event_ids, program};
use crate::progress::Progress;
use crate::receiver::{Receiver, Tally};
use crate::report::{Figure, Section, number};
use crate::sender::Sender;
use crate::stats::rate;

const EVENTS: usize = 1000;
/// As many as line-provider has under way for one subscription (`delivery/window.rs`).
const IN_FLIGHT: usize = 32;
const AT_LEAST: f64 = 0.2;
/// Far longer than the slowest delivery of so many.
const PATIENCE: Duration = Duration::from_secs(300);

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    progress.say("starting line-provider");
    let mut provider = Provider::start().await?;
    let ids = event_ids(EVENTS);
    provider.create_events(&ids, progress).await?;
    let secret = Secret::from_bytes(&rand::random::<[u8; 32]>())?;
    let receiver = Receiver::start(secret.clone()).await?;
    let run = Run {
        subscription: subscribe(&provider, &receiver, &secret).await?,
        provider: &provider,
        receiver: &receiver,
        progress,
        ids,
        passes: Cell::new(0),
    };
    let mut section = Section::default();
    // Also collects the bodies for the other sender.
    run.deliver(EVENTS, "delivering, warm-up", &mut Section::default())
        .await?;
    let sender = Sender {
        url: receiver.url(),
        secret,
        bodies: receiver.bodies(),
        callbacks: u64::try_from(size.callbacks)?,
        in_flight: IN_FLIGHT,
    };
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=size.rounds {
        let of = format!("delivering, round {round} of {}", size.rounds);
        limit.push(run.send(&sender, &of).await?);
        ours.push(run.deliver(size.callbacks, &of, &mut section).await?);
    }
    section.figures.push(Figure::Rate {
        name: "signed callbacks of durable changes".to_owned(),
        limit_name: "a bare awc sender",
        unit: "/s",
        limit,
        ours,
        at_least: AT_LEAST,
    });
    provider.service.terminate().await;
    Ok(section)
}

async fn subscribe(provider: &Provider, receiver: &Receiver, secret: &Secret) -> Result<String> {
    let wanted = json!({"url": receiver.url(), "secret": secret.expose()});
    let answer = send(provider, Method::POST, "/subscriptions", &wanted, 201).await?;
    match answer.get("id").and_then(|id| id.as_str()) {
        Some(id) => Ok(format!("/subscriptions/{id}")),
        None => bail!("a subscription without an id: {answer}"),
    }
}

async fn send(
    provider: &Provider,
    method: Method,
    path: &str,
    body: &serde_json::Value,
    expect: u16,
) -> Result<serde_json::Value> {
    let json = [("content-type", "application/json")];
    let body = body.to_string().into_bytes();
    let answer = provider.client().try_send(method, path, &json, body).await?;
    if answer.status != expect {
        bail!("{path} answered {} {}", answer.status, answer.text());
    }
    Ok(answer.json())
}

struct Run<'a> {
    provider: &'a Provider,
    receiver: &'a Receiver,
    subscription: String,
    progress: &'a Progress,
    ids: Vec<String>,
    /// How often every event was changed already.
    passes: Cell<usize>,
}

impl Run<'_> {
    async fn send(&self, sender: &Sender, round: &str) -> Result<f64> {
        self.receiver.forget();
        let callbacks = sender.callbacks;
        let what = format!("{round}: bare sender");
        let sending = async {
            let started = sender.clone().run().await?;
            let last = self.receiver.wait_for(callbacks, PATIENCE).await?;
            anyhow::Ok(last.saturating_duration_since(started))
        };
        let took = self
            .progress
            .during(&what, callbacks, || self.receiver.tally().distinct, sending)
            .await?;
        let rate = rate(callbacks, took);
        self.progress.say(format!("{what}: {}/s", number(rate)));
        Ok(rate)
    }

    async fn deliver(&self, callbacks: usize, round: &str, section: &mut Section) -> Result<f64> {
        self.set_status("paused").await?;
        self.receiver.forget();
        let changes = self.changes(callbacks);
        let what = format!("{round}: making {callbacks} changes");
        self.provider.send_all(changes, 200, &what, self.progress).await?;
        let callbacks = u64::try_from(callbacks)?;
        let what = format!("{round}: line-provider");
        let meter = Meter::start(vec![
            self.provider.program()?,
            program("receiver", Some(std::process::id()))?,
        ]);
        let started = Instant::now();
        let delivering = async {
            self.set_status("active").await?;
            self.receiver.wait_for(callbacks, PATIENCE).await
        };
        let last = self
            .progress
            .during(&what, callbacks, || self.receiver.tally().distinct, delivering)
            .await?;
        let rate = rate(callbacks, last.saturating_duration_since(started));
        let used = meter.stop(callbacks, "callback");
        let Tally { calls, forged, .. } = self.receiver.tally();
        let summary = format!("{what}: {}/s", number(rate));
        self.progress.say(&summary);
        section.notes.push(format!(
            "{summary}, {} came more than once; {used}",
            calls.saturating_sub(callbacks)
        ));
        if forged > 0 {
            section
                .faults
                .push(format!("{what}: {forged} signatures are not right"));
        }
        Ok(rate)
    }

    async fn set_status(&self, status: &str) -> Result<()> {
        let wanted = json!({"status": status});
        send(self.provider, Method::PATCH, &self.subscription, &wanted, 200).await?;
        Ok(())
    }

    /// Odds that were not there before: the same values again would be no change.
    fn changes(&self, count: usize) -> Arc<[Vec<u8>]> {
        let ids = self.ids.iter().cycle().take(count).enumerate();
        let passes = self.passes.get();
        self.passes.set(passes + count.div_ceil(EVENTS));
        let change = |(number, id): (usize, &String)| {
            let hundredths = 200 + (passes + number / EVENTS) % 900_000;
            let odds = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let body = format!(r#"{{"odds":"{odds}"}}"#);
            self.provider.request("PATCH", &format!("/events/{id}"), &body)
        };
        ids.map(change).collect()
    }
}
