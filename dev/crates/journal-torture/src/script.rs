//! The script: steps that are one commit each. A step can be carried out twice with the effect of once, so that a run
//! that was cut off goes on with the first step that was not acknowledged, whether or not it had become durable.
//!
//! Time is a matter of the step, so that a step comes to the same thing whenever it is carried out.

use http_edge::IfMatch;
use line_provider::event::{Correction, NewEvent, Update};
use line_provider::subscription::{Patch, Register, Standing};
use line_provider::writer::{EventCommand, SubscriptionCommand};
use shared_types::signature::Secret;
use shared_types::{ChangeType, EventStatus, SubscriptionId, Timestamp};
use uuid::Uuid;

/// 2026-01-01.
const START_MICROS: i64 = 1_767_225_600_000_000;
const STEP_MICROS: i64 = 1_000_000;
/// Events with long titles: their pages fill the write-ahead log beyond the length at which it is copied into the
/// file itself. Routes take shorter ones; the journal does not care.
const LONG_TITLE: usize = 60_000;
const LONG_EVENTS: u32 = 40;
const VALID: &str = "the script holds only valid values";

/// One command of a step.
#[derive(Debug)]
pub enum Act {
    Event(EventCommand),
    Subscription(SubscriptionCommand),
    /// How far subscriptions were served.
    Cursors(Vec<(SubscriptionId, u64)>),
}

/// A named stretch of steps; each is a run of its own on a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Every kind of command, alone and in batches; short.
    Mixed,
    /// Commits that are so large that the write-ahead log is copied and begun again.
    Bulky,
}

impl Script {
    /// The word that the program takes for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Bulky => "bulky",
        }
    }

    /// The script of that name.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Mixed, Self::Bulky]
            .into_iter()
            .find(|script| script.as_str() == word)
    }

    /// Its steps, each one commit.
    pub fn steps(self) -> Vec<Vec<Act>> {
        match self {
            Self::Mixed => mixed(),
            Self::Bulky => bulky(),
        }
    }
}

/// The moment at which a step is carried out.
pub fn moment(step: usize) -> Timestamp {
    let steps = i64::try_from(step).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(START_MICROS.saturating_add(steps.saturating_mul(STEP_MICROS))).expect(VALID)
}

/// The id of the script's n-th subscription.
pub fn subscription(n: u8) -> SubscriptionId {
    SubscriptionId::from_uuid(Uuid::from_u128(n.into()))
}

fn mixed() -> Vec<Vec<Act>> {
    let odds = |text: &str| Update {
        odds: Some(text.parse().expect(VALID)),
        ..Update::default()
    };
    let status = |status| Update {
        status: Some(status),
        ..Update::default()
    };
    let moved = Update {
        title: Some("\"quoted\" ä\n".to_owned()),
        deadline: Some(moment(2_000_000)),
        ..Update::default()
    };
    vec![
        vec![create("a", "Reds - Blues")],
        vec![register(1, &[])],
        (0..6).map(|n| create(&format!("batch-{n}"), "")).collect(),
        vec![update("a", odds("2.50"))],
        vec![update("a", status(EventStatus::FirstTeamWon))],
        vec![register(2, &[ChangeType::StatusChanged])],
        vec![correct("a", EventStatus::SecondTeamWon)],
        vec![Act::Cursors(vec![(subscription(1), 5), (subscription(2), 9)])],
        vec![
            update("batch-0", odds("3.00")),
            update("batch-1", moved),
            update("batch-2", status(EventStatus::Cancelled)),
            create("b", "late"),
            register(3, &[]),
            patch(1, Standing::Paused),
            Act::Cursors(vec![(subscription(1), 9)]),
        ],
        vec![correct("a", EventStatus::Unfinished)],
        vec![Act::Subscription(SubscriptionCommand::Unsubscribe {
            id: subscription(2),
        })],
        vec![patch(1, Standing::Active)],
        vec![Act::Cursors(vec![(subscription(1), 14), (subscription(3), 15)])],
        vec![update("b", status(EventStatus::SecondTeamWon))],
    ]
}

fn bulky() -> Vec<Vec<Act>> {
    let long = |name: &str| {
        (0..LONG_EVENTS)
            .map(|n| create(&format!("{name}-{n}"), &"x".repeat(LONG_TITLE)))
            .collect()
    };
    vec![
        vec![register(1, &[])],
        long("first"),
        long("second"),
        // The log has been copied: this commit begins it again, over frames of before.
        vec![create("after", "")],
        vec![Act::Cursors(vec![(subscription(1), 41)])],
        vec![create("last", "")],
    ]
}

fn create(id: &str, title: &str) -> Act {
    Act::Event(EventCommand::Create(NewEvent {
        id: id.parse().expect(VALID),
        title: title.to_owned(),
        odds: "1.85".parse().expect(VALID),
        deadline: moment(1_000_000),
    }))
}

fn update(id: &str, update: Update) -> Act {
    Act::Event(EventCommand::Update {
        id: id.parse().expect(VALID),
        if_match: IfMatch::Absent,
        update,
    })
}

fn correct(id: &str, status: EventStatus) -> Act {
    Act::Event(EventCommand::Correct {
        id: id.parse().expect(VALID),
        if_match: IfMatch::Absent,
        correction: Correction {
            status,
            reason: "the whistle blew later".to_owned(),
        },
    })
}

fn register(n: u8, event_types: &[ChangeType]) -> Act {
    Act::Subscription(SubscriptionCommand::Register(Register {
        url: format!("http://127.0.0.1:9/{n}").parse().expect(VALID),
        event_types: Some(event_types.to_vec()),
        secret: None,
        fresh: (subscription(n), Secret::from_bytes(&[n; 32]).expect(VALID)),
    }))
}

fn patch(n: u8, standing: Standing) -> Act {
    Act::Subscription(SubscriptionCommand::Patch {
        id: subscription(n),
        patch: Patch {
            standing: Some(standing),
            ..Patch::default()
        },
    })
}
