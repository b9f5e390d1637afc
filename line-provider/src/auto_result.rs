//! Events that end by themselves: at its deadline, an event that never had a result gets a random winner.
//!
//! Nothing is remembered between starts: the soonest deadline is looked up in the catalogue whenever the log
//! moves, so that deadlines are armed again after a restart, and after they changed. The writer decides whether
//! an event is really due; what passed while the service was down ends at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use shared_types::EventStatus;
use tokio::sync::watch;

use crate::catalogue::{Catalogue, Entry};
use crate::clock::Clock;
use crate::journal::Log;
use crate::writer::{EventCommand, Writer, WriterError};

/// Events that are ended together.
const BATCH: usize = 256;
/// The clock may be set while we sleep, so look at it again now and then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What ends events at their deadline.
#[derive(Clone)]
pub struct DeadlineFinisher {
    pub catalogue: Arc<Catalogue>,
    pub log: Arc<Log>,
    pub writer: Writer,
    pub clock: Clock,
}

impl DeadlineFinisher {
    /// Runs until `stopping` turns true or the writer has stopped.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut head = self.log.watch();
        while !*stopping.borrow() {
            // Before the look-up, so that a change behind it wakes us.
            head.mark_unchanged();
            let soonest = self.catalogue.soonest_open(BATCH);
            let now = self.clock.now();
            let due: Vec<_> = soonest
                .iter()
                .filter(|entry| entry.event.deadline <= now)
                .collect();
            if due.is_empty() {
                let sleep = soonest.first().map_or(LONGEST_SLEEP, |entry| {
                    entry.event.deadline.saturating_since(now).min(LONGEST_SLEEP)
                });
                tokio::select! {
                    () = tokio::time::sleep(sleep) => {}
                    _ = head.changed() => {}
                    _ = stopping.changed() => {}
                }
            } else if !self.finish(due).await {
                return;
            }
        }
    }

    /// Ends these events; `false` once the writer has stopped.
    async fn finish(&self, due: Vec<&Arc<Entry>>) -> bool {
        let commands = due.into_iter().map(|entry| {
            let command = EventCommand::FinishAtDeadline {
                id: entry.event.id.clone(),
                status: random_winner(),
            };
            self.writer.own_event(command)
        });
        let answers = join_all(commands).await;
        // A refusal says that the operator was faster.
        !answers
            .iter()
            .any(|answer| matches!(answer, Err(WriterError::Stopped)))
    }
}

fn random_winner() -> EventStatus {
    if rand::random() {
        EventStatus::FirstTeamWon
    } else {
        EventStatus::SecondTeamWon
    }
}
