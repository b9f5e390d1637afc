//! How enums and numbers of the contract stand in columns.

use diesel::prelude::*;
use shared_types::{BetStatus, EventStatus, VoidReason};
use time::OffsetDateTime;

use super::StoreError;

pub const fn event_status(status: EventStatus) -> i16 {
    match status {
        EventStatus::Unfinished => 0,
        EventStatus::FirstTeamWon => 1,
        EventStatus::SecondTeamWon => 2,
        EventStatus::Cancelled => 3,
    }
}

/// The status of a code.
///
/// # Errors
/// [`StoreError::Corrupt`] for a code that none has.
pub fn to_event_status(code: i16) -> Result<EventStatus, StoreError> {
    EventStatus::ALL
        .into_iter()
        .find(|status| event_status(*status) == code)
        .ok_or_else(|| corrupt("event status", code))
}

pub const fn bet_status(status: BetStatus) -> i16 {
    match status {
        BetStatus::Pending => 0,
        BetStatus::Won => 1,
        BetStatus::Lost => 2,
        BetStatus::Void => 3,
    }
}

/// The status of a code.
///
/// # Errors
/// [`StoreError::Corrupt`] for a code that none has.
pub fn to_bet_status(code: i16) -> Result<BetStatus, StoreError> {
    BetStatus::ALL
        .into_iter()
        .find(|status| bet_status(*status) == code)
        .ok_or_else(|| corrupt("bet status", code))
}

pub const fn void_reason(reason: VoidReason) -> i16 {
    match reason {
        VoidReason::EventCancelled => 1,
        VoidReason::PlacedAfterClose => 2,
    }
}

/// The reason of a code.
///
/// # Errors
/// [`StoreError::Corrupt`] for a code that none has.
pub fn to_void_reason(code: i16) -> Result<VoidReason, StoreError> {
    match code {
        1 => Ok(VoidReason::EventCancelled),
        2 => Ok(VoidReason::PlacedAfterClose),
        _ => Err(corrupt("void reason", code)),
    }
}

/// A counter of the contract as a `bigint`.
pub fn to_bigint(count: u64) -> i64 {
    i64::try_from(count).expect("counters stay below 2^63")
}

/// A `bigint` that only ever counts.
///
/// # Errors
/// [`StoreError::Corrupt`] for a negative one.
pub fn to_count(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| corrupt("counter", value))
}

pub fn corrupt(what: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {value}"))
}

/// The columns of [`shared_types::Event`], in one row.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = super::schema::events, check_for_backend(diesel::pg::Pg))]
pub struct EventColumns {
    pub id: String,
    pub title: String,
    pub odds: i32,
    pub deadline: OffsetDateTime,
    pub status: i16,
    pub revision: i64,
    pub closed_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl TryFrom<EventColumns> for shared_types::Event {
    type Error = StoreError;

    fn try_from(row: EventColumns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("event id", &row.id))?,
            title: row.title,
            odds: shared_types::Odds::from_hundredths(row.odds.into())
                .map_err(|_| corrupt("odds", row.odds))?,
            deadline: row.deadline.into(),
            status: to_event_status(row.status)?,
            revision: to_count(row.revision)?,
            closed_at: row.closed_at.map(Into::into),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_no_other_does() {
        for status in EventStatus::ALL {
            assert_eq!(to_event_status(event_status(status)).unwrap(), status);
        }
        for status in BetStatus::ALL {
            assert_eq!(to_bet_status(bet_status(status)).unwrap(), status);
        }
        for reason in [VoidReason::EventCancelled, VoidReason::PlacedAfterClose] {
            assert_eq!(to_void_reason(void_reason(reason)).unwrap(), reason);
        }
        assert!(to_event_status(4).is_err() && to_bet_status(-1).is_err() && to_void_reason(0).is_err());
    }
}
