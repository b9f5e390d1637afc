//! What the replay tells at the end: a table of planned sums beside those read back, rates, bad rows and
//! differences. Pure text from numbers; printing is the caller's.

use std::fmt::Write as _;
use std::time::Duration;

use crate::expect::Sums;
use crate::games::BadRow;

/// How many differences are named; the others are counted.
const DIFFERENCES_NAMED: usize = 20;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The game's line in the file; `None` for the sums of all games.
    pub line: Option<u64>,
    pub text: String,
}

impl Difference {
    pub const fn of_game(line: u64, text: String) -> Self {
        Self {
            line: Some(line),
            text,
        }
    }

    /// The difference between a column of the table and the plan, if there is one.
    pub fn of_sums(column: &Column<'_>, planned: &Sums) -> Option<Self> {
        let text = format!("the sums of {} are not the planned ones", column.title);
        (column.sums != planned).then_some(Self { line: None, text })
    }
}

/// A column of the table.
pub struct Column<'a> {
    pub title: &'a str,
    pub sums: &'a Sums,
}

/// The sums beside each other, one row per kind.
pub fn table(columns: &[Column<'_>]) -> String {
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(columns.iter().map(|column| column.title.to_owned()))
            .collect::<Vec<_>>(),
    ];
    type Show = fn(&Sums) -> String;
    let kinds: [(&str, Show); 9] = [
        ("games", |sums| grouped(sums.games)),
        ("bets", |sums| grouped(sums.bets)),
        ("won", |sums| grouped(sums.won)),
        ("lost", |sums| grouped(sums.lost)),
        ("void", |sums| grouped(sums.void)),
        ("pending", |sums| grouped(sums.pending)),
        ("staked", |sums| money(sums.staked_cents)),
        ("paid", |sums| money(sums.paid_cents)),
        ("house result", |sums| money(sums.house_cents())),
    ];
    for (kind, show) in kinds {
        let cells = columns.iter().map(|column| show(column.sums));
        rows.push(std::iter::once(kind.to_owned()).chain(cells).collect());
    }
    aligned(&rows)
}

/// First column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let written = match column {
                0 => write!(text, "  {cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
            written.expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text
}

/// The rows that were left out, each with its line and reasons.
pub fn bad_rows(rows: &[BadRow]) -> String {
    let mut text = format!("bad rows: {}\n", grouped(count(rows)));
    for row in rows {
        text += &format!("  line {}: {}\n", row.line, row.reasons.join("; "));
    }
    text
}

/// The verdict: everything equal, or the first differences by line.
pub fn verdict(mut differences: Vec<Difference>) -> String {
    if differences.is_empty() {
        return "equal: every bet and every sum is as expected\n".to_owned();
    }
    differences.sort_by_key(|difference| difference.line);
    let mut text = format!("DIFFERENT, in so many places: {}\n", grouped(count(&differences)));
    for Difference {
        line,
        text: difference,
    } in differences.iter().take(DIFFERENCES_NAMED)
    {
        text += &match line {
            Some(line) => format!(
                "  line {line}: {difference}
"
            ),
            None => format!(
                "  {difference}
"
            ),
        };
    }
    if let Some(more @ 1..) = differences.len().checked_sub(DIFFERENCES_NAMED) {
        text += &format!("  and {more} more\n");
    }
    text
}

/// How long things took: median, 99th percentile and the longest; `"-"` where there was nothing.
pub fn spread(mut durations: Vec<Duration>) -> String {
    durations.sort();
    let percentile = |percent: usize| {
        let rank = (durations.len() * percent).div_ceil(100);
        durations.get(rank.saturating_sub(1)).copied()
    };
    match (percentile(50), percentile(99), durations.last()) {
        (Some(p50), Some(p99), Some(longest)) => {
            format!(
                "p50 {}, p99 {}, longest {}",
                millis(p50),
                millis(p99),
                millis(*longest)
            )
        }
        _ => "-".to_owned(),
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// So many per second, whole; 0 where no time passed.
pub fn rate(count: u64, within: Duration) -> String {
    let per_second = u128::from(count) * 1000 / within.as_millis().max(1);
    grouped(u64::try_from(per_second).unwrap_or(u64::MAX))
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// `1234567` as `"1,234,567"`.
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cents as `"-1,234.56"`.
pub fn money(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_signed() {
        assert_eq!(money(0), "0.00");
        assert_eq!(money(99_999), "999.99");
        assert_eq!(money(100_000), "1,000.00");
        assert_eq!(money(-123_456_789), "-1,234,567.89");
    }

    #[test]
    fn the_spread_takes_the_nearest_rank() {
        assert_eq!(spread(Vec::new()), "-");
        let durations = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(spread(durations), "p50 100.0 ms, p99 198.0 ms, longest 200.0 ms");
        assert_eq!(
            spread(vec![Duration::from_millis(5)]),
            "p50 5.0 ms, p99 5.0 ms, longest 5.0 ms"
        );
    }

    #[test]
    fn the_first_differences_are_named_by_line_and_the_others_counted() {
        assert!(verdict(Vec::new()).starts_with("equal"));
        let differences = (1..=22)
            .rev()
            .map(|line| Difference::of_game(line, "is off".to_owned()))
            .collect();
        let text = verdict(differences);
        assert!(
            text.starts_with("DIFFERENT, in so many places: 22\n  line 1: is off\n"),
            "{text}"
        );
        assert!(text.ends_with("  line 20: is off\n  and 2 more\n"), "{text}");
    }

    #[test]
    fn the_table_aligns_its_columns() {
        let sums = Sums {
            games: 1234,
            staked_cents: 100,
            ..Sums::default()
        };
        let text = table(&[Column {
            title: "planned",
            sums: &sums,
        }]);
        let widths: Vec<_> = text.lines().map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        assert!(text.contains("  games           1,234\n"), "{text}");
    }
}
