//! `dev/model`: looks at the protocol at sizes that are too large for the tests, and says how much was seen.
//!
//! Progress goes to stderr, the figures and whatever broke to stdout. Exit code 1 where a property broke or something
//! that should be reached was not.

mod cli;
mod report;

use std::process::ExitCode;

use clap::Parser as _;
use protocol_model::model::Protocol;
use protocol_model::size::Size;
use stateright::{Checker, Model};

use cli::Cli;
use report::{Found, Progress};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Every size is looked at, also after one that fails.
    let failed = cli
        .sizes()
        .into_iter()
        .filter(|(name, size)| !look_at(name, *size, &cli))
        .count();
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether all is well.
fn look_at(name: &str, size: Size, cli: &Cli) -> bool {
    println!("{name}: {size:?}");
    let mut progress = Progress::default();
    let checker = Protocol(size).checker().threads(cli.threads());
    let found = if cli.shortest {
        Found::by(&checker.spawn_bfs().join_and_report(&mut progress))
    } else {
        Found::by(&checker.spawn_dfs().join_and_report(&mut progress))
    };
    found.print();
    found.is_well()
}
