//! The codes that both services answer with, and [`Refusal`]: everything the edge itself refuses, mapped to them
//! by one exhaustive match. Codes of a command live beside that command's error in its service.

use actix_web::http::{
    StatusCode,
    header::{ALLOW, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::problem::{Code, Problem};

pub const INVALID_JSON: Code = Code::new(
    "invalid_json",
    StatusCode::BAD_REQUEST,
    "The body is not the JSON object that this route takes. Correct it and send it again.",
);
pub const INVALID_QUERY: Code = Code::new(
    "invalid_query",
    StatusCode::BAD_REQUEST,
    "The query has an unknown or unreadable parameter. Correct it and send the request again.",
);
pub const INVALID_CURSOR: Code = Code::new(
    "invalid_cursor",
    StatusCode::BAD_REQUEST,
    "The cursor is not one that this route gave. Start again without it, or use next_cursor unchanged.",
);
pub const INVALID_HEADER: Code = Code::new(
    "invalid_header",
    StatusCode::BAD_REQUEST,
    "If-Match must be * or entity tags such as \"3\", separated by commas.",
);
pub const BAD_REQUEST: Code = Code::new(
    "bad_request",
    StatusCode::BAD_REQUEST,
    "The request is not one that this server can read.",
);
pub const UNAUTHORIZED: Code = Code::new(
    "unauthorized",
    StatusCode::UNAUTHORIZED,
    "This route is for the operator: send the header Authorization: Bearer <token> with the operator token.",
);
pub const NOT_FOUND: Code = Code::new(
    "not_found",
    StatusCode::NOT_FOUND,
    "Nothing is at this address. GET /docs lists the routes.",
);
pub const METHOD_NOT_ALLOWED: Code = Code::new(
    "method_not_allowed",
    StatusCode::METHOD_NOT_ALLOWED,
    "This address does not take that method; the Allow header lists those it takes.",
);
pub const REQUEST_TIMEOUT: Code = Code::new(
    "request_timeout",
    StatusCode::REQUEST_TIMEOUT,
    "The body did not arrive in time. Send it again in one go.",
);
pub const PRECONDITION_FAILED: Code = Code::new(
    "precondition_failed",
    StatusCode::PRECONDITION_FAILED,
    "It has changed since the revision named in If-Match. Read it again and decide anew.",
);
pub const BODY_TOO_LARGE: Code = Code::new(
    "body_too_large",
    StatusCode::PAYLOAD_TOO_LARGE,
    "The body is larger than this route takes.",
);
pub const UNSUPPORTED_MEDIA_TYPE: Code = Code::new(
    "unsupported_media_type",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "Send the body as JSON with the header Content-Type: application/json.",
);
pub const INVALID_FIELD: Code = Code::new(
    "invalid_field",
    StatusCode::UNPROCESSABLE_ENTITY,
    "The body is readable, but breaks a rule; errors names each field and its rule.",
);
pub const NOT_READY: Code = Code::new(
    "not_ready",
    StatusCode::SERVICE_UNAVAILABLE,
    "A dependency is away; dependencies says which. Try again shortly.",
);
pub const TIMED_OUT: Code = Code::new(
    "timed_out",
    StatusCode::SERVICE_UNAVAILABLE,
    "The answer took too long and was given up. Whether a command was carried out is not known: send it again, with \
     the same Idempotency-Key where it has one.",
);
pub const INTERNAL: Code = Code::new(
    "internal",
    StatusCode::INTERNAL_SERVER_ERROR,
    "Something went wrong on our side; the log holds it under this request_id.",
);

/// What the edge refuses before or instead of a command.
#[derive(Debug)]
pub enum Refusal {
    /// The reader's own words: what is wrong and where.
    InvalidJson(String),
    InvalidQuery(String),
    InvalidCursor,
    InvalidIfMatch,
    /// The parser or the framework gave up without a word.
    BadRequest,
    Unauthorized,
    NotFound,
    /// With the `Allow` header of the address, where the framework knows it.
    MethodNotAllowed(Option<HeaderValue>),
    /// The body was too late.
    RequestTimeout,
    LateHead,
    /// The handler did not answer.
    TimedOut,
    PreconditionFailed,
    BodyTooLarge {
        limit_bytes: usize,
    },
    UnsupportedMediaType,
    InvalidFields(Vec<FieldError>),
}

/// One broken rule of one field, as it stands in `errors` of the 422.
#[derive(Debug, Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidJson(detail) => Problem::new(&INVALID_JSON).detail(detail),
            Refusal::InvalidQuery(detail) => Problem::new(&INVALID_QUERY).detail(detail),
            Refusal::InvalidCursor => Problem::new(&INVALID_CURSOR),
            Refusal::InvalidIfMatch => Problem::new(&INVALID_HEADER),
            Refusal::BadRequest => Problem::new(&BAD_REQUEST),
            Refusal::Unauthorized => Problem::new(&UNAUTHORIZED).header(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"operator\""),
            ),
            Refusal::NotFound => Problem::new(&NOT_FOUND),
            Refusal::MethodNotAllowed(None) => Problem::new(&METHOD_NOT_ALLOWED),
            Refusal::MethodNotAllowed(Some(allow)) => Problem::new(&METHOD_NOT_ALLOWED).header(ALLOW, allow),
            Refusal::RequestTimeout => Problem::new(&REQUEST_TIMEOUT),
            Refusal::LateHead => Problem::new(&REQUEST_TIMEOUT)
                .detail("The head of the request did not arrive in time. Send it again in one go."),
            Refusal::TimedOut => Problem::new(&TIMED_OUT).retry_after(1),
            Refusal::PreconditionFailed => Problem::new(&PRECONDITION_FAILED),
            Refusal::BodyTooLarge { limit_bytes } => Problem::new(&BODY_TOO_LARGE).detail(format!(
                "The body is larger than the {limit_bytes} bytes that this route takes."
            )),
            Refusal::UnsupportedMediaType => Problem::new(&UNSUPPORTED_MEDIA_TYPE),
            Refusal::InvalidFields(errors) => {
                let detail = errors
                    .iter()
                    .map(|error| format!("{}: {}", error.field, error.message))
                    .collect::<Vec<_>>()
                    .join("; ");
                Problem::new(&INVALID_FIELD).detail(detail).with("errors", errors)
            }
        }
    }
}
