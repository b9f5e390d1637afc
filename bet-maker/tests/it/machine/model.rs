//! The model: what line-provider said, what bet-maker heard of it, which bets were placed, and what was answered. Written from the contract, as plainly as can be, and without a look at bet-maker's own rules.
//!
//! Time is the number of the transition. Whatever happens to close an event closes it at once or in an hour, which no
//! case lives to see.

use std::collections::BTreeMap;

use shared_types::EventStatus;

pub const EVENTS: [&str; 4] = ["one", "two", "three", "unheard-of"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    At(u64),
    InAnHour,
}

/// An event as line-provider tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub event: usize,
    pub revision: u64,
    pub odds: i64,
    pub deadline: When,
    pub status: EventStatus,
    pub closed_at: Option<When>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub event: usize,
    pub stake: i64,
    pub policy: Policy,
    pub key: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Any,
    Exactly(i64),
    AtLeast(i64),
}

#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Odds(i64),
    DeadlineNow,
    /// The first one closes the event, now or in an hour; not after its deadline.
    Status {
        status: EventStatus,
        closes_now: bool,
    },
}

/// What is under way when its session is killed.
#[derive(Clone, Debug)]
pub enum Work {
    Settle(u16),
    Place(Request),
    Callback(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// After the first statement that wrote.
    Written,
    /// When it commits.
    Commit,
}

/// Changes of the log are named by any numbers, taken modulo its length.
#[derive(Clone, Debug)]
pub enum Transition {
    Source(usize, Deed),
    /// All in one transaction.
    Callbacks(Vec<usize>),
    /// A page of that many changes, the first of which is the one that was read last.
    Read(usize),
    Place(Request),
    Settle(u16),
    Crash(Work, Moment),
    /// A replica's session is replaced.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// When it was placed; its id, too.
    pub at: u64,
    pub event: usize,
    pub stake: i64,
    pub odds: i64,
    pub revision: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Accepted(Placed),
    NoSuchEvent,
    Closed,
    OddsAre(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    New(Reply),
    Again(Reply),
    KeyReused,
}

/// What is known of an event.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub told: Told,
    /// How often it was heard that bets must follow something else than before, and by which revision last.
    pub results: u64,
    pub result_revision: u64,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub now: u64,
    pub log: Vec<Told>,
    /// How far the log was read.
    pub read: usize,
    pub known: Vec<Known>,
    pub bets: Vec<Placed>,
    pub keys: BTreeMap<u8, (Request, Reply)>,
    /// To the last request.
    pub answer: Option<Answer>,
}

impl Model {
    /// Three events, known and open.
    pub fn new() -> Self {
        let told = |event| Told {
            event,
            revision: 1,
            odds: 185,
            deadline: When::InAnHour,
            status: EventStatus::Unfinished,
            closed_at: None,
        };
        let log: Vec<Told> = (0..3).map(told).collect();
        let known = |told: &Told| Known {
            told: *told,
            results: 0,
            result_revision: 0,
        };
        Self {
            now: 0,
            read: log.len(),
            known: log.iter().map(known).collect(),
            log,
            bets: Vec::new(),
            keys: BTreeMap::new(),
            answer: None,
        }
    }

    /// The change that a number names.
    pub fn change(&self, number: usize) -> usize {
        number % self.log.len()
    }

    pub fn newest(&self, event: usize) -> Told {
        *self.log.iter().rfind(|told| told.event == event).unwrap()
    }

    /// Whether line-provider allows it, and whether what is to be killed would write anything.
    pub fn can(&self, transition: &Transition) -> bool {
        match transition {
            Transition::Source(event, Deed::DeadlineNow) => self.newest(*event).closed_at.is_none(),
            Transition::Crash(Work::Place(request), _) => match self.answer_to(request) {
                Answer::New(Reply::Accepted(_)) => true,
                Answer::New(_) => request.key.is_some(),
                Answer::Again(_) | Answer::KeyReused => false,
            },
            Transition::Crash(Work::Callback(number), _) => {
                let told = self.log[self.change(*number)];
                told.revision > self.known[told.event].told.revision
            }
            _ => true,
        }
    }

    pub fn take(&mut self, transition: &Transition) {
        self.now += 1;
        match transition {
            Transition::Source(event, deed) => self.log.push(self.after(*event, *deed)),
            Transition::Callbacks(numbers) => {
                for number in numbers {
                    self.hear(self.change(*number));
                }
            }
            Transition::Read(page) => {
                let end = self.log.len().min(self.read + page - 1);
                (self.read..end).for_each(|change| self.hear(change));
                self.read = end;
            }
            Transition::Place(request) => self.place(request),
            Transition::Settle(_) | Transition::Crash(..) | Transition::Restart => {}
        }
    }

    fn after(&self, event: usize, deed: Deed) -> Told {
        let before = self.newest(event);
        let told = Told {
            revision: before.revision + 1,
            ..before
        };
        match deed {
            Deed::Odds(odds) => Told { odds, ..told },
            Deed::DeadlineNow => Told {
                deadline: When::At(self.now),
                ..told
            },
            Deed::Status { status, closes_now } => {
                let now = if closes_now {
                    When::At(self.now)
                } else {
                    When::InAnHour
                };
                Told {
                    status,
                    closed_at: told.closed_at.or(Some(now.min(told.deadline))),
                    ..told
                }
            }
        }
    }

    fn hear(&mut self, change: usize) {
        let told = self.log[change];
        let known = &mut self.known[told.event];
        if told.revision <= known.told.revision {
            return;
        }
        if (told.status, told.closed_at) != (known.told.status, known.told.closed_at) {
            known.results += 1;
            known.result_revision = told.revision;
        }
        known.told = told;
    }

    fn place(&mut self, request: &Request) {
        let answer = self.answer_to(request);
        if let Answer::New(reply) = answer {
            if let Reply::Accepted(bet) = reply {
                self.bets.push(bet);
            }
            if let Some(key) = request.key {
                self.keys.insert(key, (request.clone(), reply));
            }
        }
        self.answer = Some(answer);
    }

    fn answer_to(&self, request: &Request) -> Answer {
        match request.key.and_then(|key| self.keys.get(&key)) {
            Some((first, reply)) if first == request => Answer::Again(*reply),
            Some(_) => Answer::KeyReused,
            None => Answer::New(self.reply_to(request)),
        }
    }

    fn reply_to(&self, request: &Request) -> Reply {
        let Some(Known { told, .. }) = self.known.get(request.event) else {
            return Reply::NoSuchEvent;
        };
        if told.status != EventStatus::Unfinished
            || told.closed_at.is_some()
            || told.deadline != When::InAnHour
        {
            return Reply::Closed;
        }
        let agreed = match request.policy {
            Policy::Any => true,
            Policy::Exactly(odds) => told.odds == odds,
            Policy::AtLeast(odds) => told.odds >= odds,
        };
        if !agreed {
            return Reply::OddsAre(told.odds);
        }
        Reply::Accepted(Placed {
            at: self.now,
            event: request.event,
            stake: request.stake,
            odds: told.odds,
            revision: told.revision,
        })
    }
}
