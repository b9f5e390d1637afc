//! The OpenAPI document of line-provider: what the handlers say, and over it what only this service knows.

use http_edge::Document;
use serde_json::{Value, json};

/// The finished document.
pub fn document() -> Document {
    Document::collect(super::routes, &overlay())
}

fn overlay() -> Value {
    json!({
        "info": {
            "title": "line-provider",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Publishes events and their results. Readers follow the log of changes, or are called \
                back (Standard Webhooks 1.0.0).",
        },
        "tags": [
            {"name": "Events", "description": "What bets can be placed on."},
            {"name": "Changes", "description": "The log: every change of every event, in order, without gaps."},
            {"name": "Subscriptions", "description": "Callbacks on changes."},
            {"name": "Operations", "description": "For whoever runs the service."},
        ],
        // Shown once, and left out of every other answer.
        "components": {"schemas": {"CreatedSubscription": {"properties": {"secret": {"nullable": false}}}}},
        "paths": {
            "/events": {"post": {
                "requestBody": {"content": {"application/json": {"examples": created_bodies()}}},
                "responses": {
                    "200": {"description": "It was there already, with this content.", "headers": event_headers()},
                    "201": {"description": "Created.", "headers": event_headers(), "content": event_example()},
                },
            }},
            "/events/{id}": {
                "get": {"responses": {"200": {"headers": {"ETag": etag()}, "content": event_example()}}},
                "patch": {
                    "requestBody": {"content": {"application/json": {"examples": {
                        "odds": {"summary": "New odds", "value": {"odds": "1.90"}},
                        "result": {"summary": "A result", "value": {"status": "first_team_won"}},
                    }}}},
                    "responses": {"200": {"headers": {"ETag": etag()}}},
                },
            },
            "/events/{id}/corrections": {"post": {
                "requestBody": {"content": {"application/json": {"example":
                    {"status": "second_team_won", "reason": "The score was read the wrong way round."}}}},
                "responses": {"200": {"headers": {"ETag": etag()}}},
            }},
            "/changes": {"get": {"responses": {"200": {"headers": {"X-Server-Time": {
                "description": "This service's clock as it answered.",
                "schema": {"type": "string", "format": "date-time"},
            }}}}}},
            "/subscriptions": {"post": {
                "requestBody": {"content": {"application/json": {"example":
                    {"url": "http://127.0.0.1:8082/callbacks/line-provider"}}}},
                "responses": {
                    "200": {"description": "The url was registered already; updated. No secret is shown.",
                        "headers": {"Location": location()}},
                    "201": {"description": "Created; the secret is shown this once.",
                        "headers": {"Location": location()}},
                },
            }},
        },
    })
}

fn created_bodies() -> Value {
    json!({
        "named": {"summary": "With an id of the operator's", "value": {
            "id": "final-2026", "title": "First team - second team", "odds": "1.85", "deadline": "2027-03-01T18:00:00Z",
        }},
        "least": {"summary": "With an id that is made", "value": {"odds": 1.85, "deadline": "2027-03-01T18:00:00Z"}},
    })
}

fn event_example() -> Value {
    json!({"application/json": {"example": {
        "id": "final-2026",
        "title": "First team - second team",
        "odds": "1.85",
        "deadline": "2027-03-01T18:00:00Z",
        "status": "unfinished",
        "revision": 1,
        "closed_at": null,
        "created_at": "2026-11-23T09:30:00.123456Z",
        "updated_at": "2026-11-23T09:30:00.123456Z",
    }}})
}

fn event_headers() -> Value {
    json!({"Location": location(), "ETag": etag()})
}

fn etag() -> Value {
    json!({"description": "The revision, for If-Match.", "schema": {"type": "string", "example": "\"1\""}})
}

fn location() -> Value {
    json!({"description": "Its path on this service.", "schema": {"type": "string"}})
}
