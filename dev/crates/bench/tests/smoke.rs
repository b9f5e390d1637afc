//! Every benchmark at its smallest, with the real services: that it runs to its end, finds nothing wrong, and prints
//! every figure. What the figures are does not matter here.

use std::time::Duration;

use tokio::process::Command;

/// Half a minute is usual.
const PATIENCE: Duration = Duration::from_secs(300);

const FIGURES: [&str; 7] = [
    "bets placed, 64 connections",
    "bets placed, 256 connections",
    "bets settled",
    "signed callbacks",
    "result to settled bet",
    "GET /events",
    "start with",
];

#[actix_rt::test]
async fn every_benchmark_runs_to_its_end_and_prints_its_figures() {
    let running = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["all", "--smoke"])
        .kill_on_drop(true)
        .output();
    let Ok(output) = tokio::time::timeout(PATIENCE, running).await else {
        panic!("the benchmarks have no end after {PATIENCE:?}");
    };
    let output = output.unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}\n{progress}");
    assert!(!table.contains("WRONG"), "{table}");
    for figure in FIGURES {
        let line = table.lines().find(|line| line.starts_with(figure));
        // "met" or "NOT MET".
        assert!(
            line.is_some_and(|line| line.to_lowercase().ends_with("met")),
            "{figure}: {table}\n{progress}"
        );
    }
}
