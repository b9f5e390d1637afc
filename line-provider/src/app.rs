//! The whole service without a socket: everything is built from settings and a clock, then runs on a listener.
//!
//! Order at the end: no new connections, requests under way answered, delivery wound up, cursors saved, the
//! writer's queue carried out, the journal closed. When the journal fails, none of that: the process must end. Nor does
//! a disk that hangs keep it from ending: what was acknowledged is safe whenever it ends.

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use futures_util::FutureExt as _;
use http_edge::server::{self, SHUTDOWN_WITHIN};
use http_edge::{Dependency, OperatorToken, Readiness};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::auto_result::DeadlineFinisher;
use crate::clock::Clock;
use crate::config::{AutoResult, Settings};
use crate::delivery::{self, Delivery, Pulse};
use crate::http::{self, Services};
use crate::journal::{Journal, JournalError, Log};
use crate::metrics;
use crate::writer::{ReadModels, Writer, WriterThread};

/// Over everything that the end consists of.
const END_WITHIN: Duration = Duration::from_secs(28);
const _: () = assert!(
    SHUTDOWN_WITHIN.as_secs() + delivery::END_WITHIN.as_secs() <= END_WITHIN.as_secs(),
    "each part of the end has its time"
);
/// A batch takes milliseconds; a disk that needs longer hangs.
const BATCH_HANGS_AFTER: Duration = Duration::from_secs(5);

/// The service, opened and not yet serving.
pub struct App {
    settings: Settings,
    clock: Clock,
    read_models: ReadModels,
    writer: Writer,
    writer_thread: WriterThread,
    writer_ended: oneshot::Receiver<()>,
}

/// Why the service ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the journal failed, so nothing more can be accepted")]
    Journal(#[source] JournalError),
    #[error("the thread named {0} panicked")]
    Panicked(&'static str),
    #[error("the end took longer than {} s, as with a disk that hangs", END_WITHIN.as_secs())]
    Hangs,
    #[error("cannot serve HTTP")]
    Http(#[source] std::io::Error),
}

/// What ended first.
enum Ended {
    Told,
    Writer,
    Delivery,
    Http(std::io::Result<()>),
}

impl App {
    /// Opens the journal and rebuilds everything from it.
    ///
    /// # Errors
    /// The journal cannot be opened; see [`Journal::open`].
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, JournalError> {
        metrics::install();
        let (journal, contents) = Journal::open(&settings.data_dir, Uuid::now_v7(), clock.now())?;
        let newest = contents
            .events
            .iter()
            .map(|event| event.newest.event.updated_at)
            .max();
        if let Some(newest) = newest {
            clock.not_before(newest);
        }
        let read_models = ReadModels::of(&journal, &contents)?;
        tracing::info!(
            instance = %journal.instance(),
            head = contents.head,
            events = contents.events.len(),
            subscriptions = contents.subscriptions.len(),
            "the journal is open"
        );
        metrics::head(contents.head, contents.events.len());
        let (ended, writer_ended) = oneshot::channel();
        let (writer, writer_thread) =
            Writer::start(journal, contents, clock.clone(), read_models.clone(), ended);
        Ok(Self {
            settings,
            clock,
            read_models,
            writer,
            writer_thread,
            writer_ended,
        })
    }

    /// Serves until `stop` resolves, then ends in order.
    ///
    /// # Errors
    /// [`RunError`]: the process should end with a failure.
    pub async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let (stopping, is_stopping) = watch::channel(false);
        let (ended, delivery_ended) = oneshot::channel();
        let ReadModels { board, log, .. } = self.read_models.clone();
        let delivery = Delivery::start(log, board, self.writer.clone(), self.clock.clone(), ended);
        let address = listener.local_addr().map_err(RunError::Http)?;
        let server = self
            .serve(listener, delivery.pulse(), is_stopping.clone())
            .map_err(RunError::Http)?;
        let server_handle = server.handle();
        let mut serving = tokio::spawn(server);
        if self.settings.auto_result == AutoResult::Random {
            tokio::spawn(self.deadline_finisher().run(is_stopping));
        }
        tracing::info!("listening on http://{address}");
        let (writer_ended, delivery_ended) = (self.writer_ended.shared(), delivery_ended.shared());
        let ended = tokio::select! {
            () = stop => Ended::Told,
            _ = writer_ended.clone() => Ended::Writer,
            _ = delivery_ended.clone() => Ended::Delivery,
            served = &mut serving => Ended::Http(served.unwrap_or(Ok(()))),
        };
        stopping.send_replace(true);
        let is_orderly = matches!(ended, Ended::Told);
        let end = async {
            server_handle.stop(is_orderly).await;
            delivery.stop();
            let _ = delivery_ended.await;
            self.writer.stop().await;
            let _ = writer_ended.await;
        };
        if tokio::time::timeout(END_WITHIN, end).await.is_err() {
            return Err(RunError::Hangs);
        }
        // Both threads have ended, or are about to.
        delivery.join();
        let written = self.writer_thread.join();
        tracing::info!("stopped");
        match (written, ended) {
            (Ok(Err(error)), _) => Err(RunError::Journal(error)),
            (Err(_), _) => Err(RunError::Panicked("journal-writer")),
            (_, Ended::Delivery) => Err(RunError::Panicked("delivery")),
            (_, Ended::Http(Err(error))) => Err(RunError::Http(error)),
            (Ok(Ok(())), Ended::Told | Ended::Writer | Ended::Http(Ok(()))) => Ok(()),
        }
    }

    fn serve(
        &self,
        listener: TcpListener,
        pulse: Pulse,
        stopping: watch::Receiver<bool>,
    ) -> std::io::Result<actix_web::dev::Server> {
        let ReadModels {
            catalogue,
            board,
            log,
        } = self.read_models.clone();
        let services = Data::new(Services {
            clock: self.clock.clone(),
            writer: self.writer.clone(),
            catalogue,
            board,
            log,
            waiting: http::places_to_wait(),
            stopping,
        });
        let token = Data::new(OperatorToken::new(&self.settings.operator_token));
        let readiness = Data::new(readiness(self.writer.clone(), pulse, Arc::clone(&services.log)));
        server::serve(listener, http::document(), move |cfg| {
            cfg.app_data(services.clone())
                .app_data(token.clone())
                .app_data(readiness.clone());
            http::routes(cfg);
        })
    }

    fn deadline_finisher(&self) -> DeadlineFinisher {
        DeadlineFinisher {
            catalogue: Arc::clone(&self.read_models.catalogue),
            log: Arc::clone(&self.read_models.log),
            writer: self.writer.clone(),
            clock: self.clock.clone(),
        }
    }
}

fn readiness(writer: Writer, delivery: Pulse, log: Arc<Log>) -> Readiness {
    Readiness::new(move || {
        let journal = match (writer.is_running(), writer.busy_for()) {
            (false, _) => Dependency::down("it cannot be written any more"),
            (true, Some(busy)) if busy >= BATCH_HANGS_AFTER => {
                Dependency::down(format!("it has been written for {} s", busy.as_secs()))
            }
            (true, _) => Dependency::up().with_detail(format!("at position {}", log.head())),
        };
        let delivery = match delivery.is_running() {
            true => Dependency::up(),
            false => Dependency::down("its thread has ended"),
        };
        async { [("journal", journal), ("delivery", delivery)].into() }
    })
}
