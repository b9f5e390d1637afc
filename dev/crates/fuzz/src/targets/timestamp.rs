//! Moments from RFC 3339, against a reader of its own that counts days by the calendar's rule.

use shared_types::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let parsed = text.parse::<Timestamp>();
    match (parsed, read(text)) {
        (Ok(at), Some(micros)) => {
            assert_eq!(at.unix_micros(), micros, "{text:?}");
            check_round_trip(at);
        }
        (Ok(at), None) => assert!(is_leap_second(text), "{text:?} was read as {at}"),
        (Err(_), Some(micros)) => panic!("{text:?} was refused, but is {micros}"),
        (Err(_), None) => {}
    }
}

fn check_round_trip(at: Timestamp) {
    let written = at.to_string();
    assert_eq!(written.parse(), Ok(at), "{written}");
    assert_eq!(read(&written), Some(at.unix_micros()), "{written}");
    assert!(written.ends_with('Z'), "{written}");
    let decimals = written
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len() - 1);
    assert!(decimals <= 6, "{written} is finer than a microsecond");
    assert_eq!(
        Timestamp::from_unix_micros(at.unix_micros()),
        Some(at),
        "{written}"
    );
    let json = serde_json::to_string(&at).expect("a moment is a string");
    assert_eq!(
        serde_json::from_str::<Timestamp>(&json).ok(),
        Some(at),
        "{written}"
    );
}

/// The 61st second of a minute, which some days have in UTC; it is read as the last moment before it ends.
fn is_leap_second(text: &str) -> bool {
    text.get(16..19) == Some(":60")
}

/// Microseconds since 1970, or nothing for what is not a moment of the years 0 to 9999 in UTC.
fn read(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse::<i64>().ok())?
    };
    let punctuation: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    let is_punctuated = |(at, one_of): (usize, &[u8])| bytes.get(at).is_some_and(|b| one_of.contains(b));
    if !punctuation.into_iter().all(is_punctuated) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let (fraction, zone) = split_fraction(text.get(19..)?)?;
    let is_moment = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_moment {
        return None;
    }
    let seconds =
        days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    let first = days_since_1970(0, 1, 1) * 86_400;
    let end = days_since_1970(10_000, 1, 1) * 86_400;
    (first..end)
        .contains(&seconds)
        .then_some(seconds * MICROS_PER_SECOND + fraction)
}

/// Microseconds, cut off, and what follows the fraction.
fn split_fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(digits) = rest.strip_prefix('.') else {
        return Some((0, rest));
    };
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = digits.split_at_checked(end)?;
    if fraction.is_empty() {
        return None;
    }
    let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some((six.parse().ok()?, zone))
}

fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |text: &str| {
        let is_right = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        is_right.then(|| text.parse::<i64>().ok())?
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let of_years = |from: i64, to: i64| {
        (from..to)
            .map(|year| if is_leap_year(year) { 366 } else { 365 })
            .sum::<i64>()
    };
    let years = if year < 1970 {
        -of_years(year, 1970)
    } else {
        of_years(1970, year)
    };
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}
