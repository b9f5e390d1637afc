//! Signatures of callbacks: Standard Webhooks 1.0.0, symmetric (`v1`, HMAC-SHA256).
//!
//! Signed is `id.timestamp.body`, over the very bytes of the body. Verification checks the age of the timestamp
//! and at most [`MAX_SIGNATURES`] signatures, each in constant time.
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::timestamp::Timestamp;

pub const ID_HEADER: &str = "webhook-id";
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far `webhook-timestamp` may lie from the receiver's clock, either way.
pub const TOLERANCE: Duration = Duration::from_secs(300);
/// More signatures than a rotation needs are not looked at: each costs an HMAC.
pub const MAX_SIGNATURES: usize = 5;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";

/// A signing key of 24 to 64 bytes; written `whsec_` and base64. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// The text is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    #[error("must be \"whsec_\" followed by base64")]
    Malformed,
    #[error("must hold 24 to 64 bytes")]
    Length,
}

impl Secret {
    /// Takes the key's bytes.
    ///
    /// # Errors
    /// [`InvalidSecret::Length`] outside 24 to 64 bytes.
    pub fn from_bytes(key: &[u8]) -> Result<Self, InvalidSecret> {
        if (24..=64).contains(&key.len()) {
            Ok(Self(key.to_vec()))
        } else {
            Err(InvalidSecret::Length)
        }
    }

    /// The text form. Named so that a leak is easy to search for.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// One entry of the signature header: `v1,<base64>`.
    pub fn sign(&self, id: &str, timestamp: Timestamp, body: &[u8]) -> String {
        let tag = self
            .mac(id, &timestamp.unix_seconds().to_string(), body)
            .finalize()
            .into_bytes();
        format!("{VERSION}{}", STANDARD.encode(tag))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret::Malformed)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret::Malformed)?;
        Self::from_bytes(&key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The three headers of a callback, as they arrived.
#[derive(Clone, Copy, Debug)]
pub struct SignedHeaders<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// Why a callback is not believed. Tell the sender one wording for all: the difference helps a forger only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("the timestamp is not a number of unix seconds")]
    Timestamp,
    #[error("the timestamp is too far from the receiver's clock")]
    Stale,
    #[error("no signature matches")]
    Signature,
}

/// Checks that one of `secrets` signed `body` within [`TOLERANCE`] of `now`.
///
/// # Errors
/// [`Unverified`], by cause.
pub fn verify(
    headers: SignedHeaders<'_>,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), Unverified> {
    let plain = !headers.timestamp.is_empty() && headers.timestamp.bytes().all(|b| b.is_ascii_digit());
    let sent: i64 = headers
        .timestamp
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or(Unverified::Timestamp)?;
    if now.unix_seconds().abs_diff(sent) > TOLERANCE.as_secs() {
        return Err(Unverified::Stale);
    }
    let candidates = headers.signature.split(' ').take(MAX_SIGNATURES);
    let tags = candidates.filter_map(|entry| STANDARD.decode(entry.strip_prefix(VERSION)?).ok());
    for tag in tags {
        for secret in secrets {
            if secret
                .mac(headers.id, headers.timestamp, body)
                .verify_slice(&tag)
                .is_ok()
            {
                return Ok(());
            }
        }
    }
    Err(Unverified::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the Standard Webhooks repository publishes.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(unix_seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(unix_seconds * 1_000_000).unwrap()
    }

    fn check(signature: &str, now: i64) -> Result<(), Unverified> {
        let headers = SignedHeaders {
            id: ID,
            timestamp: &SENT.to_string(),
            signature,
        };
        verify(headers, BODY, &[SECRET.parse().unwrap()], at(now))
    }

    #[test]
    fn the_published_vector_is_signed_and_verified() {
        let secret: Secret = SECRET.parse().unwrap();
        assert_eq!(secret.sign(ID, at(SENT), BODY), SIGNATURE);
        assert_eq!(check(SIGNATURE, SENT), Ok(()));
    }

    #[test]
    fn the_standardwebhooks_crate_agrees_both_ways() {
        let theirs = standardwebhooks::Webhook::new(SECRET).unwrap();
        assert_eq!(theirs.sign(ID, SENT, BODY).unwrap(), SIGNATURE);
        let now = Timestamp::now();
        let ours = SECRET.parse::<Secret>().unwrap().sign(ID, now, BODY);
        let mut headers = http::HeaderMap::new();
        headers.insert(ID_HEADER, ID.parse().unwrap());
        headers.insert(TIMESTAMP_HEADER, now.unix_seconds().to_string().parse().unwrap());
        headers.insert(SIGNATURE_HEADER, ours.parse().unwrap());
        theirs.verify(BODY, &headers).unwrap();
        headers.insert(SIGNATURE_HEADER, SIGNATURE.parse().unwrap());
        assert!(theirs.verify(BODY, &headers).is_err());
    }

    #[test]
    fn a_timestamp_is_believed_up_to_the_tolerance_either_way() {
        assert_eq!(check(SIGNATURE, SENT + 300), Ok(()));
        assert_eq!(check(SIGNATURE, SENT + 301), Err(Unverified::Stale));
        assert_eq!(check(SIGNATURE, SENT - 300), Ok(()));
        assert_eq!(check(SIGNATURE, SENT - 301), Err(Unverified::Stale));
    }

    #[test]
    fn one_good_signature_among_others_is_enough_but_only_the_first_five_count() {
        let other = Secret::from_bytes(&[7; 24]).unwrap().sign(ID, at(SENT), BODY);
        assert_eq!(check(&format!("{other} {SIGNATURE}"), SENT), Ok(()));
        let sixth = format!("{} {SIGNATURE}", [other.as_str(); 5].join(" "));
        assert_eq!(check(&sixth, SENT), Err(Unverified::Signature));
        assert_eq!(check("", SENT), Err(Unverified::Signature));
        assert_eq!(check("v1,", SENT), Err(Unverified::Signature));
        assert_eq!(
            check(&SIGNATURE.replace("v1,", "v1a,"), SENT),
            Err(Unverified::Signature)
        );
    }

    #[test]
    fn a_changed_byte_id_or_odd_timestamp_is_refused() {
        let secrets = [SECRET.parse().unwrap()];
        let check = |id: &str, timestamp: &str, body: &[u8]| {
            verify(
                SignedHeaders {
                    id,
                    timestamp,
                    signature: SIGNATURE,
                },
                body,
                &secrets,
                at(SENT),
            )
        };
        let sent = SENT.to_string();
        assert_eq!(check(ID, &sent, BODY), Ok(()));
        assert_eq!(check("msg_x", &sent, BODY), Err(Unverified::Signature));
        assert_eq!(
            check(ID, &sent, br#"{"test": 2432232315}"#),
            Err(Unverified::Signature)
        );
        let signed = format!("+{sent}");
        assert_eq!(check(ID, &signed, BODY), Err(Unverified::Timestamp));
        assert_eq!(check(ID, "", BODY), Err(Unverified::Timestamp));
    }

    #[test]
    fn a_key_has_24_to_64_bytes_and_never_shows_in_debug() {
        assert_eq!(Secret::from_bytes(&[0; 23]), Err(InvalidSecret::Length));
        assert_eq!(Secret::from_bytes(&[0; 65]), Err(InvalidSecret::Length));
        assert_eq!("secret".parse::<Secret>(), Err(InvalidSecret::Malformed));
        let secret = Secret::from_bytes(&[1; 24]).unwrap();
        assert_eq!(secret.expose().parse::<Secret>(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
