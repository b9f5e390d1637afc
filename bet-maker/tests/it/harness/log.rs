//! The log read without an app: what the poller does, round by round, in a test's own hands.

use bet_maker::feed::apply::{self, Read, Reconciled};
use bet_maker::feed::history::{after, continued, reaches};
use bet_maker::store::feed::{self, Bookmark};
use bet_maker::store::settlements::settle_chunk;
use diesel_async::AsyncPgConnection;

use super::History;

/// More than any test's history needs.
const MOST_ROUNDS: usize = 10_000;

/// Where reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTo {
    Head,
    /// Acceptance is suspended: the log leaves that many events in doubt.
    Doubt(i64),
}

/// Reads `history` as far as it goes, in pages of `limit`, suspending and reconciling as it must.
pub async fn poll_log(conn: &mut AsyncPgConnection, history: &History, limit: usize) -> ReadTo {
    for _ in 0..MOST_ROUNDS {
        if let Some(end) = round(conn, history, limit).await {
            return end;
        }
    }
    panic!("{MOST_ROUNDS} rounds led nowhere");
}

/// One page, and what becomes of it; where reading ended, if it did.
async fn round(conn: &mut AsyncPgConnection, history: &History, limit: usize) -> Option<ReadTo> {
    let asked = feed::read(conn).await.unwrap();
    let suspension = asked.suspension.clone();
    let start = Bookmark::start_of(history.instance);
    let bookmark = match &suspension {
        Some(suspension) => suspension.candidate.clone(),
        None => asked.followed.clone().unwrap_or(start),
    };
    // A page of one shows the bookmark again and nothing behind it.
    let page = history.page(after(&bookmark), limit.max(2));
    let heard_of = if suspension.is_some() { 0 } else { asked.highest };
    let continued = continued(&bookmark, &page);
    let changes = match continued.and_then(|changes| reaches(heard_of, &page).map(|()| changes)) {
        Ok(changes) => changes,
        Err(broken) => {
            apply::suspend(conn, &asked, page.instance, &broken)
                .await
                .unwrap();
            return None;
        }
    };
    if let Some(suspension) = &suspension {
        let reconciled = apply::reconcile(conn, &asked, suspension, changes, page.head).await;
        match reconciled.unwrap() {
            Reconciled::Disagrees { events } => Some(ReadTo::Doubt(events)),
            _ => None,
        }
    } else {
        match apply::follow(conn, &asked, &bookmark, changes).await.unwrap() {
            Read::Merged { position, .. } if position == page.head => Some(ReadTo::Head),
            _ => None,
        }
    }
}

/// Reads the next page of `history`, which must continue what was read.
pub async fn read_page(conn: &mut AsyncPgConnection, history: &History, limit: usize) {
    round(conn, history, limit).await;
    assert_eq!(feed::read(conn).await.unwrap().suspension, None);
}

/// Reads `history`, which must continue what was read, to its head.
pub async fn read_log(conn: &mut AsyncPgConnection, history: &History, limit: usize) {
    assert_eq!(poll_log(conn, history, limit).await, ReadTo::Head);
}

/// Settles in chunks of `limit` until nothing is due that nobody else is at; how many bets changed.
pub async fn settle(conn: &mut AsyncPgConnection, limit: u16) -> usize {
    let mut settled = 0;
    while let Some(chunk) = settle_chunk(conn, limit, &[]).await.unwrap() {
        settled += chunk.settled;
    }
    settled
}
