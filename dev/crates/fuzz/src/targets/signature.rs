//! Signatures of callbacks, against the published verifier of Standard Webhooks.
//!
//! An input is four lines, the last of which is all that is left: `webhook-id`, `webhook-timestamp`,
//! `webhook-signature`, body. `now` in the second, with an offset in seconds behind it, stands for the present moment,
//! because the published verifier looks at the clock; `%` and `&` in the third stand for right signatures by the two
//! secrets, so that inputs come past the first check.

use http::{HeaderMap, HeaderValue};
use shared_types::Timestamp;
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, SignedHeaders, TIMESTAMP_HEADER, verify};
use standardwebhooks::Webhook;

/// What the standard recommends, and what a rotation needs.
const TOLERANCE_SECONDS: u64 = 300;
const MAX_SIGNATURES: usize = 5;
const KEYS: [[u8; 24]; 2] = [[1; 24], [2; 24]];

pub(crate) fn check(input: &[u8]) {
    check_secret(input);
    let mut lines = input.splitn(4, |b| *b == b'\n');
    let mut text = || std::str::from_utf8(lines.next()?).ok();
    let (Some(id), Some(timestamp), Some(signature)) = (text(), text(), text()) else {
        return;
    };
    let body = lines.next().unwrap_or_default();
    let now = Timestamp::now();
    let timestamp = at_present(timestamp, now);
    let signature = signed(signature, id, &timestamp, body);
    let headers = SignedHeaders {
        id,
        timestamp: &timestamp,
        signature: &signature,
    };
    let secrets = KEYS.map(|key| Secret::from_bytes(&key).expect("24 bytes are a key"));
    let ours = verify(headers, body, &secrets, now).is_ok();
    if ours {
        check_believed(&timestamp, now);
    }
    let Some(theirs) = published(&headers, body) else {
        return;
    };
    if is_exotic(&headers, body, now) {
        // One of the two is stricter. What is refused here may pass there, never the other way, but for bodies that
        // are no text, and timestamps that are signed in another spelling than they are read in.
        let only_ours = std::str::from_utf8(body).is_err() || has_leading_zeros(&timestamp);
        assert!(
            !ours || theirs || only_ours || is_at_the_edge(&timestamp, now),
            "{headers:?} is believed here only"
        );
    } else {
        assert_eq!(ours, theirs, "{headers:?} over {body:?}");
    }
}

/// `now` with an offset as seconds since 1970.
fn at_present(timestamp: &str, now: Timestamp) -> String {
    match timestamp
        .strip_prefix("now")
        .map(|offset| (offset.is_empty(), offset.parse::<i16>()))
    {
        Some((true, _)) => now.unix_seconds().to_string(),
        Some((false, Ok(offset))) => (now.unix_seconds() + i64::from(offset)).to_string(),
        _ => timestamp.to_owned(),
    }
}

fn signed(signature: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let of = |key: [u8; 24]| {
        let at = timestamp
            .parse::<i64>()
            .ok()
            .and_then(|seconds| Timestamp::from_unix_micros(seconds.checked_mul(1_000_000)?))?;
        Some(
            Secret::from_bytes(&key)
                .expect("24 bytes are a key")
                .sign(id, at, body),
        )
    };
    let [first, second] = KEYS.map(|key| of(key).unwrap_or_default());
    signature.replace('%', &first).replace('&', &second)
}

/// What the published verifier says, where the headers can be headers at all.
fn published(headers: &SignedHeaders<'_>, body: &[u8]) -> Option<bool> {
    let mut map = HeaderMap::new();
    // It looks at all of them; here the first few count.
    let signatures: Vec<_> = headers.signature.split(' ').take(MAX_SIGNATURES).collect();
    for (name, value) in [
        (ID_HEADER, headers.id),
        (TIMESTAMP_HEADER, headers.timestamp),
        (SIGNATURE_HEADER, &signatures.join(" ")),
    ] {
        let value = HeaderValue::from_str(value)
            .ok()
            .filter(|value| value.to_str().is_ok())?;
        map.insert(name, value);
    }
    // It subtracts without a check.
    headers
        .timestamp
        .parse::<i64>()
        .ok()
        .filter(|seconds| *seconds >= 0)?;
    let verifies = |key: [u8; 24]| {
        let verifier = Webhook::from_bytes(key.to_vec()).expect("any bytes are a key");
        verifier.verify(body, &map).is_ok()
    };
    Some(KEYS.into_iter().any(verifies))
}

fn is_exotic(headers: &SignedHeaders<'_>, body: &[u8], now: Timestamp) -> bool {
    has_leading_zeros(headers.timestamp)
        || !headers.timestamp.bytes().all(|b| b.is_ascii_digit())
        || std::str::from_utf8(body).is_err()
        || is_at_the_edge(headers.timestamp, now)
}

fn has_leading_zeros(timestamp: &str) -> bool {
    timestamp.len() > 1 && timestamp.starts_with('0')
}

/// So close to the tolerance that the two readings of the clock may fall on its two sides.
fn is_at_the_edge(timestamp: &str, now: Timestamp) -> bool {
    timestamp.parse::<i64>().is_ok_and(|sent| {
        let age = sent.abs_diff(now.unix_seconds());
        age.abs_diff(TOLERANCE_SECONDS) <= 2
    })
}

fn check_believed(timestamp: &str, now: Timestamp) {
    let sent: i64 = timestamp.parse().expect("what is believed has a time");
    assert!(sent.abs_diff(now.unix_seconds()) <= TOLERANCE_SECONDS);
}

/// Secrets are read and written, too.
fn check_secret(input: &[u8]) {
    let Some(Ok(secret)) = std::str::from_utf8(input).ok().map(str::parse::<Secret>) else {
        return;
    };
    let text = secret.expose();
    assert_eq!(text.as_bytes(), input, "one key has two texts");
    assert!(Webhook::new(&text).is_ok());
}
