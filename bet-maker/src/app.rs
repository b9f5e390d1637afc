//! bet-maker put together: connected without a socket, then run on a listener.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::web;
use futures_util::future::LocalBoxFuture;
use http_edge::{Dependencies, Dependency, Readiness, server};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::Settings;
use crate::feed::client::LineProvider;
use crate::feed::inbox::Clerk;
use crate::feed::poller::Poller;
use crate::feed::registration::keep_registered;
use crate::feed::{Freshness, Inbox};
use crate::http::{self, Callbacks};
use crate::placing::{Placing, Writer};
use crate::settler::Settler;
use crate::store::feed::FeedState;
use crate::store::migrate::{self, MigrateError};
use crate::store::{Store, StoreError, feed, within};

/// Two keep both Postgres and this process busy: one batch is decided while the other is committed.
const WRITERS: usize = 2;
/// Two, so that a large event does not hold up small ones.
const SETTLERS: usize = 2;

/// Over all migrations at start, for a database that says nothing any more: it has limits for all else.
const MIGRATE_DEADLINE: Duration = Duration::from_secs(600);

/// What asks for readiness does not wait long, but longer than for a free connection: all in use is not away.
const READY_DEADLINE: Duration = Duration::from_secs(4);

/// Everything but the socket. Made by [`App::connect`], used up by [`App::run`].
pub struct App {
    settings: Settings,
    store: Store,
    freshness: Arc<Freshness>,
    wake_poller: Arc<Notify>,
    wake_settler: Arc<Notify>,
    inbox: Inbox,
    clerk: Clerk,
    placing: Placing,
    writer: Writer,
}

impl App {
    /// Migrates the database and prepares all parts; nothing runs yet.
    ///
    /// # Errors
    /// [`MigrateError`] when the database is away or cannot be migrated.
    pub async fn connect(settings: Settings) -> Result<Self, MigrateError> {
        let url = settings.database_url.expose_secret().to_owned();
        let (done, migrated) = tokio::sync::oneshot::channel();
        // The migrations need a runtime of another kind than actix has.
        thread::spawn(move || done.send(migrate::run(&url)));
        tokio::time::timeout(MIGRATE_DEADLINE, migrated)
            .await
            .map_err(|_| MigrateError::TimedOut(MIGRATE_DEADLINE))?
            .expect("the thread sends before it ends")?;

        let store = Store::new(
            settings.database_url.expose_secret(),
            settings.database_connections.into(),
        );
        let freshness = Arc::new(Freshness::new(settings.feed_stale_after));
        let (wake_poller, wake_settler) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inbox, clerk) = Inbox::new(store.clone(), wake_settler.clone(), wake_poller.clone());
        let (placing, writer) = Placing::new(store.clone(), freshness.clone());
        Ok(Self {
            settings,
            store,
            freshness,
            wake_poller,
            wake_settler,
            inbox,
            clerk,
            placing,
            writer,
        })
    }

    /// Serves until `stop` resolves, then answers what is under way and returns. Needs an actix system.
    ///
    /// # Errors
    /// The listener cannot be used, or a worker panicked.
    pub async fn run(self, listener: TcpListener, stop: LocalBoxFuture<'_, ()>) -> std::io::Result<()> {
        let address = listener.local_addr()?;
        let callback_url = self
            .settings
            .callback_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}/callbacks/line-provider"));

        let state = http::State {
            store: self.store.clone(),
            placing: self.placing.clone(),
        };
        let (state, callbacks) = (
            web::Data::new(state),
            web::Data::new(Callbacks {
                inbox: self.inbox.clone(),
                secrets: self.settings.callback_secrets.clone(),
            }),
        );
        let readiness = web::Data::new(readiness(self.store.clone(), self.freshness.clone()));
        let server = server::serve(listener, http::document(), move |cfg| {
            cfg.app_data(state.clone())
                .app_data(callbacks.clone())
                .app_data(readiness.clone());
            http::routes(cfg);
        })?;
        tracing::info!("listening on http://{address}");

        let mut workers = self.start_workers(callback_url);
        let handle = server.handle();
        let mut running = actix_web::rt::spawn(server);
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = stop => {
                tracing::info!("stopping");
                handle.stop(true).await;
                running.await
            }
            // Workers never return: this one panicked, and the others would go on without it unnoticed.
            Some(worker) = workers.join_next() => {
                handle.stop(true).await;
                let panic = worker.map_or_else(|error| error.to_string(), |()| "it returned".to_owned());
                return Err(std::io::Error::other(format!("a worker is gone: {panic}")));
            }
        };
        workers.shutdown().await;
        ended.map_err(std::io::Error::other)?
    }

    /// The parts that work beside the server. A worker that is dropped leaves at most a transaction that the
    /// database rolls back.
    fn start_workers(self, callback_url: String) -> JoinSet<()> {
        let line_provider = || {
            LineProvider::new(
                &self.settings.line_provider_url,
                self.settings.line_provider_token.clone(),
            )
        };
        let secret = self.settings.callback_secrets.first().cloned();
        let poller = Poller {
            store: self.store.clone(),
            line_provider: line_provider(),
            freshness: self.freshness,
            every: self.settings.feed_read_every,
            wake: self.wake_poller,
            wake_settler: self.wake_settler.clone(),
        };
        let settler = Settler {
            store: self.store,
            wake: self.wake_settler,
        };
        let mut workers = JoinSet::new();
        workers.spawn_local(poller.run());
        if let Some(secret) = secret {
            workers.spawn_local(keep_registered(line_provider(), callback_url, secret));
        }
        workers.spawn(self.clerk.run());
        for _ in 0..WRITERS {
            workers.spawn(self.writer.clone().run());
        }
        for _ in 0..SETTLERS {
            workers.spawn(settler.clone().run());
        }
        workers
    }
}

/// Ready while the database answers and bets are accepted.
fn readiness(store: Store, freshness: Arc<Freshness>) -> Readiness {
    Readiness::new(move || {
        let (store, freshness) = (store.clone(), freshness.clone());
        async move {
            let (database, line_provider) = match read_feed(&store).await {
                Ok(state) => (Dependency::up(), followed(&state, &freshness)),
                Err(error) => (Dependency::down(error.to_string()), Dependency::down("unknown")),
            };
            Dependencies::from([("database", database), ("line_provider", line_provider)])
        }
    })
}

async fn read_feed(store: &Store) -> Result<FeedState, StoreError> {
    // Anybody may ask: not with the connections that bets are placed by.
    within(READY_DEADLINE, store.read(async |conn| feed::read(conn).await)).await
}

/// Whether line-provider's log is followed and freshly known.
fn followed(state: &FeedState, freshness: &Freshness) -> Dependency {
    match &state.suspension {
        Some(suspension) => Dependency::down(&suspension.reason),
        None if freshness.fresh_generation(Instant::now()) == Some(state.generation) => Dependency::up(),
        None => Dependency::down("the log was not read to its head for too long"),
    }
}
