//! Postgres away, and Postgres killed: what is answered meanwhile, and what must be there afterwards.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use test_support::{Postgres, PostgresBuilder, TestDatabase, wait_until};

use crate::harness::{Books, History, PATIENCE, Provider, Signed, TestApp, problem};

/// An app on a Postgres of its own, where `final` is open.
pub async fn app_on(server: PostgresBuilder) -> (Postgres, TestApp) {
    let postgres = server.start().unwrap();
    let mut history = History::new();
    history.create("final", "1.85");
    let unused = Rc::new(TestDatabase::empty().await);
    let app = TestApp::start_with(unused, Provider::start(history), |settings| {
        settings.database_url = postgres.url("postgres").into();
    })
    .await;
    (postgres, app)
}

#[actix_rt::test]
async fn while_the_database_is_away_everything_says_so_and_then_works_again() {
    let (mut postgres, app) = app_on(Postgres::builder()).await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let first = app.place_with_key("k1", &body).await;
    postgres.stop();

    problem(
        &app.place_with_key("k1", &body).await,
        503,
        "database_unavailable",
    );
    problem(
        &app.place_with_key("k2", &body).await,
        503,
        "database_unavailable",
    );
    problem(&app.place(&body).await, 503, "database_unavailable");
    problem(&app.list_bets("").await, 503, "database_unavailable");
    problem(
        &app.bet(first.json()["id"].as_str().unwrap()).await,
        503,
        "database_unavailable",
    );
    problem(&app.list_events("").await, 503, "database_unavailable");
    problem(&app.event("final").await, 503, "database_unavailable");
    problem(&app.exposure("final").await, 503, "database_unavailable");
    let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
    problem(
        &app.callback(&Signed::change(&change)).await,
        503,
        "database_unavailable",
    );
    let not_ready = problem(&app.ready().await, 503, "not_ready");
    assert_eq!(not_ready["dependencies"]["database"]["status"], "down");
    assert_eq!(app.client.get("/healthz").await.status, 200);

    postgres.restart().unwrap();
    app.wait_until_ready().await;
    assert_eq!(app.place_with_key("k1", &body).await.text(), first.text());
    app.wait_for_revision("final", 2).await;
    assert_eq!(app.place_with_key("k2", &body).await.json()["odds"], "2.00");
    app.happens(|history| history.won("final")).await;
    app.wait_for_status(first.json()["id"].as_str().unwrap(), "won")
        .await;
}

#[actix_rt::test]
async fn what_was_answered_is_there_after_the_database_was_killed() {
    let (mut postgres, app) = app_on(Postgres::builder().durable()).await;
    let early = app.placed("final", "1.00").await;
    let body = json!({"event_id": "final", "stake": "2.00"});
    let placed = app.place_with_key("k1", &body).await;
    app.happens(|history| history.lost("final")).await;
    postgres.kill9();
    let late = app.place_with_key("k2", &body).await;
    problem(&late, 503, "database_unavailable");

    postgres.restart().unwrap();
    app.wait_until_ready().await;
    assert_eq!(app.event("final").await.json()["status"], "second_team_won");
    app.wait_for_status(early["id"].as_str().unwrap(), "lost").await;
    app.wait_for_status(placed.json()["id"].as_str().unwrap(), "lost")
        .await;
    let books = Books::open(&postgres.url("postgres")).await;
    assert_eq!(books.int("select count(*) from ledger").await, 2);
    assert_eq!(app.place_with_key("k1", &body).await.text(), placed.text());
    problem(&app.place_with_key("k2", &body).await, 409, "betting_closed");
}

#[actix_rt::test]
async fn connections_that_are_cut_are_replaced() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.books
        .run(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    wait_until("a bet is placed", PATIENCE, async || {
        let answer = app.place(&json!({"event_id": "final", "stake": "1.00"})).await;
        if answer.status != 201 {
            problem(&answer, 503, "database_unavailable");
        }
        (answer.status == 201).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn an_event_that_stays_locked_is_told_as_unavailable_and_not_waited_for_without_end() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.happens(|history| history.create("other", "1.85")).await;
    app.books.run("begin; lock table bets in exclusive mode").await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let patience = Duration::from_secs(15);
    let answer = tokio::time::timeout(patience, app.place_with_key("k1", &body))
        .await
        .unwrap();
    problem(&answer, 503, "database_unavailable");
    app.books.run("commit").await;
    assert_eq!(app.place_with_key("k1", &body).await.status, 201);
}
