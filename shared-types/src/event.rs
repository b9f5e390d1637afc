//! Events: what line-provider publishes, and the requests that change them.

use paperclip::actix::Apiv2Schema;
use serde::{Deserialize, Serialize};

use crate::ids::EventId;
use crate::odds::Odds;
use crate::timestamp::Timestamp;
use crate::token::DecimalToken;

/// What is known of an event's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// No result yet. Bets may be taken until the deadline, unless `closed_at` is set.
    Unfinished,
    FirstTeamWon,
    SecondTeamWon,
    /// A tie, or a game that was abandoned: every bet is refunded.
    Cancelled,
}

impl EventStatus {
    pub const ALL: [Self; 4] = [
        Self::Unfinished,
        Self::FirstTeamWon,
        Self::SecondTeamWon,
        Self::Cancelled,
    ];

    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Unfinished)
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::FirstTeamWon => "first_team_won",
            Self::SecondTeamWon => "second_team_won",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An event on which bets can be placed, at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Event {
    pub id: EventId,
    /// May be empty; 200 characters at most.
    pub title: String,
    /// Odds on the first team's win.
    pub odds: Odds,
    /// Bets are taken before this moment; at it is too late.
    pub deadline: Timestamp,
    pub status: EventStatus,
    /// Counts this event's changes from 1 without gaps.
    pub revision: u64,
    /// When betting ended for good: null until the first final status, then the earlier of that moment and
    /// the deadline. It never changes again.
    pub closed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Body of `POST /events`, before its fields are checked.
#[derive(Clone, Debug, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct CreateEvent {
    /// `[A-Za-z0-9_-]{1,64}`; made by the service if absent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// 200 characters at most; empty if absent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub title: Option<String>,
    /// Odds on the first team's win: greater than 0, at most 10000.00, two decimals.
    pub odds: DecimalToken,
    /// RFC 3339 with an offset, in the future and within 2 years.
    pub deadline: String,
}

/// Body of `PATCH /events/{id}`, before its fields are checked. Absent fields stay as they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct PatchEvent {
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub title: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub odds: Option<DecimalToken>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub deadline: Option<String>,
    /// One of `unfinished`, `first_team_won`, `second_team_won`, `cancelled`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<String>,
}

/// Body of `POST /events/{id}/corrections`, before its fields are checked.
#[derive(Clone, Debug, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct CorrectEvent {
    /// The right status: another final one, or `unfinished` (betting stays closed).
    pub status: String,
    /// Why, 1 to 500 characters; kept in the journal, shown by no route.
    pub reason: String,
}

/// A field that may be absent but not `null`: `null` would look like a wish to erase.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_takes_absent_fields_but_not_null_or_unknown_ones() {
        let patch: PatchEvent = serde_json::from_str(r#"{"odds": 1.10}"#).unwrap();
        assert_eq!(patch.odds.unwrap().as_str(), "1.10");
        assert!(patch.title.is_none());
        assert!(serde_json::from_str::<PatchEvent>(r#"{"odds": null}"#).is_err());
        assert!(serde_json::from_str::<PatchEvent>(r#"{"price": "1.10"}"#).is_err());
    }

    #[test]
    fn a_new_event_may_leave_out_id_and_title_but_not_set_them_to_null() {
        let create = |more: &str| {
            let json = format!(r#"{{"odds": 1.10, "deadline": "2026-03-01T18:00:00Z"{more}}}"#);
            serde_json::from_str::<CreateEvent>(&json)
        };
        assert!(create("").is_ok());
        assert!(create(r#", "id": null"#).is_err());
        assert!(create(r#", "title": null"#).is_err());
    }

    #[test]
    fn every_status_is_written_as_its_word() {
        for status in EventStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
