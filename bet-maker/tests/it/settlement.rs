//! What becomes of bets: first results, cancellations, late bets, and every correction, to the cent and booked.

use serde_json::{Value, json};
use shared_types::EventStatus;

use crate::harness::{History, TestApp, seconds_ago};

async fn app() -> TestApp {
    let mut history = History::new();
    history.create("final", "1.85");
    TestApp::start_on(history).await
}

fn id(bet: &Value) -> String {
    bet["id"].as_str().unwrap().to_owned()
}

async fn booked(app: &TestApp, bet: &Value) -> Vec<String> {
    let sql = format!(
        "select result_seq::text, event_revision::text, status::text, amount::text from ledger
         where bet_id = '{}' order by result_seq",
        id(bet)
    );
    app.books.rows(&sql).await
}

#[actix_rt::test]
async fn a_won_bet_is_paid_stake_times_odds_rounded_down() {
    let app = app().await;
    let mut bets = Vec::new();
    for (stake, payout) in [
        ("10.00", "18.50"),
        ("0.29", "0.53"),
        ("3.33", "6.16"),
        ("0.01", "0.01"),
    ] {
        bets.push((app.placed("final", stake).await, payout));
    }
    app.happens(|history| history.won("final")).await;
    for (placed, payout) in bets {
        let settled = app.wait_for_status(&id(&placed), "won").await;
        let mut expected = placed;
        expected["status"] = json!("won");
        expected["payout"] = json!(payout);
        expected["settled_at"] = settled["settled_at"].clone();
        assert_eq!(settled, expected);
        assert!(settled["settled_at"].as_str() > settled["placed_at"].as_str());
        assert_eq!(settled["payout"], settled["potential_payout"]);
    }
    app.books.assert_balanced().await;
}

#[actix_rt::test]
async fn a_lost_bet_is_paid_nothing() {
    let app = app().await;
    let bet = app.placed("final", "10.00").await;
    app.happens(|history| history.lost("final")).await;
    let lost = app.wait_for_status(&id(&bet), "lost").await;
    assert_eq!(
        (&lost["payout"], &lost["void_reason"]),
        (&json!("0.00"), &Value::Null)
    );
    assert_eq!(booked(&app, &bet).await, ["1 2 2 0"]);
}

#[actix_rt::test]
async fn the_bets_of_a_cancelled_event_are_refunded() {
    let app = app().await;
    let bet = app.placed("final", "10.00").await;
    app.happens(|history| history.cancelled("final")).await;
    let void = app.wait_for_status(&id(&bet), "void").await;
    assert_eq!(
        (&void["payout"], &void["void_reason"]),
        (&json!("10.00"), &json!("event_cancelled"))
    );
    assert_eq!(booked(&app, &bet).await, ["1 2 3 1000"]);
}

#[actix_rt::test]
async fn a_bet_placed_after_the_close_that_nobody_knew_of_is_refunded_whatever_the_result() {
    let app = app().await;
    app.books.add_bets("final", 1, 1000).await;
    let late = app.placed("final", "10.00").await;
    // It closed ten seconds ago, before the second bet; the news comes only now.
    app.happens(|history| history.set_status_at("final", EventStatus::FirstTeamWon, seconds_ago(10)))
        .await;
    let void = app.wait_for_status(&id(&late), "void").await;
    assert_eq!(
        (&void["payout"], &void["void_reason"]),
        (&json!("10.00"), &json!("placed_after_close"))
    );
    for status in [
        EventStatus::SecondTeamWon,
        EventStatus::Cancelled,
        EventStatus::Unfinished,
    ] {
        app.happens(|history| history.set_status("final", status)).await;
        app.books.wait_until_settled().await;
        assert_eq!(app.bet(&id(&late)).await.json(), void, "{status:?}");
    }
    assert_eq!(booked(&app, &late).await, ["1 2 3 1000"]);
    app.happens(|history| history.won("final")).await;
    app.books.wait_until_settled().await;
    assert_eq!(app.books.by_status("final").await, ["1 1 1850", "3 1 1000"]);
    app.books.assert_balanced().await;
}

#[actix_rt::test]
async fn a_bet_at_the_very_close_is_late_and_one_a_microsecond_before_is_not() {
    let app = app().await;
    let close = seconds_ago(10);
    for (offset, stake) in [(0_i64, 100_i64), (-1, 200)] {
        let placed_at = (close.unix_micros() + offset).to_string();
        app.books
            .execute(
                "insert into bets (id, event_id, stake, odds, event_revision, placed_at)
                 values (gen_random_uuid(), 'final', $1, 185, 1,
                     'epoch'::timestamptz + $2::text::bigint * interval '1 microsecond')",
                &[&stake, &placed_at],
            )
            .await;
    }
    app.happens(|history| history.set_status_at("final", EventStatus::FirstTeamWon, close))
        .await;
    app.books.wait_until_settled().await;
    assert_eq!(app.books.by_status("final").await, ["1 1 370", "3 1 100"]);
}

#[actix_rt::test]
async fn every_correction_moves_the_difference_and_the_ledger_adds_up_each_time() {
    let app = app().await;
    let bet = app.placed("final", "10.00").await;
    let mut total = 0;
    for (status, stands, amount) in [
        (EventStatus::FirstTeamWon, "won", 1850),
        (EventStatus::SecondTeamWon, "lost", -1850),
        (EventStatus::Cancelled, "void", 1000),
        (EventStatus::Unfinished, "pending", -1000),
        (EventStatus::FirstTeamWon, "won", 1850),
        (EventStatus::Cancelled, "void", -850),
        (EventStatus::SecondTeamWon, "lost", -1000),
    ] {
        app.happens(|history| history.set_status("final", status)).await;
        app.books.wait_until_settled().await;
        total += amount;
        let stored = app.bet(&id(&bet)).await.json();
        assert_eq!(stored["status"], stands);
        let (paid, settled) = if stands == "pending" {
            (Value::Null, false)
        } else {
            (json!(format!("{}.{:02}", total / 100, total % 100)), true)
        };
        assert_eq!(
            (&stored["payout"], stored["settled_at"].is_string()),
            (&paid, settled),
            "{stored}"
        );
        assert_eq!(stored["void_reason"].is_string(), stands == "void");
        app.books.assert_balanced().await;
        let sum = "select coalesce(sum(amount), 0)::bigint from ledger";
        assert_eq!(app.books.int(sum).await, total);
    }
    let lines = [
        "1 2 1 1850",
        "2 3 2 -1850",
        "3 4 3 1000",
        "4 5 0 -1000",
        "5 6 1 1850",
        "6 7 3 -850",
        "7 8 2 -1000",
    ];
    assert_eq!(booked(&app, &bet).await, lines);
}

#[actix_rt::test]
async fn a_change_that_is_no_result_settles_nothing() {
    let app = app().await;
    let bet = app.placed("final", "10.00").await;
    app.happens(|history| history.set_odds("final", "2.00")).await;
    app.happens(|history| history.won("final")).await;
    app.wait_for_status(&id(&bet), "won").await;
    assert_eq!(app.books.int("select settled_seq from events").await, 1);
    // The same result once more under a new revision.
    app.happens(|history| history.won("final")).await;
    assert_eq!(app.books.int("select result_seq from events").await, 1);
    assert_eq!(booked(&app, &bet).await, ["1 3 1 1850"]);
}

#[actix_rt::test]
async fn an_event_without_bets_is_settled_too() {
    let app = app().await;
    app.happens(|history| history.won("final")).await;
    app.books.wait_until_settled().await;
    assert_eq!(app.books.int("select settled_seq from events").await, 1);
}
