//! Three replicas on one database, placing and hearing of results at the same time.

use std::cell::Cell;
use std::collections::HashSet;

use futures_util::future::{join, join_all};
use serde_json::json;
use shared_types::EventStatus;
use test_support::wait_until;

use crate::harness::{PATIENCE, Signed, TestApp};

const EVENTS: usize = 6;

/// What each bet must have become, worked out by the database from the events alone.
const WRONG: &str = "
    select b.id::text, b.status::text, b.payout::text from bets b join events e on e.id = b.event_id
    where (b.status, b.payout) is distinct from (
        case when b.placed_at >= e.closed_at then 3 when e.status = 3 then 3 else e.status end::smallint,
        case when b.placed_at >= e.closed_at or e.status = 3 then b.stake
             when e.status = 1 then div(b.stake::numeric * b.odds, 100)::bigint else 0 end)";

#[actix_rt::test]
async fn three_replicas_settle_every_bet_exactly_once_while_placing_goes_on() {
    let first = TestApp::start().await;
    let (second, third) = join(first.replica(), first.replica()).await;
    let apps = [&first, &second, &third];
    let ids: Vec<String> = (0..EVENTS).map(|n| format!("event-{n}")).collect();
    for id in &ids {
        first.happens(|history| history.create(id, "1.85")).await;
    }
    let answered = Cell::new(0_usize);
    let bettors = (0..12_usize).map(async |bettor| {
        let mut accepted = Vec::new();
        for round in 0..30 {
            let body = json!({"event_id": ids[(bettor + round) % EVENTS], "stake": "3.33"});
            let answer = apps[(bettor + round) % 3].place(&body).await;
            answered.set(answered.get() + 1);
            match answer.status {
                201 => accepted.push(answer.json()["id"].as_str().unwrap().to_owned()),
                409 => assert_eq!(answer.json()["code"], "betting_closed"),
                status => panic!("{status}: {}", answer.text()),
            }
        }
        accepted
    });
    let results = async {
        for (n, id) in ids.iter().enumerate() {
            // Later results meet more bets. Counted are answers, not bets: the fewer events are open, the fewer bets.
            wait_until("more answers", PATIENCE, async || {
                (answered.get() >= n * 30).then_some(())
            })
            .await;
            let status = [
                EventStatus::FirstTeamWon,
                EventStatus::SecondTeamWon,
                EventStatus::Cancelled,
            ][n % 3];
            let change = first.provider.edit(|history| history.set_status(id, status));
            // Two replicas hear of it at once, the third reads it in the log; every third callback is lost.
            if n % 3 != 2 {
                let signed = Signed::change(&change);
                let (one, other) =
                    join(apps[n % 3].callback(&signed), apps[(n + 1) % 3].callback(&signed)).await;
                assert_eq!((one.status, other.status), (204, 204));
            }
        }
    };
    let (accepted, ()) = join(join_all(bettors), results).await;
    for id in &ids {
        first.wait_for_revision(id, 2).await;
    }
    first.books.wait_until_settled().await;

    let accepted: HashSet<String> = accepted.into_iter().flatten().collect();
    let stored: HashSet<String> = first
        .books
        .rows("select id::text from bets")
        .await
        .into_iter()
        .collect();
    assert_eq!(stored, accepted);
    assert_eq!(first.books.rows(WRONG).await, Vec::<String>::new());
    let booked = first.books.int("select count(*) from ledger").await;
    assert_eq!(usize::try_from(booked).unwrap(), accepted.len());
    first.books.assert_balanced().await;

    for (n, id) in ids.iter().enumerate() {
        let change = first.provider.edit(|history| history.won(id));
        apps[n % 3].told(&change).await;
    }
    first.books.wait_until_settled().await;
    assert_eq!(first.books.rows(WRONG).await, Vec::<String>::new());
    first.books.assert_balanced().await;
}
