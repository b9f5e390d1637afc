//! Callbacks as line-provider signs them, and as a forger would.

use std::time::Duration;

use serde_json::{Value, json};
use shared_types::change::message_id;
use shared_types::signature::Secret;
use shared_types::{Change, Timestamp};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const OTHER_SECRET: &str = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";

/// A request to the receiver, ready to be sent or tampered with.
#[derive(Clone, Debug)]
pub struct Signed {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The body that carries `change`.
pub fn callback(change: &Change) -> Value {
    json!({
        "type": change.kind,
        "timestamp": change.occurred_at,
        "subscription_id": "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11",
        "data": change,
    })
}

impl Signed {
    /// `change`, signed now with the secret that the app is started with.
    pub fn change(change: &Change) -> Self {
        Self::at(change, SECRET, Timestamp::now())
    }

    pub fn at(change: &Change, secret: &str, at: Timestamp) -> Self {
        let id = message_id(change.instance, change.position);
        Self::body(&id, callback(change).to_string().into_bytes(), secret, at)
    }

    /// Any bytes, signed now with the right secret.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::body("msg_any_1", body.into(), SECRET, Timestamp::now())
    }

    pub fn body(id: &str, body: Vec<u8>, secret: &str, at: Timestamp) -> Self {
        let signature = secret.parse::<Secret>().unwrap().sign(id, at, &body);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.unix_seconds().to_string()),
            ("webhook-signature", signature),
        ];
        Self { headers, body }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(known, _)| *known == name).unwrap();
        header.1 = value.to_owned();
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }
}

/// That many seconds before now.
pub fn seconds_ago(seconds: u64) -> Timestamp {
    let micros = i64::try_from(Duration::from_secs(seconds).as_micros()).unwrap();
    Timestamp::from_unix_micros(Timestamp::now().unix_micros() - micros).unwrap()
}
