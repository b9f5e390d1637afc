//! Told to stop while requests are under way: they are answered, nothing else is waited for, and the process ends well.

use std::time::{Duration, Instant};

use serde_json::json;
use test_support::{Postgres, Service, wait_until};
use tokio::net::TcpStream;

use crate::pair::{PATIENCE, Pair, bet_maker, in_an_hour, line_provider};
use crate::wire::Wire;

/// With nothing to wait for; the server looks once a second whether all connections have ended.
const AT_ONCE: Duration = Duration::from_secs(10);
const AT_MOST: Duration = Duration::from_secs(30);

/// SIGTERM, and what an impatient supervisor sends next.
fn tell_to_stop(service: &mut Service) {
    for signal in ["TERM", "INT", "TERM"] {
        service.signal(signal);
    }
}

async fn wait_until_it_refuses(service: &Service) {
    wait_until("new connections are refused", PATIENCE, async || {
        TcpStream::connect(service.address()).await.is_err().then_some(())
    })
    .await;
}

async fn assert_ends_well(service: &mut Service, started: Instant, within: Duration) {
    let status = wait_until("the process ends", AT_MOST, async || service.exited()).await;
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < within, "{:?}", started.elapsed());
}

#[actix_rt::test]
async fn line_provider_answers_what_is_under_way_and_ends() {
    let journal = tempfile::tempdir().unwrap();
    let mut service = line_provider(journal.path()).start().await;
    let event = json!({"id": "final", "odds": "1.85", "deadline": in_an_hour()}).to_string();
    let mut posting = Wire::begin(&service, "/events", &event).await;
    let mut poll = Wire::open(&service).await;
    poll.say("GET /changes?wait_ms=30000 HTTP/1.1\r\nHost: test\r\n\r\n")
        .await;
    let mut stream = Wire::open(&service).await;
    stream
        .say("GET /changes/stream HTTP/1.1\r\nHost: test\r\n\r\n")
        .await;
    let head = stream.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let unanswered = [
        Wire::idle(&service).await,
        Wire::half(&service).await,
        Wire::second_half(&service).await,
    ];

    let started = Instant::now();
    tell_to_stop(&mut service);
    wait_until_it_refuses(&service).await;
    for wire in unanswered {
        assert_eq!(wire.rest().await, "");
    }
    assert!(poll.rest().await.contains(r#""items":[]"#));
    assert_eq!(stream.rest().await, "0\r\n\r\n");
    posting.say(&event).await;
    let answer = posting.rest().await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert_ends_well(&mut service, started, AT_ONCE).await;

    service.restart().await;
    assert_eq!(service.client().get("/events/final").await.status, 200);
}

#[actix_rt::test]
async fn bet_maker_answers_what_is_under_way_and_ends() {
    let mut pair = Pair::start().await;
    pair.create_event("final").await;
    pair.know(&pair.bettor(), "final").await;
    let bet = json!({"event_id": "final", "stake": "1.00"}).to_string();
    let service = &mut pair.bet_makers[0];
    let mut placing = Wire::begin(service, "/bets", &bet).await;
    let unanswered = [
        Wire::idle(service).await,
        Wire::half(service).await,
        Wire::second_half(service).await,
    ];

    let started = Instant::now();
    tell_to_stop(service);
    wait_until_it_refuses(service).await;
    for wire in unanswered {
        assert_eq!(wire.rest().await, "");
    }
    placing.say(&bet).await;
    let answer = placing.rest().await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert_ends_well(service, started, AT_ONCE).await;

    service.restart().await;
    let bets = pair.bettor().get("/bets").await.json();
    assert_eq!(bets["items"].as_array().unwrap().len(), 1, "{bets}");
}

#[actix_rt::test]
async fn bet_maker_ends_although_its_database_hangs() {
    let postgres = Postgres::builder().start().unwrap();
    let journal = tempfile::tempdir().unwrap();
    let provider = line_provider(journal.path()).start().await;
    let mut service = bet_maker(&postgres.url("postgres"), &provider.url())
        .start()
        .await;
    let frozen = postgres.freeze().unwrap();
    let bet = json!({"event_id": "final", "stake": "1.00"}).to_string();
    let mut placing = Wire::begin(&service, "/bets", &bet).await;
    placing.say(&bet).await;
    let started = Instant::now();
    tell_to_stop(&mut service);
    let answer = placing.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_ends_well(&mut service, started, AT_MOST).await;
    drop(frozen);
}
