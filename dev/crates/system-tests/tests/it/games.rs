//! `dev/replay` with the sample of games, the services killed meanwhile or not.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::pair::{Pair, TOKEN, binary};

/// For a season with several kills, on a busy machine; some ten seconds are usual.
const SEASON: Duration = Duration::from_secs(180);
/// The games of the sample that can be played.
const GAMES: &str = "58";

/// A running replay.
pub struct Season {
    process: Child,
    /// Its output: in files, so that it never waits for a reader.
    output: TempDir,
}

impl Season {
    /// `arguments` are the replay's own.
    pub fn start(pair: &Pair, arguments: &[&str]) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        let games = concat!(env!("CARGO_MANIFEST_DIR"), "/../../games/sample.csv");
        let process = Command::new(binary("replay"))
            .arg(games)
            .args(["--line-provider", &pair.line_provider.url()])
            .args(["--bet-maker", &pair.bet_makers[0].url()])
            .args(arguments)
            .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
            .stdout(Stdio::from(file("report")))
            .stderr(Stdio::from(file("progress")))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { process, output }
    }

    /// Fails a test whose season was over before it did its damage.
    pub fn assert_running(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert_eq!(ended, None, "the season is over already:\n{}", self.told());
    }

    /// Waits for the end, which must find all sums equal.
    pub async fn assert_equal_sums(mut self) {
        let Ok(status) = tokio::time::timeout(SEASON, self.process.wait()).await else {
            panic!("the season has no end after {SEASON:?}:\n{}", self.told());
        };
        let told = self.told();
        assert!(status.unwrap().success(), "{told}");
        // Planned, listed one by one, and summed up by the exposures.
        let games: Vec<_> = told
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("games "))
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(games, [[GAMES; 3]], "{told}");
        let verdict = "equal: every bet and every sum is as expected";
        assert!(told.lines().any(|line| line == verdict), "{told}");
    }

    fn told(&self) -> String {
        ["report", "progress"]
            .map(|name| std::fs::read_to_string(self.output.path().join(name)).unwrap())
            .join("\n")
    }
}

#[actix_rt::test]
async fn a_small_season_ends_with_equal_sums() {
    let pair = Pair::start().await;
    Season::start(&pair, &[]).assert_equal_sums().await;
}
