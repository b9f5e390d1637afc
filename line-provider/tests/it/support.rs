//! An app of its own for each test.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use line_provider::app::{App, RunError};
use line_provider::clock::Clock;
use line_provider::config::{AutoResult, Settings};
use serde_json::{Value, json};
use shared_types::Timestamp;
use tempfile::TempDir;
use test_support::{Client, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const TOKEN: &str = "the-operators-token";
/// How long anything may take before a test calls it lost.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A deadline for tests that set their clock: the machine's clock passes it one day, see [`in_days`].
pub const DEADLINE: &str = "2027-06-01T18:00:00Z";

pub struct TestApp {
    /// The operator's client; `anyone` has no token.
    pub client: Client,
    pub anyone: Client,
    running: JoinHandle<Result<(), RunError>>,
    stop: oneshot::Sender<()>,
    folder: TempDir,
}

/// A clock that a test sets.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn at(text: &str) -> Self {
        Self(Arc::new(AtomicI64::new(moment(text).unix_micros())))
    }

    pub fn set(&self, text: &str) {
        self.0.store(moment(text).unix_micros(), Ordering::SeqCst);
    }

    pub fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_unix_micros(micros.load(Ordering::SeqCst)).unwrap())
    }
}

pub fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn settings(folder: &Path, auto_result: AutoResult) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.to_owned(),
        operator_token: TOKEN.to_owned().into(),
        auto_result,
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), Clock::system(), AutoResult::Off).await
    }

    pub async fn start_at(clock: &ManualClock) -> Self {
        Self::start_in(TempDir::new().unwrap(), clock.clock(), AutoResult::Off).await
    }

    pub async fn start_in(folder: TempDir, clock: Clock, auto_result: AutoResult) -> Self {
        let app = App::open(settings(folder.path(), auto_result), clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::task::spawn_local(app.run(listener, async {
            let _ = stopped.await;
        }));
        Self {
            client: Client::new(&base).with_bearer(TOKEN),
            anyone: Client::new(&base),
            running,
            stop,
            folder,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops in order; gives the folder back.
    pub async fn stop(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.folder
    }

    /// Tells it to stop; gives how it ended, and the folder.
    pub async fn told_to_stop(self) -> (Result<(), RunError>, TempDir) {
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(2 * PATIENCE, self.running);
        let ended = ended.await.expect("it ends").unwrap();
        (ended, self.folder)
    }

    /// Stops and starts again on the same folder.
    pub async fn restart(self) -> Self {
        Self::start_in(self.stop().await, Clock::system(), AutoResult::Off).await
    }

    /// Waits until the app ends by itself.
    pub async fn ended(self) -> (Result<(), RunError>, TempDir) {
        (self.running.await.unwrap(), self.folder)
    }

    pub async fn create(&self, id: &str) -> Value {
        self.create_until(id, &in_days(30)).await
    }

    pub async fn create_until(&self, id: &str, deadline: &str) -> Value {
        let answer = self.client.post("/events", &event_until(id, deadline)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    pub async fn patch(&self, id: &str, body: Value) -> Value {
        let answer = self.client.patch(&format!("/events/{id}"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub async fn event(&self, id: &str) -> Value {
        let answer = self.anyone.get(&format!("/events/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The whole log.
    pub async fn changes(&self) -> Vec<Value> {
        all_changes(&self.anyone).await
    }

    pub async fn subscribe(&self, body: &Value) -> Value {
        let answer = self.client.post("/subscriptions", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    pub async fn subscription(&self, id: &Value) -> Value {
        let path = format!("/subscriptions/{}", id.as_str().unwrap());
        let answer = self.client.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// Sends a request on a connection of its own, which ends with the answer: for more at once than a client's pool holds.
pub async fn ask(app: &TestApp, request: &str, body: &str) -> TcpStream {
    let address = app.anyone.base().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// All that the server says until it ends the connection.
pub async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// A time that is ahead by the machine's clock, in whole seconds.
pub fn in_days(days: u64) -> String {
    let now = Timestamp::now().unix_seconds();
    let whole_second = Timestamp::from_unix_micros(now * 1_000_000).unwrap();
    whole_second
        .saturating_add(Duration::from_secs(days * 24 * 3600))
        .to_string()
}

/// An event whose deadline is ahead by the machine's clock.
pub fn new_event(id: &str) -> Value {
    event_until(id, &in_days(30))
}

pub fn event_until(id: &str, deadline: &str) -> Value {
    json!({"id": id, "title": "A - B", "odds": "1.85", "deadline": deadline})
}

/// Reads the log page by page, and checks that its positions have no gaps.
pub async fn all_changes(client: &Client) -> Vec<Value> {
    let mut changes: Vec<Value> = Vec::new();
    loop {
        let page = client
            .get(&format!("/changes?after={}&limit=500", changes.len()))
            .await;
        let items = page.json()["items"].as_array().unwrap().clone();
        if items.is_empty() {
            return changes;
        }
        for change in items {
            assert_eq!(change["position"], changes.len() + 1, "the log has a gap");
            changes.push(change);
        }
    }
}

/// The `code` of a refusal with that status.
pub fn code(answer: &Response, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(!problem["request_id"].as_str().unwrap().is_empty());
    problem["code"].as_str().unwrap().to_owned()
}
