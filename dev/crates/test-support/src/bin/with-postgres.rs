//! `with-postgres [--keep <folder>] <command> [arguments]`: runs a command beside a private Postgres.
//!
//! The command finds the server's URL in `TEST_POSTGRES_URL`; its exit code is passed on. The server is gone
//! afterwards, however this program ends. It is fast, and its data goes with it; with `--keep` it is durable, and
//! its data stays in the folder.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use test_support::{Postgres, TEST_POSTGRES_URL};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-postgres: {error:#}");
            ExitCode::from(70)
        }
    }
}

fn run() -> Result<u8> {
    const USAGE: &str = "usage: with-postgres [--keep <folder>] <command> [arguments]";
    let mut arguments = std::env::args_os().skip(1).peekable();
    let server = match arguments.next_if(|argument| argument == "--keep") {
        Some(_) => Postgres::builder()
            .data_dir(arguments.next().context(USAGE)?)
            .durable(),
        // Dozens of short-lived databases: autovacuum's launcher would only disturb.
        None => Postgres::builder().setting("autovacuum", "off"),
    };
    let program = arguments.next().context(USAGE)?;
    let mut postgres = server.start()?;
    let status = Command::new(&program)
        .args(arguments)
        .env(TEST_POSTGRES_URL, postgres.url("postgres"))
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    postgres.stop();
    // A command that died of a signal has no code.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}
