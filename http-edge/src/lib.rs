//! What the HTTP edges of line-provider and bet-maker share: reading requests, answering them, refusing them,
//! watching them, and writing the document of it all. It knows HTTP and the wire, and no rule of either service.
//!
//! A service declares its codes, maps its refusals to them by an exhaustive match, and writes handlers whose
//! signature is their documentation:
//!
//! ```no_run
//! use actix_web::{http::StatusCode, web};
//! use http_edge::{ApiJson, ApiPath, Code, Dependency, Document, Fail, FieldErrors, Found, IfMatch, Operator,
//!     OperatorToken, Problem, Readiness, Refusal, codes, route_codes, server};
//! use paperclip::actix::{Apiv2Schema, api_v2_operation, web::{ServiceConfig, get, patch, resource}};
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! const LIGHT_BROKEN: Code = Code::new("light_broken", StatusCode::CONFLICT, "The light is broken. Repair it first.");
//!
//! // What each route may answer with, beside what its extractors refuse and document themselves.
//! route_codes! {
//!     pub GetLightCodes = [codes::NOT_FOUND];
//!     pub ChangeLightCodes = [codes::NOT_FOUND, codes::INVALID_FIELD, codes::PRECONDITION_FAILED, LIGHT_BROKEN];
//! }
//!
//! enum ChangeLightError {
//!     Unknown,
//!     Broken { since: String },
//!     Changed,
//!     Store(std::io::Error),
//! }
//!
//! impl From<ChangeLightError> for Problem {
//!     fn from(error: ChangeLightError) -> Self {
//!         match error {
//!             ChangeLightError::Unknown => Refusal::NotFound.into(),
//!             ChangeLightError::Broken { since } => Problem::new(&LIGHT_BROKEN).with("since", since),
//!             ChangeLightError::Changed => Refusal::PreconditionFailed.into(),
//!             ChangeLightError::Store(source) => Problem::internal(source),
//!         }
//!     }
//! }
//!
//! #[derive(Serialize, Apiv2Schema)]
//! struct Light { id: String, brightness: u8, revision: u64 }
//!
//! #[derive(Deserialize, Apiv2Schema)]
//! #[serde(deny_unknown_fields)]
//! struct ChangeLight { brightness: u16 }
//!
//! struct Brightness(u8);
//!
//! // Readable, but is it allowed? One 422 names every broken rule.
//! fn check(request: &ChangeLight) -> Result<Brightness, Problem> {
//!     let mut errors = FieldErrors::default();
//!     let brightness = errors.check("brightness", u8::try_from(request.brightness).map_err(|_| "must be 0 to 255"));
//!     errors.finish(brightness.map(Brightness))
//! }
//!
//! async fn change(_id: &str, _if_match: IfMatch, brightness: Brightness) -> Result<Light, ChangeLightError> {
//!     Ok(Light { id: "hall".to_owned(), brightness: brightness.0, revision: 2 })
//! }
//!
//! /// Change a light.
//! #[api_v2_operation(operation_id = "changeLight", tags("Lights"))]
//! async fn change_light(
//!     _operator: Operator,
//!     id: ApiPath<String, ChangeLightCodes>,
//!     if_match: IfMatch,
//!     body: ApiJson<ChangeLight>,
//! ) -> Result<Found<Light>, Fail<ChangeLightCodes>> {
//!     let light = change(&id.0, if_match, check(&body.0)?).await?;
//!     Ok(Found::<Light>::new(&light).etag(light.revision))
//! }
//!
//! fn routes(cfg: &mut ServiceConfig) {
//!     // One resource per path with all its methods, so that others are 405 with Allow.
//!     cfg.service(resource("/lights/{id}").route(patch().to(change_light)));
//! }
//!
//! # async fn run(token: secrecy::SecretString) -> std::io::Result<()> {
//! http_edge::metrics::install(&[]);
//! let document = Document::collect(routes, &json!({"info": {"title": "lights", "version": "1.0.0"}}));
//! let token = web::Data::new(OperatorToken::new(&token));
//! let readiness = web::Data::new(Readiness::new(|| async { [("power", Dependency::up())].into() }));
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let server = server::serve(listener, document, move |cfg| {
//!     cfg.app_data(token.clone()).app_data(readiness.clone());
//!     routes(cfg);
//! })?;
//! let handle = server.handle();
//! let running = tokio::spawn(server);
//! server::terminated()?.await;
//! handle.stop(true).await;
//! running.await?
//! # }
//! ```

pub mod codes;
pub mod context;
mod docs;
pub mod extract;
mod fields;
mod health;
pub mod metrics;
mod middleware;
pub mod openapi;
pub mod page;
pub mod probe;
pub mod problem;
pub mod report;
pub mod respond;
pub mod server;
pub mod telemetry;

pub use codes::Refusal;
pub use context::{Context, Traceparent};
pub use extract::{ApiJson, ApiPath, ApiQuery, IdempotencyKey, IfMatch, Operator, OperatorToken, RawBody};
pub use fields::FieldErrors;
pub use health::{Dependencies, Dependency, DependencyStatus, Readiness};
pub use openapi::Document;
pub use page::{Cursor, Page, PageLimit};
pub use problem::{Code, Codes, Fail, Problem};
pub use respond::{Created, EventStream, Found, NoContent, Reply, Upserted};
