//! Events over HTTP: creating, reading, changing, correcting.

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{DEADLINE, ManualClock, TestApp, code, event_until, in_days};

const NOW: &str = "2027-03-01T12:00:00Z";

fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

#[actix_rt::test]
async fn a_created_event_is_there_with_its_tag_and_place() {
    let clock = ManualClock::at(NOW);
    let app = TestApp::start_at(&clock).await;
    let created = app.client.post("/events", &event_until("final", DEADLINE)).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("location"), Some("/events/final"));
    assert_eq!(created.header("etag"), Some("\"1\""));
    let expected = json!({
        "id": "final", "title": "A - B", "odds": "1.85", "deadline": DEADLINE, "status": "unfinished",
        "revision": 1, "closed_at": null, "created_at": NOW, "updated_at": NOW,
    });
    assert_eq!(created.json(), expected);
    let found = app.anyone.get("/events/final").await;
    assert_eq!((found.status, found.json()), (200, expected));
    assert_eq!(found.header("etag"), Some("\"1\""));
    let least = app
        .client
        .post("/events", &json!({"odds": 2, "deadline": DEADLINE}))
        .await;
    assert_eq!((least.status, &least.json()["odds"]), (201, &json!("2.00")));
}

#[actix_rt::test]
async fn creating_again_is_fine_with_the_same_content_whatever_happened_since() {
    let clock = ManualClock::at(NOW);
    let app = TestApp::start_at(&clock).await;
    app.create_until("final", DEADLINE).await;
    app.patch("final", json!({"odds": "2.10"})).await;
    clock.set("2027-07-01T00:00:00Z");
    let again = app.client.post("/events", &event_until("final", DEADLINE)).await;
    assert_eq!((again.status, again.header("etag")), (200, Some("\"2\"")));
    assert_eq!(again.json()["odds"], "2.10");
    let mut other = event_until("final", DEADLINE);
    other["odds"] = json!("2.10");
    let refused = app.client.post("/events", &other).await;
    assert_eq!(code(&refused, 409), "event_exists");
    assert_eq!(app.changes().await.len(), 2);
}

#[actix_rt::test]
async fn lists_show_active_events_or_those_of_a_status_page_by_page() {
    let clock = ManualClock::at(NOW);
    let app = TestApp::start_at(&clock).await;
    for (id, deadline) in [
        ("late", "2027-03-03T00:00:00Z"),
        ("soon", "2027-03-01T13:00:00Z"),
        ("mid", "2027-03-02T00:00:00Z"),
        ("over", "2027-03-02T00:00:00Z"),
    ] {
        let body = json!({"id": id, "odds": "1.5", "deadline": deadline});
        assert_eq!(app.client.post("/events", &body).await.status, 201);
    }
    app.patch("over", json!({"status": "cancelled"})).await;
    let list = async |query: &str| app.anyone.get(&format!("/events{query}")).await.json();
    assert_eq!(ids(&list("").await), ["soon", "mid", "late"]);
    assert_eq!(ids(&list("?status=all").await), ["soon", "mid", "over", "late"]);
    assert_eq!(ids(&list("?status=cancelled").await), ["over"]);
    assert_eq!(ids(&list("?status=first_team_won").await), [""; 0]);
    clock.set("2027-03-01T13:00:00Z");
    assert_eq!(ids(&list("").await), ["mid", "late"]);
    assert_eq!(ids(&list("?status=unfinished").await), ["soon", "mid", "late"]);

    let first = list("?status=all&limit=2").await;
    assert_eq!(ids(&first), ["soon", "mid"]);
    // A row that is added before the cursor does not shift the next page.
    let added = json!({"id": "added", "odds": "1.5", "deadline": "2027-03-01T14:00:00Z"});
    app.client.post("/events", &added).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("?status=all&limit=2&cursor={cursor}")).await;
    assert_eq!(ids(&second), ["over", "late"]);
    assert_eq!(second["next_cursor"], Value::Null);
}

#[actix_rt::test]
async fn a_change_makes_a_revision_and_the_same_values_do_not() {
    let clock = ManualClock::at(NOW);
    let app = TestApp::start_at(&clock).await;
    app.create_until("final", DEADLINE).await;
    let changed = app.patch("final", json!({"odds": 1.9, "title": ""})).await;
    assert_eq!(
        (&changed["odds"], &changed["revision"]),
        (&json!("1.90"), &json!(2))
    );
    let same = app.patch("final", json!({"odds": "1.90"})).await;
    assert_eq!(same["revision"], 2);
    assert_eq!(app.patch("final", json!({})).await["revision"], 2);
    let won = app.patch("final", json!({"status": "first_team_won"})).await;
    assert_eq!(won["closed_at"], NOW);
    assert_eq!(
        app.patch("final", json!({"status": "first_team_won"})).await["revision"],
        3
    );
    let refused = app
        .client
        .patch("/events/final", &json!({"status": "cancelled"}))
        .await;
    assert_eq!(code(&refused, 409), "event_finished");
    assert_eq!(app.event("final").await, won);
}

#[actix_rt::test]
async fn if_match_is_decided_by_the_revision() {
    let app = TestApp::start().await;
    app.create("final").await;
    let patch = async |tag: &str, odds: &str| {
        let headers = [("if-match", tag)];
        let body = json!({"odds": odds});
        app.client
            .send(Method::PATCH, "/events/final", &headers, Some(&body))
            .await
    };
    assert_eq!(patch("\"1\"", "2").await.status, 200);
    assert_eq!(code(&patch("\"1\"", "3").await, 412), "precondition_failed");
    assert_eq!(code(&patch("W/\"2\"", "3").await, 412), "precondition_failed");
    assert_eq!(patch("\"7\", \"2\"", "3").await.status, 200);
    assert_eq!(patch("*", "4").await.status, 200);
    assert_eq!(code(&patch("4", "5").await, 400), "invalid_header");
    assert_eq!(app.event("final").await["revision"], 4);
}

#[actix_rt::test]
async fn of_concurrent_conditional_changes_exactly_one_wins() {
    let app = TestApp::start().await;
    app.create("final").await;
    let attempts = (0..20).map(|n| {
        let client = app.client.clone();
        async move {
            let body = json!({"title": format!("{n}")});
            let headers = [("if-match", "\"1\"")];
            client
                .send(Method::PATCH, "/events/final", &headers, Some(&body))
                .await
                .status
        }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 19);
}

#[actix_rt::test]
async fn a_wrong_result_is_corrected_and_betting_stays_closed() {
    let app = TestApp::start().await;
    app.create("final").await;
    let correct = async |status: &str| {
        let body = json!({"status": status, "reason": "misread"});
        app.client.post("/events/final/corrections", &body).await
    };
    assert_eq!(code(&correct("cancelled").await, 409), "event_not_finished");
    let won = app.patch("final", json!({"status": "first_team_won"})).await;
    let lost = correct("second_team_won").await.json();
    assert_eq!(
        (&lost["status"], &lost["revision"]),
        (&json!("second_team_won"), &json!(3))
    );
    assert_eq!(lost["closed_at"], won["closed_at"]);
    assert_eq!(correct("second_team_won").await.json()["revision"], 3);
    let reopened = correct("unfinished").await.json();
    assert_eq!(reopened["closed_at"], won["closed_at"]);
    let postponed = json!({"deadline": in_days(31)});
    let refused = app.client.patch("/events/final", &postponed).await;
    assert_eq!(code(&refused, 409), "betting_closed");
    let cancelled = app.patch("final", json!({"status": "cancelled"})).await;
    assert_eq!(
        (&cancelled["revision"], &cancelled["closed_at"]),
        (&json!(5), &won["closed_at"])
    );
    let kinds: Vec<_> = app.changes().await.iter().map(|c| c["type"].clone()).collect();
    assert_eq!(kinds[1..], vec![json!("event.status_changed"); 4]);
}
