//! Registering the callback: whichever of the two starts first, and again at every start.

use std::net::TcpListener;
use std::rc::Rc;

use test_support::wait_until;

use crate::harness::{History, OTHER_SECRET, PATIENCE, Provider, SECRET, TOKEN, TestApp, database};

async fn registered(provider: &Provider, count: usize) -> serde_json::Value {
    wait_until("the registration", PATIENCE, async || {
        let registrations = provider.registrations();
        (registrations.len() >= count).then(|| {
            let newest = registrations.last().unwrap();
            assert_eq!(newest.authorization, Some(format!("Bearer {TOKEN}")));
            newest.body.clone()
        })
    })
    .await
}

#[actix_rt::test]
async fn the_callback_is_registered_at_the_address_served_on_with_the_first_secret() {
    let provider = Provider::start(History::new());
    let app = TestApp::start_with(Rc::new(database().await), provider, |settings| {
        settings.callback_secrets = vec![OTHER_SECRET.parse().unwrap(), SECRET.parse().unwrap()];
    })
    .await;
    let body = registered(&app.provider, 1).await;
    assert_eq!(
        body["url"],
        format!("{}/callbacks/line-provider", app.client.base())
    );
    assert_eq!(body["secret"], OTHER_SECRET);
    assert!(body.get("event_types").is_none());
    assert_eq!(app.provider.registrations().len(), 1);
}

#[actix_rt::test]
async fn a_registration_that_fails_is_tried_until_it_succeeds() {
    let provider = Provider::start(History::new());
    provider.fail_registrations(&[500, 503]);
    let app = TestApp::start_with(Rc::new(database().await), provider, |settings| {
        settings.callback_url = Some("http://bet-maker.test:8082/callbacks/line-provider".into());
    })
    .await;
    let body = registered(&app.provider, 1).await;
    assert_eq!(body["url"], "http://bet-maker.test:8082/callbacks/line-provider");
}

#[actix_rt::test]
async fn a_line_provider_that_starts_later_is_found() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    // Stands in for the one at the address where nobody listens yet.
    let elsewhere = Provider::start(History::new());
    let app = TestApp::launch(Rc::new(database().await), elsewhere, |settings| {
        settings.line_provider_url = format!("http://{address}/");
    })
    .await;
    app.wait_until_placing_answers("final", 503, Some("feed_stale"))
        .await;
    let mut history = History::new();
    history.create("final", "1.85");
    let provider = Provider::start_on(TcpListener::bind(address).unwrap(), history);
    registered(&provider, 1).await;
    app.wait_until_placing_answers("final", 201, None).await;
}

#[actix_rt::test]
async fn every_start_registers_again() {
    let app = TestApp::start().await;
    let first = registered(&app.provider, 1).await;
    let (database, provider) = (app.database.clone(), app.provider.clone());
    let callback_url = first["url"].as_str().unwrap().to_owned();
    app.stop().await;
    let next = TestApp::start_with(database, provider, |settings| {
        settings.callback_url = Some(callback_url);
    })
    .await;
    assert_eq!(registered(&next.provider, 2).await, first);
}
