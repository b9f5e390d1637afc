//! Shows on stderr how far the run is: a bar on a terminal, a plain line every few seconds elsewhere. It only
//! reads what the run counts.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::patience::Patience;
use crate::report::grouped;

const BAR_REFRESH: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Services that are away this long are worth a word.
const IDLE_SHOWN: Duration = Duration::from_secs(2);

/// How far the run is.
#[derive(Debug, Default)]
pub struct Progress {
    pub bets_placed: Cell<u64>,
    pub games_settled: Cell<u64>,
    pub games_verified: Cell<u64>,
}

/// Adds one to a counter.
pub fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// What a run does while it is shown.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    Playing,
    Verifying,
}

/// Shows one stage until it is dropped.
pub struct Display {
    task: actix_rt::task::JoinHandle<()>,
    bar: ProgressBar,
}

impl Display {
    pub fn start(stage: Stage, games: u64, progress: Rc<Progress>, patience: Rc<Patience>) -> Self {
        let on_terminal = stderr().is_terminal();
        let bar = if on_terminal {
            bar(games)
        } else {
            ProgressBar::hidden()
        };
        let shown = bar.clone();
        let task = actix_rt::spawn(async move {
            let started = Instant::now();
            let every = if on_terminal { BAR_REFRESH } else { LINE_EVERY };
            loop {
                actix_rt::time::sleep(every).await;
                let (done, message) = describe(stage, &progress, &patience);
                if on_terminal {
                    shown.set_position(done);
                    shown.set_message(message);
                } else {
                    let seconds = started.elapsed().as_secs();
                    eprintln!(
                        "replay: {seconds} s, {}/{} {message}",
                        grouped(done),
                        grouped(games)
                    );
                }
            }
        });
        Self { task, bar }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

fn bar(games: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}")
        .expect("the template is well-formed");
    ProgressBar::new(games).with_style(style)
}

fn describe(stage: Stage, progress: &Progress, patience: &Patience) -> (u64, String) {
    let (done, mut message) = match stage {
        Stage::Playing => {
            let bets = grouped(progress.bets_placed.get());
            (
                progress.games_settled.get(),
                format!("games settled, {bets} bets placed"),
            )
        }
        Stage::Verifying => (progress.games_verified.get(), "games read back".to_owned()),
    };
    let idle = patience.idle();
    if idle >= IDLE_SHOWN {
        let (idle, limit) = (idle.as_secs(), patience.limit().as_secs());
        message = format!("{message}; nothing moved for {idle} s of {limit} s");
        if let Some(trouble) = patience.last_trouble() {
            message = format!("{message}, last: {trouble}");
        }
    }
    (done, message)
}
