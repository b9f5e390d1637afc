//! `sums_agree`: what is answered as the exposure of an event is the sum of its bets, worked out from stakes and odds.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;
use http_edge::report::Check;
use shared_types::EventId;

use crate::store::events::{ExposureLine, exposure};
use crate::store::{StoreError, audit};

/// Events whose sums are held at a time.
const PAGE: u16 = 1000;

pub(super) async fn check(conn: &mut AsyncPgConnection, check: &mut Check) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page = audit::sums_after(conn, &after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let mut events: BTreeMap<String, Vec<ExposureLine>> = BTreeMap::new();
        for (id, line) in page {
            events.entry(id).or_default().push(line);
        }
        for (id, summed) in events {
            let Ok(event_id) = id.parse::<EventId>() else {
                check.find(format!("there are bets on {id:?}, which no event can be called"));
                continue;
            };
            let mut answered = exposure(conn, &event_id).await?;
            answered.sort_by_key(|line| line.status);
            if answered != summed {
                check.find(format!(
                    "the exposure of event {id} is answered as {}, but its bets add up to {}",
                    told(&answered),
                    told(&summed)
                ));
            }
        }
    }
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
