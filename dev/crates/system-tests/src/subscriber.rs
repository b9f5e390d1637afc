//! A subscriber as a process of its own: verifies each callback, writes it down, and answers by its mood.
//!
//! It is told by the environment where to listen, what to write, and how it feels.

use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, SignedHeaders, TIMESTAMP_HEADER, verify};
use shared_types::{Callback, Timestamp};
use system_tests::wire::Receipt;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// 204 at once.
    Well,
    /// Often slow, sometimes 500, sometimes 503 with a wish to be left alone.
    Moody,
}

impl FromStr for Mood {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "well" => Ok(Self::Well),
            "moody" => Ok(Self::Moody),
            _ => Err(format!("there is no mood {text}")),
        }
    }
}

impl Mood {
    /// The status to answer, and how long to think before.
    fn answer(self) -> (StatusCode, Duration) {
        match self {
            Self::Well => (StatusCode::NO_CONTENT, Duration::ZERO),
            Self::Moody => {
                let status = match rand::random_range(0..100) {
                    0..15 => StatusCode::INTERNAL_SERVER_ERROR,
                    15..20 => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::OK,
                };
                (status, Duration::from_millis(rand::random_range(0..150)))
            }
        }
    }
}

struct Subscriber {
    wire: RefCell<File>,
    secret: Arc<[Secret]>,
    mood: Mood,
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen: SocketAddr = variable("SUBSCRIBER_LISTEN")?.parse()?;
    let wire = variable("SUBSCRIBER_WIRE")?;
    let mood: Mood = variable("SUBSCRIBER_MOOD")?.parse()?;
    let secret: Arc<[Secret]> = [variable("SUBSCRIBER_SECRET")?.parse()?].into();
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        let open = || File::options().create(true).append(true).open(&wire);
        let subscriber = Subscriber {
            wire: RefCell::new(open().expect("what is received can be written down")),
            secret: Arc::clone(&secret),
            mood,
        };
        App::new()
            .app_data(web::Data::new(subscriber))
            .route("/readyz", web::get().to(HttpResponse::Ok))
            .route("/callbacks", web::post().to(receive))
    });
    let server = server.workers(1).listen(listener)?.run();
    println!("listening on http://{address}");
    Ok(server.await?)
}

async fn receive(subscriber: web::Data<Subscriber>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let signed = SignedHeaders {
        id: header(ID_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
    };
    let now = Timestamp::now();
    let Ok(callback) = serde_json::from_slice::<Callback>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let (status, thinking) = subscriber.mood.answer();
    let receipt = Receipt {
        at: now,
        port: request.peer_addr().map(|peer| peer.port()),
        webhook_id: signed.id.to_owned(),
        signed_at_s: signed.timestamp.parse().unwrap_or_default(),
        is_genuine: verify(signed, &body, &subscriber.secret, now).is_ok(),
        answered: status.as_u16(),
        change: callback.data,
    };
    let mut line = serde_json::to_vec(&receipt).expect("a receipt is made of strings and numbers");
    line.push(b'\n');
    // One write: a kill leaves whole lines, or the head of the last one.
    let written = subscriber.wire.borrow_mut().write_all(&line);
    if written.is_err() {
        return HttpResponse::InternalServerError().finish();
    }
    actix_web::rt::time::sleep(thinking).await;
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, "1"));
    }
    answer.finish()
}
