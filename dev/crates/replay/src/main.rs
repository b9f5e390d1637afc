//! `dev/replay`: plays a CSV of games through a running pair. Reads the games, plans bets by a seed, works out
//! what they must come to, plays them, reads everything back, and reports both side by side.
//!
//! The plan ([`plan`]) and the sums ([`expect`]) come from the file and the seed alone; only [`pair`] talks to
//! the services. The report goes to stdout, everything else to stderr.

mod cli;
mod expect;
mod games;
mod http;
mod pair;
mod patience;
mod plan;
mod play;
mod progress;
mod report;
mod verify;
mod wire;

#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use shared_types::Timestamp;

use crate::cli::Cli;
use crate::expect::{Sums, expected_sums};
use crate::games::Games;
use crate::pair::{Addresses, Pair};
use crate::patience::Patience;
use crate::plan::{GamePlan, plan_game};
use crate::play::{Played, Run};
use crate::progress::{Display, Progress, Stage};
use crate::report::{Column, Difference};
use crate::verify::Verified;

/// Events take bets for this long, unless they end before: far longer than any replay.
const DEADLINE_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
/// How long services may take to show up before anything has begun.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(Verdict::Equal) => ExitCode::SUCCESS,
        Ok(Verdict::Different) => ExitCode::from(1),
        Err(error) => {
            eprintln!("replay: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything came to what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    Different,
}

fn run(cli: &Cli) -> anyhow::Result<Verdict> {
    let games = read_games(cli)?;
    let bad_rows = report::bad_rows(&games.bad);
    let (plans, expected) = plan_games(cli, games);
    if cli.expect_only {
        let planned = Column {
            title: "planned",
            sums: &expected,
        };
        print!("{bad_rows}{}", report::table(&[planned]));
        return Ok(Verdict::Equal);
    }
    let replayed = actix_rt::System::new().block_on(replay(cli, &plans, &expected))?;
    let (text, verdict) = replayed.report(cli.seed, &expected);
    print!("{bad_rows}{text}");
    Ok(verdict)
}

fn read_games(cli: &Cli) -> anyhow::Result<Games> {
    let file = cli.file.display();
    let content = std::fs::read(&cli.file).with_context(|| format!("cannot read {file}"))?;
    let mut games = games::parse(&content).with_context(|| format!("cannot play {file}"))?;
    if let Some(season) = &cli.season {
        games.retain_season(season);
    }
    games.good.truncate(cli.limit.unwrap_or(usize::MAX));
    if games.good.is_empty() {
        eprint!("{}", report::bad_rows(&games.bad));
        bail!("{file} holds no game to play");
    }
    Ok(games)
}

fn plan_games(cli: &Cli, games: Games) -> (Vec<GamePlan>, Sums) {
    let plan = |game| plan_game(game, cli.seed, cli.bets_per_game);
    let plans: Vec<_> = games.good.into_iter().map(plan).collect();
    let mut expected = Sums::default();
    for plan in &plans {
        expected += expected_sums(plan);
    }
    (plans, expected)
}

/// Everything that a replay brought.
struct Replayed {
    played: Vec<(usize, Played)>,
    verified: Verified,
    playing_took: Duration,
    took: Duration,
    retries: u64,
}

async fn replay(cli: &Cli, plans: &[GamePlan], expected: &Sums) -> anyhow::Result<Replayed> {
    if cli.token.is_empty() {
        bail!("the operator token is missing: start the pair by dev/up, or set LINE_PROVIDER_OPERATOR_TOKEN");
    }
    // An error only says that there is one already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let addresses = Addresses {
        line_provider: cli.line_provider.clone(),
        bet_maker: cli.bet_maker.clone(),
    };
    let concurrency = usize::from(cli.concurrency.get());
    let pair = |patience| Pair::new(addresses.clone(), &cli.token, concurrency, patience);
    pair(Rc::new(Patience::new(GREETING_PATIENCE.min(cli.patience()))))
        .greet()
        .await
        .context("the pair cannot be played on (dev/up starts one)")?;

    let patience = Rc::new(Patience::new(cli.patience()));
    let progress = Rc::new(Progress::default());
    let pair = pair(Rc::clone(&patience));
    let now = Timestamp::now();
    let run = Run {
        id: &cli.run_id(now),
        pair: &pair,
        patience: &patience,
        progress: &progress,
        deadline: now.saturating_add(DEADLINE_AHEAD),
        concurrency,
    };
    eprintln!(
        "replay: run {}, {} games and {} bets from {}, seed {}, through {} and {}",
        run.id.as_str(),
        report::grouped(expected.games),
        report::grouped(expected.bets),
        cli.file.display(),
        cli.seed,
        cli.line_provider,
        cli.bet_maker,
    );
    let show = |stage| Display::start(stage, expected.games, Rc::clone(&progress), Rc::clone(&patience));

    let started = Instant::now();
    let display = show(Stage::Playing);
    let played = play::play(&run, plans).await?;
    drop(display);
    let playing_took = started.elapsed();
    patience.renew();
    let display = show(Stage::Verifying);
    let verified = verify::verify(&run, plans, &played).await?;
    drop(display);
    Ok(Replayed {
        played,
        verified,
        playing_took,
        took: started.elapsed(),
        retries: pair.retries(),
    })
}

impl Replayed {
    fn report(self, seed: u64, expected: &Sums) -> (String, Verdict) {
        let Self {
            played,
            verified,
            playing_took,
            took,
            retries,
        } = self;
        let (mut placing, mut settling) = (Vec::new(), Vec::new());
        let mut differences = Vec::new();
        for (_, played) in played {
            placing.extend(played.placing);
            settling.extend(played.settling);
            differences.extend(played.differences);
        }
        differences.extend(verified.differences);
        let columns = [
            Column {
                title: "planned",
                sums: expected,
            },
            Column {
                title: "bets read back",
                sums: &verified.bets,
            },
            Column {
                title: "exposure",
                sums: &verified.exposure,
            },
        ];
        let of_sums = |column| Difference::of_sums(column, expected);
        differences.extend(columns.iter().filter_map(of_sums));
        let verdict = if differences.is_empty() {
            Verdict::Equal
        } else {
            Verdict::Different
        };
        let text = format!(
            "{}{:.1} s in all, {:.1} s of it playing: {} bets/s, {} calls repeated (seed {seed})\n\
             placing a bet, as the client saw it: {}\n\
             result to last bet settled, as polled: {}\n\
             result to last bet settled, by the services' clocks: {}\n{}",
            report::table(&columns),
            took.as_secs_f64(),
            playing_took.as_secs_f64(),
            report::rate(verified.bets.bets, playing_took),
            report::grouped(retries),
            report::spread(placing),
            report::spread(settling),
            report::spread(verified.settling),
            report::verdict(differences),
        );
        (text, verdict)
    }
}
