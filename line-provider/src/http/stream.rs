//! The log as server-sent events, rendered from ready JSON.
//!
//! The stream is pulled: the next page is read when the client took the last one, so that a slow client costs one
//! page of memory. It ends when the service stops.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::stream;
use http_edge::{ApiQuery, EventStream, Fail, Problem, codes};
use paperclip::actix::{
    Apiv2Schema, OperationModifier, api_v2_operation,
    web::{ServiceConfig, get, resource},
};
use paperclip::v2::{
    models::{DataType, DefaultOperationRaw, Either, Parameter, ParameterIn},
    schema,
};
use serde::Deserialize;

use super::Services;
use super::changes::Waiting;
use super::codes::{AHEAD_OF_LOG, StreamChangesCodes};
use crate::journal::{JournalError, Log};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Comments keep proxies from taking a quiet stream for a dead one.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Changes that are rendered ahead of the client.
const PAGE: usize = 100;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/changes/stream").route(get().to(stream_changes)));
}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    /// The position that was read last, where `Last-Event-ID` is not given; otherwise from the beginning.
    after: Option<u64>,
}

/// The position of the last event that a reconnecting client saw.
struct LastEventId(Option<u64>);

impl FromRequest for LastEventId {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = match request.headers().get(LAST_EVENT_ID) {
            None => Ok(Self(None)),
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .map(|position| Self(Some(position)))
                .ok_or_else(|| {
                    Problem::new(&codes::INVALID_HEADER)
                        .detail("Last-Event-ID must be the id of an event of this stream.")
                }),
        };
        std::future::ready(parsed)
    }
}

impl schema::Apiv2Schema for LastEventId {}

impl OperationModifier for LastEventId {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        op.parameters.push(Either::Right(Parameter {
            in_: ParameterIn::Header,
            name: "Last-Event-ID".to_owned(),
            description: Some(
                "The id of the last event that was seen; browsers send it by themselves.".to_owned(),
            ),
            data_type: Some(DataType::String),
            ..Parameter::default()
        }));
    }
}

/// Read the log as server-sent events.
///
/// Each event has the position as `id`, the type as `event`, and the change as `data`.
#[api_v2_operation(operation_id = "streamChanges", tags("Changes"))]
async fn stream_changes(
    services: Data<Services>,
    last_event_id: LastEventId,
    query: ApiQuery<StreamQuery>,
) -> Result<EventStream, Fail<StreamChangesCodes>> {
    let after = last_event_id.0.or(query.0.after).unwrap_or_default();
    if after > services.log.head() {
        return Err(Problem::new(&AHEAD_OF_LOG).into());
    }
    let feed = Feed {
        log: Arc::clone(&services.log),
        waiting: Waiting::new(&services)?,
        after,
    };
    Ok(EventStream::new(stream::try_unfold(feed, Feed::next)))
}

/// One client's place in the log.
struct Feed {
    log: Arc<Log>,
    waiting: Waiting,
    after: u64,
}

impl Feed {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, JournalError> {
        if self.waiting.is_stopping() {
            return Ok(None);
        }
        let mut changes = self.log.read(self.after, PAGE).await?;
        if changes.is_empty() {
            let grown = self.waiting.until_beyond(self.after);
            if tokio::time::timeout(HEARTBEAT_EVERY, grown).await.is_err() {
                return Ok(Some((Bytes::from_static(b": heartbeat\n\n"), self)));
            }
            changes = self.log.read(self.after, PAGE).await?;
        }
        let Some(last) = changes.last() else {
            return Ok(None);
        };
        self.after = last.position;
        let mut events = String::new();
        for change in &changes {
            let (position, kind, json) = (change.position, change.kind.as_str(), &change.json);
            events.push_str(&format!("id: {position}\nevent: {kind}\ndata: {json}\n\n"));
        }
        Ok(Some((events.into(), self)))
    }
}
