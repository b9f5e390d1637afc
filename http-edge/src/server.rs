//! The HTTP server around a service's routes, with limits under which a slow or greedy client harms itself only.
//!
//! It takes a bound listener and no signals: `main` binds, serves, waits for [`terminated`] and stops what it
//! started; tests bind port 0 and stop through the handle.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::Server};
use paperclip::actix::{OpenApiExt, web::ServiceConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::{docs, health, metrics, middleware::Edge, openapi::Document};

/// The head of the first request of a connection; bodies have a deadline of their own ([`crate::extract`]).
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the idle time of callers' pools, so that they close first and never meet a closed connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const MAX_CONNECTIONS_PER_WORKER: usize = 10_000;
/// Requests under way get this long when the server stops.
const SHUTDOWN_TIMEOUT_S: u64 = 20;

/// Starts serving `routes`, health, metrics, the document and its page. Await the server to run it.
///
/// # Errors
/// The listener cannot be used.
pub fn serve<R>(listener: TcpListener, document: Document, routes: R) -> io::Result<Server>
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    metrics::install(&[]);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(Edge)
            .wrap_api()
            .configure(routes.clone())
            .configure(health::routes)
            .build()
            .configure(|cfg| docs::routes(cfg, &document))
    })
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .max_connections(MAX_CONNECTIONS_PER_WORKER)
    .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
    .tcp_nodelay(true)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

/// Listens for SIGTERM and SIGINT from now on, and gives what resolves at the first of them.
///
/// # Errors
/// The process cannot listen for signals.
pub fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
