//! Every route of the document while the database is away: what needs it is 503, by name, and to be tried again; what
//! does not need it answers. No other 5xx.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_support::{Client, Postgres, Response};

use crate::harness::{Signed, problem};
use crate::outage::app_on;

const BET: &str = "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11";

/// The routes of the document with a request that reaches the database, if the route does.
async fn ask(client: &Client, method: &str, path: &str, signed: &Signed) -> Response {
    let method_of: Method = method.to_uppercase().parse().unwrap();
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    match (method, path) {
        ("post", "/callbacks/line-provider") => {
            client
                .send_bytes(method_of, path, &headers, signed.body.clone())
                .await
        }
        ("post", "/bets") => {
            client
                .post(path, &json!({"event_id": "final", "stake": "1.00"}))
                .await
        }
        ("get", path) => {
            let id = if path.starts_with("/bets") { BET } else { "final" };
            client.get(&path.replace("{id}", id)).await
        }
        other => panic!("say how to ask for {other:?}"),
    }
}

#[actix_rt::test]
async fn without_its_database_every_route_answers_or_says_that_it_is_away() {
    let (mut postgres, app) = app_on(Postgres::builder()).await;
    let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
    let signed = Signed::change(&change);
    postgres.stop();

    let document = bet_maker::http::document();
    let paths = document.value()["paths"].as_object().unwrap();
    let mut unavailable = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let answer = ask(&app.client, method, path, &signed).await;
            let needs_nothing = ["/healthz", "/metrics"].contains(&path.as_str());
            if needs_nothing {
                assert_eq!(answer.status, 200, "{method} {path}");
                continue;
            }
            let code = if path == "/readyz" {
                "not_ready"
            } else {
                "database_unavailable"
            };
            problem(&answer, 503, code);
            assert!(operation["responses"]["503"].is_object(), "{method} {path}");
            unavailable.push(format!("{method} {path}"));
        }
    }
    assert_eq!(unavailable.len(), 8, "{unavailable:?}");
    for path in ["/openapi.json", "/docs"] {
        assert_eq!(app.client.get(path).await.status, 200, "{path}");
    }
    let readiness: Value = app.ready().await.json();
    let dependencies = &readiness["dependencies"];
    assert_eq!(dependencies["database"]["status"], "down");
    assert_eq!(dependencies["line_provider"]["status"], "down");
}
