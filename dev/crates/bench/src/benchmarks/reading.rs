//! Reading: `GET /events` of a real line-provider with 100 active events; beside an actix that gives the same bytes
//! with the same headers from memory.
//!
//! Either server has the first processor for itself, and the load generator the second one, so that the server is
//! what is measured.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Result, bail};
use tokio::sync::oneshot;

use crate::cli::Size;
use crate::cpu;
use crate::http::load::{Load, Until};
use crate::http::render;
use crate::lab::{Provider, event_ids};
use crate::progress::Progress;
use crate::report::{Figure, Section, number};
use crate::stats::rate;

const EVENTS: usize = 100;
const CONNECTIONS: usize = 64;
const WORKERS: usize = 1;
const AT_LEAST: f64 = 0.3;
const SERVER_PROCESSOR: usize = 0;
const LOAD_PROCESSOR: usize = 1;

pub async fn run(size: &Size, progress: &Progress) -> Result<Section> {
    progress.say("starting line-provider");
    let mut provider = Provider::start().await?;
    provider.create_events(&event_ids(EVENTS), progress).await?;
    let answer = Arc::new(StaticAnswer::like(&provider).await?);
    let mut section = Section::default();
    section.notes.push(format!(
        "{EVENTS} events are {} bytes; {CONNECTIONS} connections",
        answer.body.len()
    ));
    let pinned = pin(&provider, &mut section);
    let peer = Peer::start(Arc::clone(&answer), pinned).await?;
    let run = Run {
        size,
        progress,
        bytes: answer.body.len(),
        processor: pinned.then_some(LOAD_PROCESSOR),
    };
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=size.rounds {
        let of = format!("reading, round {round} of {}", size.rounds);
        limit.push(
            run.read(peer.address, &format!("{of}: static answer"), &mut section)
                .await?,
        );
        ours.push(
            run.read(provider.address(), &format!("{of}: line-provider"), &mut section)
                .await?,
        );
    }
    section.figures.push(Figure::Rate {
        name: format!("GET /events, {EVENTS} events"),
        limit_name: "actix, static answer",
        unit: "/s",
        limit,
        ours,
        at_least: AT_LEAST,
    });
    peer.handle.stop(false).await;
    provider.service.terminate().await;
    Ok(section)
}

/// Whether server and load have processors of their own.
fn pin(provider: &Provider, section: &mut Section) -> bool {
    let pinned = match provider.service.pid() {
        Some(pid) if cpu::processors() > 1 => cpu::pin_process(SERVER_PROCESSOR, pid),
        _ => Err(anyhow::anyhow!("there is one processor only")),
    };
    section.notes.push(match &pinned {
        Ok(()) => "each server on the first processor, the load on the second".to_owned(),
        Err(error) => format!("servers and load share processors: {error:#}"),
    });
    pinned.is_ok()
}

struct Run<'a> {
    size: &'a Size,
    progress: &'a Progress,
    /// The length of every answer.
    bytes: usize,
    processor: Option<usize>,
}

impl Run<'_> {
    async fn read(&self, address: SocketAddr, what: &str, section: &mut Section) -> Result<f64> {
        let load = Load {
            address,
            connections: CONNECTIONS,
            requests: [render("GET", "/events", address, None, "")].into(),
            expect: 200,
            expect_bytes: Some(self.bytes),
            until: Until::Elapsed(self.size.load),
            processor: self.processor,
        };
        let outcome = self
            .progress
            .timed(what, self.size.load, load.run(Arc::new(AtomicU64::new(0))))
            .await?;
        let rate = rate(outcome.good, outcome.took);
        let summary = format!("{what}: {}/s, {}", number(rate), outcome.latencies.summary());
        self.progress.say(&summary);
        section.notes.push(summary);
        let faults = outcome.faults.iter();
        section
            .faults
            .extend(faults.map(|(fault, times)| format!("{what}: {times} times {fault}")));
        Ok(rate)
    }
}

/// What line-provider answers, to be given again.
struct StaticAnswer {
    headers: Vec<(String, String)>,
    body: web::Bytes,
}

impl StaticAnswer {
    async fn like(provider: &Provider) -> Result<Self> {
        let answer = provider
            .client()
            .try_send(awc::http::Method::GET, "/events", &[], Vec::new())
            .await?;
        let items = answer
            .json()
            .get("items")
            .and_then(|items| Some(items.as_array()?.len()));
        if answer.status != 200 || items != Some(EVENTS) {
            bail!("GET /events answered {} {items:?}", answer.status);
        }
        let own = [DATE, CONTENT_LENGTH, CONNECTION];
        let headers = answer.headers.iter().filter(|(name, _)| !own.contains(name));
        let text = |(name, value): (&awc::http::header::HeaderName, &awc::http::header::HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        Ok(Self {
            headers: headers.filter_map(text).collect(),
            body: answer.body.into(),
        })
    }
}

/// The other server, in threads of this process.
struct Peer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Peer {
    async fn start(answer: Arc<StaticAnswer>, pinned: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (running, runs) = oneshot::channel();
        thread::Builder::new()
            .name("static-answer".to_owned())
            .spawn(move || {
                if pinned {
                    // Its workers inherit it.
                    cpu::pin_this_thread(SERVER_PROCESSOR)?;
                }
                actix_rt::System::new().block_on(async move {
                    let server = HttpServer::new(move || {
                        App::new()
                            .app_data(web::Data::from(Arc::clone(&answer)))
                            .route("/events", web::get().to(give))
                    })
                    .workers(WORKERS)
                    .tcp_nodelay(true)
                    .disable_signals()
                    .listen(listener)?
                    .run();
                    // Nobody to tell: the run was broken off.
                    let _ = running.send(server.handle());
                    anyhow::Ok(server.await?)
                })
            })?;
        Ok(Self {
            address,
            handle: runs.await?,
        })
    }
}

async fn give(answer: web::Data<StaticAnswer>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(answer.body.clone())
}
