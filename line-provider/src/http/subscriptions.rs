//! Routes of subscriptions: commands go to the writer, state comes from the board and the log.

use actix_web::web::Data;
use http_edge::{
    ApiJson, ApiPath, ApiQuery, Cursor, Fail, Found, NoContent, Operator, Page, PageLimit, Problem, Upserted,
};
use paperclip::actix::{
    Apiv2Schema, api_v2_operation,
    web::{ServiceConfig, delete, get, patch, post, resource},
};
use serde::Deserialize;
use shared_types::SubscriptionId;
use shared_types::subscription::{
    Breaker, CreateSubscription, CreatedSubscription, PatchSubscription, Subscription, SubscriptionStatus,
};

use super::codes::{
    ChangeSubscriptionCodes, GetSubscriptionCodes, ListSubscriptionsCodes, SUBSCRIPTION_NOT_FOUND,
    SubscribeCodes, UnsubscribeCodes,
};
use super::{Services, input};
use crate::subscription::board::Progress;
use crate::subscription::{Registration, Standing};
use crate::writer::{Effect, SubscriptionCommand};

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/subscriptions")
            .route(get().to(list_subscriptions))
            .route(post().to(subscribe)),
    )
    .service(
        resource("/subscriptions/{id}")
            .route(get().to(get_subscription))
            .route(patch().to(change_subscription))
            .route(delete().to(unsubscribe)),
    );
}

#[derive(Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
struct SubscriptionsQuery {
    limit: Option<PageLimit>,
    cursor: Option<Cursor>,
}

/// Register a callback.
///
/// A new subscription is called back on every change from now on; earlier ones stand in the log. The same url
/// again updates what is given and revives a disabled subscription.
#[api_v2_operation(operation_id = "subscribe", tags("Subscriptions"))]
async fn subscribe(
    _operator: Operator,
    services: Data<Services>,
    body: ApiJson<CreateSubscription>,
) -> Result<Upserted<CreatedSubscription>, Fail<SubscribeCodes>> {
    let command = SubscriptionCommand::Register(input::register(body.0)?);
    let answer = services.writer.subscription(command).await?;
    let registration = &answer.registration;
    let location = format!("/subscriptions/{}", registration.id);
    let subscription = view(&services, registration).await?;
    let reply = match answer.effect {
        Effect::Created => Upserted::created(&CreatedSubscription {
            subscription,
            secret: Some(registration.secret.expose()),
        }),
        Effect::Existing => Upserted::existing(&CreatedSubscription {
            subscription,
            secret: None,
        }),
    };
    Ok(reply.location(&location))
}

/// List subscriptions, oldest first.
#[api_v2_operation(operation_id = "listSubscriptions", tags("Subscriptions"))]
async fn list_subscriptions(
    _operator: Operator,
    services: Data<Services>,
    query: ApiQuery<SubscriptionsQuery>,
) -> Result<Found<Page<Subscription>>, Fail<ListSubscriptionsCodes>> {
    let limit = query.0.limit.unwrap_or_default();
    let after: Option<SubscriptionId> = query.0.cursor.map(|cursor| cursor.decode()).transpose()?;
    let posted = services.board.list(after, usize::from(limit.get()) + 1);
    let mut rows = Vec::with_capacity(posted.len());
    for posted in posted {
        rows.push(view(&services, &posted.registration).await?);
    }
    Ok(Found::new(&Page::cut(rows, limit, |row| row.id)))
}

/// Get a subscription: how far it was served, and what holds it up.
#[api_v2_operation(operation_id = "getSubscription", tags("Subscriptions"))]
async fn get_subscription(
    _operator: Operator,
    services: Data<Services>,
    id: ApiPath<SubscriptionId, GetSubscriptionCodes>,
) -> Result<Found<Subscription>, Fail<GetSubscriptionCodes>> {
    let posted = services
        .board
        .find(id.0)
        .ok_or_else(|| Problem::new(&SUBSCRIPTION_NOT_FOUND))?;
    Ok(Found::new(&view(&services, &posted.registration).await?))
}

/// Pause or resume a subscription, or change its url or filter.
///
/// While it is paused nothing is lost: delivery goes on from the cursor.
#[api_v2_operation(operation_id = "changeSubscription", tags("Subscriptions"))]
async fn change_subscription(
    _operator: Operator,
    services: Data<Services>,
    id: ApiPath<SubscriptionId, ChangeSubscriptionCodes>,
    body: ApiJson<PatchSubscription>,
) -> Result<Found<Subscription>, Fail<ChangeSubscriptionCodes>> {
    let command = SubscriptionCommand::Patch {
        id: id.0,
        patch: input::patch(body.0)?,
    };
    let answer = services.writer.subscription(command).await?;
    Ok(Found::new(&view(&services, &answer.registration).await?))
}

/// Delete a subscription.
#[api_v2_operation(operation_id = "unsubscribe", tags("Subscriptions"))]
async fn unsubscribe(
    _operator: Operator,
    services: Data<Services>,
    id: ApiPath<SubscriptionId, UnsubscribeCodes>,
) -> Result<NoContent, Fail<UnsubscribeCodes>> {
    let command = SubscriptionCommand::Unsubscribe { id: id.0 };
    services.writer.subscription(command).await?;
    Ok(NoContent)
}

async fn view(services: &Services, registration: &Registration) -> Result<Subscription, Problem> {
    // Gone from the board: it was deleted a moment ago.
    let progress = services
        .board
        .find(registration.id)
        .map(|posted| posted.progress())
        .unwrap_or_default();
    let Progress {
        cursor,
        failing,
        next_attempt_at,
        last_error,
    } = progress;
    let head = services.log.head().max(cursor);
    // The first change beyond the cursor is what holds it.
    let oldest = services.log.read(cursor, 1).await?;
    let oldest_pending_at = oldest.first().map(|change| change.occurred_at);
    let lag_seconds = oldest_pending_at.map_or(0, |at| services.clock.now().saturating_since(at).as_secs());
    let (status, last_error) = match &registration.standing {
        Standing::Active => (SubscriptionStatus::Active, last_error),
        Standing::Paused => (SubscriptionStatus::Paused, last_error),
        Standing::Disabled { reason } => (SubscriptionStatus::Disabled, Some(reason.clone())),
    };
    Ok(Subscription {
        id: registration.id,
        url: registration.url.as_str().to_owned(),
        event_types: registration.event_types.clone(),
        status,
        cursor,
        head,
        lag_positions: head - cursor,
        lag_seconds,
        oldest_pending_at,
        breaker: if failing { Breaker::Open } else { Breaker::Closed },
        next_attempt_at,
        last_error,
        created_at: registration.created_at,
        updated_at: registration.updated_at,
    })
}
