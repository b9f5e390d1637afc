//! The log read without an app: what the poller does, step by step, in a test's own hands.

use bet_maker::feed::apply::{self, Read, Reconciled};
use bet_maker::feed::history::{after, continued};
use bet_maker::store::feed::{self, Bookmark};
use bet_maker::store::settlements::settle_chunk;
use diesel_async::AsyncPgConnection;

use super::History;

/// Reads `history` from the bookmark to its head, in pages of `limit`.
pub async fn read_log(conn: &mut AsyncPgConnection, history: &History, limit: usize) {
    loop {
        let state = feed::read(conn).await.unwrap();
        let bookmark = state
            .followed
            .clone()
            .unwrap_or(Bookmark::start_of(history.instance));
        // A page of one shows the bookmark again and nothing behind it.
        let page = history.page(after(&bookmark), limit.max(2));
        let changes = continued(&bookmark, &page).unwrap();
        match apply::follow(conn, &state, &bookmark, changes).await.unwrap() {
            Read::Merged { position, .. } if position == history.head() => return,
            Read::Merged { .. } | Read::Outdated => {}
        }
    }
}

/// Reads one page of the candidate's log.
pub async fn reconcile(conn: &mut AsyncPgConnection, history: &History) -> Reconciled {
    let state = feed::read(conn).await.unwrap();
    let suspension = state.suspension.clone().unwrap();
    let page = history.page(after(&suspension.candidate), 500);
    let changes = continued(&suspension.candidate, &page).unwrap();
    apply::reconcile(conn, &state, &suspension, changes, page.head)
        .await
        .unwrap()
}

/// Settles in chunks of `limit` until nothing is due that nobody else is at; how many bets changed.
pub async fn settle(conn: &mut AsyncPgConnection, limit: u16) -> usize {
    let mut settled = 0;
    while let Some(chunk) = settle_chunk(conn, limit).await.unwrap() {
        settled += chunk.settled;
    }
    settled
}
