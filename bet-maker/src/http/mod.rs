//! The HTTP edge: parse, call one command, answer. Status codes live in [`codes`].

mod bets;
mod callbacks;
pub mod codes;
mod events;

use http_edge::Document;
use paperclip::actix::web::{ServiceConfig, get, post, resource};
use serde_json::json;

use crate::placing::Placing;
use crate::store::Store;

pub use callbacks::Callbacks;

/// What handlers work with.
pub struct State {
    pub store: Store,
    pub placing: Placing,
}

/// All routes of bet-maker but those that every service has.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/events").route(get().to(events::list_events)))
        .service(resource("/events/{id}").route(get().to(events::get_event)))
        .service(resource("/events/{id}/exposure").route(get().to(events::get_exposure)))
        .service(
            resource("/bets")
                .route(post().to(bets::place_bet))
                .route(get().to(bets::list_bets)),
        )
        .service(resource("/bets/{id}").route(get().to(bets::get_bet)))
        .service(resource("/callbacks/line-provider").route(post().to(callbacks::receive)));
}

/// The OpenAPI document of these routes.
pub fn document() -> Document {
    Document::collect(routes, &overlay())
}

/// What handlers' signatures cannot say.
fn overlay() -> serde_json::Value {
    let bet = json!({
        "id": "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11", "event_id": "final-2026", "bettor": "alice",
        "stake": "10.00", "odds": "1.85", "potential_payout": "18.50", "status": "pending",
        "void_reason": null, "payout": null, "event_revision": 1,
        "placed_at": "2026-03-01T17:12:45.123456Z", "settled_at": null,
    });
    let decimal = shared_types::schema::scalar_fragment("Decimal")
        .and_then(|fragment| fragment.get("oneOf").cloned())
        .expect("a decimal is a string or a number");
    json!({
        "info": {
            "title": "bet-maker",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes bets on the events of line-provider and settles each exactly once. Money and \
                odds are decimal strings with two places; times are RFC 3339 in UTC; errors are RFC 9457 problems.",
        },
        "components": {"schemas": {"PlaceBet": {
            "properties": {
                "stake": {
                    "description": "Greater than 0, at most 1000000000.00, two decimals. Either it or `amount` is given.",
                    "example": "10.00",
                },
                "amount": {
                    "description": "Another name for `stake`.",
                    "example": "10.00",
                    "oneOf": decimal,
                },
            },
            "required": ["event_id"],
            "oneOf": [{"required": ["stake"]}, {"required": ["amount"]}],
        }}},
        "paths": {
            "/bets": {"post": {
                "requestBody": {"content": {"application/json": {"examples": {
                    "current": {"summary": "At the current odds", "value": {"event_id": "final-2026", "stake": "10.00"}},
                    "seen": {"summary": "At the odds that the bettor saw", "value": {
                        "event_id": "final-2026", "stake": 10, "odds": "1.85", "odds_change": "higher", "bettor": "alice",
                    }},
                }}}},
                "responses": {"201": {
                    "description": "The bet, durable.",
                    "headers": {
                        "Location": {"description": "Where the bet is.", "schema": {"type": "string"}},
                        "Idempotency-Replayed": {
                            "description": "true: the first answer to this Idempotency-Key, given again.",
                            "schema": {"type": "string", "enum": ["true"]},
                        },
                    },
                    "content": {"application/json": {"examples": {"placed": {"value": bet}}}},
                }},
            }},
            "/callbacks/line-provider": {"post": {
                "requestBody": {
                    "required": true,
                    "description": "A change, as line-provider sends it (Standard Webhooks 1.0.0).",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
            }},
        },
    })
}
