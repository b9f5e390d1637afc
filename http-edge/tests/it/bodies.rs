//! What bodies are taken, and how the others are refused.

use crate::{
    lights::{TOKEN, start},
    wire::{Answer, Wire, send},
};

const JSON: &str = "Content-Type: application/json";

async fn create(port: u16, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
    send(
        port,
        "POST /lights",
        &[&format!("Authorization: Bearer {TOKEN}"), content_type],
        body,
    )
    .await
}

#[actix_web::test]
async fn a_light_is_created_whatever_the_case_and_charset_of_json() {
    let port = start();
    for content_type in [
        JSON,
        "content-type: Application/JSON; charset=UTF-8",
        "Content-Type: application/json;charset=\"utf-8\"",
    ] {
        let answer = create(port, content_type, r#"{"id":"hall","brightness":255}"#).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (201, Some("/lights/hall")),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("idempotency-replayed"), None);
        assert_eq!(answer.json()["odds"], "1.85");
    }
}

#[actix_web::test]
async fn another_content_type_is_415() {
    let port = start();
    for content_type in [
        "X-None: 1",
        "Content-Type: text/plain",
        "Content-Type: application/json; charset=latin-1",
        "Content-Type:",
    ] {
        create(port, content_type, "{}")
            .await
            .problem(415, "unsupported_media_type");
    }
}

#[actix_web::test]
async fn an_unreadable_body_is_400_and_says_where() {
    let port = start();
    for (body, words) in [
        ("", "is empty"),
        ("{", "line 1 column 1"),
        (
            r#"{"id":"hall","brightness":"x"}"#,
            "invalid type: string \"x\", expected u32 at line 1 column 29",
        ),
        (r#"{"id":"hall","brightness":-1}"#, "line 1 column 28"),
        (
            r#"{"id":"hall","brightness":1,"colour":2}"#,
            "unknown field `colour`, expected one of `id`, `brightness`, `note`",
        ),
        (
            r#"{"id":"hall","id":"hall","brightness":1}"#,
            "duplicate field `id`",
        ),
        ("{\"id\":\"hall\"}", "missing field `brightness`"),
        (
            r#"{"id":"hall","brightness":1,"note":null}"#,
            "invalid type: null",
        ),
        (r#"{"id":"hall","brightness":1} x"#, "trailing characters"),
    ] {
        let problem = create(port, JSON, body).await.problem(400, "invalid_json");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    create(port, JSON, b"{\"id\":\"\xff\",\"brightness\":1}")
        .await
        .problem(400, "invalid_json");
    create(port, JSON, "[".repeat(10_000))
        .await
        .problem(400, "invalid_json");
}

#[actix_web::test]
async fn only_an_object_is_taken_for_an_object() {
    let port = start();
    // serde would read a struct from an array of its fields in order.
    for body in [
        r#"["hall",1]"#,
        " \t\r\n[\"hall\",1]",
        "[]",
        "null",
        "1",
        "\"hall\"",
        "\u{feff}{}",
    ] {
        let problem = create(port, JSON, body).await.problem(400, "invalid_json");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("not a JSON object"), "{body:?}: {detail}");
    }
    let blank_first = " \t\r\n{\"id\":\"hall\",\"brightness\":1}";
    assert_eq!(create(port, JSON, blank_first).await.status, 201);
}

#[actix_web::test]
async fn a_refusal_does_not_quote_the_whole_body() {
    let body = format!(r#"{{"id":"hall","brightness":"{}"}}"#, "é".repeat(5_000));
    let problem = create(start(), JSON, body).await.problem(400, "invalid_json");
    assert!(
        problem["detail"].as_str().unwrap().chars().count() < 450,
        "{problem}"
    );
}

#[actix_web::test]
async fn broken_rules_are_422_and_all_named() {
    let problem = create(start(), JSON, r#"{"id":"a b","brightness":256}"#)
        .await
        .problem(422, "invalid_field");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["id", "brightness"]);
    assert_eq!(problem["errors"][1]["message"], "must be 0 to 255");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("brightness: must be 0 to 255")
    );
}

#[actix_web::test]
async fn the_limit_is_exact_and_more_is_413() {
    let port = start();
    let padded = |length: usize| {
        let body = r#"{"id":"hall","brightness":1}"#;
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    assert_eq!(create(port, JSON, padded(16 * 1024)).await.status, 201);
    create(port, JSON, padded(16 * 1024 + 1))
        .await
        .problem(413, "body_too_large");
    create(port, JSON, padded(4 * 1024 * 1024))
        .await
        .problem(413, "body_too_large");

    assert_eq!(
        send(port, "POST /measure", &[], "x".repeat(32)).await.text(),
        "32"
    );
    send(port, "POST /measure", &[], "x".repeat(33))
        .await
        .problem(413, "body_too_large");
}

#[actix_web::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_body_comes() {
    let mut wire = Wire::open(start()).await;
    wire.say("POST /measure HTTP/1.1\r\nHost: test\r\nContent-Length: 33\r\n\r\n")
        .await;
    wire.answer().await.problem(413, "body_too_large");
}

#[actix_web::test]
async fn a_body_without_a_length_is_read_in_pieces_up_to_the_limit() {
    let head =
        "POST /measure HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let port = start();
    let mut wire = Wire::open(port).await;
    for piece in [
        head,
        "10\r\n0123456789abcdef\r\n",
        "10\r\n0123456789abcdef\r\n",
        "0\r\n\r\n",
    ] {
        wire.say(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.answer().await.text(), "32");

    let mut wire = Wire::open(port).await;
    wire.say(head).await;
    wire.say("21\r\n0123456789abcdef0123456789abcdefX\r\n0\r\n\r\n")
        .await;
    wire.answer().await.problem(413, "body_too_large");
}
