//! The settlement worker. Level-triggered: it looks for events whose newest result is not settled yet, whoever
//! brought that result and whenever; a wake-up only saves the wait. Any number of workers and replicas may run.

use std::sync::Arc;
use std::time::Duration;

use http_edge::telemetry::chain;
use tokio::sync::Notify;

use crate::store::settlements::{Chunk, settle_chunk};
use crate::store::{Store, StoreError};

/// Large enough that the statements' fixed cost vanishes, small enough that a newer result waits only shortly.
const CHUNK: u16 = 5_000;
/// How long a result of another replica, or one whose wake-up was lost, waits at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Settles what is due.
#[derive(Clone)]
pub struct Settler {
    pub store: Store,
    pub wake: Arc<Notify>,
}

impl Settler {
    /// Never returns; drop it to stop it: the chunk under way is then redone by the next worker.
    pub async fn run(self) {
        loop {
            match self.settle_due().await {
                Ok(()) => {
                    let _ = tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = chain(&error),
                        "a chunk could not be settled; it will be redone"
                    );
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn settle_due(&self) -> Result<(), StoreError> {
        while let Some(chunk) = settle_chunk(&mut *self.store.connection().await?, CHUNK).await? {
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
}
