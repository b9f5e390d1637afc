//! Decimal tokens: how money and odds are read from JSON without ever becoming a float.
//!
//! `1.85` and `"1.85"` are both taken, from the raw text of the token. Grammar of the text: an optional minus,
//! an integer part without superfluous zeros, at most two decimals. No exponent, no plus, no blanks.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

use crate::schema::scalar_schema;

/// The text of a JSON number or string, as it was sent; its rules are checked when it becomes
/// [`Money`](crate::Money) or [`Odds`](crate::Odds).
#[derive(Clone, PartialEq, Eq)]
pub struct DecimalToken(Box<str>);

scalar_schema!(DecimalToken, "Decimal");

impl DecimalToken {
    /// The token's text without the quotes of a JSON string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DecimalToken {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for DecimalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for DecimalToken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DecimalToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get())
                .map(Self)
                .map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.get().into())),
            _ => Err(D::Error::custom(
                "expected a decimal as a number or a string, such as \"1.85\"",
            )),
        }
    }
}

/// Why a text is not an amount of hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("must be a plain decimal such as \"1.85\": digits, at most one point, no exponent")]
    Malformed,
    #[error("must have at most two decimals")]
    TooPrecise,
    #[error("must be greater than 0")]
    NotPositive,
    #[error("must be at most {0}")]
    TooLarge(&'static str),
    /// More than an `i64` of hundredths holds, where no lower limit is known.
    #[error("is too large")]
    Overflow,
}

impl DecimalError {
    /// Names the limit that a number breaks which is too large even to be read.
    pub(crate) fn with_limit(self, limit: &'static str) -> Self {
        match self {
            Self::Overflow => Self::TooLarge(limit),
            other => other,
        }
    }
}

/// Reads `text` as a count of hundredths: `"1.85"` is 185.
///
/// # Errors
/// [`DecimalError::Malformed`] for anything but the grammar above, [`DecimalError::TooPrecise`] for a third
/// decimal; beyond what an `i64` of hundredths holds [`DecimalError::Overflow`], or [`DecimalError::NotPositive`]
/// with a minus.
pub(crate) fn hundredths(text: &str) -> Result<i64, DecimalError> {
    let (digits, beyond) = match text.strip_prefix('-') {
        Some(digits) => (digits, DecimalError::NotPositive),
        None => (text, DecimalError::Overflow),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
        Some(_) => return Err(DecimalError::Malformed),
        None => (digits, ""),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || !all_digits(whole)
        || !all_digits(decimals)
        || (whole.len() > 1 && whole.starts_with('0'))
    {
        return Err(DecimalError::Malformed);
    }
    if decimals.len() > 2 {
        return Err(DecimalError::TooPrecise);
    }
    if whole.len() > 17 {
        return Err(beyond);
    }
    let mut decimal: Decimal = text.parse().map_err(|_| DecimalError::Malformed)?;
    decimal.rescale(2);
    i64::try_from(decimal.mantissa()).map_err(|_| beyond)
}

/// Writes a count of hundredths with two decimals: `185` is `"1.85"`.
pub(crate) fn write_hundredths(f: &mut fmt::Formatter<'_>, value: i64) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let value = value.unsigned_abs();
    write!(f, "{sign}{}.{:02}", value / 100, value % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_a_plain_decimal_with_two_decimals_at_most() {
        for (text, expected) in [
            ("0.29", Ok(29)),
            ("10", Ok(1000)),
            ("1.5", Ok(150)),
            ("-0.01", Ok(-1)),
            ("0", Ok(0)),
            ("92233720368547758.07", Ok(i64::MAX)),
            ("92233720368547758.08", Err(DecimalError::Overflow)),
            ("100000000000000000", Err(DecimalError::Overflow)),
            ("-92233720368547758.08", Ok(i64::MIN)),
            ("-92233720368547758.09", Err(DecimalError::NotPositive)),
            ("1.850", Err(DecimalError::TooPrecise)),
            ("1e2", Err(DecimalError::Malformed)),
            ("+1", Err(DecimalError::Malformed)),
            ("1_000", Err(DecimalError::Malformed)),
            ("01.5", Err(DecimalError::Malformed)),
            (".5", Err(DecimalError::Malformed)),
            ("5.", Err(DecimalError::Malformed)),
            ("", Err(DecimalError::Malformed)),
            ("-", Err(DecimalError::Malformed)),
            (" 1", Err(DecimalError::Malformed)),
            ("NaN", Err(DecimalError::Malformed)),
            ("١", Err(DecimalError::Malformed)),
        ] {
            assert_eq!(hundredths(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_token_keeps_the_text_of_a_number_or_a_string() {
        let token = |json: &str| serde_json::from_str::<DecimalToken>(json).map(|t| t.as_str().to_owned());
        assert_eq!(token("1.10").unwrap(), "1.10");
        assert_eq!(token("\"1.10\"").unwrap(), "1.10");
        assert_eq!(
            token("123456789012345678901234567890.1").unwrap(),
            "123456789012345678901234567890.1"
        );
        for json in ["true", "null", "[1]", "{}"] {
            assert!(token(json).is_err(), "{json}");
        }
    }
}
