//! A small HTTP client for tests, and waiting for a state instead of sleeping.
//!
//! Every answer is read to its end, whatever its status; only a broken connection panics (or is an error, by
//! [`Client::try_send`]).

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use awc::http::Method;
use awc::http::header::HeaderMap;
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(40);
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Talks to one server; cheap to clone, keeps connections alive, bound to its thread.
#[derive(Clone)]
pub struct Client {
    base: Rc<str>,
    bearer: Option<Rc<str>>,
    http: awc::Client,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    /// `base` without a trailing slash: `"http://127.0.0.1:8081"`. Redirects are not followed.
    pub fn new(base: &str) -> Self {
        // awc builds its TLS connector at once; an error says that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = awc::Client::builder()
            .timeout(TIMEOUT)
            .disable_redirects()
            .finish();
        Self {
            base: base.into(),
            bearer: None,
            http,
        }
    }

    #[must_use]
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.into());
        self
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// # Panics
    /// No whole answer came; so in all functions but [`Client::try_send`].
    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.send(Method::PATCH, path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.send(Method::DELETE, path, &[], None).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Response {
        let text = body.map(Value::to_string).unwrap_or_default();
        let json = [("content-type", "application/json")];
        let typed = if body.is_some() { &json[..] } else { &[] };
        let headers: Vec<_> = typed.iter().chain(headers).copied().collect();
        self.send_bytes(method, path, &headers, text.into_bytes()).await
    }

    /// Sends the very bytes, with no content type of its own.
    pub async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let what = format!("{method} {}{path}", self.base);
        self.try_send(method, path, headers, body)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:#}"))
    }

    /// The same for servers that may be away. A header given here replaces the bearer token's.
    ///
    /// # Errors
    /// No connection, or no whole answer within 40 s.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.bearer {
            request = request.insert_header(("authorization", format!("Bearer {token}")));
        }
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        // awc's errors are not Send.
        let mut answer = request
            .send_body(body)
            .await
            .map_err(|error| anyhow!("{error}"))?;
        let body = answer
            .body()
            .limit(BODY_LIMIT)
            .await
            .map_err(|error| anyhow!("{error}"))?;
        Ok(Response {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: body.to_vec(),
        })
    }
}

impl Response {
    /// # Panics
    /// The body is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Nothing came of waiting.
#[derive(Clone, Copy, Debug)]
pub struct TimedOut;

/// Asks until there is an answer: at once, then after growing pauses (2 ms up to 100 ms).
///
/// # Errors
/// `within` is over.
pub async fn poll_until<T>(
    within: Duration,
    mut poll: impl AsyncFnMut() -> Option<T>,
) -> Result<T, TimedOut> {
    let deadline = Instant::now() + within;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = poll().await {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(TimedOut);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// [`poll_until`] for tests; `what` finishes the sentence "waited for …".
///
/// # Panics
/// `within` is over.
pub async fn wait_until<T>(what: &str, within: Duration, poll: impl AsyncFnMut() -> Option<T>) -> T {
    poll_until(within, poll)
        .await
        .unwrap_or_else(|TimedOut| panic!("waited {within:?} in vain for: {what}"))
}
