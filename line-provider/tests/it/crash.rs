//! The real process, killed by SIGKILL under load: what it acknowledged is there after the restart.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use awc::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{Client, Service, wait_until};

use crate::receiver::{Answer, Receiver, SECRET};
use crate::support::{PATIENCE, TOKEN, all_changes, new_event};

const CLIENTS: usize = 16;

async fn start(folder: &TempDir) -> Service {
    Service::named("line-provider")
        .env("LINE_PROVIDER_DATA_DIR", folder.path().to_str().unwrap())
        .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
        .start()
        .await
}

/// Creates events and changes them until the service is gone; notes each answered event.
async fn work(client: Client, name: String, acknowledged: Rc<RefCell<Vec<Value>>>) {
    for number in 0.. {
        let id = format!("{name}-{number}");
        let create = (Method::POST, "/events".to_owned(), new_event(&id));
        let patch = (
            Method::PATCH,
            format!("/events/{id}"),
            json!({"status": "first_team_won"}),
        );
        for (method, path, body) in [create, patch] {
            let headers = [("content-type", "application/json")];
            let body = body.to_string().into_bytes();
            match client.try_send(method, &path, &headers, body).await {
                Ok(answer) if answer.status < 300 => acknowledged.borrow_mut().push(answer.json()),
                Ok(answer) => panic!("{}", answer.text()),
                Err(_) => return,
            }
        }
    }
}

#[actix_rt::test]
async fn every_acknowledged_change_survives_being_killed_under_load() {
    let folder = TempDir::new().unwrap();
    let mut service = start(&folder).await;
    let acknowledged: Rc<RefCell<Vec<Value>>> = Rc::default();
    for round in 0..3 {
        let workers: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let client = service.client().with_bearer(TOKEN);
                let name = format!("r{round}-c{n}");
                tokio::task::spawn_local(work(client, name, Rc::clone(&acknowledged)))
            })
            .collect();
        let enough = acknowledged.borrow().len() + 300;
        wait_until("the load is on", PATIENCE, async || {
            (acknowledged.borrow().len() >= enough).then_some(())
        })
        .await;
        service.kill9().await;
        for worker in workers {
            worker.await.unwrap();
        }
        service.restart().await;
        let logged: HashSet<String> = all_changes(&service.client())
            .await
            .iter()
            .map(|change| change["event"].to_string())
            .collect();
        for event in acknowledged.borrow().iter() {
            assert!(logged.contains(&event.to_string()), "lost: {event}");
        }
    }
}

#[actix_rt::test]
async fn every_change_is_called_back_although_the_service_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut service = start(&folder).await;
    let receiver = Receiver::start(|_, before| Answer::status(if before % 5 == 4 { 500 } else { 200 })).await;
    let client = service.client().with_bearer(TOKEN);
    let body = json!({"url": receiver.url, "secret": SECRET});
    assert_eq!(client.post("/subscriptions", &body).await.status, 201);
    let created = Cell::new(0);
    for _ in 0..3 {
        for _ in 0..40 {
            let id = format!("e{}", created.get());
            assert_eq!(client.post("/events", &new_event(&id)).await.status, 201);
            created.set(created.get() + 1);
        }
        service.kill9().await;
        service.restart().await;
    }
    receiver
        .wait_for("every event", |taken| {
            let events: HashSet<_> = taken.iter().map(|call| call.event()).collect();
            events.len() == created.get()
        })
        .await;
}

#[actix_rt::test]
async fn the_process_ends_well_when_it_is_told_to() {
    let folder = TempDir::new().unwrap();
    let mut service = start(&folder).await;
    let client = service.client().with_bearer(TOKEN);
    assert_eq!(client.post("/events", &new_event("final")).await.status, 201);
    let status = service.terminate().await.unwrap();
    assert!(status.success(), "{status}");
    service.restart().await;
    assert_eq!(service.client().get("/events/final").await.status, 200);
}
