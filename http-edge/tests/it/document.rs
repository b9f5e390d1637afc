//! The OpenAPI document and the page that shows it.

use serde_json::{Value, json};

use crate::{
    lights::{document, start},
    wire::{get, send},
};

fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{pointer} is missing in {document:#}"))
}

#[actix_web::test]
async fn the_document_is_served_as_collected() {
    let answer = get(start(), "/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), *document().value());
    assert_eq!(
        answer.json()["info"],
        json!({"title": "lights", "version": "1.0.0"})
    );
    assert_eq!(answer.json()["servers"][0]["url"], ".");
}

#[test]
fn a_route_lists_exactly_its_codes() {
    let document = document();
    let change = at(document.value(), "/paths/~1lights~1{id}/patch");
    let statuses: Vec<_> = change["responses"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(statuses, ["200", "201", "400", "401", "404", "409", "412", "503"]);
    let conflict = at(change, "/responses/409/content/application~1problem+json");
    assert_eq!(
        at(conflict, "/schema/allOf/1/properties/code/enum"),
        &json!(["light_broken"])
    );
    assert_eq!(at(conflict, "/examples/light_broken/value/status"), 409);
    assert_eq!(change["operationId"], "changeLight");
    let missing = at(change, "/responses/404/content/application~1problem+json");
    assert_eq!(
        at(missing, "/schema/allOf/1/properties/code/enum"),
        &json!(["light_not_found"])
    );

    let given_up = at(change, "/responses/503/content/application~1problem+json");
    assert_eq!(
        at(given_up, "/schema/allOf/1/properties/code/enum"),
        &json!(["timed_out"])
    );

    let create = at(document.value(), "/paths/~1lights/post/responses");
    let statuses: Vec<_> = create.as_object().unwrap().keys().cloned().collect();
    assert_eq!(statuses, ["201", "400", "401", "408", "413", "415", "422", "503"]);
    assert!(
        at(create, "/201/headers/Location").is_object(),
        "the overlay is merged"
    );
}

#[test]
fn scalars_and_bounds_are_described() {
    let document = document();
    let document = document.value();
    let light = at(document, "/components/schemas/Light");
    assert!(light["properties"]["odds"]["pattern"].is_string());
    assert_eq!(light["properties"]["seen_by"]["description"], "Who sees it.");

    let parameters = at(document, "/paths/~1lights/get/parameters").as_array().unwrap();
    let named = |name: &str| {
        parameters
            .iter()
            .find(|parameter| parameter["name"] == name)
            .unwrap()
    };
    assert_eq!(named("limit")["schema"]["minimum"], 1);
    assert_eq!(named("limit")["schema"]["maximum"], 500);
    assert_eq!(named("id")["schema"]["pattern"], "^[A-Za-z0-9_-]{1,64}$");
    assert_eq!(named("id")["description"], "Only this one.");
    assert_eq!(
        named("id")["schema"].get("example"),
        None,
        "the page would fill it in"
    );
    let path = at(document, "/paths/~1lights~1{id}/get/parameters/0");
    assert_eq!(
        (path["name"].as_str(), path["in"].as_str()),
        (Some("id"), Some("path"))
    );
    assert_eq!(path["schema"]["pattern"], "^[A-Za-z0-9_-]{1,64}$");
}

#[test]
fn a_body_may_leave_out_what_it_may_not_set_to_null() {
    let document = document();
    let create = at(document.value(), "/components/schemas/CreateLight");
    assert_eq!(create["required"], json!(["brightness", "id"]));
    assert_eq!(create["properties"]["note"].get("nullable"), None);
    assert_eq!(create["additionalProperties"], false);
}

#[actix_web::test]
async fn an_answer_has_every_member_that_its_schema_requires() {
    let document = document();
    let schemas = at(document.value(), "/components/schemas");
    let light = at(schemas, "/Light");
    assert_eq!(light["required"], json!(["id", "odds", "revision", "seen_by"]));
    assert_eq!(light["properties"]["seen_by"]["nullable"], true);
    assert_eq!(light["properties"]["id"].get("nullable"), None);
    assert_eq!(light.get("additionalProperties"), None, "answers may grow");
    let page = at(schemas, "/LightPage");
    assert_eq!(page["required"], json!(["items", "next_cursor"]));
    assert_eq!(page["properties"]["next_cursor"]["nullable"], true);

    let port = start();
    let shown = get(port, "/lights/hall").await.json();
    assert_eq!(shown.get("seen_by"), Some(&Value::Null));
    let last_page = get(port, "/lights").await.json();
    assert_eq!(last_page.get("next_cursor"), Some(&Value::Null));
}

#[actix_web::test]
async fn what_is_left_out_of_answers_is_neither_required_nor_null() {
    let document = document();
    let dependency = at(
        document.value(),
        "/components/schemas/Ready/properties/dependencies/additionalProperties",
    );
    assert_eq!(dependency["required"], json!(["status"]));
    assert_eq!(dependency["properties"]["detail"].get("nullable"), None);
    let ready = get(start(), "/readyz").await.json();
    assert_eq!(ready["dependencies"]["power"], json!({"status": "up"}));
}

#[test]
fn a_nested_component_is_referred_to() {
    let document = document();
    let schemas = at(document.value(), "/components/schemas");
    let light = json!("#/components/schemas/Light");
    assert_eq!(at(schemas, "/LightPage/properties/items/items/$ref"), &light);
    assert_eq!(at(schemas, "/Pair/properties/first/$ref"), &light);
    assert_eq!(at(schemas, "/Pair/properties/second/allOf/0/$ref"), &light);
    assert_eq!(at(schemas, "/Pair/properties/second/nullable"), true);
}

#[test]
fn operator_routes_ask_for_a_bearer() {
    let document = document();
    assert_eq!(
        at(document.value(), "/components/securitySchemes/operator/scheme"),
        "bearer"
    );
    assert_eq!(
        at(document.value(), "/paths/~1lights/post/security"),
        &json!([{"operator": []}])
    );
    assert_eq!(at(document.value(), "/paths/~1lights/get").get("security"), None);
}

#[test]
fn texts_have_their_media_type_and_no_mark_is_left() {
    let document = document();
    assert!(
        at(
            document.value(),
            "/paths/~1shine/get/responses/200/content/text~1event-stream"
        )
        .is_object()
    );
    assert!(
        at(
            document.value(),
            "/paths/~1metrics/get/responses/200/content/text~1plain"
        )
        .is_object()
    );
    let text = document.value().to_string();
    for mark in ["http-edge problem", "title:", "media:"] {
        assert!(!text.contains(mark), "{mark}");
    }
}

#[actix_web::test]
async fn the_page_loads_only_its_own_files() {
    let port = start();
    for target in ["/docs", "/docs/"] {
        let page = get(port, target).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert!(
            !page.text().contains("//cdn") && !page.text().contains("https://"),
            "{}",
            page.text()
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("'sha256-"),
            "{policy}"
        );
    }
    for (name, content_type) in [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ] {
        let target = format!("GET /docs/{name}");
        let asset = send(port, &target, &[], "").await;
        assert_eq!(
            (asset.status, asset.header("content-type")),
            (200, Some(content_type))
        );
        assert!(!asset.body.is_empty());
        let tag = asset.header("etag").unwrap();
        let again = send(port, &target, &[&format!("If-None-Match: {tag}")], "").await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    get(port, "/docs/index.html").await.problem(404, "not_found");
}
