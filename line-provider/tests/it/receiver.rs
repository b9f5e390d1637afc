//! A receiver of callbacks that a test scripts, and that checks every signature by the published verifier.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::Value;
use standardwebhooks::Webhook;
use test_support::wait_until;

use crate::support::PATIENCE;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A callback that arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub traceparent: Option<String>,
    pub body: Value,
}

impl Call {
    pub fn position(&self) -> u64 {
        self.body["data"]["position"].as_u64().unwrap()
    }

    pub fn event(&self) -> &str {
        self.body["data"]["event_id"].as_str().unwrap()
    }

    pub fn revision(&self) -> u64 {
        self.body["data"]["revision"].as_u64().unwrap()
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after_s: Option<u64>,
    pub delay: Duration,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            retry_after_s: None,
            delay: Duration::ZERO,
        }
    }
}

/// Decides an answer from the call and how many came before it.
type Script = dyn Fn(&Call, usize) -> Answer + Send + Sync;

struct Scripted {
    script: Mutex<Arc<Script>>,
    /// With the answer's status, in order of arrival.
    calls: Mutex<Vec<(Call, u16)>>,
}

pub struct Receiver {
    pub url: String,
    scripted: Arc<Scripted>,
    server: ServerHandle,
}

impl Receiver {
    pub async fn start(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> Self {
        let scripted = Arc::new(Scripted {
            script: Mutex::new(Arc::new(script)),
            calls: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let data = web::Data::from(Arc::clone(&scripted));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/hook", web::post().to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url,
            scripted,
            server: handle,
        }
    }

    /// Answers 200 to everything.
    pub async fn willing() -> Self {
        Self::start(|_, _| Answer::status(200)).await
    }

    pub fn script(&self, script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) {
        *self.scripted.script.lock().unwrap() = Arc::new(script);
    }

    /// Everything that arrived, refused or not.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.scripted.calls.lock().unwrap();
        calls.iter().map(|(call, _)| call.clone()).collect()
    }

    /// What was answered with 200.
    pub fn taken(&self) -> Vec<Call> {
        let calls = self.scripted.calls.lock().unwrap();
        let taken = calls.iter().filter(|(_, status)| *status == 200);
        taken.map(|(call, _)| call.clone()).collect()
    }

    pub async fn wait_for(&self, what: &str, reached: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        wait_until(what, PATIENCE, async || {
            let taken = self.taken();
            reached(&taken).then_some(taken)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: Bytes, scripted: web::Data<Scripted>) -> HttpResponse {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = request.headers().get(name).unwrap().to_str().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
    let traceparent = request.headers().get("traceparent");
    let call = Call {
        id: headers["webhook-id"].to_str().unwrap().to_owned(),
        traceparent: traceparent.map(|value| value.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&body).unwrap(),
    };
    let script = Arc::clone(&scripted.script.lock().unwrap());
    let before = scripted.calls.lock().unwrap().len();
    let answer = script(&call, before);
    scripted.calls.lock().unwrap().push((call, answer.status));
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let mut response = HttpResponse::build(answer.status.try_into().unwrap());
    if let Some(seconds) = answer.retry_after_s {
        response.insert_header(("retry-after", seconds));
    }
    response.body("noted")
}
