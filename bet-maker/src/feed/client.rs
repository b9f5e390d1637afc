//! Calls to line-provider: reading its log, and registering our callback.

use std::time::{Duration, Instant};

use awc::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use shared_types::signature::Secret;
use shared_types::subscription::{CreateSubscription, CreatedSubscription};
use shared_types::{ChangesPage, Timestamp};

/// Over connecting, head and body together.
const DEADLINE: Duration = Duration::from_secs(5);
/// A page of 500 changes at their largest stays below.
const PAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// Changes per page.
const PAGE: u16 = 500;
/// In the answers of `GET /changes`: line-provider's clock when it answered.
const CLOCK_HEADER: &str = "x-server-time";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("line-provider did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
    #[error("line-provider cannot be reached: {0}")]
    Unreachable(String),
    #[error("line-provider answered {status}: {text}")]
    Status { status: StatusCode, text: String },
    #[error("line-provider's answer cannot be read: {0}")]
    Unreadable(String),
}

/// A page of the log, and how far line-provider's clock is ahead of ours as seen by this call.
#[derive(Debug)]
pub struct LogPage {
    pub page: ChangesPage,
    /// Seconds; negative where it is behind. `None` where it did not tell its time.
    pub clock_offset_s: Option<f64>,
}

/// A line-provider at one address. Not `Send`: it belongs to the thread that made it.
pub struct LineProvider {
    http: awc::Client,
    base_url: String,
    token: SecretString,
}

impl LineProvider {
    /// `base_url` without or with a trailing slash.
    pub fn new(base_url: &str, token: SecretString) -> Self {
        let http = awc::Client::builder()
            .disable_redirects()
            .max_http_version(awc::http::Version::HTTP_11)
            .timeout(DEADLINE)
            .finish();
        Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
            token,
        }
    }

    /// Reads the log behind position `after`.
    ///
    /// # Errors
    /// [`CallError`], by cause.
    pub async fn changes(&self, after: u64) -> Result<LogPage, CallError> {
        let url = format!("{}/changes?after={after}&limit={PAGE}", self.base_url);
        let (sent_at, sent) = (Timestamp::now(), Instant::now());
        let mut clock = None;
        let page = answer(self.http.get(url).send(), |headers| {
            clock = headers
                .get(CLOCK_HEADER)
                .and_then(|text| text.to_str().ok()?.parse().ok());
        })
        .await?;
        let clock_offset_s = clock.map(|theirs| clock_offset_s(sent_at, sent.elapsed(), theirs));
        Ok(LogPage { page, clock_offset_s })
    }

    /// Registers `callback_url`; repeating it changes nothing.
    ///
    /// # Errors
    /// [`CallError`], by cause.
    pub async fn subscribe(
        &self,
        callback_url: &str,
        secret: &Secret,
    ) -> Result<CreatedSubscription, CallError> {
        let request = CreateSubscription {
            url: callback_url.to_owned(),
            event_types: None,
            secret: Some(secret.expose()),
        };
        let url = format!("{}/subscriptions", self.base_url);
        let call = self
            .http
            .post(url)
            .bearer_auth(self.token.expose_secret())
            .send_json(&request);
        answer(call, |_| {}).await
    }
}

/// The whole exchange under one deadline: awc's own ends at the answer's head.
async fn answer<T: DeserializeOwned>(
    call: awc::SendClientRequest,
    look_at: impl FnOnce(&awc::http::header::HeaderMap),
) -> Result<T, CallError> {
    let exchange = async {
        let mut response = call
            .await
            .map_err(|error| CallError::Unreachable(error.to_string()))?;
        let status = response.status();
        look_at(response.headers());
        let body = response.body().limit(PAGE_LIMIT_BYTES).await;
        let body = body.map_err(|error| CallError::Unreadable(error.to_string()))?;
        if status.is_success() {
            serde_json::from_slice(&body).map_err(|error| CallError::Unreadable(error.to_string()))
        } else {
            let text = String::from_utf8_lossy(&body).chars().take(300).collect();
            Err(CallError::Status { status, text })
        }
    };
    tokio::time::timeout(DEADLINE, exchange)
        .await
        .map_err(|_| CallError::Timeout)?
}

/// Assumes that the answer was written in the middle of the round trip.
fn clock_offset_s(sent_at: Timestamp, round_trip: Duration, theirs: Timestamp) -> f64 {
    let ours = sent_at.saturating_add(round_trip / 2);
    theirs.saturating_since(ours).as_secs_f64() - ours.saturating_since(theirs).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_offset_is_taken_from_the_middle_of_the_round_trip() {
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let offset = |theirs| clock_offset_s(at(1_000_000), Duration::from_millis(200), at(theirs));
        assert_eq!(offset(1_100_000), 0.0);
        assert_eq!(offset(1_350_000), 0.25);
        assert_eq!(offset(850_000), -0.25);
    }
}
