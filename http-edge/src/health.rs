//! `GET /healthz` (the process answers), `GET /readyz` (its dependencies do) and `GET /metrics`.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody, web};
use paperclip::actix::{
    Apiv2Schema, OperationModifier, api_v2_operation,
    web::{ServiceConfig, get, resource},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    codes,
    problem::{Fail, Problem},
    respond::Found,
    server::Runtimes,
};

/// One dependency as the service sees it now.
#[derive(Clone, Debug, Serialize, Apiv2Schema)]
pub struct Dependency {
    /// `up` or `down`.
    pub status: DependencyStatus,
    /// What is known about it, such as why it is away or how far behind it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum DependencyStatus {
    Up,
    Down,
}

impl Dependency {
    pub fn up() -> Self {
        Self {
            status: DependencyStatus::Up,
            detail: None,
        }
    }

    pub fn down(detail: impl Into<String>) -> Self {
        Self {
            status: DependencyStatus::Down,
            detail: Some(detail.into()),
        }
    }

    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// The dependencies by name.
pub type Dependencies = BTreeMap<&'static str, Dependency>;

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Dependencies> + Send>> + Send + Sync;

/// The service's own check; registered as `app_data(web::Data<Readiness>)`.
#[derive(Clone)]
pub struct Readiness(Arc<Check>);

impl Readiness {
    /// `check` answers within its own deadline, also when a dependency hangs.
    pub fn new<F, Fut>(check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Dependencies> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(check())))
    }
}

#[derive(Serialize, Apiv2Schema)]
struct Alive {
    /// Always `alive`.
    status: &'static str,
}

#[derive(Serialize, Apiv2Schema)]
struct Ready {
    /// Always `ready`; otherwise the answer is 503.
    status: &'static str,
    /// By name.
    dependencies: BTreeMap<&'static str, Dependency>,
}

crate::route_codes! {
    ReadyCodes = [codes::NOT_READY];
}

struct PrometheusText;

impl Responder for PrometheusText {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(crate::metrics::render())
    }
}

impl paperclip::v2::schema::Apiv2Schema for PrometheusText {}

impl OperationModifier for PrometheusText {
    fn update_response(op: &mut paperclip::v2::models::DefaultOperationRaw) {
        crate::openapi::document_text(op, "text/plain");
    }
}

/// The process answers.
#[api_v2_operation(operation_id = "getHealth", tags("Operations"))]
async fn healthz() -> Found<Alive> {
    Found::new(&Alive { status: "alive" })
}

/// The dependencies answer.
#[api_v2_operation(operation_id = "getReadiness", tags("Operations"))]
async fn readyz(readiness: web::Data<Readiness>) -> Result<Found<Ready>, Fail<ReadyCodes>> {
    let dependencies = (readiness.0)().await;
    if dependencies
        .values()
        .all(|dependency| dependency.status == DependencyStatus::Up)
    {
        Ok(Found::new(&Ready {
            status: "ready",
            dependencies,
        }))
    } else {
        Err(Problem::new(&codes::NOT_READY)
            .with("dependencies", dependencies)
            .retry_after(1)
            .into())
    }
}

/// Metrics in Prometheus' text format.
#[api_v2_operation(operation_id = "getMetrics", tags("Operations"))]
async fn metrics(runtimes: web::Data<Runtimes>) -> PrometheusText {
    crate::metrics::tasks(runtimes.tasks());
    PrometheusText
}

/// A detail that is not known is left out.
pub(crate) fn overlay() -> serde_json::Value {
    let dependency = json!({"properties": {"detail": {"nullable": false}}});
    json!({"components": {"schemas": {
        "Ready": {"properties": {"dependencies": {"additionalProperties": dependency}}},
    }}})
}

pub(crate) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/healthz").route(get().to(healthz)))
        .service(resource("/readyz").route(get().to(readyz)))
        .service(resource("/metrics").route(get().to(metrics)));
}
