//! Errors of the HTTP edge: what a client reads as `application/problem+json` (RFC 9457).
//!
//! A [`Code`] is a stable word with its status; a [`Problem`] is one occurrence of it; [`Fail`] is the error type
//! of one route and names every code that route may answer with, which is where the OpenAPI document takes its
//! error list from. Invariant: an answer of 500 shows a fixed text, its cause goes to the log once (by the
//! middleware, which finds the [`Problem`] in the answer).

use std::{borrow::Cow, error::Error as StdError, fmt, marker::PhantomData};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use paperclip::v2::{models::DefaultOperationRaw, schema::Apiv2Errors};
use serde::Serialize;
use serde_json::Value;

use crate::{codes, context, openapi, telemetry::chain};

/// Media type of every error answer.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A stable, snake_case word for one kind of refusal, with its status.
///
/// `detail` is said where an occurrence has nothing better to say, and it is the example in the document.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub name: &'static str,
    pub status: StatusCode,
    pub detail: &'static str,
}

impl Code {
    pub const fn new(name: &'static str, status: StatusCode, detail: &'static str) -> Self {
        Self { name, status, detail }
    }
}

/// One refusal, ready to be answered.
#[derive(Debug)]
pub struct Problem {
    code: &'static Code,
    detail: Cow<'static, str>,
    extra: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    pub fn new(code: &'static Code) -> Self {
        Self {
            code,
            detail: Cow::Borrowed(code.detail),
            extra: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 500 with the fixed text; the chain of `cause` is logged with the request.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(&codes::INTERNAL).caused_by(cause)
    }

    /// What is wrong here and what to do, for a person.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// A further member of the body, such as `current_odds`.
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("problem members are plain values");
        self.extra.push((member, value));
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// `Retry-After` in whole seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// What made it happen; logged once, never shown.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn code(&self) -> &'static Code {
        self.code
    }

    /// The causes from the outermost inwards, joined by `: `.
    pub(crate) fn cause_chain(&self) -> Option<String> {
        self.cause.as_deref().map(|cause| chain(cause))
    }

    /// The body, with the id of the request that is being answered.
    pub fn body(&self) -> shared_types::problem::Problem {
        shared_types::problem::Problem {
            kind: "about:blank".to_owned(),
            title: self.code.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.code.status.as_u16(),
            detail: self.detail.to_string(),
            code: self.code.name.to_owned(),
            request_id: context::request_id(),
            extra: self
                .extra
                .iter()
                .map(|(member, value)| ((*member).to_owned(), value.clone()))
                .collect(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = serde_json::to_vec(&self.body()).expect("a problem is a map with string keys");
        let mut response = HttpResponse::build(self.code.status)
            .content_type(PROBLEM_JSON)
            .body(body);
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

/// The codes that one route's handler answers with; its extractors document what they refuse before it runs.
pub trait Codes: 'static {
    const CODES: &'static [&'static Code];
}

/// Declares the code sets of routes: `route_codes! { pub PlaceBetCodes = [BETTING_CLOSED, ODDS_CHANGED]; }`.
#[macro_export]
macro_rules! route_codes {
    ($($(#[$meta:meta])* $vis:vis $name:ident = [$($code:expr),* $(,)?];)+) => {$(
        $(#[$meta])*
        $vis struct $name;

        impl $crate::problem::Codes for $name {
            const CODES: &'static [&'static $crate::problem::Code] = &[$(&$code),*];
        }
    )+};
}

/// The error type of one route. `?` turns anything that becomes a [`Problem`] into it.
///
/// The document names `C`, and `timed_out`, which the edge answers instead of any handler that can wait.
/// A code outside `C` (500 aside) fails a debug assertion, so that a test meets it before a client does.
pub struct Fail<C>(Problem, PhantomData<C>);

impl<C: Codes, E: Into<Problem>> From<E> for Fail<C> {
    fn from(error: E) -> Self {
        let problem = error.into();
        debug_assert!(
            C::CODES.contains(&problem.code) || problem.code == &codes::INTERNAL,
            "{} is not among the documented codes of this route",
            problem.code.name
        );
        Self(problem, PhantomData)
    }
}

impl<C> From<Fail<C>> for actix_web::Error {
    fn from(fail: Fail<C>) -> Self {
        fail.0.into()
    }
}

impl<C> fmt::Debug for Fail<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C: Codes> Apiv2Errors for Fail<C> {
    fn update_error_definitions(op: &mut DefaultOperationRaw) {
        for code in C::CODES.iter().copied().chain([&codes::TIMED_OUT]) {
            openapi::document_code(op, code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    route_codes! {
        OneCode = [codes::NOT_FOUND];
    }

    #[test]
    fn a_documented_code_and_a_fault_pass() {
        for problem in [Problem::new(&codes::NOT_FOUND), Problem::internal("fault")] {
            let _ = Fail::<OneCode>::from(problem);
        }
    }

    #[test]
    #[should_panic(expected = "invalid_field is not among the documented codes")]
    fn an_undocumented_code_is_met_by_tests() {
        let _ = Fail::<OneCode>::from(Problem::new(&codes::INVALID_FIELD));
    }

    #[test]
    fn the_chain_of_causes_is_told_from_the_outside_in() {
        #[derive(Debug, thiserror::Error)]
        #[error("the journal cannot be written")]
        struct Journal(#[source] std::io::Error);

        let problem = Problem::internal(Journal(std::io::Error::other("no space left")));
        assert_eq!(
            problem.cause_chain().unwrap(),
            "the journal cannot be written: no space left"
        );
        assert!(!problem.body().detail.contains("journal"));
    }
}
