//! A small service of lights: every extractor and reply of the edge, and no rule worth a test of its own.

use actix_web::{dev::Server, http::StatusCode, web};
use http_edge::{
    ApiJson, ApiPath, ApiQuery, Code, Context, Created, Cursor, Dependency, Document, EventStream, Fail,
    FieldErrors, Found, IdempotencyKey, IfMatch, NoContent, Operator, OperatorToken, Page, PageLimit,
    Problem, RawBody, Readiness, Upserted, codes, route_codes,
    server::{self, Limits},
};
use paperclip::actix::{
    Apiv2Schema, api_v2_operation,
    web::{ServiceConfig, delete, get, patch, post, resource},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use shared_types::{EventId, Odds};

pub const TOKEN: &str = "an-operator-token";

const LIGHT_BROKEN: Code = Code::new(
    "light_broken",
    StatusCode::CONFLICT,
    "The light is broken. Repair it first.",
);
const LIGHT_NOT_FOUND: Code = Code::new(
    "light_not_found",
    StatusCode::NOT_FOUND,
    "There is no light with this id.",
);

route_codes! {
    GetLightCodes = [LIGHT_NOT_FOUND];
    CreateLightCodes = [codes::INVALID_FIELD];
    ChangeLightCodes = [LIGHT_NOT_FOUND, codes::PRECONDITION_FAILED, LIGHT_BROKEN];
    NoCodes = [];
    ListCodes = [codes::INVALID_CURSOR];
}

/// A light.
#[derive(Serialize, Apiv2Schema)]
struct Light {
    id: EventId,
    odds: Odds,
    /// Who sees it.
    seen_by: Option<String>,
    revision: u64,
}

#[derive(Serialize, Apiv2Schema)]
struct Pair {
    first: Light,
    second: Option<Light>,
}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct CreateLight {
    id: String,
    brightness: u32,
    /// For whoever repairs it.
    #[serde(default, deserialize_with = "present")]
    note: Option<String>,
}

/// Absent or a text, but not null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct Listing {
    limit: Option<PageLimit>,
    cursor: Option<Cursor>,
    /// Only this one.
    id: Option<EventId>,
}

fn light(id: &str) -> Light {
    Light {
        id: id.parse().unwrap(),
        odds: "1.85".parse().unwrap(),
        seen_by: None,
        revision: 3,
    }
}

/// Read a light.
#[api_v2_operation(operation_id = "getLight", tags("Lights"))]
async fn get_light(id: ApiPath<EventId, GetLightCodes>) -> Result<Found<Light>, Fail<GetLightCodes>> {
    if id.0.as_str() == "unknown" {
        return Err(Problem::new(&LIGHT_NOT_FOUND).into());
    }
    Ok(Found::<Light>::new(&light(id.0.as_str())).etag(3))
}

/// List lights.
#[api_v2_operation(operation_id = "listLights", tags("Lights"))]
async fn list_lights(query: ApiQuery<Listing>) -> Result<Found<Page<Light>>, Fail<ListCodes>> {
    let after: u32 = query
        .0
        .cursor
        .map(|cursor| cursor.decode())
        .transpose()?
        .unwrap_or(0);
    let limit = query.0.limit.unwrap_or_default();
    let only = query.0.id.map(|id| id.to_string());
    let numbers = (after + 1..=5).take(usize::from(limit.get()) + 1).collect();
    let page = Page::cut(numbers, limit, |number| *number);
    let items = page
        .items
        .iter()
        .map(|number| light(only.as_deref().unwrap_or(&format!("l{number}"))))
        .collect();
    Ok(Found::<Page<Light>>::new(&Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// Create a light.
#[api_v2_operation(operation_id = "createLight", tags("Lights"))]
async fn create_light(
    _operator: Operator,
    key: IdempotencyKey,
    body: ApiJson<CreateLight>,
) -> Result<Created<Light>, Fail<CreateLightCodes>> {
    let mut errors = FieldErrors::default();
    let id = errors.check("id", body.0.id.parse::<EventId>());
    let brightness = errors.check(
        "brightness",
        u8::try_from(body.0.brightness).map_err(|_| "must be 0 to 255"),
    );
    let note = body.0.note.unwrap_or_default();
    let note = errors.check("note", note.is_ascii().then_some(note).ok_or("must be ASCII"));
    let (id, _) = errors.finish(id.zip(brightness.zip(note)))?;
    let reply = Created::<Light>::new(&light(id.as_str())).location(&format!("/lights/{id}"));
    Ok(if key.0.is_some() { reply.replayed() } else { reply })
}

/// Change a light.
///
/// Breaks it if it is `broken`.
#[api_v2_operation(operation_id = "changeLight", tags("Lights"))]
async fn change_light(
    _operator: Operator,
    id: ApiPath<EventId, ChangeLightCodes>,
    if_match: IfMatch,
) -> Result<Upserted<Light>, Fail<ChangeLightCodes>> {
    if_match.check(3)?;
    match id.0.as_str() {
        "broken" => Err(Problem::new(&LIGHT_BROKEN)
            .with("current_odds", "1.85")
            .retry_after(7)
            .into()),
        "new" => Ok(Upserted::created(&light("new"))),
        id => Ok(Upserted::existing(&light(id))),
    }
}

/// Remove a light.
#[api_v2_operation(operation_id = "removeLight", tags("Lights"))]
async fn remove_light(
    _operator: Operator,
    _id: ApiPath<EventId, GetLightCodes>,
) -> Result<NoContent, Fail<GetLightCodes>> {
    Ok(NoContent)
}

/// Two lights.
#[api_v2_operation(operation_id = "getPair", tags("Lights"))]
async fn get_pair() -> Result<Found<Pair>, Fail<NoCodes>> {
    Ok(Found::<Pair>::new(&Pair {
        first: light("a"),
        second: None,
    }))
}

/// Counts the bytes of a body.
#[api_v2_operation(operation_id = "measure", tags("Lights"))]
async fn measure(body: RawBody<32>) -> Result<Found<usize>, Fail<NoCodes>> {
    Ok(Found::<usize>::new(&body.0.len()))
}

/// Says which trace this is, also from a task of its own.
#[api_v2_operation(operation_id = "getTrace", tags("Lights"))]
async fn trace() -> Result<Found<String>, Fail<NoCodes>> {
    let context = Context::current().unwrap();
    let apart = tokio::spawn(
        context
            .clone()
            .scope(async { Context::current().unwrap().traceparent() }),
    )
    .await;
    assert_eq!(apart.unwrap(), context.traceparent());
    Ok(Found::<String>::new(&context.traceparent().to_string()))
}

/// Fails.
#[api_v2_operation(operation_id = "fail", tags("Lights"))]
async fn fail() -> Result<NoContent, Fail<NoCodes>> {
    Err(Problem::internal(std::io::Error::other("the secret cause")).into())
}

/// Panics.
#[api_v2_operation(operation_id = "panic", tags("Lights"))]
async fn panic() -> Result<NoContent, Fail<NoCodes>> {
    panic!("the secret panic")
}

/// Never answers.
#[api_v2_operation(operation_id = "hang", tags("Lights"))]
async fn hang(_id: ApiPath<EventId, GetLightCodes>) -> Result<NoContent, Fail<GetLightCodes>> {
    std::future::pending().await
}

/// Shines without end.
#[api_v2_operation(operation_id = "shine", tags("Lights"))]
async fn shine() -> EventStream {
    let event = web::Bytes::from_static(b"id: 1\ndata: {}\n\n");
    EventStream::new(futures_util::stream::repeat_with(move || {
        Ok::<_, std::io::Error>(event.clone())
    }))
}

fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/lights")
            .route(get().to(list_lights))
            .route(post().to(create_light)),
    )
    .service(
        resource("/lights/{id}")
            .route(get().to(get_light))
            .route(patch().to(change_light))
            .route(delete().to(remove_light)),
    )
    .service(resource("/pair").route(get().to(get_pair)))
    .service(resource("/measure").route(post().to(measure)))
    .service(resource("/trace").route(get().to(trace)))
    .service(resource("/fail").route(get().to(fail)))
    .service(resource("/panic").route(get().to(panic)))
    .service(resource("/hang/{id}").route(get().to(hang)))
    .service(resource("/shine").route(get().to(shine)));
}

pub fn document() -> Document {
    let overlay = json!({
        "info": {"title": "lights", "version": "1.0.0"},
        "paths": {"/lights": {"post": {"responses": {"201": {"headers": {
            "Location": {"description": "The new light.", "schema": {"type": "string"}},
        }}}}}},
    });
    Document::collect(routes, &overlay)
}

/// Starts the service on a port of its own; it ends with the test's runtime.
pub fn start() -> u16 {
    start_with(Dependency::up())
}

pub fn start_with(power: Dependency) -> u16 {
    let (port, server) = serve(power);
    actix_web::rt::spawn(server);
    port
}

pub fn start_within(limits: Limits) -> u16 {
    let (port, server) = serve_within(limits, Dependency::up());
    actix_web::rt::spawn(server);
    port
}

pub fn serve(power: Dependency) -> (u16, Server) {
    serve_within(Limits::default(), power)
}

pub fn serve_within(limits: Limits, power: Dependency) -> (u16, Server) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let token = web::Data::new(OperatorToken::new(&TOKEN.to_owned().into()));
    let readiness = web::Data::new(Readiness::new(move || {
        let power = power.clone();
        async move { [("power", power)].into() }
    }));
    let server = server::serve_within(limits, listener, document(), move |cfg| {
        cfg.app_data(token.clone()).app_data(readiness.clone());
        routes(cfg);
    });
    (port, server.unwrap())
}
