//! Events that end by themselves at their deadline.

use std::time::Duration;

use line_provider::clock::Clock;
use line_provider::config::AutoResult;
use serde_json::{Value, json};
use shared_types::Timestamp;
use tempfile::TempDir;
use test_support::wait_until;

use crate::support::{DEADLINE, ManualClock, PATIENCE, TestApp, new_event};

async fn finished(app: &TestApp, id: &str) -> Value {
    wait_until("the event is finished", PATIENCE, async || {
        let event = app.event(id).await;
        (event["status"] != "unfinished").then_some(event)
    })
    .await
}

fn in_ms(ms: u64) -> String {
    Timestamp::now()
        .saturating_add(Duration::from_millis(ms))
        .to_string()
}

#[actix_rt::test]
async fn an_event_gets_a_winner_at_its_deadline_and_not_before() {
    let app = TestApp::start_in(TempDir::new().unwrap(), Clock::system(), AutoResult::Random).await;
    app.create("far").await;
    let deadline = in_ms(300);
    let body = json!({"id": "soon", "odds": "1.5", "deadline": deadline});
    assert_eq!(app.client.post("/events", &body).await.status, 201);
    let event = finished(&app, "soon").await;
    assert!(["first_team_won", "second_team_won"].contains(&event["status"].as_str().unwrap()));
    assert_eq!(event["closed_at"], deadline.as_str());
    assert_eq!(app.event("far").await["status"], "unfinished");
}

#[actix_rt::test]
async fn a_deadline_that_is_moved_is_kept_at_its_new_time() {
    let app = TestApp::start_in(TempDir::new().unwrap(), Clock::system(), AutoResult::Random).await;
    app.create("final").await;
    let sooner = in_ms(300);
    app.patch("final", json!({"deadline": sooner})).await;
    assert_eq!(finished(&app, "final").await["closed_at"], sooner.as_str());
}

#[actix_rt::test]
async fn what_passed_while_the_service_was_down_ends_at_the_start_and_corrected_events_stay() {
    let clock = ManualClock::at("2027-03-01T12:00:00Z");
    let app = TestApp::start_at(&clock).await;
    app.create("final").await;
    app.create("corrected").await;
    app.patch("corrected", json!({"status": "cancelled"})).await;
    let correction = json!({"status": "unfinished", "reason": "not over yet"});
    app.client
        .post("/events/corrected/corrections", &correction)
        .await;
    let mut later = new_event("later");
    later["deadline"] = json!("2027-06-01T18:00:00.000001Z");
    app.client.post("/events", &later).await;
    let folder = app.stop().await;
    clock.set(DEADLINE);
    let app = TestApp::start_in(folder, clock.clock(), AutoResult::Random).await;
    assert_eq!(finished(&app, "final").await["closed_at"], DEADLINE);
    assert_eq!(app.event("corrected").await["status"], "unfinished");
    assert_eq!(app.event("later").await["status"], "unfinished");
}
