//! The HTTP server around a service's routes, with [`Limits`] under which a slow or greedy client harms itself only.
//!
//! It takes a bound listener and no signals: `main` binds, serves, waits for [`terminated`] and stops what it
//! started; tests bind port 0 and stop through the handle. It is put together from actix-web's own parts, because
//! each connection is wrapped ([`line`]).

mod limits;
pub(crate) mod line;
mod runtimes;

use std::{future::ready, io, net::TcpListener, thread, time::Duration};

use actix_http::{HttpService, error::DispatchError};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App, Error,
    dev::{AppConfig, Server},
    rt::net::TcpStream,
    web::Data,
};
use paperclip::actix::{OpenApiExt, web::ServiceConfig};
use tokio::signal::unix::{SignalKind, signal};

pub use limits::{BODY_WITHIN, Limits, SHUTDOWN_WITHIN, connections};

use crate::{docs, health, metrics, middleware::Edge, openapi::Document};
use line::Timed;
pub(crate) use runtimes::Runtimes;

/// Connections that the system keeps until they are taken; the standard library asks for 128.
const BACKLOG: i32 = 1024;
/// A client that is refused before its body was read gets this long to take the answer and stop sending.
const LINGER: Duration = Duration::from_secs(1);

/// Starts serving `routes`, health, metrics, the document and its page. Await the server to run it.
///
/// # Errors
/// The listener cannot be used.
pub fn serve<R>(listener: TcpListener, document: Document, routes: R) -> io::Result<Server>
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    serve_within(Limits::default(), listener, document, routes)
}

/// [`serve`] under other limits than the services have, for tests.
///
/// # Errors
/// As [`serve`].
pub fn serve_within<R>(
    limits: Limits,
    listener: TcpListener,
    document: Document,
    routes: R,
) -> io::Result<Server>
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    metrics::install(&[]);
    let workers = thread::available_parallelism().map_or(2, |cores| cores.get().min(limits.connections));
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(limits.connections / workers)
        .shutdown_timeout(limits.shutdown.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    rustix::net::listen(&listener, BACKLOG)?;
    let address = listener.local_addr()?;
    let runtimes = Runtimes::default();
    runtimes.add_current();
    let connection = move || {
        let stopping = stopping.clone();
        runtimes.add_current();
        let app = App::new()
            .app_data(Data::new(runtimes.clone()))
            .wrap(Edge {
                deadline: limits.handler,
            })
            .wrap_api()
            .configure(routes.clone())
            .configure(health::routes)
            .build()
            .configure(|cfg| docs::routes(cfg, &document));
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // Off: the stream has its own, for every head.
            .client_request_timeout(Duration::ZERO)
            .keep_alive(limits.keep_alive)
            .client_disconnect_timeout(LINGER)
            // Who has closed waits for nothing any more: its handler and its place are given up.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .on_connect_ext(|stream: &Timed, connection| {
                connection.insert(stream.line().clone());
            })
            .h1(map_config(
                app.into_factory().map_err(|error: Error| error.error_response()),
                |()| AppConfig::default(),
            ));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            // Without it answers are late, and no worse.
            let _ = stream.set_nodelay(true);
            ready(Ok::<_, DispatchError>((Timed::new(stream, limits), peer)))
        })
        .and_then(http)
    };
    Ok(builder
        .listen(format!("http {address}"), listener, connection)?
        .run())
}

/// Listens for SIGTERM and SIGINT from now on, and gives what resolves at the first of them. Later ones change nothing:
/// whoever stops a group of processes may send both, and the end does not take long.
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
