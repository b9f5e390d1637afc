//! The settlement worker. Level-triggered: it looks for events whose newest result is not settled yet, whoever
//! brought that result and whenever; a wake-up only saves the wait. Any number of workers and replicas may run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_edge::telemetry::chain;
use tokio::sync::Notify;

use crate::store::Store;
use crate::store::settlements::{Chunk, SettleError, settle_chunk};

/// Large enough that the statements' fixed cost vanishes, small enough that a newer result waits only shortly.
const CHUNK: u16 = 20_000;
/// How long a result of another replica, or one whose wake-up was lost, waits at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long an event is left alone whose chunk failed, so that it holds up no other.
const SPARE: Duration = Duration::from_secs(30);

/// Settles what is due.
#[derive(Clone)]
pub struct Settler {
    pub store: Store,
    pub wake: Arc<Notify>,
}

impl Settler {
    /// Never returns; drop it to stop it: the chunk under way is then redone by the next worker.
    pub async fn run(self) {
        let mut spared: Vec<(String, Instant)> = Vec::new();
        loop {
            spared.retain(|(_, until)| *until > Instant::now());
            let ids: Vec<String> = spared.iter().map(|(id, _)| id.clone()).collect();
            match self.settle_due(&ids).await {
                Ok(()) => {
                    let _ = tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = chain(&error),
                        event_id = error.event_id,
                        "it will be tried again"
                    );
                    spared.extend(error.event_id.map(|id| (id, Instant::now() + SPARE)));
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn settle_due(&self, spared: &[String]) -> Result<(), SettleError> {
        while let Some(chunk) = self.settle_chunk(spared).await? {
            let Chunk {
                event_id,
                seen,
                settled,
                finished,
            } = chunk;
            metrics::counter!("bet_maker_settled_bets_total")
                .increment(settled.try_into().unwrap_or(u64::MAX));
            tracing::debug!(%event_id, seen, settled, finished, "settled a chunk");
        }
        Ok(())
    }

    async fn settle_chunk(&self, spared: &[String]) -> Result<Option<Chunk>, SettleError> {
        self.store
            .work(async |conn| settle_chunk(conn, CHUNK, spared).await)
            .await
    }
}
