//! The log over HTTP: pages, long poll, server-sent events.

use std::pin::Pin;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, TestApp, code, moment};

#[actix_rt::test]
async fn the_log_tells_every_change_in_order_with_the_event_after_it() {
    let app = TestApp::start().await;
    let empty = app.anyone.get("/changes").await.json();
    assert_eq!(
        (&empty["head"], &empty["next"], &empty["items"]),
        (&json!(0), &json!(0), &json!([]))
    );
    let created = app.create("final").await;
    app.create("other").await;
    let won = app.patch("final", json!({"status": "first_team_won"})).await;
    let answer = app.anyone.get("/changes").await;
    moment(answer.header("x-server-time").unwrap());
    let page = answer.json();
    assert_eq!((&page["head"], &page["next"]), (&json!(3), &json!(3)));
    assert_eq!(page["items"][0]["event"], created);
    let last = &page["items"][2];
    let expected = json!({
        "position": 3, "instance": page["instance"], "type": "event.status_changed", "event_id": "final",
        "revision": 2, "occurred_at": won["updated_at"], "event": won,
    });
    assert_eq!(*last, expected);
    let middle = app.anyone.get("/changes?after=1&limit=1").await.json();
    assert_eq!(
        (&middle["items"][0]["position"], &middle["next"], &middle["head"]),
        (&json!(2), &json!(2), &json!(3))
    );
}

#[actix_rt::test]
async fn a_reader_that_is_ahead_of_the_log_is_answered_at_once_and_can_tell() {
    let app = TestApp::start().await;
    app.create("final").await;
    let asked = Instant::now();
    let page = app.anyone.get("/changes?after=9&wait_ms=30000").await.json();
    assert!(asked.elapsed() < PATIENCE);
    assert_eq!(
        (&page["head"], &page["next"], &page["items"]),
        (&json!(1), &json!(9), &json!([]))
    );
    let stream = app.anyone.get("/changes/stream?after=9").await;
    assert_eq!(code(&stream, 409), "ahead_of_log");
}

#[actix_rt::test]
async fn a_long_poll_waits_for_the_next_change_and_no_longer() {
    let app = TestApp::start().await;
    let asked = Instant::now();
    let none = app.anyone.get("/changes?wait_ms=50").await.json();
    assert_eq!(none["items"], json!([]));
    assert!(asked.elapsed() >= Duration::from_millis(50));
    let client = app.anyone.clone();
    let waiting = tokio::task::spawn_local(async move { client.get("/changes?wait_ms=30000").await });
    app.create("final").await;
    let page = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(page.json()["next"], 1);
}

#[actix_rt::test]
async fn stopping_answers_whoever_waits() {
    let app = TestApp::start().await;
    let stream = Events::open(&app, "/changes/stream", None).await;
    // Two requests at once: the answer to the first says that the second has arrived too.
    let address = app.anyone.base().trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let poll = "GET /changes?wait_ms=30000 HTTP/1.1\r\nhost: test\r\n\r\n";
    let requests = format!("GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n{poll}");
    connection.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    read_until(&mut connection, &mut answers, "alive").await;
    let asked = Instant::now();
    app.stop().await;
    assert!(asked.elapsed() < PATIENCE);
    read_until(&mut connection, &mut answers, r#""next":0"#).await;
    assert_eq!(stream.rest().await, "");
}

async fn read_until(connection: &mut TcpStream, text: &mut String, expected: &str) {
    let mut buffer = [0; 4096];
    while !text.contains(expected) {
        let reading = tokio::time::timeout(PATIENCE, connection.read(&mut buffer));
        let length = reading.await.unwrap().unwrap();
        assert!(length > 0, "ended without {expected}: {text}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

#[actix_rt::test]
async fn a_stream_tells_changes_as_they_come_and_resumes_behind_the_last_one_seen() {
    let app = TestApp::start().await;
    app.create("a").await;
    let mut events = Events::open(&app, "/changes/stream", None).await;
    let (id, kind, change) = events.next().await;
    assert_eq!((id.as_str(), kind.as_str()), ("1", "event.created"));
    assert_eq!(change, app.changes().await[0]);
    app.create("b").await;
    assert_eq!(events.next().await.0, "2");
    drop(events);
    app.create("c").await;
    let mut resumed = Events::open(&app, "/changes/stream?after=0", Some("2")).await;
    assert_eq!(resumed.next().await.0, "3");
    let mut after = Events::open(&app, "/changes/stream?after=1", None).await;
    assert_eq!(after.next().await.0, "2");
}

#[actix_rt::test]
async fn a_reader_far_behind_gets_everything_from_the_journal() {
    // 4,600 changes are more than stand in memory.
    const PATCHES: usize = 4600;
    let app = TestApp::start().await;
    app.create("first").await;
    let patches = futures_util::stream::iter(1..PATCHES)
        .map(|n| app.patch("first", json!({"title": format!("{n}")})))
        .buffer_unordered(64);
    patches.collect::<Vec<_>>().await;
    let changes = app.changes().await;
    assert_eq!(changes.len(), PATCHES);
    let mut events = Events::open(&app, "/changes/stream", None).await;
    for change in changes {
        assert_eq!(events.next().await.2, change);
    }
}

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, awc::error::PayloadError>>>>;

/// A client of server-sent events.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    async fn open(app: &TestApp, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = awc::Client::new().get(format!("{}{path}", app.anyone.base()));
        if let Some(id) = last_event_id {
            request = request.insert_header(("last-event-id", id));
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers().get("content-type").unwrap(), "text/event-stream");
        Self {
            body: Box::pin(answer),
            text: String::new(),
        }
    }

    /// The next event: id, type, change.
    async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<_> = event.lines().map(|line| line.split_once(": ").unwrap()).collect();
                let [("id", id), ("event", kind), ("data", change)] = lines[..] else {
                    panic!("not an event: {event}");
                };
                let next = (
                    id.to_owned(),
                    kind.to_owned(),
                    serde_json::from_str(change).unwrap(),
                );
                self.text = rest.to_owned();
                return next;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap();
            self.text
                .push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
        }
    }

    /// What comes until the server ends the stream.
    async fn rest(mut self) -> String {
        while let Some(chunk) = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap() {
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
        self.text
    }
}
