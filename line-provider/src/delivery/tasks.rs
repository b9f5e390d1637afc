//! What delivery does outside of its loop: each task does one slow thing and reports what came of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use http_edge::telemetry::chain;
use shared_types::{EventId, SubscriptionId};

use super::callback::Outcome;
use super::served::Served;
use super::window::Start;
use crate::clock::Clock;
use crate::journal::{JournalError, Log, Logged};
use crate::metrics;
use crate::subscription::CallbackUrl;
use crate::writer::{SubscriptionCommand, Writer};

/// How long to leave the journal alone after it could not be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(super) type Task = LocalBoxFuture<'static, Report>;

/// What a task reports.
pub(super) enum Report {
    Attempted {
        subscription: SubscriptionId,
        lane: EventId,
        outcome: Outcome,
    },
    Read {
        subscription: SubscriptionId,
        after: u64,
        changes: Result<Vec<Arc<Logged>>, JournalError>,
    },
    Disabled(SubscriptionId),
    Saved(Vec<(SubscriptionId, u64)>),
}

/// Calls back once.
pub(super) fn attempt(
    subscription: SubscriptionId,
    start: Start<Arc<Logged>>,
    served: &Served,
    log: &Arc<Log>,
    clock: &Clock,
) -> Task {
    let Start {
        lane,
        position,
        payload,
        superseded: _,
    } = start;
    let registration = Arc::clone(&served.posted().registration);
    let receiver = Rc::clone(served.receiver());
    let (log, clock) = (Arc::clone(log), clock.clone());
    Box::pin(async move {
        let change = match payload {
            Some(change) => Ok(change),
            None => read_one(&log, position).await,
        };
        let started = Instant::now();
        let outcome = match change {
            Ok(change) => receiver.call(&registration, &change, clock.now()).await,
            Err(error) => Outcome::Failed {
                error,
                retry_after: None,
            },
        };
        metrics::attempt(outcome.label(), started.elapsed());
        Report::Attempted {
            subscription,
            lane,
            outcome,
        }
    })
}

async fn read_one(log: &Log, position: u64) -> Result<Arc<Logged>, String> {
    let changes = log.read(position - 1, 1).await.map_err(|error| chain(&error))?;
    changes
        .into_iter()
        .next()
        .ok_or_else(|| "the change cannot be found in the journal".to_owned())
}

/// Reads old changes from the journal.
pub(super) fn read(subscription: SubscriptionId, after: u64, limit: usize, log: &Arc<Log>) -> Task {
    let log = Arc::clone(log);
    Box::pin(async move {
        let changes = log.read(after, limit).await;
        if changes.is_err() {
            tokio::time::sleep(READ_AGAIN_AFTER).await;
        }
        Report::Read {
            subscription,
            after,
            changes,
        }
    })
}

/// Tells the writer that a receiver is gone.
pub(super) fn disable(id: SubscriptionId, url: CallbackUrl, writer: Writer) -> Task {
    let reason = "the receiver answered 410 Gone".to_owned();
    Box::pin(async move {
        let command = SubscriptionCommand::Disable { id, url, reason };
        // Refused: it was deleted meanwhile. Stopped: the receiver is asked again after the start.
        let _ = writer.own_subscription(command).await;
        Report::Disabled(id)
    })
}

/// Makes cursors durable.
pub(super) fn save(cursors: Vec<(SubscriptionId, u64)>, writer: Writer) -> Task {
    Box::pin(async move {
        writer.save_cursors(cursors.clone()).await;
        Report::Saved(cursors)
    })
}
