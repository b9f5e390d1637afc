//! Money: whole cents in an `i64`, a two-decimal string on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::scalar_schema;
use crate::token::{DecimalError, DecimalToken, hundredths, write_hundredths};

/// An amount in minor units (cents), never negative on the wire; written `"12.50"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

scalar_schema!(Money, "Money");

impl Money {
    pub const ZERO: Self = Self(0);
    /// The largest stake of one bet, `"1000000000.00"`. With the largest odds its payout is 10^15 cents,
    /// so that the sum of 9,000 such bets still fits.
    pub const MAX_STAKE: Self = Self(100_000_000_000);

    /// Takes an amount in cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents)
    }

    /// The amount in cents.
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// Reads the stake of a bet: `0 < stake <= MAX_STAKE`.
    ///
    /// # Errors
    /// [`DecimalError`] naming the rule that the token breaks.
    pub fn stake(token: &DecimalToken) -> Result<Self, DecimalError> {
        const MAX_TEXT: &str = "1000000000.00";
        match hundredths(token.as_str()).map_err(|error| error.with_limit(MAX_TEXT))? {
            cents if cents <= 0 => Err(DecimalError::NotPositive),
            cents if cents > Self::MAX_STAKE.0 => Err(DecimalError::TooLarge(MAX_TEXT)),
            cents => Ok(Self(cents)),
        }
    }
}

impl FromStr for Money {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hundredths(text).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, self.0)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = DecimalToken::deserialize(deserializer)?;
        token.as_str().parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stake_lies_above_zero_and_at_most_at_the_limit() {
        let stake = |text: &str| Money::stake(&text.into()).map(Money::cents);
        assert_eq!(stake("0.01"), Ok(1));
        assert_eq!(stake("0.29"), Ok(29));
        assert_eq!(stake("0"), Err(DecimalError::NotPositive));
        assert_eq!(stake("-1"), Err(DecimalError::NotPositive));
        assert_eq!(stake("1000000000.00"), Ok(100_000_000_000));
        for text in ["1000000000.01", "99999999999999999999999999"] {
            assert_eq!(
                stake(text),
                Err(DecimalError::TooLarge("1000000000.00")),
                "{text}"
            );
        }
        assert_eq!(
            stake("-99999999999999999999999999"),
            Err(DecimalError::NotPositive)
        );
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(cents in any::<i64>()) {
            let money = Money::from_cents(cents);
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
            let json = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }

        #[test]
        fn a_json_number_gives_the_same_cents_as_its_string(cents in 0..=Money::MAX_STAKE.cents()) {
            let text = Money::from_cents(cents).to_string();
            prop_assert_eq!(serde_json::from_str::<Money>(&text).unwrap().cents(), cents);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Money>();
        }
    }
}
