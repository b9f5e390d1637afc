//! Many who wait for changes: as many as there are places, and the others are told to come again.

use std::time::Duration;

use futures_util::future::join_all;
use test_support::wait_until;

use crate::support::{PATIENCE, TestApp, answer, ask, code};

const PLACES: usize = 2000;
/// The last to come: a poll ends by itself after 30 s, which a busy machine may take to fill all places.
const POLLS: usize = 100;

#[actix_rt::test]
async fn who_finds_no_place_to_wait_is_told_to_come_again_and_all_others_are_served() {
    let app = TestApp::start().await;
    app.create("final").await;
    let mut waiting = Vec::new();
    for n in 0..PLACES {
        let target = if n < PLACES - POLLS {
            "GET /changes/stream?after=1"
        } else {
            "GET /changes?after=1&wait_ms=30000"
        };
        waiting.push(ask(&app, target, "").await);
    }
    let refused = wait_until("all places are taken", PATIENCE, async || {
        let answer = app.anyone.get("/changes?after=1&wait_ms=1").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(code(&refused, 503), "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(code(&app.anyone.get("/changes/stream").await, 503), "overloaded");
    // Who does not wait needs no place.
    assert_eq!(app.anyone.get("/changes?after=0&wait_ms=30000").await.status, 200);
    assert_eq!(app.anyone.get("/changes?after=1").await.status, 200);
    assert_eq!(app.anyone.get("/events").await.status, 200);

    // The change answers the polls, and their places are free.
    app.create("other").await;
    let polls = waiting.split_off(PLACES - POLLS);
    let streams = waiting;
    let answers = polls.into_iter().map(|stream| async move {
        let text = answer(stream).await;
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.contains(r#""position":2"#),
            "{text}"
        );
    });
    tokio::time::timeout(PATIENCE, join_all(answers)).await.unwrap();
    assert_eq!(app.anyone.get("/changes?after=2&wait_ms=1").await.status, 200);

    let ends = streams.into_iter().map(|stream| async move {
        let text = answer(stream).await;
        assert!(text.ends_with("0\r\n\r\n"), "{text}");
    });
    let (folder, _) = tokio::join!(
        app.stop(),
        tokio::time::timeout(Duration::from_secs(30), join_all(ends))
    );
    drop(folder);
}
