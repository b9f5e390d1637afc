//! `dev/bench`: measures what the services promise, each figure beside its limit on the same machine at the same
//! time, and prints a table.
//!
//! It starts what it measures ([`lab`]) and leaves nothing behind. Targets are shown as met or not, never asserted:
//! machines are noisy. Only what must never be wrong (answers, counts, sums) makes it fail.

mod apart;
mod benchmarks;
mod cli;
mod cpu;
mod disk;
mod http;
mod lab;
mod pgbench;
mod progress;
mod receiver;
mod report;
mod sender;
mod stats;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use benchmarks::{delivering, latency, placing, reading, settling, starting};
use cli::{Benchmark, Cli, Size};
use progress::Progress;
use report::Section;

fn main() -> ExitCode {
    match actix_rt::System::new().block_on(run(&Cli::parse())) {
        Ok(Measured {
            surroundings,
            sections,
        }) => {
            print!("{surroundings}\n{}", report::render(&sections));
            if sections.iter().all(|(_, section)| section.faults.is_empty()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Measured {
    surroundings: String,
    sections: Vec<(&'static str, Section)>,
}

/// Ends at the first SIGINT or SIGTERM: what was started ends with what is dropped.
async fn run(cli: &Cli) -> Result<Measured> {
    // awc wants a TLS provider; an error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        measured = measure(cli) => measured,
        _ = interrupt.recv() => bail!("broken off"),
        _ = terminate.recv() => bail!("broken off"),
    }
}

/// A benchmark that cannot be made is a fault of its own, and the others go on.
async fn measure(cli: &Cli) -> Result<Measured> {
    let (size, progress) = (cli.size(), Progress::new());
    let surroundings = surroundings(&size, &progress)?;
    let mut sections = Vec::new();
    let mut add = |name, result: Result<Section>| {
        let section = result.unwrap_or_else(|error| Section {
            faults: vec![format!("{error:#}")],
            ..Section::default()
        });
        sections.push((name, section));
    };
    if cli.wants(Benchmark::Placing) {
        add("placing", placing::run(&size, &progress).await);
    }
    if cli.wants(Benchmark::Settling) {
        add("settling", settling::run(&size, &progress).await);
    }
    if cli.wants(Benchmark::Delivering) {
        add("delivering", delivering::run(&size, &progress).await);
        add("delivering at low load", latency::run(&size, &progress).await);
    }
    if cli.wants(Benchmark::Reading) {
        add("reading", reading::run(&size, &progress).await);
    }
    if cli.wants(Benchmark::Starting) {
        add("starting", starting::run(&size, &progress).await);
    }
    Ok(Measured {
        surroundings,
        sections,
    })
}

/// What one must know to judge the figures.
fn surroundings(size: &Size, progress: &Progress) -> Result<String> {
    progress.say("asking the disk");
    let syncs = disk::sync_latencies(size.syncs).context("cannot write temporary files")?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let build = if cfg!(debug_assertions) {
        "DEBUG build: the figures mean nothing"
    } else {
        "release build"
    };
    Ok(format!(
        "{build}, {} processors, load before it began {}, RUST_LOG={}\n\
         temporary files on {}, where writing 8 KiB through to the disk takes {}\n\
         {} rounds; medians; ratio of the medians (least..greatest ratio within a round)\n",
        cpu::processors(),
        load.split(' ').next().unwrap_or_default(),
        lab::RUST_LOG,
        disk::file_system(),
        syncs.summary(),
        size.rounds,
    ))
}
