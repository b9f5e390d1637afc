//! Reading has connections of its own, and a database that says nothing is not waited for without end.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bet_maker::store::{Store, StoreError, within};
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::{join_all, pending};

use crate::harness::database;

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
