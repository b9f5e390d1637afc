//! What the writer can be asked, what it answers, and why it refuses.

use std::sync::Arc;

use http_edge::{IfMatch, Traceparent};
use shared_types::{EventId, EventStatus, SubscriptionId};
use tokio::sync::oneshot;

use crate::catalogue::Entry;
use crate::event::{self, Correction, NewEvent, Update};
use crate::subscription::{CallbackUrl, Patch, Register, Registration};

/// A command about an event.
#[derive(Debug)]
pub enum EventCommand {
    Create(NewEvent),
    Update {
        id: EventId,
        if_match: IfMatch,
        update: Update,
    },
    Correct {
        id: EventId,
        if_match: IfMatch,
        correction: Correction,
    },
    /// Gives the event that result if its deadline has come and it never had one.
    FinishAtDeadline {
        id: EventId,
        status: EventStatus,
    },
}

/// A command about a subscription.
#[derive(Debug)]
pub enum SubscriptionCommand {
    Register(Register),
    Patch {
        id: SubscriptionId,
        patch: Patch,
    },
    Unsubscribe {
        id: SubscriptionId,
    },
    /// The receiver at `url` said that it is gone for good.
    Disable {
        id: SubscriptionId,
        url: CallbackUrl,
        reason: String,
    },
}

/// Whether a command was the first to do what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Created,
    /// Changed, or already as asked for.
    Existing,
}

/// The event after a command.
#[derive(Clone, Debug)]
pub struct EventAnswer {
    pub entry: Arc<Entry>,
    pub effect: Effect,
}

/// The subscription after a command; the last state of one that was deleted.
#[derive(Clone, Debug)]
pub struct SubscriptionAnswer {
    pub registration: Arc<Registration>,
    pub effect: Effect,
}

/// Why a command about an event is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRefusal {
    #[error("there is no such event")]
    NotFound,
    #[error("the event is at another revision")]
    OtherRevision,
    #[error(transparent)]
    Rule(#[from] event::Refusal),
}

/// Why a command about a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRefusal {
    #[error("there is no such subscription")]
    NotFound,
    #[error("another subscription has this url")]
    UrlTaken,
}

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriterError<R: std::error::Error> {
    #[error(transparent)]
    Refused(R),
    /// The queue is full; nothing was decided.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The journal is being written for too long; whether the command was carried out, or will be, is not known.
    #[error("the journal is not written in time")]
    Late,
    /// The writer has stopped; whether the command was carried out is not known.
    #[error("the journal is not being written any more")]
    Stopped,
}

pub(super) type EventReply = oneshot::Sender<Result<EventAnswer, EventRefusal>>;
pub(super) type SubscriptionReply = oneshot::Sender<Result<SubscriptionAnswer, SubscriptionRefusal>>;

/// A command in the queue, with where its answer goes.
#[derive(Debug)]
pub(super) enum Command {
    Event(EventCommand, Option<Traceparent>, EventReply),
    Subscription(SubscriptionCommand, SubscriptionReply),
    SaveCursors(Vec<(SubscriptionId, u64)>, oneshot::Sender<()>),
    /// Carry out what is queued and end.
    Stop,
}
