//! A bounded queue that is emptied in batches, so that what many ask for shares one transaction, and each gets its own
//! answer. Who asks waits for it no longer than a deadline; what nobody waits for any more when its batch begins is
//! left out, and what has begun is carried out, whether anybody still waits or not.

use std::sync::Arc;
use std::time::Duration;

use http_edge::server::{BODY_WITHIN, SHUTDOWN_WITHIN};
use tokio::sync::{Mutex, mpsc, oneshot};

/// How long an asker waits at most.
const PATIENCE: Duration = Duration::from_secs(15);
const _: () = assert!(
    BODY_WITHIN.as_secs() + PATIENCE.as_secs() < SHUTDOWN_WITHIN.as_secs(),
    "who asked before a stop began is answered before it ends"
);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Too much waits already; nothing was done.
    Full,
    /// It took too long; it may have been done, or may be still.
    Late,
}

struct Waiting<J, A> {
    job: J,
    answer: oneshot::Sender<A>,
}

/// Where jobs are handed in.
pub struct Queue<J, A> {
    waiting: mpsc::Sender<Waiting<J, A>>,
}

/// The other end of a [`Queue`]; several workers may share it.
pub struct Batches<J, A> {
    waiting: Arc<Mutex<mpsc::Receiver<Waiting<J, A>>>>,
    size: usize,
}

/// Who waits for the answers to a batch, in its order.
pub struct Askers<A>(Vec<oneshot::Sender<A>>);

/// A queue in which `capacity` jobs may wait, to be taken in batches of at most `size`.
pub fn queue<J, A>(capacity: usize, size: usize) -> (Queue<J, A>, Batches<J, A>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let batches = Batches {
        waiting: Arc::new(Mutex::new(receiver)),
        size,
    };
    (Queue { waiting: sender }, batches)
}

impl<J, A> Queue<J, A> {
    /// Hands in a job and waits for its answer.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn ask(&self, job: J) -> Result<A, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.waiting
            .try_send(Waiting { job, answer })
            .map_err(|_| Unanswered::Full)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            // Every job is answered, so its worker was stopped, with the process.
            Ok(Err(_)) | Err(_) => Err(Unanswered::Late),
        }
    }
}

impl<J, A> Batches<J, A> {
    /// The next batch, never empty; `None` once the last [`Queue`] is gone.
    pub async fn next(&self) -> Option<(Vec<J>, Askers<A>)> {
        loop {
            let mut batch = Vec::with_capacity(self.size);
            // Held while waiting: workers take turns, and whoever waits longest takes all that came.
            if self.waiting.lock().await.recv_many(&mut batch, self.size).await == 0 {
                return None;
            }
            let awaited = batch.into_iter().filter(|waiting| !waiting.answer.is_closed());
            let (jobs, askers): (Vec<_>, _) = awaited.map(|waiting| (waiting.job, waiting.answer)).unzip();
            if !jobs.is_empty() {
                return Some((jobs, Askers(askers)));
            }
        }
    }
}

impl<A> Askers<A> {
    /// Gives each its answer.
    pub fn answer(self, answers: impl IntoIterator<Item = A>) {
        for (asker, answer) in self.0.into_iter().zip(answers) {
            // Who went meanwhile hears nothing; what was done stands.
            let _ = asker.send(answer);
        }
    }

    /// Gives all the same answer.
    pub fn answer_all(self, answer: impl Fn() -> A) {
        self.answer(std::iter::repeat_with(answer));
    }
}

impl<J, A> Clone for Queue<J, A> {
    fn clone(&self) -> Self {
        Self {
            waiting: self.waiting.clone(),
        }
    }
}

impl<J, A> Clone for Batches<J, A> {
    fn clone(&self) -> Self {
        Self {
            waiting: Arc::clone(&self.waiting),
            size: self.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn each_gets_its_own_answer() {
        let (queue, batches) = queue::<u8, u8>(8, 2);
        let worker = tokio::spawn(async move {
            while let Some((jobs, askers)) = batches.next().await {
                assert!(jobs.len() <= 2);
                askers.answer(jobs.into_iter().map(|job| job * 10));
            }
        });
        let answers = futures_util::future::join_all([1, 2, 3].map(|job| queue.ask(job))).await;
        assert_eq!(answers, [Ok(10), Ok(20), Ok(30)]);
        drop(queue);
        worker.await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_at_once() {
        let (queue, _batches) = queue::<u8, ()>(1, 1);
        let first = queue.ask(1);
        let mut first = Box::pin(first);
        assert_eq!(first.as_mut().now_or_never(), None);
        assert_eq!(queue.ask(2).now_or_never(), Some(Err(Unanswered::Full)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_deadline_for_a_worker_that_hangs() {
        let (queue, batches) = queue::<u8, ()>(8, 1);
        let started = tokio::time::Instant::now();
        let (answers, _taken) = tokio::join!(
            futures_util::future::join_all([queue.ask(1), queue.ask(2)]),
            batches.next()
        );
        assert_eq!(answers, [Err(Unanswered::Late), Err(Unanswered::Late)]);
        assert_eq!(started.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_left_out() {
        let (queue, batches) = queue::<u8, u8>(8, 8);
        assert_eq!(queue.ask(1).now_or_never(), None, "it hung up");
        let (answer, ()) = tokio::join!(queue.ask(2), async {
            let (jobs, askers) = batches.next().await.unwrap();
            assert_eq!(jobs, [2]);
            askers.answer_all(|| 7);
        });
        assert_eq!(answer, Ok(7));
    }
}
