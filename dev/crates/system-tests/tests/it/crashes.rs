//! `SIGKILL` for every process while a season is played: the sums stay equal.

use std::time::Duration;

use test_support::{Postgres, wait_until};

use crate::games::Season;
use crate::pair::{PATIENCE, Pair, bet_maker, line_provider};

/// Few games at a time, with many bets each: most of the season is still ahead at the last kill.
const UNHURRIED: &[&str] = &["--concurrency", "4", "--bets-per-game", "30"];

/// How far the season is, by the log's head: two changes a game, 116 in all.
async fn wait_for_head(pair: &Pair, head: u64) {
    wait_until(&format!("the log's head is at {head}"), PATIENCE, async || {
        let page = pair.operator().get("/changes?limit=1").await.json();
        (page["head"].as_u64()? >= head).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn kill_9_of_either_service_during_a_season_changes_no_sum() {
    let mut pair = Pair::start().await;
    let mut season = Season::start(&pair, UNHURRIED);
    for head in [10, 30, 50, 70] {
        wait_for_head(&pair, head).await;
        season.assert_running();
        pair.bet_makers[0].kill9().await;
        pair.bet_makers[0].restart_unready().await;
        season.assert_running();
        pair.line_provider.kill9().await;
        pair.line_provider.restart_unready().await;
    }
    season.assert_equal_sums().await;
}

#[actix_rt::test]
async fn kill_9_of_postgres_during_a_season_changes_no_sum() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::builder()
        .data_dir(folder.path().join("data"))
        .durable()
        .start()
        .unwrap();
    let journal = tempfile::tempdir().unwrap();
    let provider = line_provider(journal.path()).start().await;
    let maker = bet_maker(&postgres.url("postgres"), &provider.url())
        .start()
        .await;
    let pair = Pair {
        line_provider: provider,
        bet_makers: vec![maker],
        journal,
        database: None,
    };
    let mut season = Season::start(&pair, UNHURRIED);
    for head in [20, 60] {
        wait_for_head(&pair, head).await;
        season.assert_running();
        postgres.kill9();
        postgres.restart().unwrap();
        pair.bet_makers[0].wait_until_ready(Duration::from_secs(60)).await;
    }
    season.assert_equal_sums().await;
}
