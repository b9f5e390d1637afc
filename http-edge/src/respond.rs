//! What handlers answer with: a JSON body rendered once, its status known to the OpenAPI document by type.
//!
//! `T` is the body's schema; the bytes may be rendered from a value here or ahead of time ([`Reply::rendered`]).

use std::{fmt::Display, marker::PhantomData};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue, LOCATION},
    },
    web::Bytes,
};
use futures_util::{Stream, TryStreamExt};
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DefaultOperationRaw, DefaultSchemaRaw},
        schema::Apiv2Schema,
    },
};
use serde::Serialize;

use crate::{
    openapi::{document_answer, document_text},
    telemetry::chain,
};

/// Says that this is the first answer to an `Idempotency-Key`, given again.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The statuses that a kind of reply may have.
pub trait Statuses: 'static {
    const ALL: &'static [StatusCode];
}

pub struct Is200;
pub struct Is201;
pub struct Is200Or201;

impl Statuses for Is200 {
    const ALL: &'static [StatusCode] = &[StatusCode::OK];
}
impl Statuses for Is201 {
    const ALL: &'static [StatusCode] = &[StatusCode::CREATED];
}
impl Statuses for Is200Or201 {
    const ALL: &'static [StatusCode] = &[StatusCode::OK, StatusCode::CREATED];
}

/// A JSON answer whose body is a `T`.
pub struct Reply<T, S> {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    shape: PhantomData<(T, S)>,
}

/// 200.
pub type Found<T> = Reply<T, Is200>;
/// 201.
pub type Created<T> = Reply<T, Is201>;
/// 201 the first time, 200 when it was there already.
pub type Upserted<T> = Reply<T, Is200Or201>;

impl<T: Serialize> Found<T> {
    pub fn new(body: &T) -> Self {
        Self::rendered(render(body))
    }
}

impl<T> Found<T> {
    /// From bytes that already are the JSON of a `T`.
    pub fn rendered(body: Bytes) -> Self {
        Self::with_status(StatusCode::OK, body)
    }
}

impl<T: Serialize> Created<T> {
    pub fn new(body: &T) -> Self {
        Self::rendered(render(body))
    }
}

impl<T> Created<T> {
    /// From bytes that already are the JSON of a `T`.
    pub fn rendered(body: Bytes) -> Self {
        Self::with_status(StatusCode::CREATED, body)
    }
}

impl<T: Serialize> Upserted<T> {
    pub fn created(body: &T) -> Self {
        Self::with_status(StatusCode::CREATED, render(body))
    }

    pub fn existing(body: &T) -> Self {
        Self::with_status(StatusCode::OK, render(body))
    }
}

impl<T, S> Reply<T, S> {
    fn with_status(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
            shape: PhantomData,
        }
    }

    /// Any other header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The revision as entity tag: `ETag: "3"`.
    pub fn etag(self, revision: impl Display) -> Self {
        let tag = HeaderValue::try_from(format!("\"{revision}\"")).expect("a revision is visible ASCII");
        self.header(ETAG, tag)
    }

    /// Where the thing is on this service (`/events/final-2026`); a proxy that adds a prefix rewrites it.
    pub fn location(self, path: &str) -> Self {
        self.header(
            LOCATION,
            HeaderValue::try_from(path).expect("ids are visible ASCII"),
        )
    }

    /// Marks the first answer to an `Idempotency-Key`, given again.
    pub fn replayed(self) -> Self {
        self.header(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))
    }
}

fn render(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body)
        .expect("wire types are maps with string keys")
        .into()
}

impl<T, S> Responder for Reply<T, S> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status)
            .content_type("application/json")
            .body(self.body);
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl<T: Apiv2Schema, S> Apiv2Schema for Reply<T, S> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema, S: Statuses> OperationModifier for Reply<T, S> {
    fn update_response(op: &mut DefaultOperationRaw) {
        for status in S::ALL {
            document_answer::<T>(op, *status);
        }
    }
}

/// 204.
pub struct NoContent;

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl Apiv2Schema for NoContent {}

impl OperationModifier for NoContent {
    fn update_response(op: &mut DefaultOperationRaw) {
        paperclip::actix::NoContent::update_response(op);
    }
}

/// Server-sent events, unbuffered by proxies.
pub struct EventStream(HttpResponse);

impl EventStream {
    /// From a stream of whole events (`id: 7\ndata: {...}\n\n`); it ends the answer when it ends. Where it fails,
    /// the connection breaks off, and the log says why.
    pub fn new<E>(events: impl Stream<Item = Result<Bytes, E>> + 'static) -> Self
    where
        E: Into<Box<dyn std::error::Error>> + 'static,
    {
        let request = tracing::Span::current();
        let events = events.map_err(move |error| {
            let error = error.into();
            request.in_scope(|| tracing::error!(cause = chain(&*error), "a stream of events broke off"));
            error
        });
        Self(
            HttpResponse::Ok()
                .content_type("text/event-stream")
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header(("x-accel-buffering", "no"))
                .streaming(events),
        )
    }
}

impl Responder for EventStream {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.0
    }
}

impl Apiv2Schema for EventStream {}

impl OperationModifier for EventStream {
    fn update_response(op: &mut DefaultOperationRaw) {
        document_text(op, "text/event-stream");
    }
}
