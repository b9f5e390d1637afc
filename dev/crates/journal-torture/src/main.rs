//! `journal-script FOLDER SCRIPT FROM TO`: carries out the steps FROM..TO of a script on the journal in FOLDER. It ends
//! with a failure when the journal fails.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http_edge::telemetry;
use journal_torture::run::run;
use journal_torture::script::Script;

/// A run takes milliseconds, or seconds where each of its system calls is looked at.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("journal-script: this run hangs");
        std::process::abort();
    });
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("journal-script: {}", telemetry::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, script, from, to] = arguments.as_slice() else {
        anyhow::bail!("usage: journal-script FOLDER SCRIPT FROM TO");
    };
    let script = Script::named(script).context("there is no such script")?;
    run(Path::new(folder), script, from.parse()?..to.parse()?)
}
