//! What every route shares, and the routes that operators use.

use actix_web::http::Method;
use serde_json::json;

use crate::harness::{Mood, TestApp, problem};

#[actix_rt::test]
async fn another_method_is_405_with_those_allowed() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        (Method::PUT, "/bets", "GET, HEAD, POST"),
        (Method::DELETE, "/bets", "GET, HEAD, POST"),
        (
            Method::DELETE,
            "/bets/019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11",
            "GET, HEAD",
        ),
        (Method::POST, "/events", "GET, HEAD"),
        (Method::PATCH, "/events/final", "GET, HEAD"),
        (Method::POST, "/events/final/exposure", "GET, HEAD"),
        (Method::GET, "/callbacks/line-provider", "POST"),
        (Method::POST, "/readyz", "GET, HEAD"),
    ] {
        let answer = app.client.send(method.clone(), path, &[], None).await;
        problem(&answer, 405, "method_not_allowed");
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{method} {path}");
    }
}

#[actix_rt::test]
async fn what_is_not_there_is_404() {
    let app = TestApp::start().await;
    for path in ["/", "/bet", "/bets/1/2", "/events/final/odds", "/callbacks"] {
        problem(&app.client.get(path).await, 404, "not_found");
    }
}

#[actix_rt::test]
async fn a_trailing_slash_is_tolerated_everywhere() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    let bet = app
        .client
        .post("/bets/", &json!({"event_id": "final", "stake": "1.00"}))
        .await;
    assert_eq!(bet.status, 201, "{}", bet.text());
    let bet = bet.json()["id"].as_str().unwrap().to_owned();
    for path in [
        "/bets/",
        "/bets/?limit=1",
        &format!("/bets/{bet}/"),
        "/events/",
        "/events/final/",
        "/events/final/exposure/",
        "/healthz/",
        "/readyz/",
        "/metrics/",
        "/openapi.json/",
        "/docs/",
    ] {
        assert_eq!(app.client.get(path).await.status, 200, "{path}");
    }
}

#[actix_rt::test]
async fn health_readiness_metrics_and_docs_answer() {
    let app = TestApp::start().await;
    assert_eq!(
        app.client.get("/healthz").await.json(),
        json!({"status": "alive"})
    );
    let ready = app.ready().await;
    assert_eq!(ready.json()["status"], "ready");
    assert_eq!(
        ready.json()["dependencies"],
        json!({"database": {"status": "up"}, "line_provider": {"status": "up"}})
    );
    let docs = app.client.get("/docs").await;
    assert!(docs.header("content-type").unwrap().starts_with("text/html"));

    app.happens(|history| history.create("final", "1.85")).await;
    app.placed("final", "1.00").await;
    app.happens(|history| history.won("final")).await;
    app.books.wait_until_settled().await;
    let metrics = app.client.get("/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    for name in [
        "bet_maker_feed_age_seconds",
        "bet_maker_feed_suspended",
        "bet_maker_feed_lag_positions",
        "bet_maker_clock_offset_seconds",
        "bet_maker_placement_batch_size",
        "bet_maker_callback_changes_total",
        "bet_maker_settled_bets_total",
    ] {
        assert!(metrics.text().contains(&format!("\n{name}")), "{name}");
    }
}

#[actix_rt::test]
async fn readiness_names_what_is_missing() {
    let app = TestApp::start().await;
    let provider = app.provider.clone();
    provider.set_mood(Mood::Fails);
    let late = TestApp::launch(app.database.clone(), provider, |_| {}).await;
    let answer = late.ready().await;
    let dependencies = problem(&answer, 503, "not_ready")["dependencies"].clone();
    assert_eq!(dependencies["database"]["status"], "up");
    assert_eq!(dependencies["line_provider"]["status"], "down");
}

#[actix_rt::test]
async fn a_request_id_is_taken_over_and_told_in_problems() {
    let app = TestApp::start().await;
    let headers = [("x-request-id", "from-the-proxy-7")];
    let answer = app
        .client
        .send(Method::GET, "/events/unknown", &headers, None)
        .await;
    assert_eq!(
        problem(&answer, 404, "event_not_found")["request_id"],
        "from-the-proxy-7"
    );
}

#[actix_rt::test]
async fn it_stops_in_order_and_another_takes_over() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    let bet = app.placed("final", "1.00").await;
    let (database, provider) = (app.database.clone(), app.provider.clone());
    app.stop().await;
    let next = TestApp::start_with(database, provider, |_| {}).await;
    assert_eq!(next.bet(bet["id"].as_str().unwrap()).await.json(), bet);
    next.placed("final", "1.00").await;
}
