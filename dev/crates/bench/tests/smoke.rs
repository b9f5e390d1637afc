//! Every benchmark at its smallest, with the real services: that it runs to its end, finds nothing wrong, and prints
//! every figure. What the figures are does not matter here.

use std::process::Command;

const FIGURES: [&str; 7] = [
    "bets placed, 64 connections",
    "bets placed, 256 connections",
    "bets settled",
    "signed callbacks",
    "result to settled bet",
    "GET /events",
    "start with",
];

#[test]
fn every_benchmark_runs_to_its_end_and_prints_its_figures() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["all", "--smoke"])
        .output()
        .unwrap();
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
