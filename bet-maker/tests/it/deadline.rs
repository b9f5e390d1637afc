//! When betting is over: by the database's clock, at the deadline, at the close, and for good.

use std::time::Duration;

use serde_json::json;
use shared_types::{EventStatus, Timestamp};

use crate::harness::{TestApp, in_seconds, problem};

fn on(event: &str) -> serde_json::Value {
    json!({"event_id": event, "stake": "1.00"})
}

#[actix_rt::test]
async fn bets_are_taken_until_just_before_the_deadline() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.placed("final", "1.00").await;
    // Only now, so that however slow all this is, it does not eat up the time before the deadline.
    let deadline = Timestamp::now().saturating_add(Duration::from_secs(2));
    app.happens(|history| history.set_deadline("final", deadline))
        .await;
    app.wait_until_placing_answers("final", 409, Some("betting_closed"))
        .await;
    assert!(Timestamp::now() >= deadline, "refused too early");
    let late =
        "select count(*) from bets b join events e on e.id = b.event_id where b.placed_at >= e.deadline";
    assert_eq!(app.books.int(late).await, 0);
    assert_eq!(app.list_events("").await.json()["items"], json!([]));
}

#[actix_rt::test]
async fn the_databases_clock_decides_and_not_the_hosts() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    // As if the database were a day ahead of this host: another clock is found before its own.
    app.books
        .run(
            "create schema ahead;
             create function ahead.clock_timestamp() returns timestamptz language sql volatile
                 as 'select pg_catalog.clock_timestamp() + interval ''1 day''';
             do $$ begin execute format('alter database %I set search_path = public, ahead, pg_catalog',
                 current_database()); end $$",
        )
        .await;
    let replica = app.replica().await;
    problem(&replica.place(&on("final")).await, 409, "betting_closed");
    assert_eq!(replica.list_events("").await.json()["items"], json!([]));
    app.happens(|history| history.set_deadline("final", in_seconds(3600 * 25)))
        .await;
    let bet = replica.placed("final", "1.00").await;
    let placed_at: Timestamp = bet["placed_at"].as_str().unwrap().parse().unwrap();
    assert!(placed_at > in_seconds(3600 * 23));
}

#[actix_rt::test]
async fn a_deadline_can_be_moved_either_way() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.happens(|history| history.set_deadline("final", in_seconds(0)))
        .await;
    problem(&app.place(&on("final")).await, 409, "betting_closed");
    app.happens(|history| history.set_deadline("final", in_seconds(60)))
        .await;
    app.placed("final", "1.00").await;
}

#[actix_rt::test]
async fn an_event_that_is_unfinished_again_takes_no_bets() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    let bet = app.placed("final", "1.00").await;
    app.happens(|history| history.won("final")).await;
    problem(&app.place(&on("final")).await, 409, "betting_closed");
    app.happens(|history| history.set_status("final", EventStatus::Unfinished))
        .await;
    let event = app.event("final").await.json();
    assert_eq!(event["status"], "unfinished");
    assert!(event["closed_at"].is_string());
    problem(&app.place(&on("final")).await, 409, "betting_closed");
    app.wait_for_status(bet["id"].as_str().unwrap(), "pending").await;
    assert_eq!(app.list_events("").await.json()["items"], json!([]));
}

#[actix_rt::test]
async fn an_early_result_closes_betting_before_the_deadline() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.placed("final", "1.00").await;
    app.happens(|history| history.lost("final")).await;
    problem(&app.place(&on("final")).await, 409, "betting_closed");
    assert_eq!(app.books.int("select count(*) from bets").await, 1);
}
