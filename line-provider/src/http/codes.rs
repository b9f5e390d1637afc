//! The codes of line-provider, and how refusals of the writer become answers: each by one exhaustive match.

use actix_web::http::StatusCode;
use http_edge::{Code, FieldErrors, Problem, Refusal as EdgeRefusal, route_codes};

use crate::event::Refusal;
use crate::journal::JournalError;
use crate::writer::{EventRefusal, SubscriptionRefusal, WriterError};

pub const EVENT_NOT_FOUND: Code = Code::new(
    "event_not_found",
    StatusCode::NOT_FOUND,
    "There is no event with this id. GET /events lists them.",
);
pub const EVENT_EXISTS: Code = Code::new(
    "event_exists",
    StatusCode::CONFLICT,
    "An event with this id was created with other content. Choose another id, or change that event by PATCH.",
);
pub const EVENT_FINISHED: Code = Code::new(
    "event_finished",
    StatusCode::CONFLICT,
    "The event is finished. A wrong result is put right by POST /events/{id}/corrections.",
);
pub const EVENT_NOT_FINISHED: Code = Code::new(
    "event_not_finished",
    StatusCode::CONFLICT,
    "The event has never been finished, so there is nothing to correct. Give it its result by PATCH.",
);
pub const BETTING_CLOSED: Code = Code::new(
    "betting_closed",
    StatusCode::CONFLICT,
    "Betting on the event is closed for good, so its deadline stays as it is.",
);
pub const AHEAD_OF_LOG: Code = Code::new(
    "ahead_of_log",
    StatusCode::CONFLICT,
    "The log ends before that position: it was lost or set back. GET /changes shows its instance and head.",
);
pub const SUBSCRIPTION_NOT_FOUND: Code = Code::new(
    "subscription_not_found",
    StatusCode::NOT_FOUND,
    "There is no subscription with this id. GET /subscriptions lists them.",
);
pub const SUBSCRIPTION_EXISTS: Code = Code::new(
    "subscription_exists",
    StatusCode::CONFLICT,
    "Another subscription has this url. Change that one, or delete it first.",
);
pub const OVERLOADED: Code = Code::new(
    "overloaded",
    StatusCode::SERVICE_UNAVAILABLE,
    "Too much waits already; nothing was done. Send it again after a second.",
);
pub const JOURNAL_UNAVAILABLE: Code = Code::new(
    "journal_unavailable",
    StatusCode::SERVICE_UNAVAILABLE,
    "The journal cannot be used now. Whether a command was carried out is not known: send it again, which is safe where you gave the id, and the secret, yourself.",
);

route_codes! {
    pub CreateEventCodes =
        [http_edge::codes::INVALID_FIELD, EVENT_EXISTS, OVERLOADED, JOURNAL_UNAVAILABLE];
    pub ListEventsCodes = [http_edge::codes::INVALID_CURSOR];
    pub GetEventCodes = [EVENT_NOT_FOUND];
    pub ChangeEventCodes = [
        EVENT_NOT_FOUND, http_edge::codes::INVALID_FIELD, http_edge::codes::PRECONDITION_FAILED, EVENT_FINISHED,
        BETTING_CLOSED, OVERLOADED, JOURNAL_UNAVAILABLE,
    ];
    pub CorrectEventCodes = [
        EVENT_NOT_FOUND, http_edge::codes::INVALID_FIELD, http_edge::codes::PRECONDITION_FAILED,
        EVENT_NOT_FINISHED, OVERLOADED, JOURNAL_UNAVAILABLE,
    ];
    pub ListChangesCodes = [OVERLOADED, JOURNAL_UNAVAILABLE];
    pub StreamChangesCodes = [http_edge::codes::INVALID_HEADER, AHEAD_OF_LOG, OVERLOADED];
    pub SubscribeCodes = [http_edge::codes::INVALID_FIELD, OVERLOADED, JOURNAL_UNAVAILABLE];
    pub ListSubscriptionsCodes = [http_edge::codes::INVALID_CURSOR, JOURNAL_UNAVAILABLE];
    pub GetSubscriptionCodes = [SUBSCRIPTION_NOT_FOUND, JOURNAL_UNAVAILABLE];
    pub ChangeSubscriptionCodes = [
        SUBSCRIPTION_NOT_FOUND, http_edge::codes::INVALID_FIELD, SUBSCRIPTION_EXISTS, OVERLOADED,
        JOURNAL_UNAVAILABLE,
    ];
    pub UnsubscribeCodes = [SUBSCRIPTION_NOT_FOUND, OVERLOADED, JOURNAL_UNAVAILABLE];
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::EventExists => Problem::new(&EVENT_EXISTS),
            Refusal::EventFinished => Problem::new(&EVENT_FINISHED),
            Refusal::EventNotFinished => Problem::new(&EVENT_NOT_FINISHED),
            Refusal::BettingClosed => Problem::new(&BETTING_CLOSED),
            Refusal::DeadlinePassed | Refusal::DeadlineTooFar => invalid_field("deadline", refusal),
            // Only this service's own commands are refused like that.
            Refusal::NotDue => Problem::internal(refusal),
        }
    }
}

impl From<EventRefusal> for Problem {
    fn from(refusal: EventRefusal) -> Self {
        match refusal {
            EventRefusal::NotFound => Problem::new(&EVENT_NOT_FOUND),
            EventRefusal::OtherRevision => EdgeRefusal::PreconditionFailed.into(),
            EventRefusal::Rule(refusal) => refusal.into(),
        }
    }
}

impl From<SubscriptionRefusal> for Problem {
    fn from(refusal: SubscriptionRefusal) -> Self {
        match refusal {
            SubscriptionRefusal::NotFound => Problem::new(&SUBSCRIPTION_NOT_FOUND),
            SubscriptionRefusal::UrlTaken => Problem::new(&SUBSCRIPTION_EXISTS),
        }
    }
}

impl<R: std::error::Error + Into<Problem>> From<WriterError<R>> for Problem {
    fn from(error: WriterError<R>) -> Self {
        match error {
            WriterError::Refused(refusal) => refusal.into(),
            WriterError::Overloaded => Problem::new(&OVERLOADED).retry_after(1),
            WriterError::Late | WriterError::Stopped => Problem::new(&JOURNAL_UNAVAILABLE).retry_after(1),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        Problem::new(&JOURNAL_UNAVAILABLE).retry_after(1).caused_by(error)
    }
}

fn invalid_field(field: &'static str, message: impl std::fmt::Display) -> Problem {
    let mut errors = FieldErrors::default();
    errors.add(field, message);
    match errors.finish::<std::convert::Infallible>(None) {
        Ok(never) => match never {},
        Err(problem) => problem,
    }
}
