//! What must hold after every schedule of every story, once all that is due is settled. The judge knows who did what in
//! which order, and the contract; it does not use the rules that it judges.

use std::collections::{BTreeMap, HashMap};

use bet_maker::placement::Refusal;
use bet_maker::store::placements::{Answer, Ticket};
use shared_types::{Bet, BetId, BetStatus, Change, Event, EventStatus, Timestamp};

use super::actors::{Call, Report};
use super::ledger::{self, Line};
use super::scene::{Ended, Run};
use crate::harness::Books;

/// What came of all schedules of a story.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Schedules by what came of them: answers, and where bets and ledger stand.
    pub outcomes: BTreeMap<String, usize>,
    pub faults: Vec<String>,
}

impl Verdict {
    /// Schedules whose outcome holds that word.
    pub fn count(&self, word: &str) -> usize {
        let with = self.outcomes.iter().filter(|(outcome, _)| outcome.contains(word));
        with.map(|(_, schedules)| schedules).sum()
    }
}

/// All that is known of one schedule.
struct Case<'a> {
    run: &'a Run,
    event: &'a Event,
    bets: HashMap<BetId, Bet>,
    ledger: HashMap<String, Vec<Line>>,
    faults: Vec<String>,
}

pub async fn judge(run: &Run, event: &Event, bets: Vec<Bet>, books: &Books, verdict: &mut Verdict) {
    let mut case = Case {
        run,
        event,
        bets: bets.into_iter().map(|bet| (bet.id, bet)).collect(),
        ledger: ledger::read(run, books).await,
        faults: Vec::new(),
    };
    case.nothing_is_due(books).await;
    case.every_answer_stands();
    case.every_key_has_one_answer();
    case.every_refusal_has_a_cause();
    for (bet, ended) in case.told() {
        case.was_placed_in_time(&bet, ended);
        if let Some(stored) = case.bets.get(&bet.id) {
            case.faults
                .extend(ledger::audit(run, stored, case.lines_of(stored)));
        }
    }
    let outcome = case.outcome();
    *verdict.outcomes.entry(outcome).or_default() += 1;
    let steps = || format!("{:?}", run.steps);
    verdict.faults.extend(
        case.faults
            .into_iter()
            .map(|fault| format!("{fault}; steps {}", steps())),
    );
}

fn closes(change: &Change) -> bool {
    change.event.closed_at.is_some() || change.event.deadline <= Timestamp::now()
}

impl<'a> Case<'a> {
    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn lines_of(&self, bet: &Bet) -> &[Line] {
        self.ledger.get(&bet.id.to_string()).map_or(&[], Vec::as_slice)
    }

    /// What was answered, and by which step; those placed before anything else by none.
    fn answers(&self) -> Vec<(Option<&'a Ended>, &'a Answer)> {
        let before = self.run.placed.iter().map(|answer| (None, answer));
        let here = self.run.ended.iter().filter_map(|ended| match &ended.report {
            Report::Placed(answer) => Some((Some(ended), answer)),
            _ => None,
        });
        before.chain(here).collect()
    }

    /// The bets that somebody was told of, by the answer that came with the commit.
    fn told(&self) -> Vec<(Bet, Option<&'a Ended>)> {
        let told = |(ended, answer)| match answer {
            &Answer::Decided {
                outcome: Ok(ref bet),
                replayed: false,
            } => Some((bet.clone(), ended)),
            _ => None,
        };
        self.answers().into_iter().filter_map(told).collect()
    }

    async fn nothing_is_due(&mut self, books: &Books) {
        let sql = "select count(*) from events where settled_seq < result_seq";
        if books.int(sql).await > 0 {
            self.fault("the result is never settled".into());
        }
        let newest = &self.run.changes.last().unwrap().event;
        let as_said = (self.event.revision, self.event.status, self.event.odds)
            == (newest.revision, newest.status, newest.odds);
        if !as_said || (self.event.closed_at != newest.closed_at && !self.run.adopted) {
            self.fault(format!("the event is {:?} instead of {newest:?}", self.event));
        }
        for ended in &self.run.ended {
            if let Report::Failed(error) = &ended.report {
                self.fault(format!("{:?} failed: {error}", ended.call));
            }
        }
    }

    fn every_answer_stands(&mut self) {
        let mut untold = self.bets.clone();
        for (_, answer) in self.answers() {
            let Answer::Decided { outcome: Ok(bet), .. } = answer else {
                continue;
            };
            let stored = untold.remove(&bet.id).or_else(|| self.bets.get(&bet.id).cloned());
            let as_placed = stored.map(|stored| Bet {
                status: BetStatus::Pending,
                void_reason: None,
                payout: None,
                settled_at: None,
                ..stored
            });
            if as_placed.as_ref() != Some(bet) {
                self.fault(format!("{bet:?} was answered, but {as_placed:?} is stored"));
            }
        }
        for bet in untold.into_values() {
            self.fault(format!("a bet that nobody was told of: {bet:?}"));
        }
    }

    fn every_key_has_one_answer(&mut self) {
        let mut by_key: HashMap<String, Vec<(&Ticket, &Answer)>> = HashMap::new();
        for ended in &self.run.ended {
            if let (Call::Place(ticket, _), Report::Placed(answer)) = (&ended.call, &ended.report)
                && let Some(key) = &ticket.bet.key
            {
                by_key
                    .entry(key.as_str().to_owned())
                    .or_default()
                    .push((ticket, answer));
            }
        }
        for (key, answers) in by_key {
            let first =
                |(_, answer): &&(&Ticket, &Answer)| matches!(answer, Answer::Decided { replayed: false, .. });
            let firsts: Vec<_> = answers.iter().filter(first).collect();
            let [(leader, first)] = firsts[..] else {
                self.fault(format!("key {key} was answered anew {} times", firsts.len()));
                continue;
            };
            for (ticket, answer) in &answers {
                let same = ticket.bet.stake == leader.bet.stake;
                let right = match (answer, first) {
                    (Answer::Decided { replayed: false, .. }, _) => true,
                    (Answer::Decided { outcome, .. }, Answer::Decided { outcome: first, .. }) => {
                        same && outcome == first
                    }
                    (Answer::KeyReused, _) => !same,
                    _ => false,
                };
                if !right {
                    self.fault(format!("key {key} was answered {answer:?} after {first:?}"));
                }
            }
        }
    }

    fn every_refusal_has_a_cause(&mut self) {
        let before = self.run.changes.iter().take(self.run.known_before);
        let closed_before = before.clone().any(closes);
        for (ended, answer) in self.answers() {
            let Some(ended) = ended else { continue };
            let earlier = || self.run.ended.iter().filter(|other| other.step < ended.step);
            let learnt = |wanted: fn(&Change) -> bool| {
                earlier().any(|other| matches!(&other.call, Call::Receive(change) if wanted(change)))
            };
            let caused = match answer {
                Answer::Decided { outcome: Ok(_), .. } | Answer::KeyReused => true,
                Answer::Decided {
                    outcome: Err(Refusal::BettingClosed),
                    ..
                } => closed_before || learnt(closes),
                Answer::Decided {
                    outcome: Err(Refusal::OddsChanged { .. }),
                    ..
                } => learnt(|_| true),
                Answer::Decided { outcome: Err(_), .. } => false,
                Answer::Halted(_) => earlier().any(|other| matches!(other.call, Call::Doubt(_))),
            };
            if !caused {
                self.fault(format!("{answer:?} without a cause"));
            }
        }
    }

    /// On the terms of a revision that stood from before it was placed until after it was committed.
    fn was_placed_in_time(&mut self, bet: &Bet, placed: Option<&Ended>) {
        let revision = usize::try_from(bet.event_revision).unwrap();
        let terms = &self.run.changes[revision - 1].event;
        if (bet.odds, terms.status, terms.closed_at) != (terms.odds, EventStatus::Unfinished, None)
            || bet.placed_at >= terms.deadline
        {
            self.fault(format!("{bet:?} was accepted under {terms:?}"));
        }
        let Some(placed) = placed else { return };
        for ended in &self.run.ended {
            match &ended.call {
                Call::Receive(change) if change.revision == bet.event_revision => {
                    if bet.placed_at.unix_micros() < ended.clock && ended.step > placed.step {
                        self.fault("a bet was placed on a revision to come".into());
                    } else if bet.placed_at.unix_micros() < ended.clock {
                        self.fault(format!("a bet was placed before its revision: {bet:?}"));
                    }
                }
                Call::Receive(change)
                    if change.revision > bet.event_revision && ended.step <= placed.step =>
                {
                    self.fault(format!("a bet was committed after a later revision: {bet:?}"));
                }
                Call::Close if ended.step <= placed.step => {
                    self.fault(format!("a bet was committed after the close: {bet:?}"));
                }
                _ => {}
            }
        }
        if self.run.adopted
            && self
                .event
                .closed_at
                .is_none_or(|closed_at| bet.placed_at >= closed_at)
        {
            self.fault(format!("{bet:?} was placed after {:?}", self.event.closed_at));
        }
    }

    /// In words that are the same for the same outcome.
    fn outcome(&self) -> String {
        let mut answers: Vec<String> = Vec::new();
        for (ended, answer) in self.answers() {
            if ended.is_none() {
                continue;
            }
            answers.push(match answer {
                Answer::Decided {
                    outcome: Ok(bet),
                    replayed,
                } => format!(
                    "accepted on {}{}",
                    bet.event_revision,
                    if *replayed { " again" } else { "" }
                ),
                Answer::Decided {
                    outcome: Err(refusal),
                    replayed,
                } => format!("refused: {refusal}{}", if *replayed { " again" } else { "" }),
                Answer::KeyReused => "refused: key reused".into(),
                Answer::Halted(_) => "halted".into(),
            });
        }
        let mut books: Vec<String> = Vec::new();
        for bet in self.bets.values() {
            let revisions: Vec<_> = self.lines_of(bet).iter().map(|line| line.revision).collect();
            books.push(format!("{:?} by {revisions:?}", bet.status));
        }
        answers.sort();
        books.sort();
        format!("{}; {}", answers.join(", "), books.join(", "))
    }
}
