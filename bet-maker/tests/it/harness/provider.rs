//! A line-provider that does as the test says: it serves a [`History`] from a real socket, records registrations,
//! and can be away, hang, or answer nonsense.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::{Value, json};
use shared_types::Timestamp;

use super::history::History;

/// How `GET /changes` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Answers,
    /// 500.
    Fails,
    /// Takes the request and says nothing.
    Hangs,
    /// Starts its pages one change too late.
    Misplaces,
    /// Answers 200 with a page that is not JSON.
    Babbles,
}

/// One `POST /subscriptions`.
#[derive(Clone, Debug)]
pub struct Registration {
    pub authorization: Option<String>,
    pub body: Value,
}

struct Script {
    history: History,
    mood: Mood,
    /// Statuses of the next registrations; 201 after them.
    registration_failures: VecDeque<u16>,
    registrations: Vec<Registration>,
    rounds: u64,
}

#[derive(Clone)]
pub struct Provider {
    script: Arc<Mutex<Script>>,
    address: SocketAddr,
}

impl Provider {
    pub fn start(history: History) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), history)
    }

    pub fn start_on(listener: TcpListener, history: History) -> Self {
        let script = Arc::new(Mutex::new(Script {
            history,
            mood: Mood::Answers,
            registration_failures: VecDeque::new(),
            registrations: Vec::new(),
            rounds: 0,
        }));
        let address = listener.local_addr().unwrap();
        let shared = web::Data::new(script.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/changes", web::get().to(changes))
                .route("/subscriptions", web::post().to(subscribe))
        })
        .workers(1)
        .shutdown_timeout(0)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        actix_rt::spawn(server);
        Self { script, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the history; what `edit` answers is answered.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut History) -> T) -> T {
        edit(&mut self.script().history)
    }

    pub fn history(&self) -> History {
        self.script().history.clone()
    }

    /// Serves another history from now on.
    pub fn replace_history(&self, history: History) -> History {
        std::mem::replace(&mut self.script().history, history)
    }

    pub fn set_mood(&self, mood: Mood) {
        self.script().mood = mood;
    }

    pub fn fail_registrations(&self, statuses: &[u16]) {
        self.script().registration_failures.extend(statuses);
    }

    pub fn registrations(&self) -> Vec<Registration> {
        self.script().registrations.clone()
    }

    /// How often the log was asked for.
    pub fn rounds(&self) -> u64 {
        self.script().rounds
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

#[derive(Deserialize)]
struct Asked {
    after: u64,
    limit: usize,
}

async fn changes(script: web::Data<Arc<Mutex<Script>>>, asked: web::Query<Asked>) -> HttpResponse {
    let (mood, page) = {
        let mut script = script.lock().unwrap();
        script.rounds += 1;
        let after = if script.mood == Mood::Misplaces {
            asked.after + 1
        } else {
            asked.after
        };
        (script.mood, script.history.page(after, asked.limit))
    };
    match mood {
        Mood::Answers | Mood::Misplaces => HttpResponse::Ok()
            .insert_header(("x-server-time", Timestamp::now().to_string()))
            .json(page),
        Mood::Fails => HttpResponse::InternalServerError().body("out of order"),
        Mood::Babbles => HttpResponse::Ok().body("<html>"),
        Mood::Hangs => std::future::pending().await,
    }
}

async fn subscribe(
    script: web::Data<Arc<Mutex<Script>>>,
    request: HttpRequest,
    body: web::Json<Value>,
) -> HttpResponse {
    let mut script = script.lock().unwrap();
    if let Some(status) = script.registration_failures.pop_front() {
        return HttpResponse::build(status.try_into().unwrap()).body("not now");
    }
    let authorization = request.headers().get("authorization");
    let url = body["url"].clone();
    script.registrations.push(Registration {
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        body: body.into_inner(),
    });
    HttpResponse::Created().json(json!({
        "id": "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11", "url": url, "event_types": [], "status": "active",
        "cursor": 0, "head": 0, "lag_positions": 0, "lag_seconds": 0, "oldest_pending_at": null,
        "breaker": "closed", "next_attempt_at": null, "last_error": null,
        "created_at": "2026-03-01T18:00:00Z", "updated_at": "2026-03-01T18:00:00Z",
    }))
}
