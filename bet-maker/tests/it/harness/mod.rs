//! What every test stands on: a running bet-maker ([`TestApp`]) on a database of its own, a line-provider that
//! does as the test says ([`Provider`]), callbacks ([`Signed`]), and a look at what was stored ([`Books`]).

mod books;
mod history;
mod log;
mod provider;
mod signer;

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::Method;
use bet_maker::app::App;
use bet_maker::config::Settings;
use bet_maker::store::migrate;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared_types::Change;
use test_support::{Client, Response, TestDatabase, wait_until};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use books::{Books, actor, backend_of};
pub use history::{History, in_seconds};
pub use log::{ReadTo, poll_log, read_log, read_page, settle};
pub use provider::{Mood, Provider};
pub use signer::{OTHER_SECRET, SECRET, Signed, callback, seconds_ago};

/// Long enough for a busy machine; nothing waits that long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const TOKEN: &str = "operator-token-of-the-tests";

/// A migrated database of one's own.
pub async fn database() -> TestDatabase {
    TestDatabase::create("bet_maker", async |url| migrated(url).await).await
}

/// Migrates on a thread, as the app does.
pub async fn migrated(url: String) -> Result<(), migrate::MigrateError> {
    let (done, migrated) = oneshot::channel();
    std::thread::spawn(move || done.send(migrate::run(&url)));
    migrated.await.unwrap()
}

pub fn settings(database_url: &str, line_provider_url: &str) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: database_url.into(),
        database_connections: 8,
        line_provider_url: line_provider_url.to_owned(),
        line_provider_token: TOKEN.into(),
        callback_url: None,
        callback_secrets: vec![SECRET.parse().unwrap()],
        feed_stale_after: Duration::from_secs(60),
        feed_read_every: Duration::from_millis(100),
    }
}

/// A bet-maker that serves. One method per endpoint; each answers whatever came.
pub struct TestApp {
    pub client: Client,
    pub books: Books,
    pub provider: Provider,
    pub database: Rc<TestDatabase>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl TestApp {
    /// With an empty history, read to its end.
    pub async fn start() -> Self {
        Self::start_on(History::new()).await
    }

    /// With that history, read to its end.
    pub async fn start_on(history: History) -> Self {
        Self::start_with(Rc::new(database().await), Provider::start(history), |_| {}).await
    }

    /// Waits until it is ready.
    pub async fn start_with(
        database: Rc<TestDatabase>,
        provider: Provider,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let app = Self::launch(database, provider, change).await;
        app.wait_until_ready().await;
        app
    }

    /// Waits for nothing.
    pub async fn launch(
        database: Rc<TestDatabase>,
        provider: Provider,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = settings(database.url(), &provider.url());
        change(&mut settings);
        let books = Books::open(settings.database_url.expose_secret()).await;
        let (client, stop, running) = serve(settings).await;
        Self {
            client,
            books,
            provider,
            database,
            stop: Some(stop),
            running,
        }
    }

    /// Another replica on the same database and line-provider.
    pub async fn replica(&self) -> Self {
        Self::start_with(self.database.clone(), self.provider.clone(), |_| {}).await
    }

    /// Ends as on SIGTERM; waits until all is over.
    pub async fn stop(mut self) {
        // Idle connections would be waited for.
        self.client = Client::new("");
        self.stop.take().unwrap().send(()).unwrap();
        self.running.await.unwrap();
    }

    /// For clients that speak TCP.
    pub fn address(&self) -> &str {
        self.client.base().strip_prefix("http://").unwrap()
    }

    pub async fn place(&self, body: &Value) -> Response {
        self.client.post("/bets", body).await
    }

    pub async fn place_with_key(&self, key: &str, body: &Value) -> Response {
        let headers = [("idempotency-key", key)];
        self.client
            .send(Method::POST, "/bets", &headers, Some(body))
            .await
    }

    /// A bet that must be accepted; its JSON.
    pub async fn placed(&self, event_id: &str, stake: &str) -> Value {
        let answer = self.place(&json!({"event_id": event_id, "stake": stake})).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// `query` with its question mark, or empty.
    pub async fn list_bets(&self, query: &str) -> Response {
        self.client.get(&format!("/bets{query}")).await
    }

    pub async fn bet(&self, id: &str) -> Response {
        self.client.get(&format!("/bets/{id}")).await
    }

    pub async fn list_events(&self, query: &str) -> Response {
        self.client.get(&format!("/events{query}")).await
    }

    pub async fn event(&self, id: &str) -> Response {
        self.client.get(&format!("/events/{id}")).await
    }

    pub async fn exposure(&self, id: &str) -> Response {
        self.client.get(&format!("/events/{id}/exposure")).await
    }

    pub async fn callback(&self, signed: &Signed) -> Response {
        let headers: Vec<_> = signed
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let path = "/callbacks/line-provider";
        self.client
            .send_bytes(Method::POST, path, &headers, signed.body.clone())
            .await
    }

    /// A change that must be taken.
    pub async fn told(&self, change: &Change) {
        let answer = self.callback(&Signed::change(change)).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// Lets something happen at line-provider and tells the app by callback.
    pub async fn happens(&self, edit: impl FnOnce(&mut History) -> Change) -> Change {
        let change = self.provider.edit(edit);
        self.told(&change).await;
        change
    }

    pub async fn ready(&self) -> Response {
        self.client.get("/readyz").await
    }

    pub async fn wait_until_ready(&self) {
        wait_until("readiness", PATIENCE, async || {
            (self.ready().await.status == 200).then_some(())
        })
        .await;
    }

    /// Waits until the event is known at that revision.
    pub async fn wait_for_revision(&self, id: &str, revision: u64) -> Value {
        wait_until("the event's revision", PATIENCE, async || {
            let answer = self.event(id).await;
            (answer.status == 200 && answer.json()["revision"] == revision).then(|| answer.json())
        })
        .await
    }

    pub async fn wait_for_status(&self, bet_id: &str, status: &str) -> Value {
        wait_until("the bet's status", PATIENCE, async || {
            let bet = self.bet(bet_id).await.json();
            (bet["status"] == status).then_some(bet)
        })
        .await
    }

    /// Waits until a bet on `event_id` is answered by that status and code (none for 201).
    pub async fn wait_until_placing_answers(
        &self,
        event_id: &str,
        status: u16,
        code: Option<&str>,
    ) -> Response {
        let body = json!({"event_id": event_id, "stake": "1.00"});
        wait_until(
            &format!("placing answers {status} {code:?}"),
            PATIENCE,
            async || {
                let answer = self.place(&body).await;
                let as_said = answer.status == status && answer.json()["code"].as_str() == code;
                as_said.then_some(answer)
            },
        )
        .await
    }
}

async fn serve(settings: Settings) -> (Client, oneshot::Sender<()>, JoinHandle<()>) {
    let app = App::connect(settings).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    let (stop, stopped) = oneshot::channel();
    let running = actix_rt::spawn(async move {
        let stopped = Box::pin(async {
            // A test that ends without a word stops the app with its runtime.
            if stopped.await.is_err() {
                std::future::pending().await
            }
        });
        app.run(listener, stopped).await.unwrap();
    });
    (client, stop, running)
}

/// Checks that `answer` is a problem of that status and code, whole and in form.
#[track_caller]
pub fn problem(answer: &Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], "about:blank");
    assert!(!body["title"].as_str().unwrap().is_empty());
    assert!(!body["detail"].as_str().unwrap().is_empty());
    let request_id = body["request_id"].as_str().unwrap();
    assert!(!request_id.is_empty());
    assert_eq!(answer.header("x-request-id"), Some(request_id));
    if status == 503 {
        let seconds: u32 = answer
            .header("retry-after")
            .expect("Retry-After")
            .parse()
            .unwrap();
        assert!(seconds >= 1);
    }
    body
}

/// The fields that a 422 names.
pub fn broken_fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect()
}
