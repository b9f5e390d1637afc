//! Reading has connections of its own, and a database that says nothing is not waited for without end.

use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bet_maker::store::{Store, StoreError, within};
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::{join_all, pending};
use serde_json::json;
use test_support::wait_until;

use crate::harness::{History, PATIENCE, Provider, TestApp, database};

const READERS: usize = 4;

#[actix_rt::test]
async fn readers_that_take_all_their_connections_leave_work_its_own() {
    let database = database().await;
    let store = Store::new(database.url(), 2 * READERS);
    let (arrived, mut seen) = tokio::sync::mpsc::channel(READERS);
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (store, arrived) = (store.clone(), arrived.clone());
            actix_rt::spawn(async move {
                let hanging = store.read(async |_| {
                    arrived.send(()).await.unwrap();
                    pending::<Result<(), StoreError>>().await
                });
                hanging.await
            })
        })
        .collect();
    for _ in 0..READERS {
        seen.recv().await.unwrap();
    }
    assert!(matches!(
        store.read(async |_| Ok(())).await,
        Err(StoreError::Busy)
    ));
    store
        .connection()
        .await
        .unwrap()
        .batch_execute("select 1")
        .await
        .unwrap();
    readers.iter().for_each(|reader| reader.abort());
    join_all(readers).await;
    store.read(async |_| Ok(())).await.unwrap();
}

#[actix_rt::test]
async fn work_that_takes_all_its_connections_leaves_readiness_its_own() {
    let (database, provider) = (Rc::new(database().await), Provider::start(History::new()));
    // One for work, one for reading.
    let app = TestApp::start_with(database, provider, |settings| settings.database_connections = 2).await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.books.run("begin; lock table bets in exclusive mode").await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    let (placed, ()) = tokio::join!(app.place(&body), async {
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
                       and datname = current_database()";
        wait_until("the bet waits for the table", PATIENCE, async || {
            (app.books.int(waiting).await == 1).then_some(())
        })
        .await;
        let ready = app.ready().await;
        assert_eq!(ready.status, 200, "{}", ready.text());
        assert_eq!(app.books.int(waiting).await, 1, "the bet waits no more");
        app.books.run("commit").await;
    });
    assert_eq!(placed.status, 201, "{}", placed.text());
}

#[actix_rt::test]
async fn reading_cannot_write() {
    let database = database().await;
    let store = Store::new(database.url(), 2);
    let written = store
        .read(async |conn| Ok(conn.batch_execute("update feed set position = 7").await?))
        .await;
    assert!(matches!(written, Err(StoreError::Query(_))), "{written:?}");
}

#[actix_rt::test]
async fn a_database_that_accepts_and_says_nothing_is_away_within_seconds() {
    // The system takes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let (store, started) = (Store::new(&url, 2), Instant::now());
    assert!(matches!(
        store.connection().await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[actix_rt::test]
async fn work_that_takes_too_long_is_ended() {
    let endless = pending::<Result<(), StoreError>>();
    assert!(matches!(
        within(Duration::from_millis(1), endless).await,
        Err(StoreError::TimedOut)
    ));
}
