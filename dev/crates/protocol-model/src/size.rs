//! How much of the protocol is looked at: how many of everything there are, and how often anything may go wrong.
//!
//! All of it is bounded, and nothing repeats itself without using something up, so that the states form a graph
//! without circles: every run ends, and what must come in the end can be asked of the states where nothing is left
//! to do.

use crate::flaw::Flaw;

/// The bounds of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub events: u8,
    /// Of these, the ones that both services know at the start; the others are created by the operator.
    pub known: u8,
    /// Each places one bet, under a key of its own, on the events in turn.
    pub bettors: u8,
    /// Commands of the operator.
    pub commands: u8,
    /// How many of the final statuses the operator uses: the first team, the second, cancelled.
    pub results: u8,
    /// Whether odds change too.
    pub odds: bool,
    /// Whether a result may be corrected to unfinished.
    pub reopen: bool,
    /// Whether line-provider calls back; its log can be read in any case.
    pub callbacks: bool,
    /// Processes killed, of either service.
    pub crashes: u8,
    /// Callbacks, or their answers, that are lost or come late; answers to bettors that are lost.
    pub losses: u8,
    /// Callbacks that come twice.
    pub duplicates: u8,
    /// Bettors who hang up and ask again while the first attempt goes on.
    pub hang_ups: u8,
    /// Times that line-provider's journal is lost, or set back to an older copy.
    pub restores: u8,
    /// How far time goes beyond what the commands take of it; a deadline lies at [`Self::deadline`].
    pub ticks: u8,
    /// When events close by themselves, in ticks.
    pub deadline: u8,
    /// Bet-makers over the one store; each has a placement writer, a clerk for callbacks, a poller and a settler.
    pub replicas: u8,
    /// Callbacks and pages that bet-makers have in hand at once.
    pub appliers: u8,
    /// Bets settled in one transaction.
    pub chunk: u8,
    /// Changes on a page of the log.
    pub page: u8,
    pub flaw: Option<Flaw>,
}

impl Size {
    /// A small whole: one event, no fault.
    pub const SMALLEST: Self = Self {
        events: 1,
        known: 1,
        bettors: 1,
        commands: 1,
        results: 1,
        odds: false,
        reopen: false,
        callbacks: false,
        crashes: 0,
        losses: 0,
        duplicates: 0,
        hang_ups: 0,
        restores: 0,
        ticks: 0,
        deadline: 100,
        replicas: 2,
        appliers: 1,
        chunk: 1,
        page: 2,
        flaw: None,
    };

    /// What the tests look at, each for one thing that can go wrong.
    pub const TESTED: [(&str, Self); 10] = [
        (
            "placing",
            Self {
                bettors: 2,
                commands: 2,
                results: 2,
                crashes: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "keys",
            Self {
                bettors: 2,
                hang_ups: 1,
                losses: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "settling",
            Self {
                bettors: 2,
                commands: 2,
                results: 3,
                reopen: true,
                ..Self::SMALLEST
            },
        ),
        (
            "events",
            Self {
                events: 2,
                known: 2,
                bettors: 2,
                commands: 2,
                results: 2,
                ..Self::SMALLEST
            },
        ),
        (
            "creating",
            Self {
                known: 0,
                commands: 3,
                odds: true,
                callbacks: true,
                ..Self::SMALLEST
            },
        ),
        (
            "deadlines",
            Self {
                bettors: 2,
                ticks: 2,
                deadline: 2,
                ..Self::SMALLEST
            },
        ),
        (
            "delivering",
            Self {
                bettors: 0,
                commands: 2,
                results: 2,
                callbacks: true,
                crashes: 1,
                losses: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "both ways in",
            Self {
                commands: 1,
                losses: 1,
                callbacks: true,
                appliers: 2,
                ..Self::SMALLEST
            },
        ),
        (
            "histories",
            Self {
                bettors: 0,
                commands: 2,
                results: 2,
                callbacks: true,
                restores: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "bets and histories",
            Self {
                commands: 2,
                results: 2,
                restores: 1,
                ..Self::SMALLEST
            },
        ),
    ];

    /// What `dev/model` looks at beside these.
    pub const LARGE: [(&str, Self); 7] = [
        (
            "large placing",
            Self {
                bettors: 3,
                commands: 2,
                results: 2,
                crashes: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "large keys",
            Self {
                bettors: 2,
                commands: 1,
                hang_ups: 1,
                losses: 1,
                crashes: 2,
                ..Self::SMALLEST
            },
        ),
        (
            "large settling",
            Self {
                bettors: 2,
                commands: 3,
                results: 3,
                reopen: true,
                crashes: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "large events",
            Self {
                events: 2,
                known: 2,
                bettors: 2,
                commands: 2,
                results: 2,
                callbacks: true,
                ..Self::SMALLEST
            },
        ),
        (
            "large delivering",
            Self {
                bettors: 0,
                commands: 2,
                results: 2,
                callbacks: true,
                crashes: 1,
                losses: 1,
                duplicates: 1,
                appliers: 2,
                ..Self::SMALLEST
            },
        ),
        (
            "large both ways in",
            Self {
                commands: 2,
                results: 2,
                callbacks: true,
                appliers: 2,
                crashes: 1,
                losses: 1,
                ..Self::SMALLEST
            },
        ),
        (
            "large histories",
            Self {
                commands: 3,
                results: 2,
                callbacks: true,
                restores: 1,
                ..Self::SMALLEST
            },
        ),
    ];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::TESTED.iter().chain(&Self::LARGE);
        all.find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}
