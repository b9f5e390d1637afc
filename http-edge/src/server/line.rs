//! A connection with deadlines of its own. actix has one for the head of the first request of a connection only, and
//! none for writing: half of a second head, or an answer that nobody reads, would hold a connection for ever. Its own
//! is off, so that every late head gets one answer.
//!
//! The stream sees bytes, and the middleware sees requests; both meet in a [`Line`]. The first head is due from
//! connecting on. Later on, while no request is under way, whatever is read belongs to a head, so that its first byte
//! sets the deadline, and the request that comes of it lifts it. Behind the last answer, what is left of a body has as
//! long, whether any of it comes or not.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{HeaderMap, HttpDate};
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use metrics::Gauge;
use pin_project_lite::pin_project;
use shared_types::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::Limits;
use crate::codes::Refusal;
use crate::context;
use crate::metrics::{CONNECTIONS, CONNECTIONS_CUT_TOTAL};
use crate::problem::{PROBLEM_JSON, Problem};

/// What the stream and the requests of one connection know of each other.
#[derive(Clone, Debug)]
pub(crate) struct Line(Rc<State>);

#[derive(Debug)]
struct State {
    head_limit: Duration,
    requests: Cell<u32>,
    /// When the head that is being read must be whole, or what is left of a body behind the last answer.
    head_due: Cell<Option<Instant>>,
    /// The client was told that no more is answered.
    is_ending: Cell<bool>,
}

/// A request of the line, until its answer was handed over to the last byte, or given up.
#[derive(Debug)]
pub(crate) struct UnderWay(Line);

impl Line {
    fn open(head_limit: Duration) -> Self {
        Self(Rc::new(State {
            head_limit,
            requests: Cell::new(0),
            head_due: Cell::new(Some(Instant::now() + head_limit)),
            is_ending: Cell::new(false),
        }))
    }

    pub(crate) fn begin(&self) -> UnderWay {
        self.0.head_due.set(None);
        self.0.requests.set(self.0.requests.get() + 1);
        UnderWay(self.clone())
    }

    /// The answer that is under way is the last one.
    pub(crate) fn end(&self) {
        self.0.is_ending.set(true);
    }

    fn note_read(&self) {
        if self.0.requests.get() == 0 && self.0.head_due.get().is_none() {
            self.start_head();
        }
    }

    fn start_head(&self) {
        self.0.head_due.set(Some(Instant::now() + self.0.head_limit));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Line(state) = &self.0;
        state.requests.set(state.requests.get() - 1);
        if state.is_ending.get() {
            self.0.start_head();
        }
    }
}

pin_project! {
    /// A body that keeps its request under way.
    pub(crate) struct Held<B> {
        #[pin]
        body: B,
        under_way: Option<UnderWay>,
    }
}

impl<B> Held<B> {
    pub(crate) fn new(body: B, under_way: Option<UnderWay>) -> Self {
        Self { body, under_way }
    }
}

impl<B: MessageBody> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(cx)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, under_way } = self;
        body.try_into_bytes().map_err(|body| Self { body, under_way })
    }
}

/// The stream of one connection. A head that is too late is answered as far as that is possible, and ends the
/// connection; so does a client that takes nothing. Both ends are counted, and so are the connections that are open.
pub(crate) struct Timed {
    stream: TcpStream,
    open: Gauge,
    line: Line,
    limits: Limits,
    head_timer: Timer,
    /// When the client must have taken something; `None` while it takes what comes.
    write_due: Option<Instant>,
    write_timer: Timer,
}

impl Timed {
    pub(crate) fn new(stream: TcpStream, limits: Limits) -> Self {
        let open = metrics::gauge!(CONNECTIONS);
        open.increment(1.0);
        Self {
            stream,
            open,
            line: Line::open(limits.head),
            limits,
            head_timer: Timer::default(),
            write_due: None,
            write_timer: Timer::default(),
        }
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// Ready when the head that is being read is too late.
    fn poll_head_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.line.0.head_due.get() {
            Some(due) => self.head_timer.poll(due, cx),
            None => Poll::Pending,
        }
    }

    fn note_write<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_due = None;
            return written;
        }
        let limit = self.limits.write;
        let due = *self.write_due.get_or_insert_with(|| Instant::now() + limit);
        ready!(self.write_timer.poll(due, cx));
        count_cut("write");
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes nothing of its answer",
        )))
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

impl AsyncRead for Timed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // First, so that a client that never stops sending is met as well.
        if this.poll_head_due(cx).is_ready() {
            // Behind the last answer comes what is left of a body, and no head.
            if !this.line.0.is_ending.get() {
                count_cut("head");
                // Behind half an answer it would be taken for a part of it.
                if this.write_due.is_none() {
                    let _ = this.stream.try_write(late_head().as_bytes());
                }
            }
            // To actix this is the end of what the client says.
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.line.note_read();
        }
        read
    }
}

impl AsyncWrite for Timed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.note_write(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The end of an answer may have set a deadline, and nothing else wakes a connection whose client is silent.
        let _ = this.poll_head_due(cx);
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn count_cut(limit: &'static str) {
    metrics::counter!(CONNECTIONS_CUT_TOTAL, "limit" => limit).increment(1);
}

/// The whole answer to a head that is too late, with an id and a line in the log as every answer has them: neither the
/// framework nor the middleware knows of a request that never was.
fn late_head() -> String {
    let context = context::Context::of(&HeaderMap::new());
    let request_id = context.request_id().to_owned();
    let problem = Problem::from(Refusal::LateHead);
    let (status, code) = (problem.code().status, problem.code().name);
    tracing::info!(request_id, status = status.as_u16(), code, "answered");
    let body = context
        .sync_scope(|| serde_json::to_string(&problem.body()))
        .expect("a problem is a map with string keys");
    let length = body.len();
    let date = HttpDate::from(SystemTime::from(Timestamp::now().as_offset_date_time()));
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\ncontent-type: {PROBLEM_JSON}\r\n\
         date: {date}\r\nx-request-id: {request_id}\r\n\r\n{body}"
    )
}

/// A timer that is made when it is needed first.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }
}
