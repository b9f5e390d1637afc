//! `dev/replay` with the sample of games, the services killed meanwhile or not.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::pair::{Pair, TOKEN};

/// `replay`, built beside this test, on its way.
pub fn replay(pair: &Pair) -> Child {
    let mut binary: PathBuf = std::env::current_exe().unwrap();
    binary.pop();
    binary.pop();
    binary.push("replay");
    assert!(
        binary.is_file(),
        "{} is missing: cargo build -p replay",
        binary.display()
    );
    let games = concat!(env!("CARGO_MANIFEST_DIR"), "/../../games/sample.csv");
    Command::new(binary)
        .arg(games)
        .args([
            "--line-provider",
            &pair.line_provider.url(),
            "--bet-maker",
            &pair.bet_makers[0].url(),
        ])
        .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Waits for the end, which must find all sums equal.
pub async fn assert_equal_sums(replay: Child) {
    let output = replay.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("58"), "the report tells the games: {text}");
}

#[actix_rt::test]
async fn a_small_season_ends_with_equal_sums() {
    let pair = Pair::start().await;
    assert_equal_sums(replay(&pair)).await;
}
