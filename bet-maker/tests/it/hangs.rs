//! A database that hangs: its processes are stopped, its connections stay open. Nobody waits without end, and the
//! service does not need to be restarted afterwards.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use test_support::{Postgres, Response, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{PATIENCE, Signed, problem};
use crate::outage::app_on;

/// What may be waited for an answer, with room for a busy machine: 15 s for work, 8 s for reading, 4 s for readiness.
const WORK: Duration = Duration::from_secs(20);
const READ: Duration = Duration::from_secs(12);
const READY: Duration = Duration::from_secs(8);

async fn within(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(limit, answer)
        .await
        .expect("an answer in time")
}

/// Either is true: all connections wait for a database that does not answer.
fn assert_away(answer: &Response) {
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    assert!(
        ["database_unavailable", "overloaded"].contains(&code.as_str()),
        "{code}"
    );
    problem(answer, 503, &code);
}

#[actix_rt::test]
async fn while_the_database_hangs_everything_is_answered_in_time_and_then_works_again() {
    let (postgres, app) = app_on(Postgres::builder()).await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let bet = app.placed("final", "1.00").await;
    let id = bet["id"].as_str().unwrap();
    let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
    let signed = Signed::change(&change);
    let frozen = postgres.freeze().unwrap();

    let bets = join_all((0..40).map(|n| {
        let (app, body, key) = (&app, &body, format!("k{n}"));
        async move { within(WORK, app.place_with_key(&key, body)).await }
    }));
    let (bets, callback, list, one, exposure, ready, alive) = tokio::join!(
        bets,
        within(WORK, app.callback(&signed)),
        within(READ, app.list_bets("")),
        within(READ, app.bet(id)),
        within(READ, app.exposure("final")),
        within(READY, app.ready()),
        within(READY, app.client.get("/healthz")),
    );
    for answer in bets.iter().chain([&callback, &list, &one, &exposure]) {
        assert_away(answer);
    }
    let not_ready = problem(&ready, 503, "not_ready");
    assert_eq!(not_ready["dependencies"]["database"]["status"], "down");
    assert_eq!(alive.status, 200);

    drop(frozen);
    app.wait_until_ready().await;
    for n in 0..40 {
        let key = format!("k{n}");
        wait_until("the bet is placed", PATIENCE, async || {
            let answer = app.place_with_key(&key, &body).await;
            (answer.status == 201).then_some(())
        })
        .await;
    }
    assert_eq!(app.books.int("select count(*) from bets").await, 41);
    app.wait_for_revision("final", 2).await;
}

#[actix_rt::test]
async fn a_stop_while_the_database_hangs_answers_what_is_under_way_and_ends() {
    let (postgres, app) = app_on(Postgres::builder()).await;
    let frozen = postgres.freeze().unwrap();
    let body = json!({"event_id": "final", "stake": "1.00"}).to_string();
    let head = format!(
        "POST /bets HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut placing = TcpStream::connect(app.address()).await.unwrap();
    placing.write_all(head.as_bytes()).await.unwrap();
    // It is under way when it is asked to go on.
    let mut asked = [0; 25];
    placing.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    placing.write_all(body.as_bytes()).await.unwrap();

    let started = Instant::now();
    let mut answer = String::new();
    let (read, ()) = tokio::join!(placing.read_to_string(&mut answer), app.stop());
    read.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
    drop(frozen);
}
