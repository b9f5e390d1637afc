//! The CSV of games: which rows can be played, and what is wrong with the others.
//!
//! Columns are found by their name in the header, in any order; further ones are ignored. Real files are dirty:
//! a row that breaks a rule becomes a [`BadRow`] with its line and every reason, and never stops the reading.
//! Only a file without a usable header is an error.

use csv::{ByteRecord, ReaderBuilder, Trim};
use shared_types::{EventStatus, Odds};

/// The columns that a file must have.
const COLUMNS: [&str; 8] = [
    "season",
    "date",
    "first_team",
    "second_team",
    "first_team_odds",
    "first_team_score",
    "second_team_score",
    "result",
];

/// The longest title that an event may have, in characters.
const TITLE_MAX_CHARS: usize = 200;

/// How a game ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    FirstTeamWon,
    SecondTeamWon,
    Tie,
}

impl Outcome {
    /// The status that tells bettors of this outcome: a tie cancels.
    pub const fn status(self) -> EventStatus {
        match self {
            Self::FirstTeamWon => EventStatus::FirstTeamWon,
            Self::SecondTeamWon => EventStatus::SecondTeamWon,
            Self::Tie => EventStatus::Cancelled,
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "first_team_won" => Self::FirstTeamWon,
            "second_team_won" => Self::SecondTeamWon,
            "tie" => Self::Tie,
            _ => return None,
        })
    }

    const fn from_scores(first: u32, second: u32) -> Self {
        if first > second {
            Self::FirstTeamWon
        } else if first < second {
            Self::SecondTeamWon
        } else {
            Self::Tie
        }
    }
}

/// A row that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// Where its row begins in the file, counted from 1 (the header).
    pub line: u64,
    pub season: String,
    /// `"First – Second"`.
    pub title: String,
    /// On the first team's win.
    pub odds: Odds,
    pub outcome: Outcome,
}

/// A row that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub line: u64,
    /// Empty where the row does not tell.
    pub season: String,
    pub reasons: Vec<String>,
}

/// A file of games, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Games {
    pub good: Vec<Game>,
    pub bad: Vec<BadRow>,
}

impl Games {
    /// Keeps one season; bad rows that do not tell theirs stay.
    pub fn retain_season(&mut self, season: &str) {
        self.good.retain(|game| game.season == season);
        self.bad
            .retain(|row| row.season.is_empty() || row.season == season);
    }
}

/// Why a file has no games at all.
#[derive(Debug, thiserror::Error)]
pub enum GamesError {
    #[error("the header lacks the column(s) {}; it needs {}", .0.join(", "), COLUMNS.join(","))]
    MissingColumns(Vec<&'static str>),
    #[error("cannot read the rows")]
    Csv(#[from] csv::Error),
}

/// Reads the bytes of a CSV file.
///
/// # Errors
/// [`GamesError::MissingColumns`] where the header (which an empty file lacks) does not name them all.
pub fn parse(content: &[u8]) -> Result<Games, GamesError> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(content);
    let header = reader.byte_headers()?.clone();
    let columns = Columns::find(&header)?;
    let mut lines = Lines::new(content);
    let mut games = Games::default();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.of_record_at(start);
        match columns.read(line, &record) {
            Ok(game) => games.good.push(game),
            Err(bad) => games.bad.push(bad),
        }
    }
    Ok(games)
}

/// Counts lines up to a record. The reader's own count is that of the end of the record before, blank lines
/// and the second half of `\r\n` not yet taken.
struct Lines<'a> {
    content: &'a [u8],
    counted_bytes: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    const fn new(content: &'a [u8]) -> Self {
        Self {
            content,
            counted_bytes: 0,
            line: 1,
        }
    }

    /// The line on which the record begins that the reader found from byte `start` on; `start` never falls.
    fn of_record_at(&mut self, start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let rest = self.content.get(self.counted_bytes..).unwrap_or_default();
        let before = start.saturating_sub(self.counted_bytes);
        for (at, byte) in rest.iter().enumerate() {
            if at >= before && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.counted_bytes += 1;
            self.line += u64::from(*byte == b'\n');
        }
        self.line
    }
}

/// Where each column of [`COLUMNS`] is in this file.
struct Columns {
    places: [usize; COLUMNS.len()],
    width: usize,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, GamesError> {
        let mut places = [0; COLUMNS.len()];
        let mut missing = Vec::new();
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            match header.iter().position(|field| field == name.as_bytes()) {
                Some(found) => *place = found,
                None => missing.push(name),
            }
        }
        if missing.is_empty() {
            Ok(Self {
                places,
                width: header.len(),
            })
        } else {
            Err(GamesError::MissingColumns(missing))
        }
    }

    fn read(&self, line: u64, record: &ByteRecord) -> Result<Game, BadRow> {
        let bad = |season: &str, reasons| BadRow {
            line,
            season: season.to_owned(),
            reasons,
        };
        if record.len() != self.width {
            let reason = format!("has {} columns instead of {}", record.len(), self.width);
            return Err(bad("", vec![reason]));
        }
        let mut fields = [""; COLUMNS.len()];
        for (field, place) in fields.iter_mut().zip(self.places) {
            *field = std::str::from_utf8(record.get(place).unwrap_or_default())
                .map_err(|_| bad("", vec!["is not UTF-8".to_owned()]))?;
        }
        read_row(line, fields).map_err(|reasons| bad(fields[0], reasons))
    }
}

/// Reads the fields of one row, in the order of [`COLUMNS`]; on failure tells everything that is wrong.
fn read_row(line: u64, fields: [&str; COLUMNS.len()]) -> Result<Game, Vec<String>> {
    let [
        season,
        _date,
        first,
        second,
        odds,
        first_score,
        second_score,
        result,
    ] = fields;
    let mut reasons = Vec::new();
    let mut take = |problem: Option<String>| reasons.extend(problem);
    take(team_problem("first_team", first));
    take(team_problem("second_team", second));
    let title = format!("{first} – {second}");
    if title.chars().count() > TITLE_MAX_CHARS {
        take(Some(format!(
            "the teams' names exceed {TITLE_MAX_CHARS} characters"
        )));
    }
    let odds = read_odds(odds).map_err(|problem| take(Some(problem)));
    let first_score = read_score("first_team_score", first_score).map_err(|problem| take(Some(problem)));
    let second_score = read_score("second_team_score", second_score).map_err(|problem| take(Some(problem)));
    let outcome = Outcome::from_word(result)
        .ok_or_else(|| take(Some(format!("result {result:?} is not a known word"))));
    if let (Ok(first), Ok(second), Ok(outcome)) = (first_score, second_score, outcome)
        && Outcome::from_scores(first, second) != outcome
    {
        take(Some(format!(
            "result {result} does not match the score {first}:{second}"
        )));
    }
    match (odds, outcome) {
        (Ok(odds), Ok(outcome)) if reasons.is_empty() => Ok(Game {
            line,
            season: season.to_owned(),
            title,
            odds,
            outcome,
        }),
        _ => Err(reasons),
    }
}

fn team_problem(column: &str, name: &str) -> Option<String> {
    if name.is_empty() {
        Some(format!("{column} is missing"))
    } else if name.chars().any(char::is_control) || !name.chars().any(char::is_alphabetic) {
        Some(format!("{column} {name:?} is not a team's name"))
    } else {
        None
    }
}

fn read_odds(text: &str) -> Result<Odds, String> {
    if text.is_empty() {
        return Err("first_team_odds is missing".to_owned());
    }
    text.parse()
        .map_err(|error| format!("first_team_odds {text:?} {error}"))
}

fn read_score(column: &str, text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err(format!("{column} is missing"));
    }
    text.parse()
        .map_err(|_| format!("{column} {text:?} is not a whole number"))
}

#[cfg(test)]
mod tests;
