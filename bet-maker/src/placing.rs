//! Placing: concurrent requests share transactions. Each waits in a bounded queue for a writer, which takes all
//! that wait (up to a batch), has the store decide on them at once, and answers each on its own. A client that
//! hangs up drops only its own wait: the batch is the writer's.

use std::sync::Arc;
use std::time::Instant;

use shared_types::{Bet, BetId};
use uuid::Uuid;

use crate::batching::{Batches, Queue, Unanswered, queue};
use crate::feed::Freshness;
use crate::placement::{PlaceBet, Refusal};
use crate::store::placements::{self, Answer, Halt, Ticket};
use crate::store::{Store, StoreError};

const WAITING: usize = 4096;
/// Also bounds how many fences one transaction holds.
const BATCH: usize = 128;

/// A bet that was placed, now or by an earlier request with the same key.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub bet: Bet,
    pub replayed: bool,
}

/// Why a bet was not placed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PlaceBetError {
    #[error("{refusal}")]
    Refused { refusal: Refusal, replayed: bool },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("no bets are accepted at the moment")]
    Halted(Halt),
    #[error("too many bets wait already")]
    Overloaded,
    #[error(transparent)]
    Store(Arc<StoreError>),
}

/// Where bets are handed in.
#[derive(Clone)]
pub struct Placing {
    queue: Queue<Ticket, Result<Placed, PlaceBetError>>,
}

/// Takes bets from the queue into the store; several may share one queue.
#[derive(Clone)]
pub struct Writer {
    batches: Batches<Ticket, Result<Placed, PlaceBetError>>,
    store: Store,
    freshness: Arc<Freshness>,
}

impl Placing {
    /// Makes the queue and a writer for it, to be cloned and run.
    pub fn new(store: Store, freshness: Arc<Freshness>) -> (Self, Writer) {
        let (queue, batches) = queue(WAITING, BATCH);
        (
            Self { queue },
            Writer {
                batches,
                store,
                freshness,
            },
        )
    }

    /// Returns once the bet is durable, or refused.
    ///
    /// # Errors
    /// [`PlaceBetError`]. After [`PlaceBetError::Store`] the bet may have been placed, if the database broke off while
    /// committing or did not answer in time; repeating the request with its key tells.
    pub async fn place_bet(&self, bet: PlaceBet) -> Result<Placed, PlaceBetError> {
        let ticket = Ticket {
            id: BetId::from_uuid(Uuid::now_v7()),
            bet,
        };
        self.queue
            .ask(ticket)
            .await
            .unwrap_or_else(|unanswered| Err(unanswered.into()))
    }
}

impl From<Unanswered> for PlaceBetError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Full => Self::Overloaded,
            Unanswered::Late => Self::Store(Arc::new(StoreError::TimedOut)),
        }
    }
}

impl Writer {
    /// Works until the last [`Placing`] is gone.
    pub async fn run(self) {
        while let Some((tickets, askers)) = self.batches.next().await {
            metrics::histogram!("bet_maker_placement_batch_size")
                .record(u32::try_from(tickets.len()).unwrap_or(u32::MAX));
            match self.place(&tickets).await {
                Ok(decided) => askers.answer(decided.into_iter().map(result)),
                Err(error) => {
                    let error = Arc::new(error);
                    askers.answer_all(|| Err(PlaceBetError::Store(Arc::clone(&error))));
                }
            }
        }
    }

    async fn place(&self, tickets: &[Ticket]) -> Result<Vec<Answer>, StoreError> {
        let fresh_generation = || self.freshness.fresh_generation(Instant::now());
        self.store
            .work(async |conn| placements::place(conn, tickets, fresh_generation).await)
            .await
    }
}

fn result(answer: Answer) -> Result<Placed, PlaceBetError> {
    match answer {
        Answer::Decided {
            outcome: Ok(bet),
            replayed,
        } => Ok(Placed { bet, replayed }),
        Answer::Decided {
            outcome: Err(refusal),
            replayed,
        } => Err(PlaceBetError::Refused { refusal, replayed }),
        Answer::KeyReused => Err(PlaceBetError::KeyReused),
        Answer::Halted(halt) => Err(PlaceBetError::Halted(halt)),
    }
}
