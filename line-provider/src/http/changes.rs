//! The log over HTTP, page by page with long poll, rendered from ready JSON.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use http_edge::{ApiQuery, Fail, Found, PageLimit, Problem};
use paperclip::actix::{
    Apiv2Schema, OperationModifier, api_v2_operation,
    web::{ServiceConfig, get, resource},
};
use paperclip::v2::{
    models::{DataType, DefaultSchemaRaw},
    schema,
};
use serde::{Deserialize, Deserializer};
use shared_types::ChangesPage;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Services;
use super::codes::{ListChangesCodes, OVERLOADED};
use crate::journal::{Log, Logged};

/// Lets a reader measure how far its clock is from ours.
const X_SERVER_TIME: HeaderName = HeaderName::from_static("x-server-time");

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/changes").route(get().to(list_changes)));
}

/// How long to wait for a change where there is none: 0 to 30,000 ms.
#[derive(Clone, Copy, Debug, Default)]
struct WaitMs(u16);

impl WaitMs {
    const MAX: u16 = 30_000;
}

impl<'de> Deserialize<'de> for WaitMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer)
            .ok()
            .filter(|wait_ms| *wait_ms <= Self::MAX)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("must be 0 to 30000"))
    }
}

impl schema::Apiv2Schema for WaitMs {
    fn raw_schema() -> DefaultSchemaRaw {
        DefaultSchemaRaw {
            data_type: Some(DataType::Integer),
            description: Some(
                "How long to wait for a change where there is none; not at all by default.".to_owned(),
            ),
            minimum: Some(0.0),
            maximum: Some(f32::from(Self::MAX)),
            ..DefaultSchemaRaw::default()
        }
    }
}

impl OperationModifier for WaitMs {}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct ChangesQuery {
    /// The position that was read last; from the beginning where it is not given.
    after: Option<u64>,
    limit: Option<PageLimit>,
    wait_ms: Option<WaitMs>,
}

/// Read the log.
///
/// Changes come in order of position, without gaps. An `after` beyond `head`, or another `instance` than before,
/// says that the log was lost or set back.
#[api_v2_operation(operation_id = "listChanges", tags("Changes"))]
async fn list_changes(
    services: Data<Services>,
    query: ApiQuery<ChangesQuery>,
) -> Result<Found<ChangesPage>, Fail<ListChangesCodes>> {
    let ChangesQuery {
        after,
        limit,
        wait_ms,
    } = query.0;
    let after = after.unwrap_or_default();
    let wait = Duration::from_millis(wait_ms.unwrap_or_default().0.into());
    let log = &services.log;
    if log.head() == after && !wait.is_zero() {
        let mut waiting = Waiting::new(&services)?;
        // Late, stopping, or something new: the answer is the same page of what there is.
        let _ = tokio::time::timeout(wait, waiting.until_beyond(after)).await;
    }
    let limit = limit.unwrap_or_default().get().into();
    let changes = log.read(after, limit).await?;
    let now = services.clock.now().to_string();
    let now = HeaderValue::try_from(now).expect("a time is visible ASCII");
    Ok(Found::<ChangesPage>::rendered(page(log, after, &changes)).header(X_SERVER_TIME, now))
}

fn page(log: &Log, after: u64, changes: &[Arc<Logged>]) -> Bytes {
    let next = changes.last().map_or(after, |change| change.position);
    // Read after the changes, so that no page shows one beyond its head.
    let head = log.head();
    let bytes: usize = changes.iter().map(|change| change.json.len() + 1).sum();
    let mut body = String::with_capacity(bytes + 150);
    body.push_str(&format!(
        r#"{{"instance":"{}","head":{head},"items":["#,
        log.instance()
    ));
    super::join(&mut body, changes.iter().map(|change| &*change.json));
    body.push_str(&format!(r#"],"next":{next}}}"#));
    body.into()
}

/// Waits for the log to grow, or for the service to stop, and takes up a place meanwhile.
pub(super) struct Waiting {
    _place: OwnedSemaphorePermit,
    head: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Waiting {
    /// # Errors
    /// 503 `overloaded` when too many wait already.
    pub(super) fn new(services: &Services) -> Result<Self, Problem> {
        let place = Arc::clone(&services.waiting)
            .try_acquire_owned()
            .map_err(|_| Problem::new(&OVERLOADED).retry_after(1))?;
        Ok(Self {
            _place: place,
            head: services.log.watch(),
            stopping: services.stopping.clone(),
        })
    }

    pub(super) async fn until_beyond(&mut self, position: u64) {
        tokio::select! {
            _ = self.head.wait_for(|head| *head > position) => {}
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}
