//! Learning of events: by callbacks, by the log, by both in any order; and what happens when the log goes quiet.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use shared_types::EventStatus;
use test_support::wait_until;

use crate::harness::{History, Mood, PATIENCE, Provider, TestApp, database, problem};

#[actix_rt::test]
async fn with_every_callback_lost_the_log_alone_brings_everything() {
    let app = TestApp::start().await;
    app.provider.edit(|history| history.create("final", "1.85"));
    app.wait_for_revision("final", 1).await;
    let bet = app.placed("final", "10.00").await;
    app.provider.edit(|history| {
        history.set_odds("final", "1.90");
        history.lost("final");
        history.won("final")
    });
    app.wait_for_revision("final", 4).await;
    let id = bet["id"].as_str().unwrap();
    assert_eq!(app.wait_for_status(id, "won").await["payout"], "18.50");
    app.books.assert_balanced().await;
}

#[actix_rt::test]
async fn callbacks_after_the_log_and_before_it_change_nothing_twice() {
    let app = TestApp::start().await;
    let created = app.provider.edit(|history| history.create("final", "1.85"));
    app.wait_for_revision("final", 1).await;
    app.told(&created).await;
    let bet = app.placed("final", "10.00").await;
    let won = app.happens(|history| history.won("final")).await;
    let id = bet["id"].as_str().unwrap();
    let settled = app.wait_for_status(id, "won").await;
    let head = i64::try_from(won.position).unwrap();
    wait_until("the log is read", PATIENCE, async || {
        (app.books.int("select position from feed").await == head).then_some(())
    })
    .await;
    app.told(&won).await;
    app.books.wait_until_settled().await;
    assert_eq!(app.bet(id).await.json(), settled);
    assert_eq!(app.books.int("select count(*) from ledger").await, 1);
    assert_eq!(app.books.int("select count(*) from feed_conflicts").await, 0);
}

#[actix_rt::test]
async fn a_long_log_is_read_page_by_page_before_bets_are_accepted() {
    let mut history = History::new();
    for n in 0..1201 {
        history.create(&format!("event-{n}"), "1.85");
    }
    history.won("event-1200");
    let app = TestApp::start_on(history).await;
    assert_eq!(app.books.int("select count(*) from events").await, 1201);
    assert_eq!(app.books.int("select position from feed").await, 1202);
    app.placed("event-0", "1.00").await;
    let closed = app
        .place(&json!({"event_id": "event-1200", "stake": "1.00"}))
        .await;
    problem(&closed, 409, "betting_closed");
}

#[actix_rt::test]
async fn when_the_log_goes_quiet_bets_stop_and_resume_by_themselves() {
    let moods = [Mood::Fails, Mood::Hangs, Mood::Babbles, Mood::Misplaces];
    join_all(moods.map(async |mood| {
        let mut history = History::new();
        history.create("final", "1.85");
        let (database, provider) = (Rc::new(database().await), Provider::start(history));
        let app = TestApp::start_with(database, provider, |settings| {
            settings.feed_stale_after = Duration::from_secs(2);
        })
        .await;
        app.placed("final", "1.00").await;

        app.provider.set_mood(mood);
        let stale = app
            .wait_until_placing_answers("final", 503, Some("feed_stale"))
            .await;
        problem(&stale, 503, "feed_stale");
        let not_ready = problem(&app.ready().await, 503, "not_ready");
        assert_eq!(
            not_ready["dependencies"]["line_provider"]["status"], "down",
            "{mood:?}"
        );
        // News by callback does not say what else happened.
        app.happens(|history| history.set_odds("final", "1.90")).await;
        let answer = app.place(&json!({"event_id": "final", "stake": "1.00"})).await;
        problem(&answer, 503, "feed_stale");
        assert_eq!(
            (app.list_events("").await.status, app.list_bets("").await.status),
            (200, 200)
        );

        app.provider.set_mood(Mood::Answers);
        let placed = app.wait_until_placing_answers("final", 201, None).await;
        assert_eq!(placed.json()["odds"], "1.90");
        assert_eq!(app.books.text("select suspended from feed").await, "", "{mood:?}");
    }))
    .await;
}

#[actix_rt::test]
async fn a_page_that_cannot_be_stored_stops_acceptance_and_not_the_process() {
    let mut history = History::new();
    history.create("final", "1.85");
    let good = history.clone();
    history.changes[0].event.revision = u64::MAX;
    history.changes[0].revision = u64::MAX;
    let app = TestApp::launch(Rc::new(database().await), Provider::start(history), |_| {}).await;
    app.wait_until_placing_answers("final", 503, Some("feed_stale"))
        .await;
    let rounds_before = app.provider.rounds();
    wait_until("another round", PATIENCE, async || {
        (app.provider.rounds() > rounds_before).then_some(())
    })
    .await;
    app.provider.replace_history(good);
    app.wait_until_placing_answers("final", 201, None).await;
}

#[actix_rt::test]
async fn an_event_that_is_cancelled_and_restored_while_nobody_listens_keeps_its_bets() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    let bet = app.placed("final", "10.00").await;
    app.provider.edit(|history| {
        history.cancelled("final");
        history.set_status("final", EventStatus::Unfinished)
    });
    app.wait_for_revision("final", 3).await;
    app.books.wait_until_settled().await;
    assert_eq!(app.bet(bet["id"].as_str().unwrap()).await.json(), bet);
    assert_eq!(app.books.int("select count(*) from ledger").await, 0);
}
