//! `placed_before_close`: every bet beside the revision that it was placed on.
//!
//! Bets are grouped by revision in the database, and only groups that do not fit are looked at bet by bet. Bets do not say
//! in which history their revision counts: after another log was followed, what does not fit may be of the log before,
//! and is noted instead of found.

use diesel_async::AsyncPgConnection;
use http_edge::report::{Check, Report};
use shared_types::Timestamp;

use super::log::{Log, Said};
use crate::store::StoreError;
use crate::store::audit::{self, Group, Offer, OfferTerms};
use crate::store::codes::to_count;
use crate::store::feed::FeedState;

pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    state: &FeedState,
    log: Option<&Log>,
    check: &mut Check,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some(log) = log else {
        return by_tables(conn, state, check, report).await;
    };
    let mut unfit = Vec::new();
    audit::each_group(conn, |group| {
        let said = to_count(group.revision)
            .ok()
            .and_then(|revision| log.find(&group.event_id, revision));
        if !said.is_some_and(|said| fits(&group, said)) {
            unfit.push((group, said.map(terms)));
        }
    })
    .await?;
    if state.generation > 1 && !unfit.is_empty() {
        let bets: i64 = unfit.iter().map(|(group, _)| group.bets).sum();
        report.note(format!(
            "{bets} bets were placed on {} revisions that this log does not have, or has otherwise: it is not the first \
             that was followed (generation {}), and they may be of one before",
            unfit.len(),
            state.generation
        ));
        return Ok(());
    }
    for (group, terms) in unfit {
        let offer = Offer {
            event_id: group.event_id,
            revision: group.revision,
            terms,
        };
        audit::placed_on(conn, check, &offer).await?;
    }
    Ok(())
}

/// The first history is the only one whose revisions are all told by the present rows.
async fn by_tables(
    conn: &mut AsyncPgConnection,
    state: &FeedState,
    check: &mut Check,
    report: &mut Report,
) -> Result<(), StoreError> {
    let is_adopting = state
        .suspension
        .as_ref()
        .is_some_and(|suspension| suspension.adopting);
    if state.generation > 1 || is_adopting {
        report.note(
            "when bets were placed was not checked: more than one log was followed, and only a log tells which revision \
             was which",
        );
        return Ok(());
    }
    report.note(
        "bets were held against the present revision of their events, and against others on one revision",
    );
    audit::placed_by_tables(conn, check).await
}

fn fits(group: &Group, said: &Said) -> bool {
    let odds = said.odds.hundredths();
    let at_its_odds = (group.least_odds, group.most_odds) == (odds, odds);
    at_its_odds && Timestamp::from(group.last_placed_at) < said.deadline && said.is_open()
}

fn terms(said: &Said) -> OfferTerms {
    OfferTerms {
        odds: said.odds,
        deadline: said.deadline,
        is_open: said.is_open(),
    }
}
