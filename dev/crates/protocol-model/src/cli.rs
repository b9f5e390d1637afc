//! The command line: which sizes to look at.

use clap::Parser;
use protocol_model::size::Size;

/// Looks at every order of the protocol's steps, at one size or at a list of them.
///
/// Exit code: 0 all is well, 1 a property broke, or something that should happen did not.
#[derive(Debug, Parser)]
#[command(name = "protocol-model", max_term_width = 110)]
pub struct Cli {
    /// The size to begin with, by its name; without a name and without bounds all are looked at
    #[arg(long)]
    pub size: Option<String>,
    /// Looks breadth first: more memory, and the shortest way to whatever breaks
    #[arg(long)]
    pub shortest: bool,
    /// Threads; one a processor if absent
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    bounds: Bounds,
}

/// Each in place of the named size's, or of the smallest.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
struct Bounds {
    /// Events, 4 at most
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=4))]
    events: Option<u8>,
    /// Events known from the start
    #[arg(long)]
    known: Option<u8>,
    /// Bettors, each with one bet
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=8))]
    bets: Option<u8>,
    /// Commands of the operator
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=12))]
    commands: Option<u8>,
    /// Final statuses in use, 3 at most
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=3))]
    results: Option<u8>,
    /// Odds change
    #[arg(long)]
    odds: Option<bool>,
    /// Results are corrected to unfinished
    #[arg(long)]
    reopen: Option<bool>,
    /// line-provider calls back
    #[arg(long)]
    callbacks: Option<bool>,
    /// Processes killed
    #[arg(long)]
    crashes: Option<u8>,
    /// Callbacks and answers lost or late
    #[arg(long)]
    losses: Option<u8>,
    /// Callbacks repeated by the network
    #[arg(long)]
    duplicates: Option<u8>,
    /// Bettors who hang up and ask again
    #[arg(long)]
    hang_ups: Option<u8>,
    /// Journals lost or set back
    #[arg(long)]
    restores: Option<u8>,
    /// How far time goes on
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=50))]
    ticks: Option<u8>,
    /// Callbacks and pages in hand at once
    #[arg(long)]
    appliers: Option<u8>,
    /// Bets settled in a transaction
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    chunk: Option<u8>,
}

impl Cli {
    pub fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(processors)
    }

    pub fn sizes(&self) -> Vec<(String, Size)> {
        if self.size.is_none() && self.bounds == Bounds::default() {
            let all = Size::TESTED.into_iter().chain(Size::LARGE);
            return all.map(|(name, size)| (name.to_owned(), size)).collect();
        }
        let name = self.size.as_deref().unwrap_or("smallest");
        let named = Size::named(name).unwrap_or(Size::SMALLEST);
        vec![(name.to_owned(), self.bounds.over(named))]
    }
}

impl Bounds {
    fn over(&self, named: Size) -> Size {
        let events = self.events.unwrap_or(named.events);
        let known = if named.known == named.events {
            events
        } else {
            named.known
        };
        Size {
            events,
            known: self.known.unwrap_or(known).min(events),
            bettors: self.bets.unwrap_or(named.bettors),
            commands: self.commands.unwrap_or(named.commands),
            results: self.results.unwrap_or(named.results),
            odds: self.odds.unwrap_or(named.odds),
            reopen: self.reopen.unwrap_or(named.reopen),
            callbacks: self.callbacks.unwrap_or(named.callbacks),
            crashes: self.crashes.unwrap_or(named.crashes),
            losses: self.losses.unwrap_or(named.losses),
            duplicates: self.duplicates.unwrap_or(named.duplicates),
            hang_ups: self.hang_ups.unwrap_or(named.hang_ups),
            restores: self.restores.unwrap_or(named.restores),
            ticks: self.ticks.unwrap_or(named.ticks),
            appliers: self.appliers.unwrap_or(named.appliers),
            chunk: self.chunk.unwrap_or(named.chunk),
            ..named
        }
    }
}
