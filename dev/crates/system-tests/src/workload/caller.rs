//! One actor's way to call a service: each call is written down before it is sent, and its outcome after.

use std::rc::Rc;
use std::time::Duration;

use awc::http::Method;
use serde_json::Value;
use test_support::{Client, Response};

use crate::history::{Call, Outcome, Recorder};

/// Beyond it the outcome is unknown.
const DEADLINE: Duration = Duration::from_millis(2500);

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) key: Option<String>,
    pub(super) body: Option<Value>,
}

impl Request {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            key: None,
            body: None,
        }
    }

    pub(super) fn send(method: Method, path: String, body: Value) -> Self {
        Self {
            method,
            body: Some(body),
            ..Self::get(path)
        }
    }
}

pub(super) struct Caller {
    actor: String,
    recorder: Rc<Recorder>,
}

impl Caller {
    pub(super) fn new(actor: String, recorder: Rc<Recorder>) -> Self {
        Self { actor, recorder }
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(super) fn actor(&self) -> &str {
        &self.actor
    }

    pub(super) async fn call(&self, client: &Client, call: Call, request: &Request) -> Outcome {
        let id = self.recorder.invoke(&self.actor, call);
        let outcome = exchange(client, request).await;
        self.recorder.returned(id, outcome.clone());
        outcome
    }

    /// Repeats the call until it is answered otherwise than by "try again".
    pub(super) async fn insist(&self, client: &Client, call: &Call, request: &Request) -> (u16, Value) {
        let mut pause = Duration::from_millis(30);
        loop {
            if let Outcome::Answered { status, body, .. } = self.call(client, call.clone(), request).await
                && is_decided(status)
            {
                return (status, body);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
}

/// Whether an answer says what became of the request: not "too slow", not "too many", not "not now".
pub(super) const fn is_decided(status: u16) -> bool {
    status < 500 && status != 408 && status != 429
}

async fn exchange(client: &Client, request: &Request) -> Outcome {
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut headers = Vec::new();
    if request.body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    headers.extend(request.key.as_deref().map(|key| ("idempotency-key", key)));
    let sent = client.try_send(request.method.clone(), &request.path, &headers, body.into_bytes());
    match tokio::time::timeout(DEADLINE, sent).await {
        Err(_) => Outcome::Unknown {
            why: format!("no answer within {DEADLINE:?}"),
        },
        Ok(Err(error)) => Outcome::Unknown {
            why: format!("{error:#}"),
        },
        Ok(Ok(answer)) => answered(&answer),
    }
}

fn answered(answer: &Response) -> Outcome {
    Outcome::Answered {
        status: answer.status,
        replayed: answer.header("idempotency-replayed").is_some(),
        retry_after: answer.header("retry-after").is_some(),
        // What is no JSON is kept as text, for whoever reads of it.
        body: serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::String(answer.text())),
    }
}
