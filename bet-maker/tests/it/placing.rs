//! `POST /bets`: what is accepted, and every way to be refused.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, broken_fields, in_seconds, problem};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app
}

#[actix_rt::test]
async fn a_bet_is_placed_at_the_current_odds() {
    let app = app().await;
    let answer = app
        .place(&json!({"event_id": "final", "stake": "10.00", "bettor": "alice"}))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    let bet = answer.json();
    let id = bet["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(format!("/bets/{id}").as_str()));
    assert_eq!(
        bet,
        json!({
            "id": id, "event_id": "final", "bettor": "alice", "stake": "10.00", "odds": "1.85",
            "potential_payout": "18.50", "status": "pending", "void_reason": null, "payout": null,
            "event_revision": 1, "placed_at": bet["placed_at"], "settled_at": null,
        })
    );
    let stored = app.bet(id).await;
    assert_eq!((stored.status, stored.json()), (200, bet));
}

#[actix_rt::test]
async fn a_stake_is_taken_from_its_text_and_never_through_a_float() {
    let app = app().await;
    for (stake, stored, payout) in [
        (r#""0.29""#, "0.29", "0.53"),
        ("0.29", "0.29", "0.53"),
        ("10", "10.00", "18.50"),
        (r#""10""#, "10.00", "18.50"),
        ("1.5", "1.50", "2.77"),
        ("0.01", "0.01", "0.01"),
        ("1000000000.00", "1000000000.00", "1850000000.00"),
    ] {
        let body = format!(r#"{{"event_id": "final", "stake": {stake}}}"#);
        let answer = send(&app, "application/json", body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{stake}: {}", answer.text());
        let bet = answer.json();
        assert_eq!(bet["stake"], stored, "{stake}");
        assert_eq!(bet["potential_payout"], payout, "{stake}");
        assert_eq!(app.bet(bet["id"].as_str().unwrap()).await.json()["stake"], stored);
    }
}

#[actix_rt::test]
async fn amount_is_another_name_of_stake_but_not_beside_it() {
    let app = app().await;
    let answer = app.place(&json!({"event_id": "final", "amount": "2.50"})).await;
    assert_eq!((answer.status, &answer.json()["stake"]), (201, &json!("2.50")));
    let both = json!({"event_id": "final", "stake": "2.50", "amount": "2.50"});
    problem(&app.place(&both).await, 400, "invalid_json");
}

#[actix_rt::test]
async fn the_odds_policy_decides_what_happens_when_odds_moved() {
    let app = app().await;
    let place = async |odds: Value, change: Option<&str>| {
        let mut body = json!({"event_id": "final", "stake": "1.00", "odds": odds});
        if let Some(change) = change {
            body["odds_change"] = json!(change);
        }
        app.place(&body).await
    };
    for (odds, change) in [
        (json!("1.85"), None),
        (json!(1.85), Some("none")),
        (json!("1.85"), Some("higher")),
        (json!("1.80"), Some("higher")),
        (json!("1.90"), Some("any")),
    ] {
        let answer = place(odds.clone(), change).await;
        assert_eq!(answer.status, 201, "{odds} {change:?}: {}", answer.text());
        assert_eq!(answer.json()["odds"], "1.85", "{odds} {change:?}");
    }
    for (odds, change) in [
        ("1.84", None),
        ("1.86", None),
        ("1.86", Some("none")),
        ("1.86", Some("higher")),
    ] {
        let refusal = problem(&place(json!(odds), change).await, 409, "odds_changed");
        assert_eq!(refusal["current_odds"], "1.85");
        assert!(refusal["detail"].as_str().unwrap().contains("1.85"));
    }
    app.happens(|history| history.set_odds("final", "2.10")).await;
    let answer = place(json!("1.85"), Some("higher")).await;
    let bet = answer.json();
    assert_eq!(
        (&bet["odds"], &bet["event_revision"]),
        (&json!("2.10"), &json!(2))
    );
}

#[actix_rt::test]
async fn what_cannot_be_read_is_400() {
    let app = app().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "nonsense",
        r#"{"stake": "1.00"}"#,
        r#"{"event_id": "final"}"#,
        r#"{"event_id": 7, "stake": "1.00"}"#,
        r#"{"event_id": "final", "stake": null}"#,
        r#"{"event_id": "final", "stake": true}"#,
        r#"{"event_id": "final", "stake": ["1.00"]}"#,
        r#"{"event_id": "final", "stake": "1.00", "odds": null}"#,
        r#"{"event_id": "final", "stake": "1.00", "bettor": null}"#,
        r#"{"event_id": "final", "stake": "1.00", "odds_change": 1}"#,
        r#"{"event_id": "final", "stake": "1.00", "price": "1.85"}"#,
        r#"{"event_id": "final", "stake": "1.00", "stake": "2.00"}"#,
        r#"{"event_id": "final", "stake": "1.00"} {}"#,
        "{\"event_id\": \"final\", \"stake\": \"1.00\", \"bettor\": \"\u{1}\"}",
    ] {
        problem(
            &send(&app, "application/json", body.as_bytes()).await,
            400,
            "invalid_json",
        );
    }
    let not_utf8 = b"{\"event_id\": \"\xff\", \"stake\": \"1.00\"}";
    problem(
        &send(&app, "application/json", not_utf8).await,
        400,
        "invalid_json",
    );
    assert_eq!(app.books.int("select count(*) from bets").await, 0);
}

#[actix_rt::test]
async fn a_broken_rule_is_422_and_every_broken_field_is_named() {
    let app = app().await;
    let whole = json!({"event_id": "final", "stake": "1.00", "odds": "1.85", "bettor": "alice"});
    let long = "x".repeat(65);
    for (field, values) in [
        (
            "event_id",
            vec![json!(""), json!("a b"), json!("a/b"), json!("\u{0}"), json!(long)],
        ),
        (
            "stake",
            [
                "0",
                "0.00",
                "-1",
                "0.001",
                "1.234",
                "1e2",
                "+1",
                "1,5",
                "",
                " 1",
                "NaN",
                "١",
                "1000000000.01",
                "99999999999999999999999999",
            ]
            .map(Value::from)
            .into(),
        ),
        (
            "odds",
            ["0", "-1.85", "1.855", "10000.01", "1.85 ", "Infinity"]
                .map(Value::from)
                .into(),
        ),
        ("odds_change", vec![json!("lower"), json!(""), json!("NONE")]),
        (
            "bettor",
            vec![json!(""), json!("al ice"), json!("ä"), json!(long)],
        ),
    ] {
        for value in values {
            let mut body = whole.clone();
            body[field] = value.clone();
            let refusal = problem(&app.place(&body).await, 422, "invalid_field");
            assert_eq!(broken_fields(&refusal), [field], "{value}");
        }
    }
    for raw in ["-0", "0e0", "1e400", "1E2", "123456789012345678901234567890"] {
        let body = format!(r#"{{"event_id": "final", "stake": {raw}}}"#);
        let refusal = problem(
            &send(&app, "application/json", body.as_bytes()).await,
            422,
            "invalid_field",
        );
        assert_eq!(broken_fields(&refusal), ["stake"], "{raw}");
    }
    let all = json!({"event_id": "", "stake": "0", "odds": "0", "odds_change": "none", "bettor": ""});
    let refusal = problem(&app.place_with_key("k", &all).await, 422, "invalid_field");
    assert_eq!(broken_fields(&refusal), ["event_id", "stake", "bettor", "odds"]);
    assert_eq!(app.books.int("select count(*) from idempotency_keys").await, 0);
}

#[actix_rt::test]
async fn a_policy_that_compares_odds_needs_odds() {
    let app = app().await;
    for change in ["none", "higher"] {
        let body = json!({"event_id": "final", "stake": "1.00", "odds_change": change});
        let refusal = problem(&app.place(&body).await, 422, "invalid_field");
        assert_eq!(broken_fields(&refusal), ["odds"]);
    }
    let any = json!({"event_id": "final", "stake": "1.00", "odds_change": "any"});
    assert_eq!(app.place(&any).await.status, 201);
}

#[actix_rt::test]
async fn an_idempotency_key_is_one_word_of_visible_ascii() {
    let app = app().await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    for key in ["", "two words", "ä", &"x".repeat(256)] {
        let refusal = problem(&app.place_with_key(key, &body).await, 422, "invalid_field");
        assert_eq!(broken_fields(&refusal), ["Idempotency-Key"], "{key}");
    }
    let longest = "~".repeat(255);
    assert_eq!(app.place_with_key(&longest, &body).await.status, 201);
}

#[actix_rt::test]
async fn an_unknown_event_is_404_and_a_closed_one_409() {
    let app = app().await;
    let on = |event: &str| json!({"event_id": event, "stake": "1.00"});
    problem(&app.place(&on("unknown")).await, 404, "event_not_found");

    for (id, end) in [("a", "won"), ("b", "lost"), ("c", "cancelled")] {
        app.happens(|history| history.create(id, "1.85")).await;
        app.happens(|history| match end {
            "won" => history.won(id),
            "lost" => history.lost(id),
            _ => history.cancelled(id),
        })
        .await;
        problem(&app.place(&on(id)).await, 409, "betting_closed");
    }
    app.happens(|history| history.create_until("late", "1.85", in_seconds(0)))
        .await;
    problem(&app.place(&on("late")).await, 409, "betting_closed");
    let closed_and_other_odds = json!({"event_id": "late", "stake": "1.00", "odds": "9.99"});
    problem(&app.place(&closed_and_other_odds).await, 409, "betting_closed");
}

#[actix_rt::test]
async fn a_body_is_json_of_at_most_16_kib() {
    let app = app().await;
    let body = json!({"event_id": "final", "stake": "1.00"}).to_string();
    for content_type in [
        "text/plain",
        "application/xml",
        "application/json; charset=latin1",
    ] {
        problem(
            &send(&app, content_type, body.as_bytes()).await,
            415,
            "unsupported_media_type",
        );
    }
    let untyped = app
        .client
        .send_bytes(Method::POST, "/bets", &[], body.clone().into_bytes())
        .await;
    problem(&untyped, 415, "unsupported_media_type");
    let padded = |length: usize| format!("{body:<length$}");
    let largest = send(
        &app,
        "application/json; charset=UTF-8",
        padded(16 * 1024).as_bytes(),
    )
    .await;
    assert_eq!(largest.status, 201);
    let larger = send(&app, "application/json", padded(16 * 1024 + 1).as_bytes()).await;
    problem(&larger, 413, "body_too_large");
}

async fn send(app: &TestApp, content_type: &str, body: &[u8]) -> test_support::Response {
    let headers = [("content-type", content_type)];
    app.client
        .send_bytes(Method::POST, "/bets", &headers, body.to_vec())
        .await
}
