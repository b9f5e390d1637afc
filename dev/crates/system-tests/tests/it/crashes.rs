//! `SIGKILL` for every process while a season is played: the sums stay equal.

use std::time::Duration;

use test_support::{Postgres, wait_until};

use crate::games::{assert_equal_sums, replay};
use crate::pair::{PATIENCE, Pair, bet_maker, line_provider};

/// How far the season is, by the log's head.
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
    let season = replay(&pair);
    for head in [10, 40, 70, 100] {
        wait_for_head(&pair, head).await;
        pair.bet_makers[0].kill9().await;
        pair.bet_makers[0].restart_unready().await;
        pair.line_provider.kill9().await;
        pair.line_provider.restart_unready().await;
    }
    assert_equal_sums(season).await;
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
    let season = replay(&pair);
    for head in [20, 60] {
        wait_for_head(&pair, head).await;
        postgres.kill9();
        postgres.restart().unwrap();
        pair.bet_makers[0].wait_until_ready(Duration::from_secs(60)).await;
    }
    assert_equal_sums(season).await;
}
