//! The writer: one thread that decides every command and owns the journal.
//!
//! Commands wait in a bounded queue. The thread takes what waits (up to 256), leaves out what nobody waits for any more,
//! decides the rest in order, writes the outcome in one commit, and only then shows it: to the catalogue and the board,
//! to the log, to whoever asked.
//! So no two decisions race, positions have no gaps, and nothing visible can vanish in a crash. The first write
//! that fails ends the writer for good: what the disk holds is unknown until the journal is opened again.

mod command;
mod read_models;
mod truth;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_edge::Traceparent;
use http_edge::server::{BODY_WITHIN, SHUTDOWN_WITHIN};
use shared_types::SubscriptionId;
use tokio::sync::{mpsc, oneshot, watch};

pub use command::{
    Effect, EventAnswer, EventCommand, EventRefusal, SubscriptionAnswer, SubscriptionCommand,
    SubscriptionRefusal, WriterError,
};
pub use read_models::ReadModels;

use crate::clock::Clock;
use crate::journal::{Contents, Journal, JournalError, Logged, Write};
use crate::metrics;
use command::{Command, EventReply, SubscriptionReply};
use truth::{Batch, Truth};

/// Commands that may wait; beyond it they are refused at once.
const QUEUE: usize = 1024;
/// Commands that share one commit.
const BATCH: usize = 256;
/// How long a client waits for the disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const _: () = assert!(
    BODY_WITHIN.as_secs() + ANSWER_WITHIN.as_secs() < SHUTDOWN_WITHIN.as_secs(),
    "who asked before a stop began is answered before it ends"
);

/// Gives commands to the writer; cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Command>,
    /// Since when the batch under way is carried out.
    busy_since: watch::Receiver<Option<Instant>>,
}

/// The thread; it ends with the journal closed, or with the error that ended it.
pub type WriterThread = JoinHandle<Result<(), JournalError>>;

impl Writer {
    /// The writer of an open journal, and the loop behind it, for whoever wants that on a thread of its own choice.
    pub fn new(
        journal: Journal,
        contents: Contents,
        clock: Clock,
        read_models: ReadModels,
    ) -> (Self, Decider) {
        let (queue, commands) = mpsc::channel(QUEUE);
        let (busy, busy_since) = watch::channel(None);
        let truth = Truth::new(contents);
        read_models.catalogue.put(truth.entries());
        let decider = Decider {
            commands,
            journal,
            truth,
            clock,
            read_models,
            busy,
        };
        (Self { queue, busy_since }, decider)
    }

    /// Starts the loop on a new thread. `ended` is dropped when it ends, for whatever reason.
    pub fn start(
        journal: Journal,
        contents: Contents,
        clock: Clock,
        read_models: ReadModels,
        ended: oneshot::Sender<()>,
    ) -> (Self, WriterThread) {
        let (writer, decider) = Self::new(journal, contents, clock, read_models);
        let running = thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || {
                let _ended = ended;
                decider.run()
            })
            .expect("the process can start one more thread");
        (writer, running)
    }

    /// Decides a client's command about an event; `trace` is of the client's request.
    ///
    /// # Errors
    /// The refusal, or why there is no answer.
    pub async fn event(
        &self,
        command: EventCommand,
        trace: Option<Traceparent>,
    ) -> Result<EventAnswer, WriterError<EventRefusal>> {
        let (reply, answer) = oneshot::channel();
        self.submit(Command::Event(command, trace, reply))?;
        answered_in_time(answer).await
    }

    /// Decides a client's command about a subscription.
    ///
    /// # Errors
    /// The refusal, or why there is no answer.
    pub async fn subscription(
        &self,
        command: SubscriptionCommand,
    ) -> Result<SubscriptionAnswer, WriterError<SubscriptionRefusal>> {
        let (reply, answer) = oneshot::channel();
        self.submit(Command::Subscription(command, reply))?;
        answered_in_time(answer).await
    }

    /// Like [`Writer::event`] for this service's own commands, which wait for a place in the queue.
    ///
    /// # Errors
    /// The refusal, or [`WriterError::Stopped`].
    pub async fn own_event(&self, command: EventCommand) -> Result<EventAnswer, WriterError<EventRefusal>> {
        let (reply, answer) = oneshot::channel();
        self.wait_and_submit(Command::Event(command, None, reply)).await?;
        answered(answer).await
    }

    /// Like [`Writer::subscription`] for this service's own commands, which wait for a place in the queue.
    ///
    /// # Errors
    /// The refusal, or [`WriterError::Stopped`].
    pub async fn own_subscription(
        &self,
        command: SubscriptionCommand,
    ) -> Result<SubscriptionAnswer, WriterError<SubscriptionRefusal>> {
        let (reply, answer) = oneshot::channel();
        self.wait_and_submit(Command::Subscription(command, reply))
            .await?;
        answered(answer).await
    }

    /// Makes durable how far subscriptions were served. Nothing happens if the writer has stopped: what is not
    /// saved is sent again.
    pub async fn save_cursors(&self, cursors: Vec<(SubscriptionId, u64)>) {
        let (reply, answer) = oneshot::channel();
        if self
            .queue
            .send(Command::SaveCursors(cursors, reply))
            .await
            .is_ok()
        {
            // No answer: the writer has stopped.
            let _ = answer.await;
        }
    }

    /// Ends the writer behind everything that waits now.
    pub async fn stop(&self) {
        // No place to send it to: it has stopped already.
        let _ = self.queue.send(Command::Stop).await;
    }

    /// Whether commands are still carried out.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// How long the batch under way has been carried out by now, if one is: a disk that hangs shows here.
    pub fn busy_for(&self) -> Option<Duration> {
        self.busy_since.borrow().map(|since| since.elapsed())
    }

    fn submit<R: std::error::Error>(&self, command: Command) -> Result<(), WriterError<R>> {
        self.queue.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriterError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriterError::Stopped,
        })
    }

    async fn wait_and_submit<R: std::error::Error>(&self, command: Command) -> Result<(), WriterError<R>> {
        self.queue.send(command).await.map_err(|_| WriterError::Stopped)
    }
}

async fn answered_in_time<T, R: std::error::Error>(
    answer: oneshot::Receiver<Result<T, R>>,
) -> Result<T, WriterError<R>> {
    tokio::time::timeout(ANSWER_WITHIN, answered(answer))
        .await
        .unwrap_or(Err(WriterError::Late))
}

async fn answered<T, R: std::error::Error>(
    answer: oneshot::Receiver<Result<T, R>>,
) -> Result<T, WriterError<R>> {
    match answer.await {
        Ok(decided) => decided.map_err(WriterError::Refused),
        Err(_) => Err(WriterError::Stopped),
    }
}

/// An answer that waits for its batch to be durable.
enum Answer {
    Event(EventReply, Result<EventAnswer, EventRefusal>),
    Subscription(SubscriptionReply, Result<SubscriptionAnswer, SubscriptionRefusal>),
    Saved(oneshot::Sender<()>),
}

impl Answer {
    /// Whoever asked may have gone; the decision stands all the same.
    fn send(self) {
        match self {
            Self::Event(reply, answer) => drop(reply.send(answer)),
            Self::Subscription(reply, answer) => drop(reply.send(answer)),
            Self::Saved(reply) => drop(reply.send(())),
        }
    }
}

/// Decides what the [`Writer`] is given; the thread that runs it is the one that writes the journal.
pub struct Decider {
    commands: mpsc::Receiver<Command>,
    journal: Journal,
    truth: Truth,
    clock: Clock,
    read_models: ReadModels,
    busy: watch::Sender<Option<Instant>>,
}

impl Decider {
    /// Carries out commands until it is told to stop or no [`Writer`] is left, then closes the journal.
    ///
    /// # Errors
    /// The first write that fails; everything that waited then stays unanswered.
    pub fn run(mut self) -> Result<(), JournalError> {
        while let Some(first) = self.commands.blocking_recv() {
            let mut waiting = vec![first];
            while waiting.len() < BATCH
                && let Ok(command) = self.commands.try_recv()
            {
                waiting.push(command);
            }
            metrics::queue_depth(self.commands.len());
            self.busy.send_replace(Some(Instant::now()));
            let stop = self.carry_out(waiting)?;
            self.busy.send_replace(None);
            if stop {
                // What still waits is answered, what comes later finds a closed queue.
                self.commands.close();
            }
        }
        self.journal.close()
    }

    /// Carries out a batch, but for what nobody waits for any more; `true` where it held the command to stop.
    fn carry_out(&mut self, commands: Vec<Command>) -> Result<bool, JournalError> {
        let now = self.clock.now();
        let mut batch = Batch::default();
        let mut answers = Vec::with_capacity(commands.len());
        let mut stop = false;
        for command in commands {
            match command {
                Command::Event(_, _, reply) if reply.is_closed() => {}
                Command::Subscription(_, reply) if reply.is_closed() => {}
                Command::Event(command, trace, reply) => {
                    let answer = self.truth.decide_event(command, trace, now, &mut batch);
                    answers.push(Answer::Event(reply, answer));
                }
                Command::Subscription(command, reply) => {
                    let answer = self.truth.decide_subscription(command, now, &mut batch);
                    answers.push(Answer::Subscription(reply, answer));
                }
                Command::SaveCursors(cursors, reply) => {
                    self.truth.save_cursors(&cursors, &mut batch);
                    answers.push(Answer::Saved(reply));
                }
                Command::Stop => stop = true,
            }
        }
        if !batch.writes.is_empty() {
            let started = Instant::now();
            self.journal.commit(&batch.writes)?;
            metrics::committed(batch.writes.len(), started.elapsed());
            self.show(batch);
        }
        answers.into_iter().for_each(Answer::send);
        // After the answers, which do not depend on it.
        self.journal.tidy()?;
        Ok(stop)
    }

    /// First what a reader of the log may ask for, then the log, so that an event is never older than its change.
    fn show(&self, batch: Batch) {
        let ReadModels {
            catalogue,
            board,
            log,
        } = &self.read_models;
        if !batch.entries.is_empty() {
            catalogue.put(batch.entries);
        }
        let mut changes = Vec::new();
        for write in batch.writes {
            match write {
                Write::Change(record) => {
                    changes.push(Arc::new(Logged::new(&record, self.journal.instance())));
                }
                Write::Subscribe(registration, cursor) => board.put(registration, cursor),
                Write::ChangeSubscription(registration) => board.change(registration),
                Write::Unsubscribe(id) => board.remove(id),
                Write::Cursor(..) => {}
            }
        }
        if !changes.is_empty() {
            log.publish(changes);
            metrics::head(log.head(), catalogue.len());
        }
    }
}
