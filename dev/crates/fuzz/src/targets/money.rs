//! Money, stakes and odds from text and from JSON, against a reader that counts digits in an `i128`.

use shared_types::money::Money;
use shared_types::odds::Odds;
use shared_types::token::{DecimalError, DecimalToken};

const MAX_STAKE_CENTS: i128 = 100_000_000_000;
const MAX_ODDS_HUNDREDTHS: i128 = 1_000_000;

/// What the text must be read as.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Hundredths(i128),
    TooPrecise,
    Malformed,
}

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let reading = read(text);
    check_money(text, &reading);
    check_limits(text, &reading);
    check_json(text);
}

fn check_money(text: &str, reading: &Reading) {
    let parsed = text.parse::<Money>();
    match (parsed, reading) {
        (Ok(money), Reading::Hundredths(hundredths)) => {
            assert_eq!(i128::from(money.cents()), *hundredths, "{text:?}");
            assert_eq!(money.to_string().parse(), Ok(money), "{text:?}");
            assert_eq!(read(&money.to_string()), *reading, "{text:?}");
        }
        (Err(DecimalError::Malformed), Reading::Malformed)
        | (Err(DecimalError::TooPrecise), Reading::TooPrecise) => {}
        (Err(DecimalError::Overflow), Reading::Hundredths(hundredths)) => {
            assert!(*hundredths > i128::from(i64::MAX), "{text:?} fits");
        }
        (Err(DecimalError::NotPositive), Reading::Hundredths(hundredths)) => {
            assert!(*hundredths < i128::from(i64::MIN), "{text:?} fits");
        }
        (parsed, reading) => panic!("{text:?} is {reading:?}, but was read as {parsed:?}"),
    }
}

/// A stake and odds are what money is, within their limits; the refusal names the limit that is broken.
fn check_limits(text: &str, reading: &Reading) {
    let token = DecimalToken::from(text);
    let stake = Money::stake(&token).map(|money| i128::from(money.cents()));
    let odds = Odds::try_from(&token).map(|odds| i128::from(odds.hundredths()));
    for (parsed, max) in [(stake, MAX_STAKE_CENTS), (odds, MAX_ODDS_HUNDREDTHS)] {
        let is_right = match (&parsed, reading) {
            (Ok(value), Reading::Hundredths(hundredths)) => value == hundredths && (1..=max).contains(value),
            (Err(DecimalError::NotPositive), Reading::Hundredths(hundredths)) => *hundredths <= 0,
            (Err(DecimalError::TooLarge(_)), Reading::Hundredths(hundredths)) => *hundredths > max,
            (Err(DecimalError::Malformed), Reading::Malformed) => true,
            (Err(DecimalError::TooPrecise), Reading::TooPrecise) => true,
            _ => false,
        };
        assert!(
            is_right,
            "{text:?} is {reading:?}, but was read as {parsed:?}, at most {max}"
        );
    }
    if let Ok(odds) = text.parse::<Odds>() {
        assert_eq!(odds.to_string().parse(), Ok(odds), "{text:?}");
    }
}

/// A JSON string and a JSON number of the same text are the same money, and it is written back as a string.
fn check_json(text: &str) {
    let quoted = serde_json::to_string(text).expect("any text can be quoted");
    let from_string = serde_json::from_str::<Money>(&quoted).ok();
    assert_eq!(from_string, text.parse().ok(), "{text:?}");
    let from_token = serde_json::from_str::<Money>(text).ok();
    // JSON takes blanks around a number, and escapes in a string, which are not of the money's text.
    if serde_json::from_str::<serde_json::Number>(text).is_ok() && text.trim() == text {
        assert_eq!(
            from_token, from_string,
            "{text:?} differs between a number and a string"
        );
    }
    if let Some(money) = from_token.or(from_string) {
        let json = serde_json::to_string(&money).expect("money is a string");
        assert_eq!(serde_json::from_str::<Money>(&json).ok(), Some(money), "{text:?}");
    }
}

/// By the grammar: an optional minus, digits without superfluous zeros, at most two decimals.
fn read(text: &str) -> Reading {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut parts = digits.splitn(2, '.');
    let (whole, decimals) = (parts.next().unwrap_or_default(), parts.next());
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !decimals.is_none_or(is_number) || (whole.len() > 1 && whole.starts_with('0')) {
        return Reading::Malformed;
    }
    let decimals = decimals.unwrap_or_default();
    if decimals.len() > 2 {
        return Reading::TooPrecise;
    }
    let padded = format!("{whole}{decimals:0<2}");
    let value = padded.chars().fold(0_i128, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(digit.to_digit(10).unwrap_or_default().into())
    });
    Reading::Hundredths(sign * value)
}
