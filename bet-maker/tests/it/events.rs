//! `GET /events`, `GET /events/{id}` and the exposure: what bet-maker shows of events and what is at stake.

use serde_json::{Value, json};

use crate::harness::{TestApp, in_seconds, problem};

fn ids(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect()
}

#[actix_rt::test]
async fn only_events_open_for_betting_are_listed_soonest_deadline_first() {
    let app = TestApp::start().await;
    for (id, seconds) in [
        ("late", 300),
        ("soon", 100),
        ("between", 200),
        ("past", 0),
        ("done", 50),
        ("again", 60),
    ] {
        app.happens(|history| history.create_until(id, "1.85", in_seconds(seconds)))
            .await;
    }
    app.happens(|history| history.won("done")).await;
    app.happens(|history| history.won("again")).await;
    app.happens(|history| history.set_status("again", shared_types::EventStatus::Unfinished))
        .await;
    assert_eq!(
        ids(&app.list_events("").await.json()),
        ["soon", "between", "late"]
    );

    let first = app.list_events("?limit=2").await.json();
    assert_eq!(ids(&first), ["soon", "between"]);
    app.happens(|history| history.create_until("sooner", "1.85", in_seconds(50)))
        .await;
    app.happens(|history| history.create_until("latest", "1.85", in_seconds(400)))
        .await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.list_events(&format!("?limit=2&cursor={cursor}")).await.json();
    assert_eq!(
        (ids(&second), &second["next_cursor"]),
        (vec!["late", "latest"], &Value::Null)
    );
}

#[actix_rt::test]
async fn events_with_one_deadline_are_paged_by_id() {
    let app = TestApp::start().await;
    let deadline = in_seconds(100);
    for id in ["b", "B", "a", "_", "-"] {
        app.happens(|history| history.create_until(id, "1.85", deadline))
            .await;
    }
    let (mut all, mut cursor) = (Vec::new(), String::new());
    // As many pages as there are events, so that pages without an end fail the test.
    for _ in 0..5 {
        let page = app.list_events(&format!("?limit=1{cursor}")).await.json();
        all.extend(ids(&page).iter().map(ToString::to_string));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => cursor.clear(),
        }
    }
    assert_eq!(all, ["-", "B", "_", "a", "b"]);
    assert_eq!(cursor, "", "the last page has no cursor");
}

#[actix_rt::test]
async fn an_event_is_shown_as_line_provider_published_it() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app.happens(|history| history.won("final")).await;
    let answer = app.event("final").await;
    let published = serde_json::to_value(app.provider.history().event("final")).unwrap();
    assert_eq!((answer.status, answer.json()), (200, published));
    problem(&app.event("unknown").await, 404, "event_not_found");
    problem(&app.event("a%20b").await, 404, "event_not_found");
}

#[actix_rt::test]
async fn the_exposure_is_the_sum_of_the_bets_in_every_status() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    for stake in ["0.29", "10.00", "3.33"] {
        app.placed("final", stake).await;
    }
    // Of the largest sort, so that the sums go beyond what one amount may be.
    app.books.add_bets("final", 3, 100_000_000_000).await;
    assert_exposed(&app, "pending").await;
    let total = app.exposure("final").await.json()["total"].clone();
    assert_eq!(
        total,
        json!({
            "bets": 6, "stakes": "3000000013.62", "payout_if_first_team_wins": "5550000025.19", "paid": "0.00",
        })
    );
    for (status, end) in [("won", "won"), ("lost", "lost"), ("void", "cancelled")] {
        app.happens(|history| match end {
            "won" => history.won("final"),
            "lost" => history.lost("final"),
            _ => history.cancelled("final"),
        })
        .await;
        app.books.wait_until_settled().await;
        assert_exposed(&app, status).await;
    }
}

#[actix_rt::test]
async fn an_event_without_bets_has_an_exposure_of_zero_and_an_unknown_one_none() {
    let app = TestApp::start().await;
    app.happens(|history| history.create("quiet", "1.85")).await;
    let zero = json!({"bets": 0, "stakes": "0.00", "payout_if_first_team_wins": "0.00", "paid": "0.00"});
    assert_eq!(
        app.exposure("quiet").await.json(),
        json!({"event_id": "quiet", "total": zero, "by_status":
            {"pending": zero, "won": zero, "lost": zero, "void": zero}})
    );
    problem(&app.exposure("unknown").await, 404, "event_not_found");
}

/// Compares the exposure with the bets as they are listed, all of which are in that one status.
async fn assert_exposed(app: &TestApp, status: &str) {
    let bets = app
        .list_bets(&format!("?event_id=final&status={status}"))
        .await
        .json();
    let bets = bets["items"].as_array().unwrap();
    assert_eq!(bets.len(), 6);
    let sum = |field: &str| {
        let cents = bets
            .iter()
            .map(|bet| cents(bet[field].as_str().unwrap_or("0.00")))
            .sum::<i64>();
        format!("{}.{:02}", cents / 100, cents % 100)
    };
    let if_first_wins = if status == "void" {
        "stake"
    } else {
        "potential_payout"
    };
    let expected = json!({
        "bets": bets.len(), "stakes": sum("stake"), "payout_if_first_team_wins": sum(if_first_wins),
        "paid": sum("payout"),
    });
    let exposure = app.exposure("final").await.json();
    assert_eq!(exposure["total"], expected);
    assert_eq!(exposure["by_status"][status], expected);
    for other in ["pending", "won", "lost", "void"]
        .iter()
        .filter(|other| **other != status)
    {
        assert_eq!(exposure["by_status"][other]["bets"], 0, "{other}");
    }
}

fn cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().unwrap()
}
