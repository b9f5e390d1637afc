//! Events that end by themselves at their deadline.

use line_provider::config::AutoResult;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::wait_until;

use crate::support::{DEADLINE, ManualClock, PATIENCE, TestApp, event_until};

async fn finished(app: &TestApp, id: &str) -> Value {
    wait_until("the event is finished", PATIENCE, async || {
        let event = app.event(id).await;
        (event["status"] != "unfinished").then_some(event)
    })
    .await
}

/// Just before [`DEADLINE`]: the service looks at its clock again after the 20 ms that are left by it.
const JUST_BEFORE: &str = "2027-06-01T17:59:59.98Z";
/// Soon after [`DEADLINE`].
const SOON_AFTER: &str = "2027-06-01T18:00:00.02Z";

#[actix_rt::test]
async fn an_event_gets_a_winner_at_its_deadline_and_not_before() {
    let clock = ManualClock::at(JUST_BEFORE);
    let app = TestApp::start_in(TempDir::new().unwrap(), clock.clock(), AutoResult::Random).await;
    app.create_until("first", DEADLINE).await;
    let next = event_until("next", SOON_AFTER);
    assert_eq!(app.client.post("/events", &next).await.status, 201);
    assert_eq!(app.event("first").await["status"], "unfinished");

    clock.set(DEADLINE);
    let event = finished(&app, "first").await;
    assert!(["first_team_won", "second_team_won"].contains(&event["status"].as_str().unwrap()));
    assert_eq!(event["closed_at"], DEADLINE);
    assert_eq!(app.event("next").await["status"], "unfinished");

    clock.set(SOON_AFTER);
    assert_eq!(finished(&app, "next").await["closed_at"], SOON_AFTER);
}

#[actix_rt::test]
async fn a_deadline_that_is_moved_is_kept_at_its_new_time() {
    let clock = ManualClock::at("2027-06-01T12:00:00Z");
    let app = TestApp::start_in(TempDir::new().unwrap(), clock.clock(), AutoResult::Random).await;
    app.create_until("final", DEADLINE).await;
    let sooner = "2027-06-01T12:00:00.02Z";
    app.patch("final", json!({"deadline": sooner})).await;
    clock.set(sooner);
    assert_eq!(finished(&app, "final").await["closed_at"], sooner);
}

#[actix_rt::test]
async fn what_passed_while_the_service_was_down_ends_at_the_start_and_corrected_events_stay() {
    let clock = ManualClock::at("2027-03-01T12:00:00Z");
    let app = TestApp::start_at(&clock).await;
    app.create_until("final", DEADLINE).await;
    app.create_until("corrected", DEADLINE).await;
    app.patch("corrected", json!({"status": "cancelled"})).await;
    let correction = json!({"status": "unfinished", "reason": "not over yet"});
    app.client
        .post("/events/corrected/corrections", &correction)
        .await;
    let later = event_until("later", "2027-06-01T18:00:00.000001Z");
    app.client.post("/events", &later).await;
    let folder = app.stop().await;
    clock.set(DEADLINE);
    let app = TestApp::start_in(folder, clock.clock(), AutoResult::Random).await;
    assert_eq!(finished(&app, "final").await["closed_at"], DEADLINE);
    assert_eq!(app.event("corrected").await["status"], "unfinished");
    assert_eq!(app.event("later").await["status"], "unfinished");
}
