//! The loop that serves all subscriptions, on one thread: it keeps every window full, makes the attempts that the
//! windows ask for, and saves the cursors about once a second.
//!
//! Everything slow is a task that reports back to the loop, so that no receiver can hold up another. Nothing here
//! must survive a crash: what the saved cursors do not cover is sent again.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http_edge::telemetry::chain;
use shared_types::SubscriptionId;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::callback::Receiver;
use super::served::Served;
use super::tasks::{self, Report, Task};
use super::{DRAIN, SAVE_WITHIN};
use crate::clock::Clock;
use crate::journal::Log;
use crate::metrics;
use crate::subscription::board::Board;
use crate::writer::Writer;

const SAVE_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Engine {
    log: Arc<Log>,
    board: Arc<Board>,
    writer: Writer,
    clock: Clock,
    served: HashMap<SubscriptionId, Served>,
    tasks: FuturesUnordered<Task>,
    is_saving: bool,
}

impl Engine {
    pub(super) fn new(log: Arc<Log>, board: Arc<Board>, writer: Writer, clock: Clock) -> Self {
        Self {
            log,
            board,
            writer,
            clock,
            served: HashMap::new(),
            tasks: FuturesUnordered::new(),
            is_saving: false,
        }
    }

    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut head = self.log.watch();
        let mut board = self.board.watch();
        let mut save = tokio::time::interval(SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.look_at_board();
        while !*stopping.borrow() {
            let retry = self.served.values().filter_map(Served::next_retry).min();
            tokio::select! {
                Some(report) = self.tasks.next(), if !self.tasks.is_empty() => self.take_reports(report),
                Ok(()) = head.changed() => self.serve_all(),
                Ok(()) = board.changed() => self.look_at_board(),
                () = until(retry), if retry.is_some() => self.serve_all(),
                _ = save.tick() => self.save_cursors(),
                _ = stopping.changed() => {}
            }
        }
        self.wind_up().await;
    }

    /// Lets attempts under way end, then saves every cursor.
    async fn wind_up(mut self) {
        let drained = tokio::time::timeout(DRAIN, async {
            while let Some(report) = self.tasks.next().await {
                self.note(report);
            }
        });
        if drained.await.is_err() {
            tracing::info!(
                attempts = self.tasks.len(),
                "callbacks under way are made again after the start"
            );
        }
        let cursors: Vec<_> = self.unsaved().collect();
        let saved = tokio::time::timeout(SAVE_WITHIN, self.writer.save_cursors(cursors));
        if saved.await.is_err() {
            tracing::warn!(
                "the journal is not written in time: callbacks since the last save are made again"
            );
        }
    }

    fn look_at_board(&mut self) {
        let posted = self.board.list(None, usize::MAX);
        let ids: HashSet<_> = posted.iter().map(|posted| posted.registration.id).collect();
        self.served.retain(|id, _| {
            let stays = ids.contains(id);
            if !stays {
                metrics::lag(*id, 0);
            }
            stays
        });
        for posted in posted {
            match self.served.entry(posted.registration.id) {
                Entry::Occupied(mut known) => known.get_mut().post(&posted),
                Entry::Vacant(vacant) => {
                    let receiver = Rc::new(Receiver::new(self.log.instance()));
                    vacant.insert(Served::new(posted, receiver));
                }
            }
        }
        self.serve_all();
    }

    fn serve_all(&mut self) {
        let ids: Vec<_> = self.served.keys().copied().collect();
        for id in ids {
            self.serve(id);
        }
    }

    /// Takes this report and all others that are there already.
    fn take_reports(&mut self, first: Report) {
        let mut next = Some(first);
        while let Some(report) = next {
            if let Some(id) = self.note(report) {
                self.serve(id);
            }
            next = self.tasks.next().now_or_never().flatten();
        }
    }

    /// Notes what a task reports; gives the subscription that may go on because of it.
    fn note(&mut self, report: Report) -> Option<SubscriptionId> {
        match report {
            Report::Attempted {
                subscription,
                lane,
                outcome,
            } => {
                let served = self.served.get_mut(&subscription)?;
                if served.note_outcome(&lane, outcome, Instant::now(), rand::random()) {
                    self.disable(subscription);
                }
                Some(subscription)
            }
            Report::Read {
                subscription,
                after,
                changes,
            } => {
                let served = self.served.get_mut(&subscription)?;
                served.is_reading = false;
                match changes {
                    Ok(changes) => served.take(after, changes),
                    Err(error) => tracing::error!(error = chain(&error), "delivery cannot read the journal"),
                }
                Some(subscription)
            }
            Report::Disabled(subscription) => {
                // The board first: without its news the subscription would be served on.
                let posted = self.board.find(subscription)?;
                let served = self.served.get_mut(&subscription)?;
                served.post(&posted);
                served.told_gone();
                Some(subscription)
            }
            Report::Saved(cursors) => {
                self.is_saving = false;
                for (id, cursor) in cursors {
                    if let Some(served) = self.served.get_mut(&id) {
                        served.saved(cursor);
                    }
                }
                None
            }
        }
    }

    /// Fills a subscription's window, makes the attempts it asks for, and tells the board.
    fn serve(&mut self, id: SubscriptionId) {
        let Some(served) = self.served.get_mut(&id) else {
            return;
        };
        let now = Instant::now();
        loop {
            while let Some(start) = served.start(now) {
                self.tasks
                    .push(tasks::attempt(id, start, served, &self.log, &self.clock));
            }
            let Some((after, room)) = served.wants().filter(|(after, _)| *after < self.log.head()) else {
                break;
            };
            match self.log.read_tail(after, room) {
                Some(changes) => served.take(after, changes),
                None => {
                    served.is_reading = true;
                    self.tasks.push(tasks::read(id, after, room, &self.log));
                    break;
                }
            }
        }
        served.tell(now, self.clock.now());
    }

    fn disable(&self, id: SubscriptionId) {
        let Some(served) = self.served.get(&id) else {
            return;
        };
        tracing::warn!(subscription = %id, "the receiver is gone (410); the subscription is disabled");
        let url = served.posted().registration.url.clone();
        self.tasks.push(tasks::disable(id, url, self.writer.clone()));
    }

    fn save_cursors(&mut self) {
        for (id, served) in &self.served {
            metrics::lag(*id, self.log.head().saturating_sub(served.cursor()));
        }
        let cursors: Vec<_> = self.unsaved().collect();
        if self.is_saving || cursors.is_empty() {
            return;
        }
        self.is_saving = true;
        self.tasks.push(tasks::save(cursors, self.writer.clone()));
    }

    fn unsaved(&self) -> impl Iterator<Item = (SubscriptionId, u64)> {
        self.served
            .iter()
            .filter_map(|(id, served)| Some((*id, served.unsaved()?)))
    }
}

async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}
