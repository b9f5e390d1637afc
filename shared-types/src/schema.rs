//! How the scalar types describe themselves in an OpenAPI document.
//!
//! paperclip can name a scalar's type and title only; the title is the key under which [`scalar_fragment`]
//! gives the rest (pattern, format, example), which is merged into the document once it is whole.

use serde_json::{Value, json};

/// Gives a newtype a string schema with its own title.
macro_rules! scalar_schema {
    ($name:ident, $title:expr) => {
        impl paperclip::v2::schema::Apiv2Schema for $name {
            fn raw_schema() -> paperclip::v2::models::DefaultSchemaRaw {
                paperclip::v2::models::DefaultSchemaRaw {
                    title: Some($title.to_owned()),
                    data_type: Some(paperclip::v2::models::DataType::String),
                    ..Default::default()
                }
            }
        }

        impl paperclip::actix::OperationModifier for $name {}
    };
}
pub(crate) use scalar_schema;

/// The JSON-schema members of the scalar with that title, or `None` for a title that is not a scalar's.
pub fn scalar_fragment(title: &str) -> Option<Value> {
    let decimal = r"^(0|[1-9][0-9]*)(\.[0-9]{1,2})?$";
    let two_decimals = r"^(0|[1-9][0-9]*)\.[0-9]{2}$";
    let id = "^[A-Za-z0-9_-]{1,64}$";
    Some(match title {
        "Decimal" => json!({
            "oneOf": [{"type": "string", "pattern": decimal}, {"type": "number", "minimum": 0}],
            "description": "A decimal with at most two places, as a string or a number; read from its text, never through a float.",
            "example": "1.85",
        }),
        "Money" => json!({
            "type": "string", "pattern": two_decimals, "example": "10.00",
            "description": "An amount with two decimals.",
        }),
        "Odds" => json!({
            "type": "string", "pattern": two_decimals, "example": "1.85",
            "description": "Decimal odds on the first team's win: greater than 0, at most 10000.00.",
        }),
        "Timestamp" => json!({
            "type": "string", "format": "date-time", "example": "2026-03-01T18:00:00Z",
            "description": "RFC 3339; UTC with at most microseconds in answers.",
        }),
        "EventId" => json!({"type": "string", "pattern": id, "example": "final-2026"}),
        "BettorId" => json!({"type": "string", "pattern": id, "example": "alice"}),
        "BetId" | "SubscriptionId" | "Instance" => json!({
            "type": "string", "format": "uuid", "example": "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11",
        }),
        _ => return None,
    })
}
