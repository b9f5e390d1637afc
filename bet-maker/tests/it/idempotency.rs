//! The same key with the same body is answered as the first time, for ever, and never makes a second bet.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use serde_json::json;
use test_support::{Response, wait_until};

use crate::harness::{Mood, PATIENCE, TestApp, problem};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app
}

fn is_replayed(answer: &Response) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

#[actix_rt::test]
async fn a_repeated_request_gets_the_same_bytes() {
    let app = app().await;
    let first = app
        .place_with_key(
            "k1",
            &json!({"event_id": "final", "stake": 1.5, "bettor": "alice"}),
        )
        .await;
    assert_eq!((first.status, is_replayed(&first)), (201, false));
    for stake in [json!("1.50"), json!(1.5), json!("1.5")] {
        let body = json!({"event_id": "final", "stake": stake, "bettor": "alice"});
        let again = app.place_with_key("k1", &body).await;
        assert_eq!((again.status, is_replayed(&again)), (201, true), "{stake}");
        assert_eq!(again.text(), first.text());
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(app.books.int("select count(*) from bets").await, 1);
}

#[actix_rt::test]
async fn the_first_answer_is_given_after_the_bet_was_settled_and_the_odds_moved() {
    let app = app().await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let first = app.place_with_key("k1", &body).await;
    app.happens(|history| history.set_odds("final", "3.00")).await;
    app.happens(|history| history.won("final")).await;
    app.wait_for_status(first.json()["id"].as_str().unwrap(), "won")
        .await;
    let again = app.place_with_key("k1", &body).await;
    assert_eq!((again.status, is_replayed(&again)), (201, true));
    assert_eq!(again.text(), first.text());
}

#[actix_rt::test]
async fn a_refusal_is_given_again_even_after_its_reason_is_gone() {
    let app = app().await;
    let unknown = json!({"event_id": "later", "stake": "1.00"});
    let moved = json!({"event_id": "final", "stake": "1.00", "odds": "1.90"});
    problem(
        &app.place_with_key("unknown", &unknown).await,
        404,
        "event_not_found",
    );
    let refusal = problem(&app.place_with_key("moved", &moved).await, 409, "odds_changed");
    app.happens(|history| history.create("later", "1.85")).await;
    app.happens(|history| history.set_odds("final", "1.90")).await;

    let again = app.place_with_key("unknown", &unknown).await;
    problem(&again, 404, "event_not_found");
    assert!(is_replayed(&again));
    let again = app.place_with_key("moved", &moved).await;
    let repeated = problem(&again, 409, "odds_changed");
    assert!(is_replayed(&again));
    assert_eq!(
        (&repeated["current_odds"], &repeated["detail"]),
        (&refusal["current_odds"], &refusal["detail"])
    );

    app.happens(|history| history.won("final")).await;
    let closed = json!({"event_id": "final", "stake": "2.00"});
    problem(
        &app.place_with_key("closed", &closed).await,
        409,
        "betting_closed",
    );
    let again = app.place_with_key("closed", &closed).await;
    problem(&again, 409, "betting_closed");
    assert!(is_replayed(&again));
    assert_eq!(app.place_with_key("other", &unknown).await.status, 201);
}

#[actix_rt::test]
async fn another_body_under_the_same_key_is_422() {
    let app = app().await;
    app.happens(|history| history.create("other", "1.85")).await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    assert_eq!(app.place_with_key("k1", &body).await.status, 201);
    for other in [
        json!({"event_id": "other", "stake": "1.00"}),
        json!({"event_id": "final", "stake": "1.01"}),
        json!({"event_id": "final", "stake": "1.00", "bettor": "alice"}),
        json!({"event_id": "final", "stake": "1.00", "odds": "1.85"}),
        json!({"event_id": "unknown", "stake": "1.00"}),
    ] {
        problem(
            &app.place_with_key("k1", &other).await,
            422,
            "idempotency_key_reused",
        );
    }
    let defaults_spelt_out = json!({"event_id": "final", "stake": "1.00", "odds_change": "any"});
    assert!(is_replayed(&app.place_with_key("k1", &defaults_spelt_out).await));
    assert_eq!(app.books.int("select count(*) from bets").await, 1);
}

#[actix_rt::test]
async fn fifty_requests_with_one_key_at_once_make_one_bet() {
    let app = app().await;
    let replica = app.replica().await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let answers = join_all((0..50).map(|n| {
        let app = if n % 2 == 0 { &app } else { &replica };
        app.place_with_key("one", &body)
    }))
    .await;
    let texts: HashSet<String> = answers.iter().map(Response::text).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert_eq!(app.books.int("select count(*) from bets").await, 1);
}

#[actix_rt::test]
async fn many_keys_at_once_over_two_replicas_make_one_bet_each() {
    let app = app().await;
    let replica = app.replica().await;
    for event in ["a", "b", "c"] {
        app.happens(|history| history.create(event, "1.85")).await;
    }
    // Every key comes six times, in both replicas, in another order in each, and with a wrong body twice.
    let requests = (0..240_usize).map(|n| {
        let (app, key) = if n % 2 == 0 {
            (&app, n / 2 % 40)
        } else {
            (&replica, 39 - n / 2 % 40)
        };
        let stake = if n >= 200 { "9.99" } else { "1.00" };
        let event = ["a", "b", "c"][key % 3];
        let body = json!({"event_id": event, "stake": stake});
        async move { app.place_with_key(&format!("key-{key}"), &body).await.status }
    });
    let statuses = join_all(requests).await;
    assert!(
        statuses.iter().all(|status| [201, 422].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(app.books.int("select count(*) from bets").await, 40);
    assert_eq!(app.books.int("select count(*) from idempotency_keys").await, 40);
}

#[actix_rt::test]
async fn a_first_answer_is_given_again_while_the_feed_is_stale_and_a_503_is_not_kept() {
    let app = TestApp::start().await;
    let stale = TestApp::start_with(app.database.clone(), app.provider.clone(), |settings| {
        settings.feed_stale_after = Duration::from_secs(2);
    })
    .await;
    app.happens(|history| history.create("final", "1.85")).await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let first = stale.place_with_key("early", &body).await;
    app.provider.set_mood(Mood::Hangs);
    stale
        .wait_until_placing_answers("final", 503, Some("feed_stale"))
        .await;

    problem(&stale.place_with_key("late", &body).await, 503, "feed_stale");
    let again = stale.place_with_key("early", &body).await;
    assert_eq!(
        (again.status, is_replayed(&again), again.text()),
        (201, true, first.text())
    );
    let other = json!({"event_id": "final", "stake": "2.00"});
    problem(
        &stale.place_with_key("early", &other).await,
        422,
        "idempotency_key_reused",
    );

    // The other replica has fresh news.
    let late = app.place_with_key("late", &body).await;
    assert_eq!((late.status, is_replayed(&late)), (201, false));
}

#[actix_rt::test]
async fn a_key_whose_bet_was_placed_by_a_client_that_hung_up_tells_of_it() {
    let app = app().await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    // Hold up the storing of keys, so that the client is gone before its bet is there.
    app.books
        .run("begin; lock table idempotency_keys in exclusive mode")
        .await;
    let waiting = wait_until("the bet waits to be stored", PATIENCE, async || {
        (app.books
            .int(
                "select count(*) from pg_locks
                 where not granted and relation = 'idempotency_keys'::regclass
                   and database = (select oid from pg_database where datname = current_database())",
            )
            .await
            > 0)
        .then_some(())
    });
    let placing = pin!(app.place_with_key("k1", &body));
    assert!(
        matches!(select(placing, pin!(waiting)).await, Either::Right(_)),
        "the bet was not held up"
    );
    app.books.run("commit").await;
    let again = app.place_with_key("k1", &body).await;
    assert_eq!((again.status, is_replayed(&again)), (201, true));
    assert_eq!(app.books.int("select count(*) from bets").await, 1);
}
