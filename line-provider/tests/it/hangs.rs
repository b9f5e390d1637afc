//! A disk that hangs: the writer's thread does not come back from its batch. Clients are answered in time, reads go on,
//! readiness says so, and the process can still be stopped.
//!
//! The thread is held by the clock that it asks at the start of each batch.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use line_provider::app::RunError;
use line_provider::clock::Clock;
use line_provider::config::AutoResult;
use serde_json::{Value, json};
use shared_types::Timestamp;
use tempfile::TempDir;
use test_support::{Client, Response, wait_until};

use crate::support::{PATIENCE, TOKEN, TestApp, answer, ask, code, new_event};

/// Below how long a command waits.
const AT_ONCE: Duration = Duration::from_secs(1);
const SUBSCRIPTION: &str = "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11";

/// Holds the writer's thread while it is shut. Opens when it is dropped, so that a test that fails ends.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

struct Shut(Gate);

impl Gate {
    fn clock(&self) -> Clock {
        let gate = self.clone();
        Clock::new(move || {
            if std::thread::current().name() == Some("journal-writer") {
                let (is_shut, opened) = &*gate.0;
                drop(
                    opened
                        .wait_while(is_shut.lock().unwrap(), |is_shut| *is_shut)
                        .unwrap(),
                );
            }
            Timestamp::now()
        })
    }

    fn shut(&self) -> Shut {
        *self.0.0.lock().unwrap() = true;
        Shut(self.clone())
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        let (is_shut, opened) = &*self.0.0;
        *is_shut.lock().unwrap() = false;
        opened.notify_all();
    }
}

async fn app(gate: &Gate) -> TestApp {
    let app = TestApp::start_in(TempDir::new().unwrap(), gate.clock(), AutoResult::Off).await;
    app.create("final").await;
    app
}

fn assert_unavailable(answer: &Response) {
    assert_eq!(code(answer, 503), "journal_unavailable");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
}

/// Every operation of the document, with a request that is carried out if the journal can be written.
async fn operate(app: &TestApp, method: &str, path: &str) -> Response {
    let id = if path.starts_with("/subscriptions") {
        SUBSCRIPTION
    } else {
        "final"
    };
    let body = match (method, path) {
        ("post", "/events") => new_event("another"),
        ("patch", "/events/{id}") => json!({"odds": "2.00"}),
        ("post", "/events/{id}/corrections") => json!({"status": "cancelled", "reason": "rain"}),
        ("post", "/subscriptions") => json!({"url": "http://127.0.0.1:1/"}),
        ("patch", "/subscriptions/{id}") => json!({"status": "paused"}),
        ("get" | "delete", _) => Value::Null,
        other => panic!("say how to ask for {other:?}"),
    };
    let headers = [("content-type", "application/json")];
    let (typed, bytes) = match body {
        Value::Null => (&headers[..0], Vec::new()),
        body => (&headers[..], body.to_string().into_bytes()),
    };
    let method: Method = method.to_uppercase().parse().unwrap();
    let path = path.replace("{id}", id);
    app.client.send_bytes(method, &path, typed, bytes).await
}

#[actix_rt::test]
async fn while_the_disk_hangs_commands_are_503_in_time_reads_go_on_and_then_all_is_well() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let shut = gate.shut();
    let document = line_provider::http::document();
    let paths = document.value()["paths"].as_object().unwrap();
    let operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .iter()
                .map(move |(method, it)| (path, method, it))
        })
        .filter(|(path, method, _)| {
            !matches!(
                (path.as_str(), method.as_str()),
                ("/changes/stream" | "/readyz", _)
            )
        })
        .collect();
    let asked = Instant::now();
    let answers = join_all(
        operations
            .iter()
            .map(|(path, method, _)| operate(&app, method, path)),
    )
    .await;
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    let mut unavailable = 0;
    for ((path, method, operation), answer) in operations.iter().zip(&answers) {
        if *method == "get" {
            let expected = if path.as_str() == "/subscriptions/{id}" {
                404
            } else {
                200
            };
            assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text());
        } else {
            assert_unavailable(answer);
            assert!(operation["responses"]["503"].is_object(), "{method} {path}");
            unavailable += 1;
        }
    }
    assert_eq!(unavailable, 6);

    let not_ready = wait_until("readiness tells", PATIENCE, async || {
        let answer = app.anyone.get("/readyz").await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(code(&not_ready, 503), "not_ready");
    let dependencies = not_ready.json()["dependencies"].clone();
    assert_eq!(dependencies["journal"]["status"], "down", "{dependencies}");
    assert_eq!(dependencies["delivery"]["status"], "up", "{dependencies}");
    assert_eq!(app.anyone.get("/healthz").await.status, 200);

    drop(shut);
    wait_until("it is ready again", PATIENCE, async || {
        (app.anyone.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    // One may have been in the batch that hung; nobody waited for the others any more.
    app.create("last").await;
    let changes = app.changes().await.len();
    assert!((2..=3).contains(&changes), "{changes}");
    app.stop().await;
}

#[actix_rt::test]
async fn a_command_beyond_those_that_may_wait_is_refused_at_once() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let shut = gate.shut();
    let mut waiting = Vec::new();
    let refused = wait_until("no more may wait", 2 * PATIENCE, async || {
        for _ in 0..200 {
            let body = new_event(&format!("e{}", waiting.len())).to_string();
            waiting.push(ask(&app, "POST /events", &body).await);
        }
        let one_more = answer(ask(&app, "POST /events", &new_event("more").to_string()).await);
        tokio::time::timeout(AT_ONCE, one_more).await.ok()
    })
    .await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains(r#""code":"overloaded""#), "{refused}");
    assert!(
        refused.to_ascii_lowercase().contains("\r\nretry-after: 1\r\n"),
        "{refused}"
    );
    assert!(waiting.len() >= 1024, "{}", waiting.len());
    drop((waiting, shut));
    app.stop().await;
}

#[actix_rt::test]
async fn a_stop_while_the_disk_hangs_answers_what_is_under_way_and_ends() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let shut = gate.shut();
    let client = Client::new(app.anyone.base()).with_bearer(TOKEN);
    let command = tokio::task::spawn_local(async move { client.post("/events", &new_event("late")).await });
    wait_until("the command is under way", PATIENCE, async || {
        let answer = app.anyone.get("/readyz").await;
        (answer.status == 503).then_some(())
    })
    .await;
    let started = Instant::now();
    let (ended, _folder) = app.told_to_stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
    assert!(matches!(ended, Err(RunError::Hangs)), "{ended:?}");
    assert_unavailable(&command.await.unwrap());
    drop(shut);
}
