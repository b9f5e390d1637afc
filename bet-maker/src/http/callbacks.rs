//! `/callbacks/line-provider`: the receiver of line-provider's changes. The signature is checked over the raw
//! bytes before anything is read from them, and the answer is 2xx only once the change is durable.

use actix_web::{HttpRequest, web};
use http_edge::{Fail, FieldErrors, NoContent, Problem, RawBody, codes as edge, route_codes};
use paperclip::actix::api_v2_operation;
use serde::Deserialize;
use shared_types::signature::{
    ID_HEADER, SIGNATURE_HEADER, Secret, SignedHeaders, TIMESTAMP_HEADER, Unverified, verify,
};
use shared_types::{Callback, Change, ChangeType, Timestamp};

use super::codes;
use crate::feed::Inbox;
use crate::feed::history::plausible;

/// Callbacks are below 20 KiB; more is no callback.
const LIMIT_BYTES: usize = 64 * 1024;

/// What the receiver works with.
pub struct Callbacks {
    pub inbox: Inbox,
    pub secrets: Vec<Secret>,
}

route_codes! {
    pub ReceiveCodes = [
        codes::INVALID_SIGNATURE, edge::INVALID_JSON, edge::INVALID_FIELD, codes::FEED_SUSPENDED, codes::OVERLOADED,
        codes::DATABASE_UNAVAILABLE,
    ];
}

/// Only as much as tells whether the rest concerns us.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
}

/// Receive a change from line-provider.
///
/// Signed as Standard Webhooks 1.0.0 says. Repeats are accepted without effect. Types that are not of events are
/// accepted and left alone.
#[api_v2_operation(operation_id = "receiveCallback", tags("Callbacks"))]
pub async fn receive(
    callbacks: web::Data<Callbacks>,
    request: HttpRequest,
    body: RawBody<LIMIT_BYTES>,
) -> Result<NoContent, Fail<ReceiveCodes>> {
    authenticate(&request, &body.0, &callbacks.secrets).map_err(|why| {
        metrics::counter!("bet_maker_callbacks_unverified_total").increment(1);
        tracing::warn!(%why, "a callback was not believed");
        Problem::new(&codes::INVALID_SIGNATURE)
    })?;
    let envelope: Envelope = body.json()?;
    if ChangeType::ALL.iter().any(|kind| kind.as_str() == envelope.kind) {
        let change = check(body.json::<Callback>()?.data)?;
        callbacks.inbox.hand_in(change).await?;
    }
    Ok(NoContent)
}

fn authenticate(request: &HttpRequest, body: &[u8], secrets: &[Secret]) -> Result<(), Unverified> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let headers = SignedHeaders {
        id: header(ID_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
    };
    verify(headers, body, secrets, Timestamp::now())
}

fn check(change: Change) -> Result<Change, Problem> {
    let mut errors = FieldErrors::default();
    match plausible(&change) {
        Ok(()) => errors.finish(Some(change)),
        Err((member, rule)) => {
            errors.add(member, rule);
            errors.finish(None)
        }
    }
}
