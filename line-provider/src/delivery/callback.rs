//! One callback over HTTP: rendered, signed, sent, and what came of it.
//!
//! It goes on in the trace of the request that made the change, where this process still knows it.
//! The body is the same on every attempt; timestamp and signature are of the attempt. One deadline stands over
//! connecting, the answer's head and its body; of the body a few KiB are read, so that the connection can be used
//! again. Delivered is what was answered with 2xx; redirects are not followed.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use actix_web::web::Bytes;
use awc::error::{ConnectError, SendRequestError};
use awc::http::Version;
use awc::{Client, ClientRequest, Connector};
use http_edge::Traceparent;
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use shared_types::{Instance, Timestamp, change::message_id};

use crate::journal::Logged;
use crate::subscription::Registration;

const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Below what common servers keep an idle connection for (5 s), so that we close it first.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
const ANSWER_LIMIT_BYTES: usize = 4096;

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// 410: the receiver is gone for good.
    Gone,
    Failed {
        error: String,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Where a subscription's callbacks go. Each has a client of its own, so that its connections end with it and
/// no other receiver can use them up.
pub(super) struct Receiver {
    client: Client,
    instance: Instance,
}

impl Receiver {
    pub(super) fn new(instance: Instance) -> Self {
        let connector = Connector::new()
            .timeout(CONNECT_TIMEOUT)
            .conn_keep_alive(KEEP_ALIVE)
            // The window bounds what is under way; awc's own bound would make attempts wait within their deadline.
            .limit(0)
            .max_http_version(Version::HTTP_11);
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .timeout(DEADLINE)
            .finish();
        Self { client, instance }
    }

    /// Calls back once; a second time at once where a pooled connection turned out to be closed.
    pub(super) async fn call(&self, registration: &Registration, change: &Logged, now: Timestamp) -> Outcome {
        let deadline = tokio::time::Instant::from_std(Instant::now() + DEADLINE);
        let body = render(registration, change);
        let id = message_id(self.instance, change.position);
        let sent = async {
            let first = self.request(registration, &id, &body, change.trace, now);
            match first.send_body(body.clone()).await {
                Err(error) if is_stale_connection(&error) => {
                    let second = self.request(registration, &id, &body, change.trace, now);
                    second.send_body(body).await
                }
                answer => answer,
            }
        };
        let mut answer = match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return failed(format!("no answer: {error}")),
            Err(_) => return failed(format!("no answer within {} s", DEADLINE.as_secs())),
        };
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        // The status decides; a body that is too long or too slow only costs the connection.
        let body = answer.body().limit(ANSWER_LIMIT_BYTES);
        let _ = tokio::time::timeout_at(deadline, body).await;
        outcome(status, retry_after)
    }

    /// The request's head, signed for that body.
    fn request(
        &self,
        registration: &Registration,
        id: &str,
        body: &[u8],
        trace: Option<Traceparent>,
        now: Timestamp,
    ) -> ClientRequest {
        let signature = registration.secret.sign(id, now, body);
        let request = self
            .client
            .post(registration.url.uri())
            .insert_header((USER_AGENT, concat!("line-provider/", env!("CARGO_PKG_VERSION"))))
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((ID_HEADER, id))
            .insert_header((TIMESTAMP_HEADER, now.unix_seconds()))
            .insert_header((SIGNATURE_HEADER, signature));
        match trace {
            Some(trace) => request.insert_header((Traceparent::HEADER, trace.to_string())),
            None => request,
        }
    }
}

fn render(registration: &Registration, change: &Logged) -> Bytes {
    let (kind, timestamp, id, json) = (
        change.kind.as_str(),
        change.occurred_at,
        registration.id,
        &change.json,
    );
    format!(r#"{{"type":"{kind}","timestamp":"{timestamp}","subscription_id":"{id}","data":{json}}}"#).into()
}

fn outcome(status: StatusCode, retry_after: Option<Duration>) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Outcome::Failed {
            error: format!("answered {status}"),
            retry_after,
        },
        status => failed(format!("answered {status}")),
    }
}

fn failed(error: String) -> Outcome {
    Outcome::Failed {
        error,
        retry_after: None,
    }
}

/// The receiver closed an idle connection just as it was used. Callbacks may arrive twice anyway.
fn is_stale_connection(error: &SendRequestError) -> bool {
    matches!(
        error,
        SendRequestError::Connect(ConnectError::Disconnected)
            | SendRequestError::Send(_)
            | SendRequestError::Response(_)
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn only_2xx_is_delivered_and_only_two_statuses_may_ask_for_time() {
        let asked = Some(Duration::from_secs(7));
        let of = |code| outcome(StatusCode::from_u16(code).unwrap(), asked);
        for code in [200, 201, 204, 299] {
            assert_eq!(of(code), Outcome::Delivered, "{code}");
        }
        assert_eq!(of(410), Outcome::Gone);
        for (code, expected) in [(301, None), (400, None), (429, asked), (500, None), (503, asked)] {
            let Outcome::Failed { retry_after, .. } = of(code) else {
                panic!("{code} is not a failure");
            };
            assert_eq!(retry_after, expected, "{code}");
        }
    }

    /// Answers the first request of its first connection, hangs up on the second, and serves a second connection.
    async fn serve_with_a_stale_connection(listener: tokio::net::TcpListener) {
        const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let (mut first, _) = listener.accept().await.unwrap();
        receive(&mut first).await;
        first.write_all(ANSWER).await.unwrap();
        receive(&mut first).await;
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        receive(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
    }

    async fn receive(connection: &mut tokio::net::TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"}}") {
            assert!(connection.read_buf(&mut request).await.unwrap() > 0);
        }
    }

    #[actix_web::test]
    async fn a_pooled_connection_that_was_closed_costs_no_attempt() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = actix_web::rt::spawn(serve_with_a_stale_connection(listener));
        let now = Timestamp::now();
        let fresh = (
            shared_types::SubscriptionId::from_uuid(uuid::Uuid::nil()),
            shared_types::signature::Secret::from_bytes(&[1; 32]).unwrap(),
        );
        let wanted = crate::subscription::Register {
            url: format!("http://127.0.0.1:{port}/").parse().unwrap(),
            event_types: None,
            secret: None,
            fresh,
        };
        let registration = crate::subscription::register(None, wanted, now);
        let change = Logged {
            position: 1,
            kind: shared_types::ChangeType::Created,
            event_id: "e".parse().unwrap(),
            occurred_at: now,
            trace: None,
            json: "{}".into(),
        };
        let receiver = Receiver::new(Instance::from_uuid(uuid::Uuid::nil()));
        for _ in 0..2 {
            assert_eq!(
                receiver.call(&registration, &change, now).await,
                Outcome::Delivered
            );
        }
        tokio::time::timeout(2 * DEADLINE, serving)
            .await
            .unwrap()
            .unwrap();
    }
}
