//! A state of the whole: line-provider, the network, the store, the bet-makers over it, the bettors.
//!
//! Small, so that millions of them fit; what can be derived is not kept.

use crate::rules::{Event, Outcome, Row, Tick};
use crate::size::Size;
use crate::table::Table;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub now: Tick,
    pub left: Left,
    pub provider: Provider,
    /// Callbacks on their way, in any order.
    pub flying: Table<Callback>,
    pub store: Store,
    /// Interchangeable, and therefore kept sorted.
    pub replicas: Table<Replica>,
    pub bettors: Table<Bettor>,
    pub seen: Seen,
}

/// What may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub commands: u8,
    pub crashes: u8,
    pub losses: u8,
    pub duplicates: u8,
    pub hang_ups: u8,
    pub restores: u8,
    pub ticks: u8,
}

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    pub position: u8,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provider {
    pub instance: u8,
    /// What the writer decided, in order. Of it are
    pub log: Table<Change>,
    /// synced,
    pub durable: u8,
    /// shown to readers and given to delivery,
    pub visible: u8,
    /// answered to the operator.
    pub answered: u8,
    /// The position of the last decision, as the writer counts.
    pub head: u8,
    /// How far the subscription was served, as the journal has it.
    pub saved: u8,
    pub window: Window,
}

/// Delivery's memory of its one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub cursor: u8,
    /// A bit for each position: delivered, or superseded.
    pub done: u32,
    /// One for each event.
    pub lanes: Table<Lane>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    Ready,
    /// The attempt for that position is under way.
    InFlight(u8),
    /// It failed.
    Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Callback {
    pub instance: u8,
    pub change: Change,
    /// Whether its sender still waits for the answer.
    pub awaited: bool,
}

/// The one transactional store of all bet-makers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// One for each event.
    pub rows: Table<Option<Row>>,
    pub feed: Feed,
    /// Events of which one revision came with two contents: (generation, event).
    pub conflicts: Table<(u8, u8)>,
    /// In the order of their ids.
    pub bets: Table<Bet>,
    /// One for each key.
    pub keys: Table<Option<Answer>>,
    /// The revision of each event that the receiver of callbacks answered for.
    pub taken: Table<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bookmark {
    pub instance: u8,
    pub position: u8,
    /// Stands for its digest: the change at the position.
    pub change: Option<Change>,
}

impl Bookmark {
    pub const fn start_of(instance: u8) -> Self {
        Self {
            instance,
            position: 0,
            change: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feed {
    pub followed: Option<Bookmark>,
    pub highest: u8,
    pub generation: u8,
    pub suspension: Option<Suspension>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suspension {
    pub candidate: Bookmark,
    pub generation: u8,
    pub adopting: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bet {
    pub id: u8,
    /// Whose key it came with.
    pub bettor: u8,
    pub event: u8,
    pub odds: u8,
    pub revision: u8,
    pub placed_at: Tick,
    pub outcome: Outcome,
    pub settled_seq: u8,
    /// Its lines in the ledger: (result, amount).
    pub ledger: Table<(u8, i16)>,
}

/// The first answer to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Accepted,
    Refused,
    /// Bets are not taken at the moment; it is not kept.
    Halted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bettor {
    Thinking,
    /// Asks until answered.
    Asking,
    Answered(Answer),
}

/// A bet-maker's memory: whatever of it is lost, its open transactions are undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The generation whose log it has read to the head.
    pub fresh: Option<u8>,
    pub placing: Option<Placing>,
    pub clerk: Option<Applying>,
    pub poller: Option<Applying>,
    pub settling: Option<Settling>,
}

/// A placement's transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placing {
    pub bettor: u8,
    pub event: u8,
    /// Whether the bettor still listens.
    pub heard: bool,
    /// Always true but with a flaw.
    pub fenced: bool,
    /// What was read and decided.
    pub decided: Option<Decided>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decided {
    pub answer: Answer,
    pub odds: u8,
    pub revision: u8,
    pub placed_at: Tick,
}

/// A transaction of the feed, or what waits for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Applying {
    pub work: Work,
    pub stage: Stage,
    /// The events as they were found, where a flaw lets that matter.
    pub found: Option<Table<Option<Row>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    Callback(Callback),
    Page {
        asked: Feed,
        instance: u8,
        head: u8,
        changes: Table<Change>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The page is on its way.
    Waiting,
    /// It holds the feed's row.
    Held,
    /// It holds the fences of these events too, exclusively.
    Fenced(u8),
}

/// A chunk's transaction: the event's row is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Settling {
    pub row: Row,
    pub bets: Table<Bet>,
}

/// What cannot be seen from a state but must never have happened, and what was told before a journal was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// A crash took a change that had been answered.
    pub lost_answer: bool,
    /// A bet was committed on an event whose close was committed.
    pub joined_closed: bool,
    /// An event went back to an older revision of the same history.
    pub went_back: bool,
    /// Changes that a restored journal no longer holds.
    pub forgotten: Table<Event>,
    /// Whether a journal was ever lost or set back.
    pub restored: bool,
}

impl State {
    /// Nothing was ever said but of the events that are known from the start.
    pub fn first(size: &Size) -> Self {
        let known = || 0..size.known;
        let log: Table<Change> = known()
            .map(|id| Change {
                position: id + 1,
                event: crate::rules::create(id, size.deadline, 0).expect("its deadline lies ahead"),
            })
            .collect();
        let rows = (0..size.events).map(|id| {
            let change = log.iter().find(|change| change.event.id == id)?;
            Some(crate::rules::after(None, &change.event, 1))
        });
        let head = log.len();
        Self {
            now: 0,
            left: Left {
                commands: size.commands,
                crashes: size.crashes,
                losses: size.losses,
                duplicates: size.duplicates,
                hang_ups: size.hang_ups,
                restores: size.restores,
                ticks: size.ticks,
            },
            flying: Table::new(),
            store: Store {
                rows: rows.collect(),
                feed: Feed {
                    followed: Some(Bookmark {
                        instance: 1,
                        position: head,
                        change: log.last().copied(),
                    }),
                    highest: head,
                    generation: 1,
                    suspension: None,
                },
                conflicts: Table::new(),
                bets: Table::new(),
                keys: (0..size.bettors).map(|_| None).collect(),
                taken: (0..size.events).map(|id| u8::from(id < size.known)).collect(),
            },
            provider: Provider {
                instance: 1,
                durable: head,
                visible: head,
                answered: head,
                head,
                saved: head,
                window: Window::new(head, size.events),
                log,
            },
            replicas: (0..size.replicas)
                .map(|_| Replica {
                    fresh: Some(1),
                    ..Replica::default()
                })
                .collect(),
            bettors: (0..size.bettors).map(|_| Bettor::Thinking).collect(),
            seen: Seen::default(),
        }
    }
}

impl Window {
    pub fn new(cursor: u8, events: u8) -> Self {
        Self {
            cursor,
            done: 0,
            lanes: (0..events).map(|_| Lane::Ready).collect(),
        }
    }
}
