//! Health, readiness, metrics, and what a fault shows.

use std::time::{Duration, Instant};

use http_edge::{Dependency, server::Limits};

use crate::{
    lights::{serve, start, start_with, start_within},
    wire::{Wire, get},
};

#[actix_web::test]
async fn a_fault_shows_a_fixed_text() {
    let port = start();
    for target in ["/fail", "/panic"] {
        let answer = get(port, target).await;
        answer.problem(500, "internal");
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
    assert_eq!(get(port, "/healthz").await.json()["status"], "alive");
}

#[actix_web::test]
async fn readiness_names_each_dependency() {
    let ready = get(start_with(Dependency::up().with_detail("230 V")), "/readyz").await;
    assert_eq!(ready.status, 200);
    let expected = serde_json::json!({"status": "ready", "dependencies": {"power": {"status": "up", "detail": "230 V"}}});
    assert_eq!(ready.json(), expected);

    let port = start_with(Dependency::down("cut off"));
    let answer = get(port, "/readyz").await;
    let problem = answer.problem(503, "not_ready");
    assert_eq!(problem["dependencies"]["power"]["detail"], "cut off");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(get(port, "/healthz").await.status, 200);
}

#[actix_web::test]
async fn requests_are_counted_and_timed_by_route() {
    let port = start();
    for target in ["/lights/metrics-1", "/lights/metrics-2/", "/made-up-address"] {
        get(port, target).await;
    }
    let answer = get(port, "/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = answer.text();
    for series in [
        r#"http_requests_total{method="GET",route="/lights/{id}",status="200"}"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/lights/{id}",le="0.005"}"#,
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
    assert!(!text.contains("made-up"), "{text}");
}

#[actix_web::test]
async fn what_panics_or_is_given_up_is_counted_by_route_too() {
    let port = start_within(Limits {
        handler: Duration::from_millis(100),
        ..Limits::default()
    });
    // The router reads %68 as h, and so must who counts.
    for target in ["/panic/", "/%68ang/metrics-3"] {
        get(port, target).await;
    }
    let text = get(port, "/metrics").await.text();
    for series in [
        r#"http_requests_total{method="GET",route="/panic",status="500"}"#,
        r#"http_requests_total{method="GET",route="/hang/{id}",status="503"}"#,
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
    for status in [500, 503] {
        let unmatched = format!(r#"route="unmatched",status="{status}""#);
        assert!(!text.contains(&unmatched), "{unmatched} is in\n{text}");
    }
}

#[actix_web::test]
async fn a_stop_does_not_wait_for_idle_connections() {
    let (port, server) = serve(Dependency::up());
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let mut idle = Wire::open(port).await;
    idle.say("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert!(idle.head().await.contains("200 OK"));

    let started = Instant::now();
    handle.stop(true).await;
    running.await.unwrap().unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    drop(idle);
}
