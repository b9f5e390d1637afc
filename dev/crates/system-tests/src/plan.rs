//! The plan of an attack: which faults come when, drawn from a seed. The same seed and size give the same plan; what
//! the system makes of it is its own.
//!
//! Tracks run side by side, each one fault after the other, so that faults of different tracks meet in every way,
//! and no two of one track fight over a process. Between storms there is calm, in which no fault begins.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::cluster::{DiskFault, REPLICAS};
use crate::proxy::Condition;

/// A kind of fault that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// SIGKILL, SIGTERM and SIGSTOP of line-provider.
    LineProvider,
    /// The same of bet-makers, and replicas restarted one after the other.
    BetMakers,
    /// A bet-maker's clock is off by an hour.
    Clocks,
    /// The same of subscribers.
    Subscribers,
    /// SIGKILL, SIGTERM, SIGSTOP and immediate shutdown of Postgres, a table locked until the pools are exhausted.
    Postgres,
    /// The disk under the journal is full, or its syncs fail.
    Disk,
    /// line-provider restored from an older copy of its journal, and back.
    SetBack,
    /// Delay, jitter, one-way drop, cut, reset, throttle, black hole.
    Links,
    /// A bet-maker cannot read line-provider's log for longer than it may go on without.
    Blindness,
    /// Postgres' reply to COMMIT lost.
    CommitReplies,
    /// bet-makers are never called back, from the first to the last moment: they live by the log alone.
    NoCallbacks,
}

impl Kind {
    /// All that a run has where none are named: those that are over when it ends.
    pub fn usual() -> Vec<Self> {
        let all = Self::value_variants().iter().copied();
        all.filter(|kind| *kind != Self::NoCallbacks).collect()
    }
}

/// A signal that ends or halts a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    Kill,
    Terminate,
    Stop,
}

/// Which group of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkGroup {
    Operators,
    Bettors,
    Callbacks,
    Subscribers,
    ToLineProvider,
    ToDatabase,
}

/// One fault. Numbers name replicas and subscribers.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    LineProvider(Blow),
    BetMaker(usize, Blow),
    Rolling,
    Clock {
        replica: usize,
        seconds: i64,
    },
    Subscriber(usize, Blow),
    Postgres(Blow),
    PostgresImmediate,
    LockedTable,
    Disk(DiskFault),
    SetBack,
    Link {
        group: LinkGroup,
        number: usize,
        condition: Condition,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineProvider(blow) => write!(f, "line-provider: {blow:?}"),
            Self::BetMaker(number, blow) => write!(f, "bet-maker-{number}: {blow:?}"),
            Self::Clock { replica, seconds } => write!(f, "bet-maker-{replica}: clock off by {seconds} s"),
            Self::Subscriber(number, blow) => write!(f, "subscriber-{number}: {blow:?}"),
            Self::Postgres(blow) => write!(f, "postgres: {blow:?}"),
            Self::Link {
                group,
                number,
                condition,
            } => write!(f, "link {group:?} {number}: {condition:?}"),
            fault => write!(f, "{fault:?}"),
        }
    }
}

/// A fault, how long to wait before it, and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Of the storm's time.
    pub after: Duration,
    pub fault: Fault,
    pub lasts: Duration,
}

/// What is drawn from a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub seed: u64,
    pub load: Duration,
    pub tracks: Vec<Vec<Act>>,
}

impl Plan {
    /// The plan of that seed, of faults of these kinds only.
    pub fn draw(seed: u64, load: Duration, kinds: &[Kind]) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let tracks = decks(kinds)
            .into_iter()
            .map(|deck| draw_track(&mut random, &deck, load))
            .collect();
        Self { seed, load, tracks }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} s of load", self.seed, self.load.as_secs())?;
        for (number, track) in self.tracks.iter().enumerate() {
            writeln!(f, "track {number}")?;
            for Act { after, fault, lasts } in track {
                writeln!(f, "  after {after:>7.1?} for {lasts:>7.1?}: {fault}")?;
            }
        }
        Ok(())
    }
}

/// What each track draws from. Faults of one process stand in one deck.
fn decks(kinds: &[Kind]) -> Vec<Vec<Fault>> {
    let has = |kind| kinds.contains(&kind);
    let blows = [Blow::Kill, Blow::Kill, Blow::Terminate, Blow::Stop];
    let mut decks = Vec::new();

    let mut line_provider = Vec::new();
    if has(Kind::LineProvider) {
        line_provider.extend(blows.map(Fault::LineProvider));
    }
    if has(Kind::Disk) {
        line_provider.extend([DiskFault::Full, DiskFault::SyncFails].map(Fault::Disk));
    }
    if has(Kind::SetBack) {
        line_provider.push(Fault::SetBack);
    }
    decks.push(line_provider);

    for number in 0..REPLICAS {
        let mut bet_maker = Vec::new();
        if has(Kind::BetMakers) {
            bet_maker.extend(blows.map(|blow| Fault::BetMaker(number, blow)));
            bet_maker.extend((number == 0).then_some(Fault::Rolling));
        }
        if has(Kind::Clocks) {
            let seconds = if number % 2 == 0 { 3600 } else { -3600 };
            bet_maker.push(Fault::Clock {
                replica: number,
                seconds,
            });
        }
        decks.push(bet_maker);
    }

    let stops = [Blow::Kill, Blow::Terminate, Blow::Stop];
    if has(Kind::Subscribers) {
        let subscribers = (0..REPLICAS).flat_map(|number| stops.map(|blow| Fault::Subscriber(number, blow)));
        decks.push(subscribers.collect());
    }
    if has(Kind::Postgres) {
        let mut postgres = stops.map(Fault::Postgres).to_vec();
        postgres.extend([Fault::PostgresImmediate, Fault::LockedTable]);
        decks.push(postgres);
    }
    use LinkGroup::{Bettors, Callbacks, Operators, Subscribers, ToDatabase, ToLineProvider};
    for groups in [&[Operators, Bettors], &[Callbacks, Subscribers]] {
        let links = groups.iter().flat_map(|group| link_faults(*group));
        decks.push(links.filter(|_| has(Kind::Links)).collect());
    }
    // A link takes one condition at a time, so that all that is done to it stands in one deck.
    for (group, kind, condition) in [
        (ToLineProvider, Kind::Blindness, Condition::BlackHole),
        (ToDatabase, Kind::CommitReplies, Condition::LoseCommitReply),
    ] {
        let mut links: Vec<Fault> = Vec::new();
        if has(Kind::Links) {
            links.extend(link_faults(group));
        }
        if has(kind) {
            links.extend((0..REPLICAS).map(|number| Fault::Link {
                group,
                number,
                condition,
            }));
        }
        decks.push(links);
    }
    decks.retain(|deck| !deck.is_empty());
    decks
}

fn link_faults(group: LinkGroup) -> Vec<Fault> {
    let ms = Duration::from_millis;
    let conditions = [
        Condition::Delay {
            base: ms(20),
            jitter: ms(150),
        },
        Condition::DropUp,
        Condition::DropDown,
        Condition::CutAfter { bytes: 700 },
        Condition::CutAfter { bytes: 5000 },
        Condition::Reset,
        Condition::Throttle { bytes_per_s: 20_000 },
        Condition::BlackHole,
    ];
    let fault = |(number, condition)| Fault::Link {
        group,
        number: if group == LinkGroup::Operators {
            0
        } else {
            number % REPLICAS
        },
        condition,
    };
    conditions.into_iter().enumerate().map(fault).collect()
}

/// Every card once, then again in another order, until the time is filled.
fn draw_track(random: &mut StdRng, deck: &[Fault], load: Duration) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut planned = Duration::ZERO;
    let mut stack = Vec::new();
    while planned < load {
        if stack.is_empty() {
            stack = deck.to_vec();
            stack.shuffle(random);
        }
        let Some(fault) = stack.pop() else { break };
        let after = Duration::from_millis(random.random_range(1500..7000));
        let lasts = Duration::from_millis(match fault {
            Fault::LineProvider(Blow::Stop) | Fault::BetMaker(_, Blow::Stop) => {
                random.random_range(500..7000)
            }
            // Below the 10 s that an attempt to call back may take, so that none is given up on the way.
            Fault::Subscriber(_, Blow::Stop) => random.random_range(500..5000),
            Fault::Link {
                group: LinkGroup::ToLineProvider,
                condition: Condition::BlackHole,
                ..
            } => random.random_range(6000..9000),
            Fault::Clock { .. } => random.random_range(4000..8000),
            Fault::SetBack => random.random_range(2500..4000),
            Fault::Link { .. } | Fault::LockedTable | Fault::Postgres(Blow::Stop) => {
                random.random_range(500..4000)
            }
            _ => random.random_range(20..1500),
        });
        planned += after + lasts;
        acts.push(Act { after, fault, lasts });
    }
    acts
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_seed_replays_a_plan_and_another_seed_another() {
        let plan = |seed| Plan::draw(seed, Duration::from_secs(60), Kind::value_variants());
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7).tracks, plan(8).tracks);
    }

    #[test]
    fn no_two_tracks_do_something_to_one_link() {
        let plan = Plan::draw(1, Duration::from_secs(600), &Kind::usual());
        let mut owners = HashMap::new();
        for (number, track) in plan.tracks.iter().enumerate() {
            for act in track {
                if let Fault::Link {
                    group, number: link, ..
                } = act.fault
                {
                    assert_eq!(*owners.entry((group, link)).or_insert(number), number, "{plan}");
                }
            }
        }
        assert_eq!(owners.len(), 1 + 5 * REPLICAS);
    }

    #[test]
    fn only_faults_that_were_asked_for_are_planned() {
        let plan = Plan::draw(1, Duration::from_secs(60), &[Kind::Disk]);
        let faults: Vec<_> = plan.tracks.iter().flatten().map(|act| &act.fault).collect();
        assert!(faults.len() > 3, "{plan}");
        assert!(
            faults.iter().all(|fault| matches!(fault, Fault::Disk(_))),
            "{plan}"
        );
        assert!(Plan::draw(1, Duration::from_secs(60), &[]).tracks.is_empty());
    }
}
