//! Odds on the first team's win: whole hundredths in an `i32`, a two-decimal string on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::scalar_schema;
use crate::token::{DecimalError, DecimalToken, hundredths, write_hundredths};

/// Decimal odds, `0 < odds <= 10000.00`; written `"1.85"`: a stake of `"10.00"` pays `"18.50"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Odds(i32);

scalar_schema!(Odds, "Odds");

impl Odds {
    pub const MAX: Self = Self(1_000_000);
    const MAX_TEXT: &'static str = "10000.00";

    /// Takes odds in hundredths: `185` is `"1.85"`.
    ///
    /// # Errors
    /// [`DecimalError::NotPositive`] or [`DecimalError::TooLarge`] outside `1..=1_000_000`.
    pub fn from_hundredths(value: i64) -> Result<Self, DecimalError> {
        match i32::try_from(value) {
            Ok(value) if value > Self::MAX.0 => Err(DecimalError::TooLarge(Self::MAX_TEXT)),
            Ok(value) if value > 0 => Ok(Self(value)),
            Err(_) if value > 0 => Err(DecimalError::TooLarge(Self::MAX_TEXT)),
            _ => Err(DecimalError::NotPositive),
        }
    }

    /// The odds in hundredths.
    pub const fn hundredths(self) -> i32 {
        self.0
    }
}

impl FromStr for Odds {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hundredths(text)
            .map_err(|error| error.with_limit(Self::MAX_TEXT))
            .and_then(Self::from_hundredths)
    }
}

impl TryFrom<&DecimalToken> for Odds {
    type Error = DecimalError;

    fn try_from(token: &DecimalToken) -> Result<Self, Self::Error> {
        token.as_str().parse()
    }
}

impl fmt::Display for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, self.0.into())
    }
}

impl Serialize for Odds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Odds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = DecimalToken::deserialize(deserializer)?;
        Self::try_from(&token).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odds_lie_above_zero_and_at_most_at_ten_thousand() {
        let odds = |text: &str| text.parse::<Odds>().map(Odds::hundredths);
        assert_eq!(odds("0.01"), Ok(1));
        assert_eq!(odds("0"), Err(DecimalError::NotPositive));
        assert_eq!(odds("0.00"), Err(DecimalError::NotPositive));
        assert_eq!(odds("-1"), Err(DecimalError::NotPositive));
        assert_eq!(odds("0.005"), Err(DecimalError::TooPrecise));
        assert_eq!(odds("10000.00"), Ok(1_000_000));
        assert_eq!(odds("10000.01"), Err(DecimalError::TooLarge("10000.00")));
        for text in ["99999999999", "99999999999999999999999999"] {
            assert_eq!(odds(text), Err(DecimalError::TooLarge("10000.00")), "{text}");
        }
        assert_eq!(
            odds("-99999999999999999999999999"),
            Err(DecimalError::NotPositive)
        );
    }

    proptest! {
        #[test]
        fn every_value_survives_its_text(hundredths in 1..=Odds::MAX.hundredths()) {
            let odds = Odds::from_hundredths(hundredths.into()).unwrap();
            prop_assert_eq!(odds.to_string().parse::<Odds>(), Ok(odds));
        }
    }
}
