//! One HTTP exchange with a service: connection, head and body within one deadline, and how to read what came.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use awc::http::header::{AUTHORIZATION, CONTENT_TYPE};
use awc::http::{Method, Uri, Version};
use shared_types::problem::Problem;
use tokio::sync::Semaphore;

/// For connection, head and body together.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(10);
/// Below the services' own, so that a connection is seldom used while the other side closes it.
const IDLE_CONNECTION: Duration = Duration::from_secs(3);
const BODY_MAX_BYTES: usize = 4 << 20;

/// Where a service is: `http://host:port`, with a path where it lives under a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

/// The text does not make a [`Base`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as http://127.0.0.1:8081 or http://127.0.0.1/line-provider")]
pub struct InvalidBase;

impl Base {
    /// `path` begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for Base {
    type Err = InvalidBase;

    fn from_str(text: &str) -> Result<Self, InvalidBase> {
        let uri: Uri = text.parse().map_err(|_| InvalidBase)?;
        match (uri.scheme_str(), uri.host(), uri.query()) {
            (Some("http" | "https"), Some(_), None) => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(InvalidBase),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request that can be sent any number of times.
#[derive(Debug)]
pub struct Ask {
    method: Method,
    url: String,
    body: Option<String>,
    key: Option<String>,
    with_token: bool,
}

impl Ask {
    pub const fn get(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            key: None,
            with_token: false,
        }
    }

    /// `body` is JSON.
    pub fn post(url: String, body: String) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            ..Self::get(url)
        }
    }

    /// `body` is JSON.
    pub fn patch(url: String, body: String) -> Self {
        Self {
            method: Method::PATCH,
            body: Some(body),
            ..Self::get(url)
        }
    }

    /// Sends the operator token along.
    pub fn with_token(self) -> Self {
        Self {
            with_token: true,
            ..self
        }
    }

    /// Sends an `Idempotency-Key` along.
    pub fn with_key(self, key: String) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        match &self.key {
            Some(key) => write!(f, " (key {key})"),
            None => Ok(()),
        }
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the same call may be answered otherwise later: a service or a proxy in front is away or busy.
    pub const fn asks_for_repetition(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..)
    }

    /// The problem that the body tells of; one with the body's begin where it tells of none.
    pub fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| Problem {
            kind: "about:blank".to_owned(),
            title: String::new(),
            status: self.status,
            detail: String::from_utf8_lossy(&self.body).chars().take(120).collect(),
            code: "(no problem details)".to_owned(),
            request_id: String::new(),
            extra: Default::default(),
        })
    }

    /// Status and code in a few words.
    pub fn summary(&self) -> String {
        format!("{} {}", self.status, self.problem().code)
    }
}

/// Sends requests; bound to its thread.
pub struct Http {
    client: awc::Client,
    bearer: String,
    under_way: Semaphore,
}

impl Http {
    /// At most `concurrency` exchanges are under way at once.
    pub fn new(token: &str, concurrency: usize) -> Self {
        let connector = awc::Connector::new().limit(0).conn_keep_alive(IDLE_CONNECTION);
        let client = awc::Client::builder()
            .connector(connector)
            .max_http_version(Version::HTTP_11)
            .timeout(EXCHANGE_DEADLINE)
            .disable_redirects()
            .finish();
        Self {
            client,
            bearer: format!("Bearer {token}"),
            under_way: Semaphore::new(concurrency),
        }
    }

    /// Sends a request once; the error tells in words why nothing came back.
    pub async fn exchange(&self, ask: &Ask) -> Result<Answer, String> {
        let _permit = self
            .under_way
            .acquire()
            .await
            .expect("the semaphore is never closed");
        actix_rt::time::timeout(EXCHANGE_DEADLINE, self.send(ask))
            .await
            .unwrap_or_else(|_| Err(format!("nothing within {} s", EXCHANGE_DEADLINE.as_secs())))
    }

    async fn send(&self, ask: &Ask) -> Result<Answer, String> {
        let mut request = self.client.request(ask.method.clone(), &ask.url);
        if ask.with_token {
            request = request.insert_header((AUTHORIZATION, self.bearer.as_str()));
        }
        if let Some(key) = &ask.key {
            request = request.insert_header(("idempotency-key", key.as_str()));
        }
        let sent = match &ask.body {
            Some(body) => request
                .insert_header((CONTENT_TYPE, "application/json"))
                .send_body(body.clone()),
            None => request.send(),
        };
        let mut response = sent.await.map_err(|error| error.to_string())?;
        let body = response
            .body()
            .limit(BODY_MAX_BYTES)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: body.to_vec(),
        })
    }
}
