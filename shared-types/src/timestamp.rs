//! Moments: UTC, microseconds, RFC 3339 on the wire.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::schema::scalar_schema;

/// A moment in UTC, truncated to microseconds when it is made, because that is what Postgres keeps; written
/// `"2026-03-01T18:00:00Z"`, with a fraction of up to six digits where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

scalar_schema!(Timestamp, "Timestamp");

/// The text is not RFC 3339 with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time with an offset, such as \"2026-03-01T18:00:00Z\"")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Reads this machine's clock. The only such read of both services; rules take the time as an argument.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now() -> Self {
        OffsetDateTime::now_utc().into()
    }

    pub const fn as_offset_date_time(self) -> OffsetDateTime {
        self.0
    }

    pub const fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Microseconds since 1970.
    pub fn unix_micros(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1000)
            .expect("years -9999 to 9999 fit into an i64 of microseconds")
    }

    /// The moment that many microseconds after 1970, or `None` outside the years -9999 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
            .ok()
            .map(Self)
    }

    /// The moment `later` after this one, or the last moment that can be told.
    pub fn saturating_add(self, later: Duration) -> Self {
        let later = time::Duration::try_from(later).unwrap_or(time::Duration::MAX);
        self.0.saturating_add(later).to_offset(UtcOffset::UTC).into()
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0 - earlier.0).unwrap_or(Duration::ZERO)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(value: OffsetDateTime) -> Self {
        let utc = value.to_offset(UtcOffset::UTC);
        let micros = utc.microsecond();
        Self(
            utc.replace_microsecond(micros)
                .expect("a microsecond of a moment is in range"),
        )
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        // The parser takes any character between date and time. RFC 3339 has a T there, or a blank for readability.
        if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
            return Err(InvalidTimestamp);
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        // An offset can carry the first or last year of RFC 3339 over its edge.
        match parsed.checked_to_offset(UtcOffset::UTC) {
            Some(utc) if (0..=9999).contains(&utc.year()) => Ok(utc.into()),
            _ => Err(InvalidTimestamp),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_utc_and_nanoseconds_are_cut() {
        let at: Timestamp = "2026-03-01T19:00:00.123456789+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-03-01T18:00:00.123456Z");
        let whole: Timestamp = "2026-03-01T18:00:00Z".parse().unwrap();
        assert_eq!(whole.to_string(), "2026-03-01T18:00:00Z");
    }

    #[test]
    fn a_time_without_offset_or_out_of_range_is_refused() {
        let bad = [
            "",
            "2026-03-01",
            "2026-03-01T18:00:00",
            "2026-02-30T00:00:00Z",
            "0000-01-01T00:00:00+01:00",
        ];
        for text in bad {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn date_and_time_are_parted_by_a_t_or_a_blank_and_by_nothing_else() {
        for separator in ["T", "t", " "] {
            let text = format!("2026-03-01{separator}18:00:00Z");
            assert_eq!(
                text.parse::<Timestamp>().unwrap().to_string(),
                "2026-03-01T18:00:00Z"
            );
        }
        for separator in ["", "9", "_", "\0", "\n", "-", "TT"] {
            let text = format!("2026-03-01{separator}18:00:00Z");
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text:?}");
        }
    }

    #[test]
    fn microseconds_survive_the_way_there_and_back() {
        let at: Timestamp = "1969-12-31T23:59:59.999999Z".parse().unwrap();
        assert_eq!(at.unix_micros(), -1);
        assert_eq!(Timestamp::from_unix_micros(-1), Some(at));
    }
}
