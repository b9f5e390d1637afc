//! Addresses, methods, queries and pages.

use crate::{
    lights::{TOKEN, start},
    wire::{Wire, get, send},
};

#[actix_web::test]
async fn what_is_not_there_is_404() {
    let port = start();
    for target in ["/", "/nowhere", "/lights/hall/more", "/docs/nothing.js"] {
        get(port, target).await.problem(404, "not_found");
    }
}

#[actix_web::test]
async fn what_cannot_be_an_id_is_not_found_like_any_other_id() {
    let port = start();
    for id in ["unknown", "a%20b", "a.b", "%ff", &"x".repeat(65)] {
        get(port, &format!("/lights/{id}"))
            .await
            .problem(404, "light_not_found");
    }
}

#[actix_web::test]
async fn another_method_is_405_with_those_allowed() {
    let port = start();
    for (request, allow) in [
        ("PUT /lights/hall", vec!["DELETE", "GET", "HEAD", "PATCH"]),
        ("DELETE /lights", vec!["GET", "HEAD", "POST"]),
        ("POST /healthz", vec!["GET", "HEAD"]),
        ("POST /docs", vec!["GET", "HEAD"]),
        ("GET /measure", vec!["POST"]),
        ("BREW /lights", vec!["GET", "HEAD", "POST"]),
    ] {
        let answer = send(port, request, &[], "").await;
        answer.problem(405, "method_not_allowed");
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, allow, "{request}");
    }
}

#[actix_web::test]
async fn a_trailing_slash_is_tolerated() {
    let port = start();
    for target in [
        "/lights/",
        "/lights//",
        "/lights/?limit=1",
        "/lights/hall/",
        "/docs/",
        "/openapi.json/",
    ] {
        assert_eq!(get(port, target).await.status, 200, "{target}");
    }
    assert_eq!(get(port, "/lights/hall/").await.json()["id"], "hall");
    assert_eq!(
        get(port, "/lights/?limit=1").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[actix_web::test]
async fn what_can_be_read_answers_head_without_a_body() {
    let port = start();
    let answer = send(port, "HEAD /lights/hall", &[], "").await;
    let length = get(port, "/lights/hall").await.body.len().to_string();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert_eq!(answer.header("etag"), Some("\"3\""));
    assert_eq!(send(port, "HEAD /shine", &[], "").await.status, 200);
}

#[actix_web::test]
async fn a_stream_is_marked_for_proxies() {
    let mut wire = Wire::open(start()).await;
    wire.say("GET /shine HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let head = wire.head().await;
    for line in [
        "200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
    ] {
        assert!(head.contains(line), "{head}");
    }
}

#[actix_web::test]
async fn a_list_is_read_page_by_page() {
    let port = start();
    let mut target = "/lights?limit=2".to_owned();
    let mut seen = Vec::new();
    let mut ends = false;
    for _ in 0..3 {
        let page = get(port, &target).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => target = format!("/lights?limit=2&cursor={cursor}"),
            None => ends = true,
        }
    }
    assert!(ends, "the third page is the last");
    assert_eq!(seen, ["l1", "l2", "l3", "l4", "l5"]);
}

#[actix_web::test]
async fn an_unreadable_query_or_cursor_is_400() {
    let port = start();
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=",
        "unknown=1",
        "limit=1&limit=2",
        "id=a+b",
    ] {
        get(port, &format!("/lights?{query}"))
            .await
            .problem(400, "invalid_query");
    }
    for cursor in ["x", "bm90IGpzb24", "IngiCg", "%00"] {
        get(port, &format!("/lights?cursor={cursor}"))
            .await
            .problem(400, "invalid_cursor");
    }
}

#[actix_web::test]
async fn a_refusal_carries_its_members_and_headers() {
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let port = start();
    let answer = send(port, "PATCH /lights/broken", &[&bearer], "").await;
    let problem = answer.problem(409, "light_broken");
    assert_eq!(
        (problem["current_odds"].as_str(), answer.header("retry-after")),
        (Some("1.85"), Some("7"))
    );
    assert_eq!(send(port, "PATCH /lights/new", &[&bearer], "").await.status, 201);
}

#[actix_web::test]
async fn an_unreadable_head_ends_the_connection_with_400() {
    let mut wire = Wire::open(start()).await;
    wire.say("GET /\x01 nonsense\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 400);
}
