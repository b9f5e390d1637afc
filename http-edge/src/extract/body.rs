//! Bodies: read whole within a limit and a deadline, then taken as bytes ([`RawBody`]) or JSON ([`ApiJson`]).
//!
//! actix has no timer for bodies, so that a client could hold a connection by sending a byte a minute; one
//! deadline stands over the whole body. A declared length above the limit is refused before anything is read.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DefaultOperationRaw, DefaultSchemaRaw},
        schema::Apiv2Schema,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    codes::{self, Refusal},
    openapi::{document_body, document_code},
    problem::Problem,
    server::BODY_WITHIN,
};

/// 16 KiB: more than any command of either service needs.
const JSON_LIMIT_BYTES: usize = 16 * 1024;
/// serde quotes what it met; a long quotation helps nobody.
const REASON_MAX_CHARS: usize = 300;

type Reading<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// A JSON body of at most 16 KiB, sent as `application/json`.
///
/// Unknown fields are refused where `T` says `#[serde(deny_unknown_fields)]`, which every request does.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for ApiJson<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admitted = admit_json(request).and_then(|()| admit_length(request, JSON_LIMIT_BYTES));
        let payload = payload.take();
        Box::pin(async move {
            admitted?;
            let body = read(payload, JSON_LIMIT_BYTES).await?;
            Ok(Self(parse(&body)?))
        })
    }
}

impl<T: Apiv2Schema> Apiv2Schema for ApiJson<T> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema> OperationModifier for ApiJson<T> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_body::<T>(op);
        document_code(op, &codes::INVALID_JSON);
        document_code(op, &codes::UNSUPPORTED_MEDIA_TYPE);
        document_reading(op);
    }
}

/// A body as it came, of at most `LIMIT` bytes: for what is signed.
pub struct RawBody<const LIMIT: usize>(pub Bytes);

impl<const LIMIT: usize> FromRequest for RawBody<LIMIT> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admitted = admit_length(request, LIMIT);
        let payload = payload.take();
        Box::pin(async move {
            admitted?;
            read(payload, LIMIT).await.map(Self)
        })
    }
}

super::without_schema!([const LIMIT: usize] RawBody<LIMIT>);

impl<const LIMIT: usize> OperationModifier for RawBody<LIMIT> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_reading(op);
    }
}

impl<const LIMIT: usize> RawBody<LIMIT> {
    /// The body as JSON, with the same wording as [`ApiJson`] where it is not.
    ///
    /// # Errors
    /// 400 `invalid_json`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse(&self.0)
    }
}

fn document_reading(op: &mut DefaultOperationRaw) {
    document_code(op, &codes::REQUEST_TIMEOUT);
    document_code(op, &codes::BODY_TOO_LARGE);
}

fn admit_json(request: &HttpRequest) -> Result<(), Problem> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"'))
    });
    let utf8 = charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
    if essence.trim().eq_ignore_ascii_case("application/json") && utf8 {
        Ok(())
    } else {
        Err(Refusal::UnsupportedMediaType.into())
    }
}

fn admit_length(request: &HttpRequest, limit_bytes: usize) -> Result<(), Problem> {
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    match declared {
        Some(length) if usize::try_from(length).is_ok_and(|length| length <= limit_bytes) => Ok(()),
        Some(_) => Err(Refusal::BodyTooLarge { limit_bytes }.into()),
        None => Ok(()),
    }
}

async fn read(payload: Payload, limit_bytes: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_WITHIN, collect(payload, limit_bytes)).await {
        Ok(body) => body,
        Err(_) => Err(Refusal::RequestTimeout.into()),
    }
}

async fn collect(mut payload: Payload, limit_bytes: usize) -> Result<Bytes, Problem> {
    // Nearly every body comes as one chunk, which is then taken as it is.
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::from(Refusal::BadRequest).caused_by(error))?;
        let held = rest.as_ref().map_or(first.len(), BytesMut::len);
        if held + chunk.len() > limit_bytes {
            return Err(Refusal::BodyTooLarge { limit_bytes }.into());
        }
        match &mut rest {
            Some(buffer) => buffer.extend_from_slice(&chunk),
            None if first.is_empty() => first = chunk,
            None => {
                let mut buffer = BytesMut::with_capacity(held + chunk.len());
                buffer.extend_from_slice(&first);
                buffer.extend_from_slice(&chunk);
                rest = Some(buffer);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would also read a struct from an array: every field by its place, none by its name.
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let not_an_object = match body.iter().find(|byte| !blank(byte)) {
        Some(b'{') => None,
        Some(_) => Some("The body is not a JSON object. Send the one that /docs shows for this route."),
        None => Some("The body is empty. Send the JSON object that /docs shows for this route."),
    };
    if let Some(detail) = not_an_object {
        return Err(Refusal::InvalidJson(detail.to_owned()).into());
    }
    serde_json::from_slice(body).map_err(|error| {
        let mut reason = error.to_string();
        if let Some((cut, _)) = reason.char_indices().nth(REASON_MAX_CHARS) {
            reason.truncate(cut);
            reason = format!("{reason}… at line {} column {}", error.line(), error.column());
        }
        Refusal::InvalidJson(format!(
            "The body cannot be read: {reason}. Correct it and send it again."
        ))
        .into()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::error::PayloadError;
    use futures_util::{Stream, stream};

    use super::*;

    fn payload(chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Payload {
        Payload::Stream {
            payload: Box::pin(chunks),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_after_the_deadline() {
        let drip = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        let started = tokio::time::Instant::now();
        let refused = read(payload(drip), 1024).await.unwrap_err();
        assert_eq!(refused.code(), &codes::REQUEST_TIMEOUT);
        assert_eq!(started.elapsed(), BODY_WITHIN);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(PayloadError::Incomplete(None))]);
        let refused = read(payload(broken), 1024).await.unwrap_err();
        assert_eq!(refused.code(), &codes::BAD_REQUEST);
    }

    #[tokio::test]
    async fn chunks_add_up_to_the_body() {
        let chunks = ["", "a", "bc", "", "d"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        assert_eq!(read(payload(stream::iter(chunks)), 4).await.unwrap(), "abcd");
    }
}
