//! `bet-maker verify`: checks a live database, in one snapshot that nothing writes to, and line-provider's log beside it.
//!
//! | check | what it finds |
//! | --- | --- |
//! | `placed_before_close` | a bet at or after the deadline, at other odds, or on a final state of the revision it names |
//! | `settled_by_newest` | a bet that is not what its event's newest result makes of it, to the cent |
//! | `ledger_agrees` | a bet that its ledger does not add up to, lines without a bet, bets without lines |
//! | `keys_agree` | an idempotency key without its bet, a bet with two keys |
//! | `sums_agree` | an exposure that is not the sum of its bets |
//! | `events_follow_the_log` | a gap in the log, an event that is not what the log says, a bookmark that is not in it |
//!
//! The snapshot is taken first and the log is read after it: whatever the snapshot holds was in the log before, and what
//! the log has beyond it is no finding. What is under way is counted, not found: a snapshot sees a chunk of
//! settlement whole or not at all.

mod events;
mod log;
mod placed;
mod sums;

use std::time::Duration;

use http_edge::report::{Check, Report};
use http_edge::telemetry::chain;
use secrecy::{ExposeSecret as _, SecretString};

use crate::feed::client::LineProvider;
use crate::store::audit::{self, AuditError};
use crate::store::feed::FeedState;
use crate::store::{StoreError, feed};
use log::Log;

pub const PLACED_BEFORE_CLOSE: &str = "placed_before_close";
pub const SETTLED_BY_NEWEST: &str = "settled_by_newest";
pub const LEDGER_AGREES: &str = "ledger_agrees";
pub const KEYS_AGREE: &str = "keys_agree";
pub const SUMS_AGREE: &str = "sums_agree";
pub const EVENTS_FOLLOW_THE_LOG: &str = "events_follow_the_log";

/// Which books to verify, and how strictly.
#[derive(Clone, Debug)]
pub struct Books {
    pub database_url: SecretString,
    /// Where the log is; without it only what the tables tell is checked.
    pub line_provider_url: Option<String>,
    pub due: Due,
    /// Over all of it; half of it for the log.
    pub within: Duration,
}

/// What to make of results whose settlement is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// They are under way.
    Noted,
    /// All should be settled by now.
    Found,
}

/// Why the books could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the database cannot be checked")]
    Database(#[from] AuditError),
    #[error("it took longer than {0:?}")]
    TimedOut(Duration),
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.into())
    }
}

/// What each check found so far. They end in this order; the log is looked at first, and its events last.
struct Checks {
    placed: Check,
    settled: Check,
    ledger: Check,
    keys: Check,
    sums: Check,
    follow: Check,
    ended: usize,
}

impl Checks {
    const fn new() -> Self {
        Self {
            placed: Check::new(PLACED_BEFORE_CLOSE),
            settled: Check::new(SETTLED_BY_NEWEST),
            ledger: Check::new(LEDGER_AGREES),
            keys: Check::new(KEYS_AGREE),
            sums: Check::new(SUMS_AGREE),
            follow: Check::new(EVENTS_FOLLOW_THE_LOG),
            ended: 0,
        }
    }

    fn in_order(self) -> [Check; 6] {
        [
            self.placed,
            self.settled,
            self.ledger,
            self.keys,
            self.sums,
            self.follow,
        ]
    }
}

/// Verifies the books. What keeps it from an end, once something was found, and a log that cannot be read leave the report
/// unwhole. Needs an actix system where a log is to be read.
///
/// # Errors
/// [`VerifyError`], by cause: nothing was found until then.
pub async fn verify(books: &Books) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let mut checks = Checks::new();
    let checked = tokio::time::timeout(books.within, check(books, &mut checks, &mut report)).await;
    let ended = checks.ended;
    let mut cut_short = Vec::new();
    for (place, check) in checks.in_order().into_iter().enumerate() {
        if place >= ended {
            cut_short.push(check.name());
        }
        report.add(check);
    }
    match checked.unwrap_or(Err(VerifyError::TimedOut(books.within))) {
        Err(error) if report.found() == 0 => return Err(error),
        Err(error) => {
            report.could_not_check(format!("{} to the end: {}", cut_short.join(", "), chain(&error)));
        }
        Ok(()) => {}
    }
    Ok(report)
}

async fn check(books: &Books, checks: &mut Checks, report: &mut Report) -> Result<(), VerifyError> {
    // All that is read of the database is of this moment.
    let mut conn = audit::open(books.database_url.expose_secret(), books.within).await?;
    let state = feed::read(&mut conn).await?;
    let log = read_log(books, &state, &mut checks.follow, report).await;
    if let Some(suspension) = &state.suspension {
        report.note(format!(
            "acceptance is suspended, and what is known was not compared with the log: {}",
            suspension.reason
        ));
    }
    let log = log.filter(|_| state.suspension.is_none());

    let counts = audit::counts(&mut conn).await?;
    report.count("events", counts.events);
    report.count("bets", counts.bets);
    report.count("ledger", counts.ledger);
    report.count("keys", counts.keys);
    count_feed(report, &state, log.as_ref());

    placed::check(&mut conn, &state, log.as_ref(), &mut checks.placed, report).await?;
    checks.ended += 1;

    audit::settled_by_newest(&mut conn, &mut checks.settled).await?;
    let mut due = Check::new(SETTLED_BY_NEWEST);
    audit::due(&mut conn, &mut due).await?;
    match (books.due, due.found()) {
        (_, 0) => {}
        (Due::Noted, events) => report.note(format!("the settlement of {events} events is under way")),
        (Due::Found, _) => checks.settled.absorb(due),
    }
    checks.ended += 1;

    audit::ledger_agrees(&mut conn, &mut checks.ledger).await?;
    checks.ended += 1;

    audit::keys_agree(&mut conn, &mut checks.keys).await?;
    checks.ended += 1;

    sums::check(&mut conn, &mut checks.sums).await?;
    checks.ended += 1;

    events::check(&mut conn, &state, log, &mut checks.follow, report).await?;
    checks.ended += 1;
    Ok(())
}

/// The log, or `None` with the reason in the report.
async fn read_log(books: &Books, state: &FeedState, check: &mut Check, report: &mut Report) -> Option<Log> {
    let Some(url) = &books.line_provider_url else {
        report.note("no line-provider was named: bets and events were not compared with its log");
        return None;
    };
    let line_provider = LineProvider::new(url, SecretString::default());
    let patience = books.within / 2;
    let why = match tokio::time::timeout(patience, Log::read(&line_provider, state, check)).await {
        Ok(Ok(log)) => return Some(log),
        Ok(Err(error)) => format!("cannot be read: {error}"),
        Err(_) => format!("could not be read within {patience:?}"),
    };
    report.could_not_check(format!(
        "bets and events were not compared with line-provider's log, which {why}"
    ));
    None
}

fn count_feed(report: &mut Report, state: &FeedState, log: Option<&Log>) {
    report.count("generation", state.generation);
    report.count(
        "position",
        state.followed.as_ref().map_or(0, |bookmark| bookmark.position),
    );
    if let Some(log) = log {
        report.count("head", log.head);
        report.count("instance", log.instance);
    }
}
