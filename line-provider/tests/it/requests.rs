//! Bad requests: every route answers with the status and code of the contract, and nothing changes.

use awc::http::Method;
use serde_json::json;
use test_support::Response;

use crate::support::{TestApp, code, in_days};

async fn send(app: &TestApp, method: Method, path: &str, content_type: &str, body: &str) -> Response {
    let headers = [("content-type", content_type)];
    app.client
        .send_bytes(method, path, &headers, body.as_bytes().to_vec())
        .await
}

#[actix_rt::test]
async fn operator_routes_are_for_the_operator() {
    let app = TestApp::start().await;
    let id = "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11";
    for (method, path) in [
        (Method::POST, "/events".to_owned()),
        (Method::PATCH, "/events/final".to_owned()),
        (Method::POST, "/events/final/corrections".to_owned()),
        (Method::POST, "/subscriptions".to_owned()),
        (Method::GET, "/subscriptions".to_owned()),
        (Method::GET, format!("/subscriptions/{id}")),
        (Method::PATCH, format!("/subscriptions/{id}")),
        (Method::DELETE, format!("/subscriptions/{id}")),
    ] {
        for header in [None, Some("Bearer wrong"), Some("Basic dTpw")] {
            let headers: Vec<_> = header.map(|value| ("authorization", value)).into_iter().collect();
            let answer = app.anyone.send(method.clone(), &path, &headers, None).await;
            assert_eq!(code(&answer, 401), "unauthorized", "{method} {path}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
}

#[actix_rt::test]
async fn what_cannot_be_read_is_400() {
    let app = TestApp::start().await;
    app.create("final").await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"odds": "1.5"}"#,
        r#"{"odds": true, "deadline": "x"}"#,
        r#"{"odds": "1.5", "deadline": 5}"#,
        r#"{"odds": "1.5", "deadline": "x", "price": 1}"#,
    ] {
        let answer = send(&app, Method::POST, "/events", "application/json", body).await;
        assert_eq!(code(&answer, 400), "invalid_json", "{body}");
    }
    let answer = send(
        &app,
        Method::PATCH,
        "/events/final",
        "application/json",
        r#"{"odds": null}"#,
    )
    .await;
    assert_eq!(code(&answer, 400), "invalid_json");
    for query in ["?limit=0", "?limit=501", "?limit=x", "?status=open", "?page=2"] {
        let answer = app.anyone.get(&format!("/events{query}")).await;
        assert_eq!(code(&answer, 400), "invalid_query", "{query}");
    }
    let answer = app.anyone.get("/events?cursor=abc").await;
    assert_eq!(code(&answer, 400), "invalid_cursor");
    for query in [
        "?after=-1",
        "?after=x",
        "?wait_ms=30001",
        "?limit=0",
        "?limit=501",
        "?from=1",
    ] {
        let answer = app.anyone.get(&format!("/changes{query}")).await;
        assert_eq!(code(&answer, 400), "invalid_query", "{query}");
    }
    let headers = [("last-event-id", "x")];
    let answer = app
        .anyone
        .send(Method::GET, "/changes/stream", &headers, None)
        .await;
    assert_eq!(code(&answer, 400), "invalid_header");
}

#[actix_rt::test]
async fn what_breaks_a_rule_is_422_and_names_the_field() {
    let app = TestApp::start().await;
    app.create("final").await;
    let good = json!({"id": "a", "title": "", "odds": "1.5", "deadline": in_days(30)});
    for (field, value) in [
        ("id", json!("a b")),
        ("id", json!("")),
        ("title", json!("x".repeat(201))),
        ("title", json!("a\0b")),
        ("odds", json!("0")),
        ("odds", json!("1.855")),
        ("odds", json!("10000.01")),
        ("odds", json!("1e1")),
        ("deadline", json!("2020-01-01T00:00:00Z")),
        ("deadline", json!("2099-01-01T00:00:00Z")),
        ("deadline", json!(in_days(30).trim_end_matches('Z'))),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = app.client.post("/events", &body).await;
        assert_eq!(code(&answer, 422), "invalid_field", "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
    }
    for (path, body) in [
        ("/events/final", json!({"status": "drawn"})),
        ("/events/final", json!({"odds": "-1"})),
        ("/events/final", json!({"deadline": "2020-01-01T00:00:00Z"})),
    ] {
        let answer = app.client.patch(path, &body).await;
        assert_eq!(code(&answer, 422), "invalid_field", "{body}");
    }
    for body in [
        json!({"status": "drawn", "reason": "x"}),
        json!({"status": "cancelled", "reason": ""}),
    ] {
        let answer = app.client.post("/events/final/corrections", &body).await;
        assert_eq!(code(&answer, 422), "invalid_field", "{body}");
    }
    for body in [
        json!({"url": "ftp://h/"}),
        json!({"url": "http://u:p@h/"}),
        json!({"url": "http://h/", "event_types": ["event.deleted"]}),
        json!({"url": "http://h/", "secret": "whsec_c2hvcnQ="}),
    ] {
        let answer = app.client.post("/subscriptions", &body).await;
        assert_eq!(code(&answer, 422), "invalid_field", "{body}");
    }
    assert_eq!(app.changes().await.len(), 1);
}

#[actix_rt::test]
async fn unknown_things_methods_types_and_sizes_have_their_statuses() {
    let app = TestApp::start().await;
    let unknown = app.anyone.get("/events/unknown").await;
    assert_eq!(code(&unknown, 404), "event_not_found");
    let patched = app.client.patch("/events/unknown", &json!({})).await;
    assert_eq!(code(&patched, 404), "event_not_found");
    let correction = json!({"status": "cancelled", "reason": "x"});
    let corrected = app.client.post("/events/unknown/corrections", &correction).await;
    assert_eq!(code(&corrected, 404), "event_not_found");
    assert_eq!(code(&app.anyone.get("/events/a.b").await, 404), "event_not_found");
    assert_eq!(code(&app.anyone.get("/nothing").await, 404), "not_found");
    let id = "/subscriptions/019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11";
    for answer in [
        app.client.get(id).await,
        app.client.patch(id, &json!({})).await,
        app.client.delete(id).await,
    ] {
        assert_eq!(code(&answer, 404), "subscription_not_found");
    }
    assert_eq!(
        code(&app.client.get("/subscriptions/x").await, 404),
        "subscription_not_found"
    );

    let deleted = app.client.delete("/events").await;
    assert_eq!(code(&deleted, 405), "method_not_allowed");
    let allowed = deleted.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(
        code(&app.client.post("/changes", &json!({})).await, 405),
        "method_not_allowed"
    );

    let answer = send(&app, Method::POST, "/events", "text/plain", "{}").await;
    assert_eq!(code(&answer, 415), "unsupported_media_type");
    let large = format!(r#"{{"title": "{}"}}"#, "x".repeat(16 * 1024));
    let answer = send(&app, Method::POST, "/events", "application/json", &large).await;
    assert_eq!(code(&answer, 413), "body_too_large");
}

#[actix_rt::test]
async fn slashes_request_ids_and_the_operations_routes_work() {
    let app = TestApp::start().await;
    app.create("final").await;
    assert_eq!(app.anyone.get("/events/final/").await.status, 200);
    let headers = [("x-request-id", "mine-1")];
    let answer = app.anyone.send(Method::GET, "/events/", &headers, None).await;
    assert_eq!(
        (answer.status, answer.header("x-request-id")),
        (200, Some("mine-1"))
    );
    assert_eq!(app.anyone.get("/healthz").await.status, 200);
    let ready = app.anyone.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["dependencies"]["journal"]["status"], "up");
    assert_eq!(ready.json()["dependencies"]["delivery"]["status"], "up");
    let metrics = app.anyone.get("/metrics").await.text();
    for name in [
        "line_provider_log_head",
        "line_provider_journal_commit_seconds_bucket",
    ] {
        assert!(metrics.contains(name), "{name}");
    }
    assert_eq!(app.anyone.get("/docs").await.status, 200);
}
