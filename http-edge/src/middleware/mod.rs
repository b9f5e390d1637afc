//! What happens around every request, outermost: identity, trace, deadline, log line, metrics, and a body for the
//! framework's empty refusals.
//!
//! It runs once per request of a benchmarked service: metric handles are cached per worker, made ids are the only
//! strings built, and the path is rewritten only where it ends in a slash.

mod series;
mod unread;

use std::{
    any::Any,
    future::{Future, Ready, ready},
    panic::AssertUnwindSafe,
    pin::Pin,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
    http::{
        Method, StatusCode, Uri,
        header::{ALLOW, CONTENT_TYPE, HeaderValue},
        uri::PathAndQuery,
    },
};
use futures_util::FutureExt;
use tracing::{Instrument, field::Empty};

use crate::{
    codes::Refusal,
    context::{Context, X_REQUEST_ID},
    problem::Problem,
    server::line::{Held, Line},
};
use unread::Unread;

/// The middleware; [`crate::server::serve`] puts it around every app.
pub(crate) struct Edge {
    /// When the head of an answer is given up.
    pub(crate) deadline: Duration,
}

impl<S, B> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Held<EitherBody<B>>>;
    type Error = Error;
    type InitError = ();
    type Transform = EdgeService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(EdgeService {
            service,
            deadline: self.deadline,
        }))
    }
}

pub(crate) struct EdgeService<S> {
    service: S,
    deadline: Duration,
}

impl<S, B> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Held<EitherBody<B>>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let under_way = request.conn_data::<Line>().map(Line::begin);
        let context = Context::of(request.headers());
        let method = series::method_label(request.method());
        let span = tracing::info_span!(
            "request",
            request_id = context.request_id(),
            trace_id = %context.trace_id(),
            method,
            route = Empty,
        );
        trim_trailing_slash(&mut request);
        let asked = Asked {
            method,
            route: matched_route(&request),
            unread: Unread::of(&mut request),
            started,
        };
        // Whatever can be read can be asked about: HEAD is GET, and the codec leaves the body out.
        let head_only = request.method() == Method::HEAD;
        if head_only {
            request.head_mut().method = Method::GET;
        }
        // A handler that panics costs its own request only; unwinding ends here, nothing it touched is reused.
        let handled = AssertUnwindSafe(self.service.call(request)).catch_unwind();
        let handled = tokio::time::timeout(self.deadline, handled);
        let request_id = context.request_id_header();
        let answered = async move {
            match handled.await {
                Ok(Ok(Ok(response))) => {
                    let mut response = asked.finish(response);
                    response.headers_mut().insert(X_REQUEST_ID, request_id);
                    let response = if head_only {
                        without_stream(response)
                    } else {
                        response
                    };
                    Ok(response.map_body(|_, body| Held::new(body, under_way)))
                }
                Ok(Ok(Err(error))) => Err(asked.finish_failed(&error, request_id)),
                Ok(Err(panic)) => {
                    Err(asked.finish_failed(&Problem::internal(panic_message(&*panic)).into(), request_id))
                }
                Err(_) => Err(asked.finish_failed(&Problem::from(Refusal::TimedOut).into(), request_id)),
            }
        };
        Box::pin(context.scope(answered).instrument(span))
    }
}

/// What is known of a request before it is answered.
struct Asked {
    method: &'static str,
    /// The pattern; `None` where no route matches.
    route: Option<String>,
    unread: Option<Unread>,
    started: Instant,
}

impl Asked {
    /// Fills an empty refusal, then counts and logs the answer.
    fn finish<B: MessageBody>(self, response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
        self.record(response.status(), response.response().error());
        let mut response = match refusal_without_words(&response) {
            Some(refusal) => {
                let problem = Problem::from(refusal);
                response
                    .into_response(HttpResponse::from_error(problem))
                    .map_into_right_body()
            }
            None => response.map_into_left_body(),
        };
        if let Some(unread) = &self.unread {
            unread.answer(response.response_mut().head_mut());
        }
        response
    }

    /// The answer to an error that no handler turned into one.
    fn finish_failed(self, error: &Error, request_id: HeaderValue) -> Error {
        let mut response = error.error_response();
        self.record(response.status(), Some(error));
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        if let Some(unread) = &self.unread {
            unread.answer(response.head_mut());
        }
        InternalError::from_response("answered", response).into()
    }

    fn record(&self, status: StatusCode, error: Option<&Error>) {
        let route = self.route.as_deref().unwrap_or(series::UNMATCHED);
        let latency = self.started.elapsed();
        series::record(self.method, route, status, latency);
        tracing::Span::current().record("route", route);
        log(route, status, latency, error);
    }
}

/// One line per request; the span around it names request, trace, method and route.
fn log(route: &str, status: StatusCode, latency: Duration, error: Option<&Error>) {
    let problem = error.and_then(|error| error.as_error::<Problem>());
    let code = problem.map(|problem| problem.code().name);
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    if status >= 500 {
        let cause = problem
            .and_then(Problem::cause_chain)
            .or_else(|| error.map(Error::to_string));
        tracing::error!(status, latency_us, code, cause, "answered");
    } else if matches!(route, "/healthz" | "/readyz" | "/metrics") {
        tracing::debug!(status, latency_us, code, "answered");
    } else {
        tracing::info!(status, latency_us, code, "answered");
    }
}

/// The framework refuses without a body what it cannot route.
fn refusal_without_words<B: MessageBody>(response: &ServiceResponse<B>) -> Option<Refusal> {
    let wordless = matches!(
        response.response().body().size(),
        BodySize::None | BodySize::Sized(0)
    ) && !response.headers().contains_key(CONTENT_TYPE);
    match response.status() {
        _ if !wordless => None,
        StatusCode::BAD_REQUEST => Some(Refusal::BadRequest),
        StatusCode::NOT_FOUND => Some(Refusal::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Refusal::MethodNotAllowed(
            response.headers().get(ALLOW).map(allow_head),
        )),
        _ => None,
    }
}

/// The router knows nothing of HEAD, which is taken wherever GET is.
fn allow_head(routed: &HeaderValue) -> HeaderValue {
    let methods = routed.to_str().unwrap_or_default();
    if methods.split(", ").any(|method| method == "GET") {
        HeaderValue::try_from(format!("{methods}, HEAD")).expect("names of methods are visible ASCII")
    } else {
        routed.clone()
    }
}

/// A stream would be drained to its end for nobody.
fn without_stream<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B>>,
) -> ServiceResponse<EitherBody<B>> {
    response.map_body(|_, body| match body.size() {
        BodySize::Stream => EitherBody::Right {
            body: BoxBody::new(()),
        },
        BodySize::None | BodySize::Sized(_) => body,
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("without a message"))
}

/// Looked up before the request is handed over: a handler that panics or is given up takes it along, and the router
/// does not let it be shared.
fn matched_route(request: &ServiceRequest) -> Option<String> {
    // The path as the router reads it: with what was escaped for no reason unescaped.
    let path = request.match_info().as_str();
    request.resource_map().match_pattern(path)
}

/// `/events/` is `/events`.
fn trim_trailing_slash(request: &mut ServiceRequest) {
    let path = request.uri().path();
    if path.len() <= 1 || !path.ends_with('/') {
        return;
    }
    let trimmed = match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}
