//! Placing: concurrent requests share transactions. Each waits in a bounded queue for a writer, which takes all
//! that wait (up to a batch), has the store decide on them at once, and answers each on its own. A client that
//! hangs up drops only its own wait: the batch is the writer's.

use std::sync::Arc;
use std::time::Instant;

use shared_types::{Bet, BetId};
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use crate::feed::Freshness;
use crate::placement::{PlaceBet, Refusal};
use crate::store::placements::{self, Answer, Halt, Ticket};
use crate::store::{Store, StoreError, WORK_DEADLINE, within};

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

struct Waiting {
    ticket: Ticket,
    answer: oneshot::Sender<Result<Placed, PlaceBetError>>,
}

/// Where bets are handed in.
#[derive(Clone)]
pub struct Placing {
    queue: mpsc::Sender<Waiting>,
}

/// Takes bets from the queue into the store; several may share one queue.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    store: Store,
    freshness: Arc<Freshness>,
}

impl Placing {
    /// Makes the queue and a writer for it, to be cloned and run.
    pub fn new(store: Store, freshness: Arc<Freshness>) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(WAITING);
        (
            Self { queue: sender },
            Writer {
                queue: Arc::new(Mutex::new(queue)),
                store,
                freshness,
            },
        )
    }

    /// Returns once the bet is durable, or refused.
    ///
    /// # Errors
    /// [`PlaceBetError`]. After [`PlaceBetError::Store`] the bet may have been placed if the database broke off
    /// while committing; repeating the request with its key tells.
    pub async fn place_bet(&self, bet: PlaceBet) -> Result<Placed, PlaceBetError> {
        let ticket = Ticket {
            id: BetId::from_uuid(Uuid::now_v7()),
            bet,
        };
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Waiting { ticket, answer })
            .map_err(|_| PlaceBetError::Overloaded)?;
        // The writer answers every ticket; it is gone only when the process stops.
        answered.await.unwrap_or(Err(PlaceBetError::Overloaded))
    }
}

impl Writer {
    /// Works until the last [`Placing`] is gone.
    pub async fn run(self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // Held while waiting: the writers take turns, and whoever waits longest takes all that came.
            if self.queue.lock().await.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            let (tickets, answers): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .map(|Waiting { ticket, answer }| (ticket, answer))
                .unzip();
            metrics::histogram!("bet_maker_placement_batch_size")
                .record(u32::try_from(tickets.len()).unwrap_or(u32::MAX));
            match self.place(&tickets).await {
                Ok(decided) => {
                    for (answer, decided) in answers.into_iter().zip(decided) {
                        // Nobody waits any more where the client hung up; the bet stands.
                        let _ = answer.send(result(decided));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for answer in answers {
                        let _ = answer.send(Err(PlaceBetError::Store(Arc::clone(&error))));
                    }
                }
            }
        }
    }

    async fn place(&self, tickets: &[Ticket]) -> Result<Vec<Answer>, StoreError> {
        within(WORK_DEADLINE, async {
            let mut conn = self.store.connection().await?;
            let fresh_generation = || self.freshness.fresh_generation(Instant::now());
            placements::place(&mut conn, tickets, fresh_generation).await
        })
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
