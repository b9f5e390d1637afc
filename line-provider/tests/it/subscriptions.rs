//! Subscriptions over HTTP: registering, reading, changing, deleting.

use serde_json::{Value, json};

use crate::support::{TestApp, code};

/// Nobody listens there, so nothing is delivered.
const URL: &str = "http://127.0.0.1:9/hook";

#[actix_rt::test]
async fn a_secret_is_shown_once_and_a_new_subscription_starts_at_the_head() {
    let app = TestApp::start().await;
    app.create("final").await;
    let answer = app.client.post("/subscriptions", &json!({"url": URL})).await;
    assert_eq!(answer.status, 201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(format!("/subscriptions/{id}").as_str())
    );
    assert!(created["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&created["cursor"], &created["head"], &created["lag_positions"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(
        (&created["status"], &created["breaker"]),
        (&json!("active"), &json!("closed"))
    );
    let found = app.subscription(&created["id"]).await;
    assert_eq!(found.get("secret"), None);
    let again = app.client.post("/subscriptions", &json!({"url": URL})).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json().get("secret"), None);
    assert_eq!(again.json(), found);
}

#[actix_rt::test]
async fn registering_again_updates_the_filter_and_keeps_the_id() {
    let app = TestApp::start().await;
    let created = app
        .subscribe(&json!({"url": URL, "event_types": ["event.created"]}))
        .await;
    let kept = app
        .client
        .post("/subscriptions", &json!({"url": URL}))
        .await
        .json();
    assert_eq!(kept["event_types"], json!(["event.created"]));
    let body = json!({"url": URL, "event_types": []});
    let widened = app.client.post("/subscriptions", &body).await.json();
    assert_eq!(
        (&widened["id"], &widened["event_types"]),
        (&created["id"], &json!([]))
    );
}

#[actix_rt::test]
async fn subscriptions_are_listed_page_by_page_and_deleted() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let created = app.subscribe(&json!({"url": format!("{URL}/{n}")})).await;
        ids.push(created["id"].clone());
    }
    let first = app.client.get("/subscriptions?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app
        .client
        .get(&format!("/subscriptions?limit=2&cursor={cursor}"))
        .await
        .json();
    assert_eq!(second["next_cursor"], Value::Null);
    let listed: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|subscription| subscription["id"].clone())
        .collect();
    assert_eq!(listed, ids);
    let path = format!("/subscriptions/{}", ids[1].as_str().unwrap());
    assert_eq!(app.client.delete(&path).await.status, 204);
    assert_eq!(
        code(&app.client.delete(&path).await, 404),
        "subscription_not_found"
    );
    let left = app.client.get("/subscriptions").await.json();
    assert_eq!(left["items"].as_array().unwrap().len(), 2);
}

#[actix_rt::test]
async fn a_paused_subscription_falls_behind_and_says_by_how_much() {
    let app = TestApp::start().await;
    let created = app.subscribe(&json!({"url": URL})).await;
    let path = format!("/subscriptions/{}", created["id"].as_str().unwrap());
    let paused = app.client.patch(&path, &json!({"status": "paused"})).await.json();
    assert_eq!(paused["status"], "paused");
    let event = app.create("a").await;
    app.create("b").await;
    let behind = app.subscription(&created["id"]).await;
    assert_eq!(
        (&behind["cursor"], &behind["head"], &behind["lag_positions"]),
        (&json!(0), &json!(2), &json!(2))
    );
    assert_eq!(behind["oldest_pending_at"], event["created_at"]);
    let moved = app
        .client
        .patch(&path, &json!({"url": format!("{URL}/2")}))
        .await
        .json();
    assert_eq!(
        (&moved["url"], &moved["status"]),
        (&json!(format!("{URL}/2")), &json!("paused"))
    );
}

#[actix_rt::test]
async fn two_subscriptions_cannot_have_one_url() {
    let app = TestApp::start().await;
    app.subscribe(&json!({"url": URL})).await;
    let other = app.subscribe(&json!({"url": format!("{URL}/2")})).await;
    let path = format!("/subscriptions/{}", other["id"].as_str().unwrap());
    let refused = app.client.patch(&path, &json!({"url": URL})).await;
    assert_eq!(code(&refused, 409), "subscription_exists");
    let disabled = app.client.patch(&path, &json!({"status": "disabled"})).await;
    assert_eq!(code(&disabled, 422), "invalid_field");
}
