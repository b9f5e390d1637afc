//! Subscriptions: who is called back on changes, and how far each was served.

use paperclip::actix::Apiv2Schema;
use serde::{Deserialize, Serialize};

use crate::change::ChangeType;
use crate::event::present;
use crate::ids::SubscriptionId;
use crate::timestamp::Timestamp;

/// Whether a subscription is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    Active,
    /// By the operator; nothing is lost, delivery goes on from the cursor after a resume.
    Paused,
    /// By line-provider, for the reason in `last_error`.
    Disabled,
}

/// How the last attempt to call back ended. Whatever it says, changes of events that did not fail are still sent at
/// once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// The last attempt succeeded, or nothing that failed is left to be made again.
    Closed,
    /// The last attempt failed, and the next one waits for `next_attempt_at`.
    Open,
}

/// A registered callback and how far it was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub url: String,
    /// Empty means all.
    pub event_types: Vec<ChangeType>,
    pub status: SubscriptionStatus,
    /// Every change up to this position was delivered, superseded, filtered out or given up.
    pub cursor: u64,
    /// Position of the newest change in the log.
    pub head: u64,
    pub lag_positions: u64,
    /// Age of the oldest pending change in seconds; 0 if there is none.
    pub lag_seconds: u64,
    pub oldest_pending_at: Option<Timestamp>,
    /// `open`: the last attempt failed, and the next one waits for `next_attempt_at`. Only the events whose changes
    /// failed wait; others are still sent at once.
    pub breaker: Breaker,
    /// When the first of the changes that failed is sent again; null where none waits.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last failed attempt failed, until callbacks go through again; or why the subscription is disabled.
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Answer of `POST /subscriptions`: the subscription, with its secret where it was made by this call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct CreatedSubscription {
    #[serde(flatten)]
    pub subscription: Subscription,
    /// `whsec_…`; shown once, in the answer that creates the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Body of `POST /subscriptions`, before its fields are checked.
#[derive(Clone, Debug, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct CreateSubscription {
    /// `http://` or `https://`, 2,000 characters at most.
    pub url: String,
    /// Any of `event.created`, `event.updated`, `event.status_changed`; absent or empty: all.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_types: Option<Vec<String>>,
    /// `whsec_` and base64 of 24 to 64 bytes; made by the service if absent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub secret: Option<String>,
}

/// Body of `PATCH /subscriptions/{id}`, before its fields are checked. Absent fields stay as they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct PatchSubscription {
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub url: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_types: Option<Vec<String>>,
    /// `active` or `paused`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<String>,
}
