//! Routes of events: commands go to the writer, reads come from the catalogue as ready JSON.

use actix_web::web::{Bytes, Data};
use http_edge::{
    ApiJson, ApiPath, ApiQuery, Cursor, Fail, Found, IfMatch, Operator, Page, PageLimit, Problem,
    Traceparent, Upserted,
};
use paperclip::actix::{
    Apiv2Schema, api_v2_operation,
    web::{ServiceConfig, get, patch, post, resource},
};
use serde::Deserialize;
use shared_types::event::{CorrectEvent, CreateEvent, PatchEvent};
use shared_types::{Event, EventId, EventStatus, Timestamp};

use super::codes::{
    ChangeEventCodes, CorrectEventCodes, CreateEventCodes, EVENT_NOT_FOUND, GetEventCodes, ListEventsCodes,
};
use super::{Services, input};
use crate::catalogue::{Entry, Filter, Place};
use crate::writer::{Effect, EventCommand};

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/events")
            .route(get().to(list_events))
            .route(post().to(create_event)),
    )
    .service(
        resource("/events/{id}")
            .route(get().to(get_event))
            .route(patch().to(change_event)),
    )
    .service(resource("/events/{id}/corrections").route(post().to(correct_event)));
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
enum Shown {
    /// Unfinished, with the deadline ahead.
    #[default]
    Active,
    All,
    Unfinished,
    FirstTeamWon,
    SecondTeamWon,
    Cancelled,
}

impl Shown {
    fn filter(self, now: Timestamp) -> Filter {
        match self {
            Self::Active => Filter::ActiveAt(now),
            Self::All => Filter::All,
            Self::Unfinished => Filter::Status(EventStatus::Unfinished),
            Self::FirstTeamWon => Filter::Status(EventStatus::FirstTeamWon),
            Self::SecondTeamWon => Filter::Status(EventStatus::SecondTeamWon),
            Self::Cancelled => Filter::Status(EventStatus::Cancelled),
        }
    }
}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Which events: the active ones where it is not given.
    status: Option<Shown>,
    limit: Option<PageLimit>,
    cursor: Option<Cursor>,
}

/// List events, soonest deadline first.
#[api_v2_operation(operation_id = "listEvents", tags("Events"))]
async fn list_events(
    services: Data<Services>,
    query: ApiQuery<EventsQuery>,
) -> Result<Found<Page<Event>>, Fail<ListEventsCodes>> {
    let EventsQuery {
        status,
        limit,
        cursor,
    } = query.0;
    let after = cursor.map(|cursor| place(&cursor)).transpose()?;
    let filter = status.unwrap_or_default().filter(services.clock.now());
    let limit = limit.unwrap_or_default().get().into();
    let page = services.catalogue.page(filter, after, limit);
    let bytes: usize = page.entries.iter().map(|entry| entry.json.len() + 1).sum();
    let mut body = String::with_capacity(bytes + 200);
    body.push_str(r#"{"items":["#);
    super::join(&mut body, page.entries.iter().map(|entry| &*entry.json));
    body.push_str(r#"],"next_cursor":"#);
    match page.next {
        None => body.push_str("null"),
        Some(place) => {
            let cursor = Cursor::encode(&(place.deadline, place.id));
            body.push_str(&serde_json::to_string(&cursor).expect("a cursor is a string"));
        }
    }
    body.push('}');
    Ok(Found::rendered(body.into()))
}

fn place(cursor: &Cursor) -> Result<Place, Problem> {
    let (deadline, id): (Timestamp, EventId) = cursor.decode()?;
    Ok(Place {
        deadline,
        id: Some(id),
    })
}

/// Create an event.
///
/// The same id with the same content again gives the event as it is now.
#[api_v2_operation(operation_id = "createEvent", tags("Events"))]
async fn create_event(
    _operator: Operator,
    services: Data<Services>,
    body: ApiJson<CreateEvent>,
) -> Result<Upserted<Event>, Fail<CreateEventCodes>> {
    let new = input::new_event(body.0)?;
    let command = EventCommand::Create(new);
    let answer = services.writer.event(command, Traceparent::current()).await?;
    let event = &answer.entry.event;
    let reply = match answer.effect {
        Effect::Created => Upserted::created(event),
        Effect::Existing => Upserted::existing(event),
    };
    Ok(reply
        .location(&format!("/events/{}", event.id))
        .etag(event.revision))
}

/// Get an event.
#[api_v2_operation(operation_id = "getEvent", tags("Events"))]
async fn get_event(
    services: Data<Services>,
    id: ApiPath<EventId, GetEventCodes>,
) -> Result<Found<Event>, Fail<GetEventCodes>> {
    match services.catalogue.find(&id.0) {
        Some(entry) => Ok(found(&entry)),
        None => Err(Problem::new(&EVENT_NOT_FOUND).into()),
    }
}

/// Change an event, or give it its result.
///
/// A final status closes betting at once. The same values again change nothing.
#[api_v2_operation(operation_id = "changeEvent", tags("Events"))]
async fn change_event(
    _operator: Operator,
    services: Data<Services>,
    id: ApiPath<EventId, ChangeEventCodes>,
    if_match: IfMatch,
    body: ApiJson<PatchEvent>,
) -> Result<Found<Event>, Fail<ChangeEventCodes>> {
    let command = EventCommand::Update {
        id: id.0,
        if_match,
        update: input::update(body.0)?,
    };
    let answer = services.writer.event(command, Traceparent::current()).await?;
    Ok(found(&answer.entry))
}

/// Correct a result that was wrong.
///
/// Betting stays closed, also when the event is unfinished again. The reason is kept in the journal for whoever looks
/// into it later; no route shows it.
#[api_v2_operation(operation_id = "correctEvent", tags("Events"))]
async fn correct_event(
    _operator: Operator,
    services: Data<Services>,
    id: ApiPath<EventId, CorrectEventCodes>,
    if_match: IfMatch,
    body: ApiJson<CorrectEvent>,
) -> Result<Found<Event>, Fail<CorrectEventCodes>> {
    let command = EventCommand::Correct {
        id: id.0,
        if_match,
        correction: input::correction(body.0)?,
    };
    let answer = services.writer.event(command, Traceparent::current()).await?;
    Ok(found(&answer.entry))
}

fn found(entry: &Entry) -> Found<Event> {
    Found::<Event>::rendered(Bytes::copy_from_slice(entry.json.as_bytes())).etag(entry.event.revision)
}
