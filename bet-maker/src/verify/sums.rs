//! `sums_agree`: what is answered as the exposure of an event is the sum of its bets, worked out from stakes and odds.

use std::collections::BTreeMap;
use std::mem;

use diesel_async::AsyncPgConnection;
use http_edge::report::Check;
use shared_types::EventId;

use crate::store::events::{ExposureLine, exposure};
use crate::store::{StoreError, audit};

pub(super) async fn check(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    audit::begin_sums(conn).await?;
    let mut events: BTreeMap<String, Vec<ExposureLine>> = BTreeMap::new();
    loop {
        let page = audit::next_sums(conn).await?;
        let is_end = page.is_empty();
        for (id, line) in page {
            events.entry(id).or_default().push(line);
        }
        // The last event of a page may go on with the next one.
        let cut = if is_end { None } else { events.pop_last() };
        for (id, summed) in mem::take(&mut events) {
            compare(conn, check, &id, &summed).await?;
        }
        if is_end {
            return Ok(());
        }
        events.extend(cut);
    }
}

async fn compare(
    conn: &mut AsyncPgConnection,
    check: &mut Check,
    id: &str,
    summed: &[ExposureLine],
) -> Result<(), StoreError> {
    let Ok(event_id) = id.parse::<EventId>() else {
        check.find(format!("there are bets on {id:?}, which no event can be called"));
        return Ok(());
    };
    let mut answered = exposure(conn, &event_id).await?;
    answered.sort_by_key(|line| line.status);
    if answered != summed {
        check.find(format!(
            "the exposure of event {id} is answered as {}, but its bets add up to {}",
            told(&answered),
            told(summed)
        ));
    }
    Ok(())
}

fn told(lines: &[ExposureLine]) -> String {
    let line = |line: &ExposureLine| {
        format!(
            "{:?}: {} bets, stakes {}, payout if the first team wins {}, paid {}",
            line.status, line.bets, line.stakes, line.payout_if_first_team_wins, line.paid
        )
        .to_lowercase()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("; ")
}
