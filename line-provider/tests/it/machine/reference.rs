//! What the journal must hold, told in plain Rust: every command is carried out on maps and lists, and nothing is
//! ever forgotten but what was asked to be.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use shared_types::{ChangeType, Event, EventStatus, Timestamp};

const EVENTS: u8 = 4;
const URLS: u8 = 3;
/// The clock begins here and goes on by a second with each transition.
const START_MICROS: i64 = 1_800_000_000_000_000;

/// A command, with small numbers in place of names.
#[derive(Clone, Debug)]
pub enum Command {
    Create {
        event: u8,
        odds: u8,
    },
    Update {
        event: u8,
        odds: Option<u8>,
        status: Option<EventStatus>,
    },
    Correct {
        event: u8,
        status: EventStatus,
    },
    /// Calls back at that url, for these types or, without, for those it was registered for.
    Register {
        url: u8,
        types: Option<Vec<ChangeType>>,
    },
    Patch {
        url: u8,
        paused: bool,
    },
    Unsubscribe {
        url: u8,
    },
    /// Served up to that share of the log.
    SaveCursor {
        url: u8,
        percent: u8,
    },
}

#[derive(Clone, Debug)]
pub enum Transition {
    Commit(Vec<Command>),
    CloseAndOpen,
    /// The process is gone; what its files hold at that moment is what there is.
    CrashAndOpen,
    /// As these commands are committed the machine goes down: of what they add to the write-ahead log only a part reached
    /// the disk, cut off at this many places. Each disk is looked at and thrown away; here, all went well.
    CommitWithTornTwins {
        commands: Vec<Command>,
        cuts: u8,
    },
    Read {
        percent: u8,
        limit: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Counts the subscriptions that were ever made.
    pub number: u16,
    pub types: Vec<ChangeType>,
    pub paused: bool,
    pub cursor: usize,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Event(Event),
    Subscription(u16),
    Saved,
    Refused,
}

#[derive(Clone, Debug)]
pub struct Reference {
    pub now: Timestamp,
    pub log: Vec<(ChangeType, Event)>,
    /// Each event as it was created, and as it is.
    pub events: BTreeMap<u8, (Event, Event)>,
    pub subscriptions: BTreeMap<u8, Subscription>,
    pub subscribed: u16,
    /// To the commands of the last transition.
    pub answers: Vec<Answer>,
    /// After each of them; the first stands for none.
    pub before: Vec<Contents>,
}

/// What of it a journal shows when it is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    pub log: Vec<(ChangeType, Event)>,
    pub subscriptions: BTreeMap<u8, Subscription>,
}

pub fn odds(number: u8) -> shared_types::Odds {
    shared_types::Odds::from_hundredths(150 + i64::from(number)).unwrap()
}

pub fn deadline() -> Timestamp {
    later(START_MICROS, 30 * 24 * 3600)
}

fn later(micros: i64, seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros + seconds * 1_000_000).unwrap()
}

impl Reference {
    pub fn contents(&self) -> Contents {
        Contents {
            log: self.log.clone(),
            subscriptions: self.subscriptions.clone(),
        }
    }

    /// The same, but that only what is there after all commands is right.
    pub fn at_the_end(&self) -> Self {
        Self {
            before: vec![self.contents()],
            ..self.clone()
        }
    }

    fn carry_out(&mut self, command: &Command) -> Answer {
        match command {
            Command::Create { event, odds: number } => match self.events.get(event) {
                Some((created, newest)) if created.odds == odds(*number) => Answer::Event(newest.clone()),
                Some(_) => Answer::Refused,
                None => {
                    let new = Event {
                        id: format!("e{event}").parse().unwrap(),
                        title: String::new(),
                        odds: odds(*number),
                        deadline: deadline(),
                        status: EventStatus::Unfinished,
                        revision: 1,
                        closed_at: None,
                        created_at: self.now,
                        updated_at: self.now,
                    };
                    self.events.insert(*event, (new.clone(), new.clone()));
                    self.log.push((ChangeType::Created, new.clone()));
                    Answer::Event(new)
                }
            },
            Command::Update {
                event,
                odds: number,
                status,
            } => {
                let Some((_, newest)) = self.events.get(event) else {
                    return Answer::Refused;
                };
                let wanted = Event {
                    odds: number.map_or(newest.odds, odds),
                    status: status.unwrap_or(newest.status),
                    ..newest.clone()
                };
                if wanted != *newest && newest.status.is_final() {
                    return Answer::Refused;
                }
                self.change(*event, wanted)
            }
            Command::Correct { event, status } => match self.events.get(event) {
                Some((_, newest)) if newest.closed_at.is_some() => {
                    let wanted = Event {
                        status: *status,
                        ..newest.clone()
                    };
                    self.change(*event, wanted)
                }
                _ => Answer::Refused,
            },
            Command::Register { url, types } => {
                if let Some(known) = self.subscriptions.get_mut(url) {
                    known.types = types.clone().unwrap_or(known.types.clone());
                    return Answer::Subscription(known.number);
                }
                self.subscribed += 1;
                let new = Subscription {
                    number: self.subscribed,
                    types: types.clone().unwrap_or_default(),
                    paused: false,
                    cursor: self.log.len(),
                };
                self.subscriptions.insert(*url, new);
                Answer::Subscription(self.subscribed)
            }
            Command::Patch { url, paused } => {
                self.subscriptions.get_mut(url).map_or(Answer::Refused, |known| {
                    known.paused = *paused;
                    Answer::Subscription(known.number)
                })
            }
            Command::Unsubscribe { url } => {
                let gone = self.subscriptions.remove(url);
                gone.map_or(Answer::Refused, |gone| Answer::Subscription(gone.number))
            }
            Command::SaveCursor { url, percent } => {
                let cursor = share(*percent, self.before[0].log.len());
                if let Some(known) = self.subscriptions.get_mut(url) {
                    known.cursor = cursor;
                }
                Answer::Saved
            }
        }
    }

    fn change(&mut self, event: u8, wanted: Event) -> Answer {
        let (_, newest) = self.events.get_mut(&event).unwrap();
        if wanted == *newest {
            return Answer::Event(wanted);
        }
        let kind = if wanted.status == newest.status {
            ChangeType::Updated
        } else {
            ChangeType::StatusChanged
        };
        let closed_at = newest.closed_at.or(wanted.status.is_final().then_some(self.now));
        *newest = Event {
            closed_at,
            revision: newest.revision + 1,
            updated_at: self.now,
            ..wanted
        };
        let changed = newest.clone();
        self.log.push((kind, changed.clone()));
        Answer::Event(changed)
    }
}

/// That many percent of it, rounded down.
pub fn share(percent: u8, of: usize) -> usize {
    of * usize::from(percent) / 100
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        let empty = Self {
            now: later(START_MICROS, 0),
            log: Vec::new(),
            events: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            subscribed: 0,
            answers: Vec::new(),
            before: Vec::new(),
        };
        Just(empty).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let batch = || prop::collection::vec(any_command(), 1..8);
        prop_oneof![
            6 => batch().prop_map(Transition::Commit),
            1 => Just(Transition::CloseAndOpen),
            2 => Just(Transition::CrashAndOpen),
            3 => (batch(), 1..20_u8).prop_map(|(commands, cuts)| Transition::CommitWithTornTwins { commands, cuts }),
            2 => (0..=110_u8, 1..20_u8).prop_map(|(percent, limit)| Transition::Read { percent, limit }),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.now = later(state.now.unix_micros(), 1);
        state.before = vec![state.contents()];
        state.answers.clear();
        if let Transition::Commit(commands) | Transition::CommitWithTornTwins { commands, .. } = transition {
            for command in commands {
                let answer = state.carry_out(command);
                state.answers.push(answer);
                state.before.push(state.contents());
            }
        }
        state
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let (event, url) = (0..EVENTS, 0..URLS);
    let status = || prop::sample::select(EventStatus::ALL.to_vec());
    let types = prop::collection::vec(prop::sample::select(ChangeType::ALL.to_vec()), 0..3);
    prop_oneof![
        2 => (event.clone(), 0..2_u8).prop_map(|(event, odds)| Command::Create { event, odds }),
        4 => (event.clone(), prop::option::of(0..3_u8), prop::option::of(status()))
            .prop_map(|(event, odds, status)| Command::Update { event, odds, status }),
        2 => (event, status()).prop_map(|(event, status)| Command::Correct { event, status }),
        2 => (url.clone(), prop::option::of(types)).prop_map(|(url, types)| Command::Register { url, types }),
        1 => (url.clone(), any::<bool>()).prop_map(|(url, paused)| Command::Patch { url, paused }),
        1 => url.clone().prop_map(|url| Command::Unsubscribe { url }),
        2 => (url, 0..=100_u8).prop_map(|(url, percent)| Command::SaveCursor { url, percent }),
    ]
}
