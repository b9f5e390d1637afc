//! Errors on the wire: RFC 9457 problem details.

use std::collections::BTreeMap;

use paperclip::actix::Apiv2Schema;
use serde::{Deserialize, Serialize};

/// Body of every answer with a status of 400 or above; media type `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Problem {
    /// `about:blank`: the status says it all, `code` tells apart.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What is wrong and what to do, for a person.
    pub detail: String,
    /// Stable, snake_case, for a program.
    pub code: String,
    pub request_id: String,
    /// Further members that some codes carry, such as `current_odds` or `errors`.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}
