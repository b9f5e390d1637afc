//! Identity, conditions, keys, ids and traces.

use crate::{
    lights::{TOKEN, start},
    wire::{Answer, get, send},
};

async fn change(port: u16, headers: &[&str]) -> Answer {
    let bearer = format!("Authorization: Bearer {TOKEN}");
    send(
        port,
        "PATCH /lights/hall",
        &[&[bearer.as_str()], headers].concat(),
        "",
    )
    .await
}

#[actix_web::test]
async fn only_the_operators_token_opens_operator_routes() {
    let port = start();
    for header in [
        "X-None: 1".to_owned(),
        "Authorization:".to_owned(),
        "Authorization: Bearer".to_owned(),
        "Authorization: Bearer ".to_owned(),
        "Authorization: Bearer wrong".to_owned(),
        format!("Authorization: Bearer {TOKEN}x"),
        format!("Authorization: Basic {TOKEN}"),
        format!("Authorization: {TOKEN}"),
    ] {
        let answer = send(port, "DELETE /lights/hall", &[&header], "").await;
        answer.problem(401, "unauthorized");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"operator\"")
        );
    }
    for scheme in ["Bearer", "bearer"] {
        let answer = send(
            port,
            "DELETE /lights/hall",
            &[&format!("Authorization: {scheme} {TOKEN}")],
            "",
        )
        .await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
}

#[actix_web::test]
async fn a_change_waits_for_the_revision_the_caller_believes_in() {
    let port = start();
    for header in [
        "X-None: 1",
        "If-Match: \"3\"",
        "If-Match: \"2\", \"3\"",
        "If-Match: *",
    ] {
        assert_eq!(change(port, &[header]).await.status, 200, "{header}");
    }
    assert_eq!(
        change(port, &["If-Match: \"2\"", "If-Match: \"3\""]).await.status,
        200
    );
    for header in ["If-Match: \"2\"", "If-Match: W/\"3\"", "If-Match: \"03\""] {
        change(port, &[header]).await.problem(412, "precondition_failed");
    }
    for header in [
        "If-Match:",
        "If-Match: 3",
        "If-Match: \"3",
        "If-Match: \"3\" \"4\"",
    ] {
        change(port, &[header]).await.problem(400, "invalid_header");
    }
}

#[actix_web::test]
async fn an_idempotency_key_is_visible_ascii_of_bounded_length() {
    let port = start();
    let create = async |headers: &[&str]| {
        let bearer = format!("Authorization: Bearer {TOKEN}");
        let fixed = [bearer.as_str(), "Content-Type: application/json"];
        send(
            port,
            "POST /lights",
            &[&fixed, headers].concat(),
            r#"{"id":"hall","brightness":1}"#,
        )
        .await
    };
    for key in ["k".to_owned(), "~!".to_owned(), "k".repeat(255)] {
        let answer = create(&[&format!("Idempotency-Key: {key}")]).await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (201, Some("true"))
        );
    }
    for key in ["".to_owned(), "a b".to_owned(), "é".to_owned(), "k".repeat(256)] {
        let problem = create(&[&format!("Idempotency-Key: {key}")])
            .await
            .problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    }
    create(&["Idempotency-Key: a", "Idempotency-Key: b"])
        .await
        .problem(422, "invalid_field");
}

#[actix_web::test]
async fn a_request_id_is_taken_over_or_made() {
    let port = start();
    for id in ["mine-42".to_owned(), "x".repeat(128)] {
        let answer = send(port, "GET /nowhere", &[&format!("X-Request-Id: {id}")], "").await;
        assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
        assert_eq!(answer.problem(404, "not_found")["request_id"], id);
    }
    for id in ["".to_owned(), "a b".to_owned(), "x".repeat(129), "é".to_owned()] {
        let answer = send(port, "GET /pair", &[&format!("X-Request-Id: {id}")], "").await;
        let made = answer.header("x-request-id").unwrap();
        assert_eq!((made.len(), made.as_bytes()[14]), (36, b'7'), "{made}");
    }
    let (one, other) = (get(port, "/pair").await, get(port, "/pair").await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[actix_web::test]
async fn a_trace_is_taken_over_or_begun() {
    let port = start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let header = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
    let ours = send(port, "GET /trace", &[&header], "")
        .await
        .json()
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        ours.starts_with(&format!("00-{trace}-")) && ours.ends_with("-01"),
        "{ours}"
    );
    assert!(!ours.contains("00f067aa0ba902b7"), "the span is our own: {ours}");

    let begun = send(port, "GET /trace", &["traceparent: 00-nonsense"], "")
        .await
        .json();
    assert_eq!(begun.as_str().unwrap().len(), ours.len());
    assert!(!begun.as_str().unwrap().contains(trace));
}
