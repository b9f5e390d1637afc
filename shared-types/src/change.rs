//! Changes: one line of line-provider's log, a page of it, and the callback that carries one.

use paperclip::actix::Apiv2Schema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::{EventId, Instance, SubscriptionId};
use crate::timestamp::Timestamp;

/// What kind of change an event went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Apiv2Schema)]
pub enum ChangeType {
    #[serde(rename = "event.created")]
    Created,
    /// Title, odds or deadline.
    #[serde(rename = "event.updated")]
    Updated,
    /// A result, a cancellation, or a correction of either.
    #[serde(rename = "event.status_changed")]
    StatusChanged,
}

impl ChangeType {
    pub const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::StatusChanged];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "event.created",
            Self::Updated => "event.updated",
            Self::StatusChanged => "event.status_changed",
        }
    }
}

/// One change of one event, with the event as it was after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Change {
    /// Counts all changes of the log from 1 without gaps.
    pub position: u64,
    /// The journal that the position counts in.
    pub instance: Instance,
    #[serde(rename = "type")]
    pub kind: ChangeType,
    pub event_id: EventId,
    /// The event's revision after this change.
    pub revision: u64,
    pub occurred_at: Timestamp,
    pub event: Event,
}

/// Answer of `GET /changes`: a run of the log in order of position, without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct ChangesPage {
    pub instance: Instance,
    /// Position of the newest change, 0 while there is none.
    pub head: u64,
    pub items: Vec<Change>,
    /// What to pass as `after` next time.
    pub next: u64,
}

/// Body of a callback (Standard Webhooks 1.0.0, with `subscription_id` beside it).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Callback {
    #[serde(rename = "type")]
    pub kind: ChangeType,
    /// When the change occurred; the time of the attempt is in the `webhook-timestamp` header.
    pub timestamp: Timestamp,
    pub subscription_id: SubscriptionId,
    pub data: Change,
}

/// The `webhook-id` of a change: the same on every attempt, so that a receiver can drop repeats.
pub fn message_id(instance: Instance, position: u64) -> String {
    format!("msg_{instance}_{position}")
}
