//! The model: what line-provider said, what bet-maker heard of it, which bets were placed, and what becomes of them.
//! Written from the contract, as plainly as can be, and without a look at bet-maker's own rules.
//!
//! Time is the number of the transition. Whatever happens to close an event closes it at once or in an hour, which no
//! case lives to see.

use std::collections::BTreeMap;

use shared_types::{BetStatus, EventStatus, VoidReason};

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

/// Where a bet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: BetStatus,
    pub reason: Option<VoidReason>,
    pub payout: Option<i64>,
}

impl Standing {
    pub const PENDING: Self = Self {
        status: BetStatus::Pending,
        reason: None,
        payout: None,
    };
}

/// What an event says of a bet.
pub fn standing(told: &Told, bet: &Placed) -> Standing {
    let standing = |status, reason, payout| Standing {
        status,
        reason,
        payout: Some(payout),
    };
    let void = |reason| standing(BetStatus::Void, Some(reason), bet.stake);
    if told
        .closed_at
        .is_some_and(|closed_at| When::At(bet.at) >= closed_at)
    {
        return void(VoidReason::PlacedAfterClose);
    }
    match told.status {
        EventStatus::Unfinished => Standing::PENDING,
        EventStatus::FirstTeamWon => standing(BetStatus::Won, None, bet.stake * bet.odds / 100),
        EventStatus::SecondTeamWon => standing(BetStatus::Lost, None, 0),
        EventStatus::Cancelled => void(VoidReason::EventCancelled),
    }
}

/// One line of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub result: u64,
    pub revision: u64,
    pub status: BetStatus,
    pub amount: i64,
}

/// How far an event is settled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub settled: u64,
    /// The pass under way: for which result, and the bet that was done last.
    pass: u64,
    after: u64,
}

/// What settlement has made of the bets so far. Which event's turn it is, is bet-maker's choice.
#[derive(Debug, Default)]
pub struct Books {
    pub bets: BTreeMap<u64, (Standing, Vec<Line>)>,
    pub progress: [Progress; 3],
}

/// What one chunk did.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    pub seen: usize,
    pub settled: usize,
    pub finished: bool,
}

impl Books {
    pub fn of(&self, bet: &Placed) -> (Standing, Vec<Line>) {
        let booked = self.bets.get(&bet.at).cloned();
        booked.unwrap_or((Standing::PENDING, Vec::new()))
    }

    /// The events whose turn it may be: those not begun before those that are.
    pub fn due(&self, model: &Model) -> Vec<usize> {
        let due = |event: &usize| self.progress[*event].settled < model.known[*event].results;
        let begun = |event: &usize| self.progress[*event].pass == model.known[*event].results;
        let (begun, fresh): (Vec<_>, Vec<_>) = (0..3).filter(due).partition(begun);
        if fresh.is_empty() { begun } else { fresh }
    }

    pub fn settle(&mut self, model: &Model, event: usize, limit: usize) -> Chunk {
        let known = &model.known[event];
        let before = self.progress[event];
        let after = if before.pass == known.results {
            before.after
        } else {
            0
        };
        let bets: Vec<&Placed> = model
            .bets
            .iter()
            .filter(|bet| bet.event == event && bet.at > after)
            .take(limit)
            .collect();
        let mut settled = 0;
        for bet in &bets {
            let (stands, mut lines) = self.of(bet);
            let new = standing(&known.told, bet);
            if new != stands {
                settled += 1;
                lines.push(Line {
                    result: known.results,
                    revision: known.result_revision,
                    status: new.status,
                    amount: new.payout.unwrap_or(0) - stands.payout.unwrap_or(0),
                });
                self.bets.insert(bet.at, (new, lines));
            }
        }
        let finished = bets.len() < limit;
        self.progress[event] = Progress {
            settled: if finished { known.results } else { before.settled },
            pass: known.results,
            after: bets.last().filter(|_| !finished).map_or(0, |bet| bet.at),
        };
        Chunk {
            seen: bets.len(),
            settled,
            finished,
        }
    }
}
