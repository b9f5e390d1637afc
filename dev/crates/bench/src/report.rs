//! What was measured, as text: a table of figures beside their limits, and notes under it. Pure.

use crate::stats::{Spread, millis};
use std::fmt::Write as _;
use std::time::Duration;

/// What one benchmark brought.
#[derive(Debug, Default)]
pub struct Section {
    pub figures: Vec<Figure>,
    pub notes: Vec<String>,
    /// What must not happen: wrong answers, lost work.
    pub faults: Vec<String>,
}

/// One line of the table.
#[derive(Debug)]
pub enum Figure {
    /// Beside a limit, measured in the same rounds.
    Rate {
        name: String,
        limit_name: &'static str,
        unit: &'static str,
        /// One of each per round.
        limit: Vec<f64>,
        ours: Vec<f64>,
        at_least: f64,
    },
    /// A duration that has to stay below a bound.
    Time {
        name: String,
        /// What the durations are, such as a median of 200.
        ours: Vec<Duration>,
        below: Duration,
    },
}

impl Figure {
    fn cells(&self) -> Option<[String; 6]> {
        match self {
            Self::Rate {
                name,
                limit_name,
                unit,
                limit,
                ours,
                at_least,
            } => {
                let ratio = Spread::of_ratio(ours, limit)?;
                let show = |values| Some(format!("{}{unit}", number(Spread::of(values)?.median)));
                Some([
                    name.clone(),
                    format!("{}: {limit_name}", show(limit)?),
                    show(ours)?,
                    format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.min, ratio.max),
                    format!("at least {at_least}"),
                    verdict(ratio.median >= *at_least),
                ])
            }
            Self::Time { name, ours, below } => {
                let seconds: Vec<f64> = ours.iter().map(Duration::as_secs_f64).collect();
                let spread = Spread::of(&seconds)?;
                let show = |seconds| millis(Duration::from_secs_f64(seconds));
                Some([
                    name.clone(),
                    String::new(),
                    show(spread.median),
                    format!("({}..{})", show(spread.min), show(spread.max)),
                    format!("below {}", millis(*below)),
                    verdict(spread.median < below.as_secs_f64()),
                ])
            }
        }
    }
}

fn verdict(met: bool) -> String {
    if met { "met" } else { "NOT MET" }.to_owned()
}

/// The table of all sections, then each one's notes and faults.
pub fn render(sections: &[(&str, Section)]) -> String {
    let heading = ["figure", "limit", "ours", "ratio (min..max)", "target", ""].map(str::to_owned);
    let figures = sections.iter().flat_map(|(_, section)| &section.figures);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(figures.filter_map(Figure::cells))
        .collect();
    let mut text = aligned(&rows);
    for (name, section) in sections {
        write!(text, "\n{name}\n").expect("writing to a string cannot fail");
        let faults = section.faults.iter().map(|fault| format!("WRONG: {fault}"));
        for line in section.notes.iter().cloned().chain(faults) {
            writeln!(text, "  {line}").expect("writing to a string cannot fail");
        }
    }
    text
}

fn aligned(rows: &[[String; 6]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            write!(line, "{cell:<width$}  ", width = width(column)).expect("writing to a string cannot fail");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// `12345.6` as `"12,346"`.
pub fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(ours: f64) -> Figure {
        Figure::Rate {
            name: "bets".to_owned(),
            limit_name: "pgbench",
            unit: "/s",
            limit: vec![1000.0, 2000.0],
            ours: vec![ours, ours],
            at_least: 1.0,
        }
    }

    #[test]
    fn numbers_are_rounded_and_grouped() {
        assert_eq!(number(999.4), "999");
        assert_eq!(number(1_234_567.8), "1,234,568");
    }

    #[test]
    fn a_figure_is_met_at_its_very_target() {
        let line = |ours| {
            render(&[(
                "placing",
                Section {
                    figures: vec![rate(ours)],
                    ..Section::default()
                },
            )])
        };
        assert!(
            line(1500.0).contains("  1.00 (0.75..1.50)  at least 1  met\n"),
            "{}",
            line(1500.0)
        );
        assert!(line(1490.0).contains("NOT MET"), "{}", line(1490.0));
    }

    #[test]
    fn a_time_at_its_bound_is_not_met() {
        let time = |ms| Figure::Time {
            name: "start".to_owned(),
            ours: vec![Duration::from_millis(ms)],
            below: Duration::from_millis(10),
        };
        let met = |ms| time(ms).cells().unwrap()[5].clone();
        assert_eq!((met(9).as_str(), met(10).as_str()), ("met", "NOT MET"));
    }

    #[test]
    fn faults_stand_out_below_the_notes() {
        let section = Section {
            notes: vec!["warm".to_owned()],
            faults: vec!["3 bets are lost".to_owned()],
            ..Section::default()
        };
        let text = render(&[("placing", section)]);
        assert!(
            text.ends_with("\nplacing\n  warm\n  WRONG: 3 bets are lost\n"),
            "{text}"
        );
    }
}
