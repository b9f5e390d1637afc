//! Every refusal of bet-maker with its status, each mapped by an exhaustive match.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use http_edge::respond::IDEMPOTENCY_REPLAYED;
use http_edge::{Code, Problem};

use crate::feed::inbox::InboxError;
use crate::placement::Refusal;
use crate::placing::PlaceBetError;
use crate::store::StoreError;
use crate::store::placements::Halt;

pub const EVENT_NOT_FOUND: Code = Code::new(
    "event_not_found",
    StatusCode::NOT_FOUND,
    "No event of that id is known here. GET /events lists those open for betting.",
);
pub const BET_NOT_FOUND: Code = Code::new(
    "bet_not_found",
    StatusCode::NOT_FOUND,
    "There is no bet of that id.",
);
pub const BETTING_CLOSED: Code = Code::new(
    "betting_closed",
    StatusCode::CONFLICT,
    "Betting on this event is closed: its deadline has passed, or it is over.",
);
pub const ODDS_CHANGED: Code = Code::new(
    "odds_changed",
    StatusCode::CONFLICT,
    "The odds have changed. Place the bet at current_odds, or say with odds_change what you accept.",
);
pub const KEY_REUSED: Code = Code::new(
    "idempotency_key_reused",
    StatusCode::UNPROCESSABLE_ENTITY,
    "This Idempotency-Key was used for another request. Use a new key for a new bet.",
);
pub const FEED_STALE: Code = Code::new(
    "feed_stale",
    StatusCode::SERVICE_UNAVAILABLE,
    "There is no recent news from line-provider, so no bets are accepted. It resumes by itself: try again shortly.",
);
pub const FEED_SUSPENDED: Code = Code::new(
    "feed_suspended",
    StatusCode::SERVICE_UNAVAILABLE,
    "line-provider's history does not continue the one that was read, so no bets are accepted until it agrees \
     or an operator decides.",
);
pub const OVERLOADED: Code = Code::new(
    "overloaded",
    StatusCode::SERVICE_UNAVAILABLE,
    "Too many requests wait already. Try again shortly, with the same Idempotency-Key.",
);
pub const DATABASE_UNAVAILABLE: Code = Code::new(
    "database_unavailable",
    StatusCode::SERVICE_UNAVAILABLE,
    "The database does not answer. Whether a bet was placed is not known: repeat the request with its Idempotency-Key; \
     without one, look at GET /bets first.",
);
pub const INVALID_SIGNATURE: Code = Code::new(
    "invalid_signature",
    StatusCode::UNAUTHORIZED,
    "The callback's signature is missing, wrong, or too old.",
);

impl From<PlaceBetError> for Problem {
    fn from(error: PlaceBetError) -> Self {
        match error {
            PlaceBetError::Refused { refusal, replayed } => {
                let problem = refused(refusal);
                if replayed {
                    problem.header(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))
                } else {
                    problem
                }
            }
            PlaceBetError::KeyReused => Self::new(&KEY_REUSED),
            PlaceBetError::Halted(Halt::FeedStale) => Self::new(&FEED_STALE).retry_after(1),
            PlaceBetError::Halted(Halt::FeedSuspended) => Self::new(&FEED_SUSPENDED).retry_after(5),
            PlaceBetError::Overloaded => Self::new(&OVERLOADED).retry_after(1),
            PlaceBetError::Store(error) => store_problem(&error).caused_by(error),
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::EventNotFound => Problem::new(&EVENT_NOT_FOUND),
        Refusal::BettingClosed => Problem::new(&BETTING_CLOSED),
        Refusal::OddsChanged { current_odds } => Problem::new(&ODDS_CHANGED)
            .detail(format!("The odds are {current_odds} now."))
            .with("current_odds", current_odds),
    }
}

impl From<InboxError> for Problem {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Full => Self::new(&OVERLOADED).retry_after(1),
            InboxError::NotFollowing => Self::new(&FEED_SUSPENDED).retry_after(5),
            InboxError::Store(error) => store_problem(&error).caused_by(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        store_problem(&error).caused_by(error)
    }
}

/// 503 where the database is away, shutting down, or waited for in vain; 500 where we broke a rule of our own.
fn store_problem(error: &StoreError) -> Problem {
    let away = || Problem::new(&DATABASE_UNAVAILABLE).retry_after(1);
    match error {
        StoreError::Unavailable(_) | StoreError::TimedOut => away(),
        StoreError::Busy => Problem::new(&OVERLOADED).retry_after(1),
        // diesel tells no SQLSTATE: shutdown, deadlock and timeouts are all of unknown kind.
        StoreError::Query(DieselError::DatabaseError(
            DatabaseErrorKind::Unknown
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        )) => away(),
        StoreError::Query(
            DieselError::BrokenTransactionManager | DieselError::RollbackErrorOnCommit { .. },
        ) => away(),
        StoreError::Query(_) | StoreError::SettledTwice(_) | StoreError::Corrupt(_) => {
            Problem::new(&http_edge::codes::INTERNAL)
        }
    }
}
