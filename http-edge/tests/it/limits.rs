//! Clients that take their time, or too much: each is cut off by a deadline, and nobody else notices.

use std::time::{Duration, Instant};

use http_edge::{Dependency, server::Limits};
use tokio::net::TcpStream;

use crate::{
    lights::{serve_within, start_within},
    wire::{PATIENCE, Wire, get},
};

/// Far above what a request takes, far below the tests' patience.
const SHORT: Duration = Duration::from_millis(400);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
const ALIVE: &str = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

fn short_heads() -> Limits {
    Limits {
        head: SHORT,
        ..Limits::default()
    }
}

async fn answered(wire: &mut Wire) {
    wire.say(ALIVE).await;
    assert!(wire.whole().await.ends_with(r#"{"status":"alive"}"#));
}

/// What is answered to a head that is too late, and that it ends the connection.
async fn too_late(wire: Wire) {
    let answer = tokio::time::timeout(PATIENCE, wire.answer()).await;
    let answer = answer.expect("the server ends the connection");
    answer.problem(408, "request_timeout");
    assert_eq!(answer.header("connection"), Some("close"));
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")));
}

/// Waits until this line of the metrics is as it should be.
async fn metric(port: u16, name: &str, is_right: impl Fn(f64) -> bool) {
    let right = async {
        loop {
            let text = get(port, "/metrics").await.text();
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            if line.is_some_and(|value| is_right(value.trim().parse().unwrap())) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, right).await;
    waited.unwrap_or_else(|_| panic!("{name} is not what it should be"));
}

#[actix_web::test]
async fn half_a_first_head_is_408() {
    let port = start_within(short_heads());
    let mut wire = Wire::open(port).await;
    wire.say("GET /healthz HT").await;
    too_late(wire).await;
    metric(port, r#"http_connections_cut_total{limit="head"}"#, |cut| {
        cut >= 1.0
    })
    .await;
}

#[actix_web::test]
async fn a_connection_that_says_nothing_is_408() {
    let port = start_within(short_heads());
    let started = Instant::now();
    too_late(Wire::open(port).await).await;
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
}

#[actix_web::test]
async fn a_first_head_that_drips_does_not_hold_its_connection() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    wire.say("GET /healthz HTTP/1.1\r\nX-Long: ").await;
    wire.drip(b"x", SHORT / 20).await;
}

#[actix_web::test]
async fn half_a_second_head_is_408_too() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    answered(&mut wire).await;
    answered(&mut wire).await;
    wire.say("GET /healthz HT").await;
    too_late(wire).await;
}

#[actix_web::test]
async fn a_second_head_that_drips_does_not_hold_its_connection() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    answered(&mut wire).await;
    let started = Instant::now();
    wire.say("GET /healthz HTTP/1.1\r\nX-Long: ").await;
    wire.drip(b"x", SHORT / 20).await;
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
}

#[actix_web::test]
async fn the_rest_of_a_body_that_nobody_wants_does_not_hold_its_connection() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    wire.say("PUT /pair HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let answer = wire.whole().await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    // What follows would be taken for the next head.
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    wire.drip(b"1\r\nx\r\n", SHORT / 20).await;
}

#[actix_web::test]
async fn a_body_that_nobody_reads_and_nobody_sends_ends_its_connection_without_another_answer() {
    let port = start_within(Limits {
        // After the deadline of the head, which would wake the connection as well.
        handler: 2 * SHORT,
        ..short_heads()
    });
    for (asked, status) in [
        ("PUT /pair", 405),
        ("GET /pair", 200),
        ("GET /hang/forgotten", 503),
    ] {
        let mut wire = Wire::open(port).await;
        wire.say(format!(
            "{asked} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
        let answer = wire.whole().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert_eq!(wire.rest().await, "");
    }
}

#[actix_web::test]
async fn a_chunked_body_that_was_read_keeps_its_connection() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    wire.say("POST /measure HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        .await;
    assert!(wire.whole().await.ends_with("\r\n\r\n1"));
    tokio::time::sleep(2 * SHORT).await;
    answered(&mut wire).await;
}

#[actix_web::test]
async fn neither_an_idle_connection_nor_a_slow_body_is_taken_for_a_slow_head() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    for _ in 0..2 {
        answered(&mut wire).await;
        tokio::time::sleep(2 * SHORT).await;
    }
    wire.say("POST /measure HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\n")
        .await;
    for _ in 0..8 {
        tokio::time::sleep(SHORT / 4).await;
        wire.say("x").await;
    }
    assert!(wire.whole().await.ends_with("\r\n\r\n8"));
    answered(&mut wire).await;
}

#[actix_web::test]
async fn requests_that_come_together_are_answered_one_after_the_other() {
    let mut wire = Wire::open(start_within(short_heads())).await;
    wire.say(ALIVE.repeat(5)).await;
    for _ in 0..5 {
        assert!(wire.whole().await.ends_with(r#"{"status":"alive"}"#));
    }
    answered(&mut wire).await;
}

#[actix_web::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits {
        keep_alive: SHORT,
        ..Limits::default()
    };
    let mut wire = Wire::open(start_within(limits)).await;
    answered(&mut wire).await;
    assert_eq!(wire.rest().await, "");
}

#[actix_web::test]
async fn who_takes_nothing_of_an_answer_gives_its_place_to_who_waits() {
    let limits = Limits {
        write: SHORT,
        connections: 1,
        ..Limits::default()
    };
    let port = start_within(limits);
    let mut greedy = Wire::open(port).await;
    greedy.say("GET /shine HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let started = Instant::now();
    let waited = tokio::time::timeout(PATIENCE, get(port, "/healthz"));
    assert_eq!(waited.await.expect("a place is free").status, 200);
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    metric(port, r#"http_connections_cut_total{limit="write"}"#, |cut| {
        cut >= 1.0
    })
    .await;
}

#[actix_web::test]
async fn connections_are_counted_while_they_are_open() {
    // More than all other tests of this process have open together.
    const OPEN: u8 = 200;
    // None is cut while the others come.
    let port = start_within(Limits {
        head: 6 * PATIENCE,
        ..Limits::default()
    });
    let mut wires = Vec::new();
    for _ in 0..OPEN {
        wires.push(Wire::open(port).await);
    }
    metric(port, "http_connections ", |open| open >= f64::from(OPEN)).await;
    drop(wires);
    metric(port, "http_connections ", |open| open < f64::from(OPEN)).await;
}

#[actix_web::test]
async fn who_takes_an_answer_slowly_is_served_on() {
    let limits = Limits {
        write: SHORT,
        ..Limits::default()
    };
    let mut slow = Wire::open(start_within(limits)).await;
    slow.say("GET /shine HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let started = Instant::now();
    while started.elapsed() < 5 * SHORT {
        slow.take(4 * 1024 * 1024).await;
        tokio::time::sleep(SHORT / 4).await;
    }
}

#[actix_web::test]
async fn a_handler_that_does_not_answer_is_503_and_costs_no_more_than_its_request() {
    let limits = Limits {
        handler: SHORT,
        ..Limits::default()
    };
    let port = start_within(limits);
    let given_up = tokio::time::timeout(PATIENCE, get(port, "/hang/forgotten"));
    let answer = given_up.await.expect("the answer is given up");
    answer.problem(503, "timed_out");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(get(port, "/healthz").await.status, 200);
}

#[actix_web::test]
async fn a_stop_answers_what_is_under_way_and_waits_for_nothing_else() {
    let (port, server) = serve_within(Limits::default(), Dependency::up());
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let (mut half, mut second_half, mut under_way) = (
        Wire::open(port).await,
        Wire::open(port).await,
        Wire::open(port).await,
    );
    answered(&mut second_half).await;
    half.say("GET /healthz HT").await;
    second_half.say("GET /healthz HT").await;
    under_way
        .say("POST /measure HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .await;
    // It is under way when it was asked to go on.
    assert!(under_way.head().await.starts_with("HTTP/1.1 100 "));

    let stopping = actix_web::rt::spawn(async move { handle.stop(true).await });
    half.rest().await;
    second_half.rest().await;
    let refused = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("new connections are refused");
    under_way.say("xx").await;
    let answer = under_way.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('2'),
        "{answer}"
    );
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
    running.await.unwrap().unwrap();
}
