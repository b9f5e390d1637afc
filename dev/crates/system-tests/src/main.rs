//! `chaos`: attacks the pair by a seeded plan and judges what is left; or proves, by planted bugs, that the judge sees.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use system_tests::cluster::Cluster;
use system_tests::drill::{Drilled, Size, settle_through_kills};
use system_tests::evidence::Evidence;
use system_tests::judge::Verdict;
use system_tests::plan::{Kind, Plan};
use system_tests::planted;
use system_tests::progress::Progress;
use system_tests::run::{Options, folder_of, run};
use system_tests::workload::Crowd;

/// Attacks the pair by a seeded plan, and judges what is left of the promise.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Cli {
    /// Minutes of load with faults; may be a fraction.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Draws the plan; by default a new one. The same seed and time give the same plan.
    #[arg(long)]
    seed: Option<u64>,
    /// Kinds of faults, separated by commas; by default all.
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Option<Vec<Kind>>,
    /// Prints the plan, and does nothing.
    #[arg(long)]
    plan: bool,
    /// How many bettors ask at a time.
    #[arg(long, default_value_t = Crowd::default().bettors)]
    bettors: usize,
    /// Where history, wires, logs and the verdict are kept; a folder for each seed.
    #[arg(long, default_value = ".dev/chaos")]
    keep: PathBuf,
    /// Folder of the services' binaries; by default the one of this program.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Instead: judges what an earlier run has kept in this folder, anew.
    #[arg(long, conflicts_with_all = ["planted", "settlement"])]
    judge: Option<PathBuf>,
    /// Instead: settles very many bets while the replica that settles is killed, then corrects them all under repeated
    /// callbacks.
    #[arg(long, conflicts_with = "planted")]
    settlement: bool,
    /// With --settlement: how many bets.
    #[arg(long, default_value_t = 1_000_000)]
    bets: u32,
    /// With --settlement: how many kills.
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Plants each bug of dev/crates/system-tests/planted in a copy of the tree, and requires that it is caught, and that
    /// nothing is found in the tree as it is.
    #[arg(long)]
    planted: bool,
    /// With --planted: only the bugs whose name contains one of these.
    #[arg(requires = "planted")]
    names: Vec<String>,
}

#[actix_rt::main]
async fn main() -> ExitCode {
    match execute(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn execute(cli: Cli) -> Result<ExitCode> {
    if cli.planted {
        let is_clean = planted::control(&cli.names).await?;
        let is_caught = planted::prove(&cli.names).await?;
        return Ok(if is_clean && is_caught {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if let Some(folder) = &cli.judge {
        return Ok(conclude(&Verdict::of(&Evidence::kept(folder)?), folder));
    }
    if cli.settlement {
        return drill(&cli).await;
    }
    let seed = cli.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let load = Duration::try_from_secs_f64(cli.minutes * 60.0)?;
    let kinds = cli.faults.unwrap_or_else(Kind::usual);
    if cli.plan {
        print!("{}", Plan::draw(seed, load, &kinds));
        return Ok(ExitCode::SUCCESS);
    }
    let folder = folder_of(&cli.keep, seed);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let progress = Progress::new("chaos");
    progress.tell(&format!("seed {seed}"));
    let options = Options {
        seed,
        load,
        kinds,
        crowd: Crowd {
            bettors: cli.bettors,
            ..Crowd::default()
        },
        folder: std::path::absolute(folder)?,
        binaries: cli.binaries,
    };
    let kept = options.folder.clone();
    let judged = run(options, &progress).await?;
    drop(progress);
    print!("seed {seed}\n{}", judged.figures);
    Ok(conclude(&judged.verdict, &kept))
}

fn conclude(verdict: &Verdict, folder: &Path) -> ExitCode {
    print!("{verdict}");
    if verdict.is_clean() {
        println!("the promise holds");
        return ExitCode::SUCCESS;
    }
    println!("the promise is broken: the evidence is in {}", folder.display());
    ExitCode::FAILURE
}

async fn drill(cli: &Cli) -> Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let progress = Progress::new("chaos");
    progress.phase("starting", None);
    let cluster = Rc::new(Cluster::start(folder.path(), cli.binaries.as_deref()).await?);
    let seed = cli.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let size = Size {
        seed,
        bets: cli.bets,
        kills: cli.kills,
    };
    let Drilled {
        settlements,
        kills,
        repeated_callbacks,
        first_s,
        second_s,
    } = settle_through_kills(cluster, size, &progress).await?;
    drop(progress);
    println!(
        "seed {seed}: {settlements} settlements of {} bets, exact: the first through {kills} kills in {first_s:.1} s, \
         the second under {repeated_callbacks} repeated callbacks in {second_s:.1} s",
        cli.bets
    );
    Ok(ExitCode::SUCCESS)
}
