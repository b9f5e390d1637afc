//! line-provider's journal lost or set back.

use std::process::Output;

use serde_json::json;
use test_support::wait_until;
use tokio::process::Command;

use crate::pair::{PATIENCE, Pair, binary};

async fn wait_for_refusal(pair: &Pair, code: &str) {
    wait_until(&format!("bets are refused as {code}"), PATIENCE, async || {
        let answer = pair
            .bettor()
            .post("/bets", &json!({"event_id": "e", "stake": "1.00"}))
            .await;
        (answer.status == 503 && answer.json()["code"] == code).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn a_line_provider_that_comes_back_empty_suspends_acceptance_and_voids_nothing() {
    let mut pair = Pair::start().await;
    pair.create_event("e").await;
    let bet = pair.place_bet("e", "3.00").await;
    pair.line_provider.kill9().await;
    let lost = tempfile::tempdir().unwrap();
    pair.line_provider
        .set_env("LINE_PROVIDER_DATA_DIR", lost.path().display().to_string());
    pair.line_provider.restart().await;
    wait_for_refusal(&pair, "feed_suspended").await;
    assert_eq!(pair.settled(&bet, "pending").await["payout"], json!(null));

    // The journal is found again: the old history goes on where it was.
    pair.line_provider.terminate().await;
    pair.line_provider.set_env(
        "LINE_PROVIDER_DATA_DIR",
        pair.journal.path().display().to_string(),
    );
    pair.line_provider.restart().await;
    pair.bet_makers[0].wait_until_ready(PATIENCE).await;
    pair.end_event("e", "first_team_won").await;
    assert_eq!(pair.settled(&bet, "won").await["payout"], "5.55");
}

/// `bet-maker adopt-log`, as an operator runs it.
async fn adopt_log(pair: &Pair, instance: &str) -> Output {
    let mut command = Command::new(binary("bet-maker"));
    command
        .args(["adopt-log", "--instance", instance])
        .env("BET_MAKER_DATABASE_URL", pair.database.as_ref().unwrap().url())
        .kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output())
        .await
        .expect("adopt-log ends")
        .unwrap()
}

/// Runs it in vain; with what it complains of.
async fn refused_adoption(pair: &Pair, instance: &str) -> String {
    let output = adopt_log(pair, instance).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The journal's, as an operator looks it up.
async fn instance(pair: &Pair) -> String {
    let page = pair.operator().get("/changes?limit=1").await.json();
    page["instance"].as_str().unwrap().to_owned()
}

#[actix_rt::test]
async fn an_operator_adopts_an_empty_journal_and_old_bets_wait_for_their_result() {
    let mut pair = Pair::start().await;
    pair.create_event("e").await;
    let bet = pair.place_bet("e", "3.00").await;
    let lost_instance = instance(&pair).await;
    assert_eq!(
        refused_adoption(&pair, &lost_instance).await,
        "bet-maker: acceptance is not suspended: there is nothing to adopt\n"
    );

    let empty = tempfile::tempdir().unwrap();
    pair.line_provider.kill9().await;
    pair.line_provider
        .set_env("LINE_PROVIDER_DATA_DIR", empty.path().display().to_string());
    pair.line_provider.restart().await;
    wait_for_refusal(&pair, "feed_suspended").await;
    let instance = instance(&pair).await;
    assert_eq!(
        refused_adoption(&pair, &lost_instance).await,
        format!("bet-maker: line-provider's journal is {instance}, not the one named\n")
    );
    wait_for_refusal(&pair, "feed_suspended").await;

    let adopted = adopt_log(&pair, &instance).await;
    assert!(adopted.status.success(), "{adopted:?}");
    pair.bet_makers[0].wait_until_ready(PATIENCE).await;
    pair.create_event("next").await;
    pair.place_bet("next", "1.00").await;
    let late = pair
        .bettor()
        .post("/bets", &json!({"event_id": "e", "stake": "1.00"}))
        .await;
    assert_eq!(
        (late.status, &late.json()["code"]),
        (409, &json!("betting_closed"))
    );
    assert_eq!(pair.settled(&bet, "pending").await["payout"], json!(null));

    pair.create_event("e").await;
    pair.end_event("e", "first_team_won").await;
    assert_eq!(pair.settled(&bet, "won").await["payout"], "5.55");
}

#[actix_rt::test]
async fn a_journal_set_back_to_an_older_copy_suspends_acceptance_until_the_result_is_set_again() {
    let mut pair = Pair::start().await;
    pair.create_event("e").await;
    let bet = pair.place_bet("e", "3.00").await;
    pair.line_provider.terminate().await;
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(pair.journal.path()).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    pair.line_provider.restart().await;
    pair.end_event("e", "second_team_won").await;
    pair.settled(&bet, "lost").await;

    pair.line_provider.terminate().await;
    pair.line_provider
        .set_env("LINE_PROVIDER_DATA_DIR", copy.path().display().to_string());
    pair.line_provider.restart().await;
    // The older copy knows no result. That is no correction: the bet stays lost, and the copy is adopted, since it
    // leaves no event open that bets could be taken on.
    let database = pair.database.as_ref().unwrap().connect().await;
    wait_until("the older copy is adopted", PATIENCE, async || {
        let feed = database
            .query_one("select generation from feed where suspended is null", &[])
            .await
            .ok()?;
        (feed.get::<_, i32>(0) == 2).then_some(())
    })
    .await;
    assert_eq!(pair.settled(&bet, "lost").await["payout"], "0.00");
    // Said again, and differently, it is the newest word.
    pair.end_event("e", "first_team_won").await;
    assert_eq!(pair.settled(&bet, "won").await["payout"], "5.55");
}
