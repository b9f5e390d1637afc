//! Who is being answered: the request's id and its place in a distributed trace.
//!
//! The middleware sets both for as long as a request is handled; problems, logs and outgoing calls read them.
//! A task that a handler spawns is outside: take [`Context::current`] along and use [`Context::scope`].

use std::{fmt, future::Future};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const REQUEST_ID_MAX_BYTES: usize = 128;

tokio::task_local! {
    static CURRENT: Context;
}

/// Cheap to clone: the id is shared bytes.
#[derive(Clone, Debug)]
pub struct Context {
    request_id: HeaderValue,
    trace: Traceparent,
}

impl Context {
    /// Takes over what the caller sent where it is well formed, and makes the rest.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let request_id = headers
            .get(X_REQUEST_ID)
            .filter(|value| {
                let bytes = value.as_bytes();
                (1..=REQUEST_ID_MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
            })
            .cloned()
            .unwrap_or_else(new_request_id);
        let trace = headers
            .get(Traceparent::HEADER)
            .and_then(|value| Traceparent::parse(value.as_bytes()))
            .map_or_else(Traceparent::new, |parent| parent.child());
        Self { request_id, trace }
    }

    /// The context of the request that this code works for, if any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs `work` as part of this request.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// [`Context::scope`] for work that waits for nothing.
    pub(crate) fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    pub fn request_id(&self) -> &str {
        self.request_id.to_str().expect("a request id is visible ASCII")
    }

    pub(crate) fn request_id_header(&self) -> HeaderValue {
        self.request_id.clone()
    }

    /// What to send along with a call that this request causes.
    pub fn traceparent(&self) -> Traceparent {
        self.trace
    }

    pub(crate) fn trace_id(&self) -> impl fmt::Display + use<> {
        Hex(self.trace.trace_id)
    }
}

/// The id of the request being answered, or empty outside of one.
pub(crate) fn request_id() -> String {
    CURRENT
        .try_with(|context| context.request_id().to_owned())
        .unwrap_or_default()
}

fn new_request_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text: &str = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID is visible ASCII")
}

/// W3C Trace Context, version 00: whose trace, and which of its spans is ours. It displays as the header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl Traceparent {
    pub const HEADER: HeaderName = HeaderName::from_static("traceparent");

    /// Of the request that this code works for, if any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Context::traceparent).ok()
    }

    fn new() -> Self {
        Self {
            trace_id: rand::random::<u128>().max(1),
            span_id: rand::random::<u64>().max(1),
            flags: 0,
        }
    }

    /// Our own span below the caller's.
    fn child(self) -> Self {
        Self {
            span_id: rand::random::<u64>().max(1),
            ..self
        }
    }

    /// `None` for anything that the specification calls invalid, which then counts as absent.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = lower_hex(version, 2)?;
        // A later version may append parts; version 00 has exactly four, and ff is never valid.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let trace_id = lower_hex(trace_id, 32).filter(|id| *id != 0)?;
        let span_id = u64::try_from(lower_hex(span_id, 16).filter(|id| *id != 0)?).ok()?;
        let flags = u8::try_from(lower_hex(flags, 2)?).ok()?;
        Some(Self {
            trace_id,
            span_id,
            flags: flags & 1,
        })
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

struct Hex(u128);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

fn lower_hex(digits: &str, length: usize) -> Option<u128> {
    let well_formed = digits.len() == length
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if well_formed {
        u128::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_keeps_its_trace_and_gets_a_span_of_ours() {
        let parent = Traceparent::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(parent.to_string(), SAMPLE);
        let child = parent.child();
        assert_eq!((child.trace_id, child.flags), (parent.trace_id, parent.flags));
        assert_ne!(child.span_id, parent.span_id);
    }

    #[test]
    fn an_invalid_traceparent_counts_as_absent() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Traceparent::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_we_know_it() {
        let later = SAMPLE.replacen("00", "cc", 1) + "-more";
        assert_eq!(
            Traceparent::parse(later.as_bytes()),
            Traceparent::parse(SAMPLE.as_bytes())
        );
    }
}
