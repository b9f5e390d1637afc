//! The OpenAPI document that is committed is the one that is served.

use serde_json::Value;

use crate::support::TestApp;

const COMMITTED: &str = include_str!("../../openapi.json");

#[actix_rt::test]
async fn the_committed_document_is_the_served_one() {
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    let hint = "write it anew: cargo run -q -p line-provider -- openapi > line-provider/openapi.json";
    assert!(committed == *line_provider::http::document().value(), "{hint}");
    let app = TestApp::start().await;
    let served = app.anyone.get("/openapi.json").await;
    assert!(served.json() == committed, "{hint}");
}
