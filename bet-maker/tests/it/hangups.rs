//! Clients that hang up, politely or not, at any moment: no transaction stays open, and nothing is done by halves.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use test_support::wait_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Books, PATIENCE, Signed, TestApp};

/// Below the database's own limit for idle transactions, which would hide what we left.
const SOON: Duration = Duration::from_secs(5);
const CLIENTS: usize = 40;

/// How a client ends its connection.
#[derive(Clone, Copy)]
enum Goodbye {
    /// FIN.
    Closes,
    /// RST.
    Resets,
}

async fn say(app: &TestApp, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn hang_up(stream: TcpStream, how: Goodbye) {
    if matches!(how, Goodbye::Resets) {
        stream.set_zero_linger().unwrap();
    }
}

fn placing(key: &str) -> String {
    let body = json!({"event_id": "final", "stake": "1.00"}).to_string();
    format!(
        "POST /bets HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn calling_back(signed: &Signed) -> String {
    let headers: String = signed
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let body = String::from_utf8(signed.body.clone()).unwrap();
    format!(
        "POST /callbacks/line-provider HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn reading(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// No transaction that was open by now is left soon, neither idle nor at work.
async fn assert_none_left_open(app: &TestApp) {
    let now = app.books.text("select clock_timestamp()::text").await;
    let open = format!(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and state like 'idle in transaction%' and xact_start <= '{now}'"
    );
    wait_until("no transaction is left open", SOON, async || {
        (app.books.int(&open).await == 0).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn who_hangs_up_while_the_database_makes_it_wait_leaves_nothing_behind() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    // A transaction sees the sessions as they were when it looked first.
    let watcher = Books::open(app.database.url()).await;
    app.books
        .run("begin; lock table bets, events in access exclusive mode")
        .await;
    let mut streams = Vec::new();
    for n in 0..CLIENTS {
        streams.push(say(&app, &placing(&format!("k{n}"))).await);
    }
    for path in ["/events/final/exposure", "/bets", "/events"] {
        streams.push(say(&app, &reading(path)).await);
    }
    let readers = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
         and datname = current_database() and query like 'SELECT%'";
    let fences =
        "select count(*) from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted
         and database = (select oid from pg_database where datname = current_database())";
    wait_until("they wait in the middle of what they do", PATIENCE, async || {
        let (readers, fences) = (watcher.int(readers).await, watcher.int(fences).await);
        (readers >= 3 && fences >= 1).then_some(())
    })
    .await;
    // Only now, by callback and by the log: before the placements, they would wait for its fence.
    let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
    streams.push(say(&app, &calling_back(&Signed::change(&change))).await);
    for (n, stream) in streams.into_iter().enumerate() {
        hang_up(
            stream,
            if n % 2 == 0 {
                Goodbye::Closes
            } else {
                Goodbye::Resets
            },
        );
    }
    app.books.run("commit").await;
    assert_none_left_open(&app).await;
    assert_each_key_is_one_bet(&app, CLIENTS).await;
    app.wait_for_revision("final", 2).await;
}

#[actix_rt::test]
async fn who_hangs_up_at_any_moment_leaves_nothing_behind() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let clients = (0..CLIENTS).map(|n| {
        let (app, change) = (&app, &change);
        async move {
            // A pause of its own for each client: from before the head was read to after the answer.
            let pause = Duration::from_micros((seed.rotate_left(u32::try_from(n).unwrap()) % 8_000) + 1);
            let requests = [
                placing(&format!("k{n}")),
                calling_back(&Signed::change(change)),
                reading("/events/final/exposure"),
                reading("/bets?limit=500"),
            ];
            for (turn, request) in requests.iter().enumerate() {
                let mut stream = say(app, request).await;
                let _ = tokio::time::timeout(pause, stream.read(&mut [0; 64])).await;
                let how = if (n + turn) % 2 == 0 {
                    Goodbye::Closes
                } else {
                    Goodbye::Resets
                };
                hang_up(stream, how);
            }
        }
    });
    join_all(clients).await;
    assert_none_left_open(&app).await;
    assert_each_key_is_one_bet(&app, CLIENTS).await;
}

/// Whatever became of the first request with a key: asked again it is answered, and there is one bet for it.
async fn assert_each_key_is_one_bet(app: &TestApp, keys: usize) {
    for n in 0..keys {
        let body = json!({"event_id": "final", "stake": "1.00"});
        let answer = app.place_with_key(&format!("k{n}"), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let (bets, keyed) = (
        app.books.int("select count(*) from bets").await,
        app.books.int("select count(*) from idempotency_keys").await,
    );
    assert_eq!((bets, keyed), (keys as i64, keys as i64));
}
