//! The OpenAPI document: committed, served as committed, and true about what is optional.

use serde_json::Value;

use crate::harness::TestApp;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let served = format!("{:#}\n", bet_maker::http::document().value());
    assert!(
        committed == served,
        "bet-maker/openapi.json is out of date: cargo run -p bet-maker -- openapi > bet-maker/openapi.json"
    );
}

#[actix_rt::test]
async fn the_document_is_served() {
    let app = TestApp::start().await;
    let answer = app.client.get("/openapi.json").await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, bet_maker::http::document().value().clone())
    );
}

#[test]
fn no_query_parameter_is_required() {
    let document = bet_maker::http::document();
    let paths = document.value()["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .values()
            .map(move |operation| (path, operation))
    });
    for (path, operation) in operations {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            assert_ne!(
                parameter.get("required"),
                Some(&Value::Bool(true)),
                "{path}: {}",
                parameter["name"]
            );
        }
    }
}

/// Every answer of the other tests passes `Fail`'s own check; this one is about the other direction.
#[test]
fn placing_names_every_status_that_it_answers() {
    let document = bet_maker::http::document();
    let responses = document.value()["paths"]["/bets"]["post"]["responses"]
        .as_object()
        .unwrap()
        .clone();
    let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
    for status in ["201", "400", "404", "409", "413", "415", "422", "503"] {
        assert!(statuses.contains(&status), "{status} is not among {statuses:?}");
    }
}
