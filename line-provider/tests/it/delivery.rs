//! Callbacks to a real receiver: signed, in order within an event, made again until they are taken.

use std::collections::HashMap;
use std::time::Duration;

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::receiver::{Answer, Call, Receiver, SECRET};
use crate::support::{PATIENCE, TestApp};

async fn subscribe(app: &TestApp, receiver: &Receiver) -> Value {
    app.subscribe(&json!({"url": receiver.url, "secret": SECRET}))
        .await
}

/// Waits until nothing is pending, and gives the subscription.
async fn caught_up(app: &TestApp, id: &Value) -> Value {
    wait_until("the subscription is caught up", PATIENCE, async || {
        let subscription = app.subscription(id).await;
        (subscription["lag_positions"] == 0).then_some(subscription)
    })
    .await
}

fn positions(calls: &[Call]) -> Vec<u64> {
    calls.iter().map(Call::position).collect()
}

#[actix_rt::test]
async fn a_change_is_called_back_signed_with_the_change_as_the_log_tells_it() {
    let app = TestApp::start().await;
    let receiver = Receiver::willing().await;
    let subscription = subscribe(&app, &receiver).await;
    app.create("final").await;
    let calls = receiver.wait_for("one callback", |calls| calls.len() == 1).await;
    let change = &app.changes().await[0];
    let expected = json!({
        "type": "event.created", "timestamp": change["occurred_at"], "subscription_id": subscription["id"],
        "data": change,
    });
    assert_eq!(calls[0].body, expected);
    let instance = change["instance"].as_str().unwrap();
    assert_eq!(calls[0].id, format!("msg_{instance}_1"));
    let after = caught_up(&app, &subscription["id"]).await;
    assert_eq!(
        (&after["cursor"], &after["breaker"]),
        (&json!(1), &json!("closed"))
    );
}

#[actix_rt::test]
async fn a_callback_goes_on_in_the_trace_of_the_request_on_each_attempt_but_not_after_a_restart() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let app = TestApp::start().await;
    app.create("final").await;
    let receiver = Receiver::start(|_, before| Answer::status(if before < 2 { 500 } else { 200 })).await;
    let subscription = subscribe(&app, &receiver).await;
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", header.as_str())];
    let odds = json!({"odds": "3"});
    let changed = app
        .client
        .send(Method::PATCH, "/events/final", &headers, Some(&odds))
        .await;
    assert_eq!(changed.status, 200);
    caught_up(&app, &subscription["id"]).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 3, "the retries read their change again");
    for call in calls {
        let sent = call.traceparent.unwrap();
        assert!(sent.starts_with(&format!("00-{TRACE}-")), "{sent}");
        assert!(!sent.contains("00f067aa0ba902b7"), "the span is our own: {sent}");
    }

    receiver.script(|_, _| Answer::status(500));
    app.client
        .send(
            Method::PATCH,
            "/events/final",
            &headers,
            Some(&json!({"odds": "4"})),
        )
        .await;
    let _app = app.restart().await;
    receiver.script(|_, _| Answer::status(200));
    let taken = receiver
        .wait_for("the change from the journal", |taken| taken.len() == 2)
        .await;
    assert_eq!((taken[1].position(), &taken[1].traceparent), (3, &None));
}

#[actix_rt::test]
async fn changes_of_one_event_come_in_order_beside_those_of_others() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|call, _| Answer {
        delay: Duration::from_millis(call.position() % 3),
        ..Answer::status(200)
    })
    .await;
    let subscription = subscribe(&app, &receiver).await;
    for round in 0..5 {
        for event in 0..10 {
            let id = format!("e{event}");
            if round == 0 {
                app.create(&id).await;
            } else {
                app.patch(&id, json!({"title": format!("{round}")})).await;
            }
        }
    }
    caught_up(&app, &subscription["id"]).await;
    let mut seen: HashMap<String, u64> = HashMap::new();
    for call in receiver.calls() {
        let last = seen.entry(call.event().to_owned()).or_default();
        assert_eq!(call.revision(), *last + 1, "{call:?}");
        *last = call.revision();
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.values().all(|revision| *revision == 5));
}

#[actix_rt::test]
async fn what_fails_is_sent_again_with_the_same_id_and_body_until_it_is_taken() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_, before| Answer::status(if before < 3 { 500 } else { 200 })).await;
    let subscription = subscribe(&app, &receiver).await;
    app.create("final").await;
    receiver
        .wait_for("the callback is taken", |taken| taken.len() == 1)
        .await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 4);
    assert!(
        calls
            .iter()
            .all(|call| call.id == calls[0].id && call.body == calls[0].body)
    );
    let after = caught_up(&app, &subscription["id"]).await;
    assert_eq!(
        (&after["breaker"], &after["last_error"]),
        (&json!("closed"), &Value::Null)
    );
}

#[actix_rt::test]
async fn a_failing_event_is_superseded_by_its_newest_change_and_holds_up_no_other() {
    let app = TestApp::start().await;
    let refused = |call: &Call| call.event() == "bad" && call.revision() < 3;
    let receiver =
        Receiver::start(move |call, _| Answer::status(if refused(call) { 500 } else { 200 })).await;
    let subscription = subscribe(&app, &receiver).await;
    app.create("bad").await;
    wait_until("a retry waits", PATIENCE, async || {
        let state = app.subscription(&subscription["id"]).await;
        (state["breaker"] == "open" && state["next_attempt_at"] != Value::Null).then_some(())
    })
    .await;
    for n in 0..5 {
        app.create(&format!("good{n}")).await;
    }
    receiver
        .wait_for("the other events", |taken| taken.len() == 5)
        .await;
    let state = app.subscription(&subscription["id"]).await;
    assert_eq!(
        (&state["cursor"], &state["last_error"]),
        (&json!(0), &json!("answered 500 Internal Server Error"))
    );
    app.patch("bad", json!({"title": "2"})).await;
    app.patch("bad", json!({"title": "3"})).await;
    caught_up(&app, &subscription["id"]).await;
    let taken = receiver.taken();
    let of_bad: Vec<_> = taken.iter().filter(|call| call.event() == "bad").collect();
    assert_eq!(of_bad.len(), 1, "1 and 2 were superseded: {of_bad:?}");
    assert_eq!(of_bad[0].revision(), 3);
}

#[actix_rt::test]
async fn a_receiver_that_never_answers_holds_up_no_other() {
    let app = TestApp::start().await;
    let stuck = Receiver::start(|_, _| Answer {
        delay: Duration::from_secs(3600),
        ..Answer::status(200)
    })
    .await;
    let willing = Receiver::willing().await;
    let stuck_subscription = subscribe(&app, &stuck).await;
    let subscription = subscribe(&app, &willing).await;
    // All at once: an attempt ends after 10 s, and another takes its place.
    let ids: Vec<_> = (0..100).map(|n| format!("e{n}")).collect();
    join_all(ids.iter().map(|id| app.create(id))).await;
    caught_up(&app, &subscription["id"]).await;
    assert_eq!(willing.taken().len(), 100);
    assert_eq!(app.subscription(&stuck_subscription["id"]).await["cursor"], 0);
    assert_eq!(stuck.calls().len(), 32, "attempts under way are bounded");
}

#[actix_rt::test]
async fn gone_disables_and_registering_again_goes_on_from_there() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_, _| Answer::status(410)).await;
    let subscription = subscribe(&app, &receiver).await;
    app.create("a").await;
    let disabled = wait_until("the subscription is disabled", PATIENCE, async || {
        let state = app.subscription(&subscription["id"]).await;
        (state["status"] == "disabled").then_some(state)
    })
    .await;
    assert!(disabled["last_error"].as_str().unwrap().contains("410"));
    app.create("b").await;
    assert_eq!(receiver.calls().len(), 1, "nothing more is sent");
    receiver.script(|_, _| Answer::status(200));
    let again = app
        .client
        .post("/subscriptions", &json!({"url": receiver.url}))
        .await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("active")));
    let taken = receiver.wait_for("both events", |taken| taken.len() == 2).await;
    assert_eq!(positions(&taken).iter().sum::<u64>(), 3);
}

#[actix_rt::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_, _| Answer {
        retry_after_s: Some(3000),
        ..Answer::status(503)
    })
    .await;
    let subscription = subscribe(&app, &receiver).await;
    app.create("final").await;
    let state = wait_until("a retry waits", PATIENCE, async || {
        let state = app.subscription(&subscription["id"]).await;
        (state["next_attempt_at"] != Value::Null).then_some(state)
    })
    .await;
    let next = crate::support::moment(state["next_attempt_at"].as_str().unwrap());
    let wait = next.saturating_since(shared_types::Timestamp::now()).as_secs();
    assert!((2900..=3000).contains(&wait), "{wait}");
}

#[actix_rt::test]
async fn a_filter_passes_over_what_is_not_wanted() {
    let app = TestApp::start().await;
    let receiver = Receiver::willing().await;
    let body = json!({"url": receiver.url, "secret": SECRET, "event_types": ["event.status_changed"]});
    let subscription = app.subscribe(&body).await;
    app.create("final").await;
    app.patch("final", json!({"odds": "3"})).await;
    app.patch("final", json!({"status": "cancelled"})).await;
    app.create("other").await;
    let state = caught_up(&app, &subscription["id"]).await;
    assert_eq!(state["cursor"], 4);
    assert_eq!(positions(&receiver.calls()), [3]);
}

#[actix_rt::test]
async fn a_paused_subscription_is_left_alone_and_loses_nothing() {
    let app = TestApp::start().await;
    let receiver = Receiver::willing().await;
    let subscription = subscribe(&app, &receiver).await;
    let path = format!("/subscriptions/{}", subscription["id"].as_str().unwrap());
    app.client.patch(&path, &json!({"status": "paused"})).await;
    app.create("a").await;
    let app = app.restart().await;
    app.create("b").await;
    assert_eq!(receiver.calls().len(), 0);
    app.client.patch(&path, &json!({"status": "active"})).await;
    receiver.wait_for("both events", |taken| taken.len() == 2).await;
    caught_up(&app, &subscription["id"]).await;
}

#[actix_rt::test]
async fn another_url_is_served_from_the_cursor_on() {
    let app = TestApp::start().await;
    let old = Receiver::start(|_, _| Answer::status(500)).await;
    let new = Receiver::willing().await;
    let subscription = subscribe(&app, &old).await;
    app.create("final").await;
    wait_until("an attempt failed", PATIENCE, async || {
        (!old.calls().is_empty()).then_some(())
    })
    .await;
    let path = format!("/subscriptions/{}", subscription["id"].as_str().unwrap());
    app.client.patch(&path, &json!({"url": new.url})).await;
    let taken = new
        .wait_for("the event at the new url", |taken| taken.len() == 1)
        .await;
    assert_eq!(positions(&taken), [1]);
    caught_up(&app, &subscription["id"]).await;
}

#[actix_rt::test]
async fn cursors_survive_an_orderly_restart() {
    let app = TestApp::start().await;
    let receiver = Receiver::willing().await;
    let subscription = subscribe(&app, &receiver).await;
    for n in 0..20 {
        app.create(&format!("e{n}")).await;
    }
    caught_up(&app, &subscription["id"]).await;
    let app = app.restart().await;
    assert_eq!(app.subscription(&subscription["id"]).await["cursor"], 20);
    app.create("new").await;
    let taken = receiver
        .wait_for("the new event", |taken| taken.len() == 21)
        .await;
    assert_eq!(taken[20].position(), 21, "nothing is sent twice");
}
