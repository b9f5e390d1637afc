//! Many who wait for changes: as many as there are places, and the others are told to come again.

use futures_util::FutureExt as _;
use futures_util::future::{join_all, select_all};
use test_support::wait_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestApp, answer, ask, code};

const PLACES: usize = 2000;
/// Of the places: those who poll, and come last. A poll ends by itself after 30 s, in which a busy machine may not fill
/// all places.
const POLLS: usize = 100;

/// Comes again until there is a place.
async fn find_place(app: &TestApp) -> TcpStream {
    wait_until("a place is free", PATIENCE, async || {
        let mut stream = ask(app, "GET /changes/stream?after=1", "").await;
        let mut status = [0; 13];
        stream.read_exact(&mut status).await.unwrap();
        (&status == b"HTTP/1.1 200 ").then_some(stream)
    })
    .await
}

#[actix_rt::test]
async fn who_finds_no_place_to_wait_is_told_to_come_again_and_all_others_are_served() {
    let app = TestApp::start().await;
    app.create("final").await;
    let mut streams = Vec::new();
    for _ in 0..PLACES - POLLS {
        streams.push(find_place(&app).await);
    }
    // One poll more than places are left: whichever finds none is answered at once.
    let mut polls = Vec::new();
    for _ in 0..=POLLS {
        polls.push(answer(ask(&app, "GET /changes?after=1&wait_ms=30000", "").await).boxed_local());
    }
    let (refused, _, polls) = timeout(PATIENCE, select_all(polls)).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains(r#""code":"overloaded""#), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert_eq!(code(&app.anyone.get("/changes/stream").await, 503), "overloaded");

    // Who has gone, or says nothing any more, leaves its place to another.
    drop(streams.pop());
    streams.push(find_place(&app).await);
    let mut silent = streams.pop().unwrap();
    silent.shutdown().await.unwrap();
    streams.push(find_place(&app).await);
    assert_eq!(code(&app.anyone.get("/changes/stream").await, 503), "overloaded");

    // Who does not wait needs no place.
    assert_eq!(app.anyone.get("/changes?after=0&wait_ms=30000").await.status, 200);
    assert_eq!(app.anyone.get("/changes?after=1").await.status, 200);
    assert_eq!(app.anyone.get("/events").await.status, 200);

    // The change answers the polls, and their places are free.
    app.create("other").await;
    for text in timeout(PATIENCE, join_all(polls)).await.unwrap() {
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.contains(r#""position":2"#),
            "{text}"
        );
    }
    assert_eq!(app.anyone.get("/changes?after=2&wait_ms=1").await.status, 200);

    let (folder, ends) = tokio::join!(
        app.stop(),
        timeout(PATIENCE, join_all(streams.into_iter().map(answer)))
    );
    for text in ends.unwrap() {
        assert!(text.ends_with("0\r\n\r\n"), "{text}");
    }
    drop(folder);
}
