//! `GET /bets` and `GET /bets/{id}`: filters, pages, and what is refused.

use serde_json::{Value, json};

use crate::harness::{TestApp, problem};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.happens(|history| history.create("one", "1.85")).await;
    app.happens(|history| history.create("two", "2.00")).await;
    app
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|bet| bet["id"].as_str().unwrap().to_owned())
        .collect()
}

/// More pages than any list here has.
const MANY_PAGES: usize = 20;

/// All pages of a list, each asked for when the one before was read.
async fn read_on(app: &TestApp, query: &str, mut between: impl AsyncFnMut()) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    for _ in 0..MANY_PAGES {
        let page = app.list_bets(&format!("?{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        all.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
        between().await;
    }
    panic!("the pages of {query} have no end: {all:?}");
}

#[actix_rt::test]
async fn bets_are_listed_newest_first_and_filtered() {
    let app = app().await;
    let mut placed = Vec::new();
    for (event, bettor) in [
        ("one", "alice"),
        ("two", "alice"),
        ("one", "bob"),
        ("two", "bob"),
        ("one", "bob"),
    ] {
        let body = json!({"event_id": event, "stake": "1.00", "bettor": bettor});
        placed.push(app.place(&body).await.json()["id"].as_str().unwrap().to_owned());
    }
    app.happens(|history| history.lost("two")).await;
    app.wait_for_status(&placed[3], "lost").await;
    app.wait_for_status(&placed[1], "lost").await;
    for (query, expected) in [
        ("", vec![4, 3, 2, 1, 0]),
        ("?event_id=one", vec![4, 2, 0]),
        ("?bettor=alice", vec![1, 0]),
        ("?status=lost", vec![3, 1]),
        ("?event_id=two&bettor=bob&status=lost", vec![3]),
        ("?event_id=one&status=lost", vec![]),
        ("?event_id=unknown", vec![]),
    ] {
        let answer = app.list_bets(query).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json"))
        );
        let expected: Vec<_> = expected
            .iter()
            .map(|index: &usize| placed[*index].clone())
            .collect();
        assert_eq!(ids(&answer.json()), expected, "{query}");
        assert_eq!(answer.json()["next_cursor"], Value::Null);
    }
}

#[actix_rt::test]
async fn pages_stay_stable_while_bets_are_added() {
    let app = app().await;
    let mut before = Vec::new();
    for _ in 0..5 {
        before.push(app.placed("one", "1.00").await["id"].as_str().unwrap().to_owned());
    }
    before.reverse();
    let add = async || {
        app.placed("one", "2.00").await;
    };
    assert_eq!(read_on(&app, "limit=2", add).await, before);
    assert_eq!(read_on(&app, "limit=1&event_id=one", async || {}).await.len(), 7);
    assert_eq!(read_on(&app, "limit=500", async || {}).await.len(), 7);
}

#[actix_rt::test]
async fn a_full_last_page_has_no_cursor_and_100_is_the_limit_if_none_is_given() {
    let app = app().await;
    app.books.add_bets("one", 101, 100).await;
    let page = app.list_bets("").await.json();
    assert_eq!(ids(&page).len(), 100);
    assert!(page["next_cursor"].is_string());
    let exact = app.list_bets("?limit=101").await.json();
    assert_eq!((ids(&exact).len(), &exact["next_cursor"]), (101, &Value::Null));
}

#[actix_rt::test]
async fn a_bad_query_is_400() {
    let app = app().await;
    for query in [
        "?limit=0",
        "?limit=501",
        "?limit=-1",
        "?limit=ten",
        "?limit=",
        "?status=open",
        "?event_id=a%20b",
        "?bettor=",
        "?page=2",
        "?limit=1&limit=2",
        "?event_id=%FF",
        "?event_id=%00",
    ] {
        problem(&app.list_bets(query).await, 400, "invalid_query");
    }
    for cursor in ["x", "bm90IGpzb24", "%22", "WzFd"] {
        problem(
            &app.list_bets(&format!("?cursor={cursor}")).await,
            400,
            "invalid_cursor",
        );
    }
    problem(&app.list_events("?status=open").await, 400, "invalid_query");
    problem(&app.list_events("?limit=501").await, 400, "invalid_query");
    problem(&app.list_events("?cursor=x").await, 400, "invalid_cursor");
}

#[actix_rt::test]
async fn a_cursor_of_another_list_is_400() {
    let app = app().await;
    app.placed("one", "1.00").await;
    app.placed("one", "1.00").await;
    let cursor = app.list_bets("?limit=1").await.json()["next_cursor"].clone();
    let answer = app
        .list_events(&format!("?cursor={}", cursor.as_str().unwrap()))
        .await;
    problem(&answer, 400, "invalid_cursor");
}

#[actix_rt::test]
async fn an_unknown_bet_is_404() {
    let app = app().await;
    problem(
        &app.bet("019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11").await,
        404,
        "bet_not_found",
    );
    problem(&app.bet("not-a-bet").await, 404, "bet_not_found");
}
