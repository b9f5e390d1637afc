//! The command line, and how large a run it asks for.

use std::time::Duration;

use clap::{Parser, ValueEnum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// Bets placed over HTTP, beside pgbench with one INSERT a bet
    Placing,
    /// One event's pending bets settled, beside one UPDATE of the same rows
    Settling,
    /// Signed callbacks, beside a bare sender; and from a result to a settled bet
    Delivering,
    /// Lists of 100 events, beside a static answer
    Reading,
    /// line-provider's start with a full journal
    Starting,
    All,
}

/// Measures the real services on this machine, each figure beside its limit in the same interleaved rounds.
///
/// Exit code: 0 measured, whatever came out; 1 something went wrong.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 110)]
pub struct Cli {
    #[arg(value_enum, default_value = "all")]
    pub benchmark: Benchmark,

    /// Rounds; each measures every side once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,

    /// Seconds of load in a round, for each side
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,

    /// Bets of the one event that is settled
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    bets: u32,

    /// Callbacks of a round
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    callbacks: u32,

    /// Events in the journal that line-provider starts with
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    events: u32,

    /// The smallest run of everything: shows that it works, measures nothing
    #[arg(long)]
    smoke: bool,
}

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub rounds: usize,
    pub load: Duration,
    /// Load before the first round.
    pub warm_up: Option<Duration>,
    pub settled_bets: usize,
    pub callbacks: usize,
    pub journal_events: usize,
    /// Results given one by one, to see how soon a bet is settled.
    pub single_results: usize,
    pub syncs: usize,
}

impl Cli {
    pub fn size(&self) -> Size {
        if self.smoke {
            return Size {
                rounds: 1,
                load: Duration::from_secs(1),
                warm_up: None,
                settled_bets: 10_000,
                callbacks: 500,
                journal_events: 1000,
                single_results: 10,
                syncs: 10,
            };
        }
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Size {
            rounds: self.rounds.into(),
            load: Duration::from_secs(self.seconds.into()),
            warm_up: Some(Duration::from_secs(2)),
            settled_bets: count(self.bets),
            callbacks: count(self.callbacks),
            journal_events: count(self.events),
            single_results: 200,
            syncs: 300,
        }
    }

    pub fn wants(&self, benchmark: Benchmark) -> bool {
        self.benchmark == Benchmark::All || self.benchmark == benchmark
    }
}
