//! Placements: fence, then clock and event, then insert and commit, each a step.
//!
//! After `bet-maker/src/store/placements.rs`. Every step is `None` where it cannot be made, or must wait.

use crate::flaw::Flaw;
use crate::rules::{self, Outcome};
use crate::size::Size;
use crate::state::{Answer, Bet, Bettor, Decided, Placing, State};
use crate::table::Table;

impl State {
    /// A bettor's request reaches a bet-maker, and its transaction begins. Where several bet on one event they begin in
    /// their order: they differ by nothing else.
    pub fn ask(&mut self, bettor: u8, replica: u8, size: &Size) -> Option<()> {
        let event = bettor % size.events;
        let in_turn = (0..bettor)
            .filter(|other| other % size.events == event)
            .all(|other| self.bettors[other] != Bettor::Thinking);
        let wants = self.bettors[bettor] == Bettor::Thinking || self.asks_in_vain(bettor);
        if self.replicas[replica].placing.is_some() || !in_turn || !wants {
            return None;
        }
        self.bettors[bettor] = Bettor::Asking;
        let mut placing = Placing {
            bettor,
            event,
            heard: true,
            fenced: true,
            decided: None,
        };
        match size.flaw {
            Some(Flaw::NoFence) => placing.fenced = false,
            Some(Flaw::FenceAndReadInOneSnapshot) => {
                placing.fenced = false;
                placing.decided = Some(self.read(event, replica));
            }
            _ if self.is_fenced(event) => return None,
            _ => {}
        }
        self.replicas[replica].placing = Some(placing);
        Some(())
    }

    fn is_fenced(&self, event: u8) -> bool {
        self.replicas.iter().any(|replica| replica.fences(1 << event))
    }

    /// The clock, the feed and the event are read, and the rule decides.
    pub fn read_and_decide(&mut self, replica: u8) -> Option<()> {
        let placing = self.replicas[replica].placing.as_ref()?;
        if placing.decided.is_some() {
            return None;
        }
        let decided = self.read(placing.event, replica);
        self.replicas[replica].placing.as_mut()?.decided = Some(decided);
        Some(())
    }

    fn read(&self, event: u8, replica: u8) -> Decided {
        let (feed, row) = (&self.store.feed, self.store.rows[event].as_ref());
        let halted = feed.suspension.is_some() || self.replicas[replica].fresh != Some(feed.generation);
        let answer = match row {
            _ if halted => Answer::Halted,
            row if rules::accepts(row, self.now) => Answer::Accepted,
            _ => Answer::Refused,
        };
        let (odds, revision) = row.map_or((0, 0), |row| (row.event.odds, row.event.revision));
        Decided {
            answer,
            odds,
            revision,
            placed_at: self.now,
        }
    }

    /// With the flawed statement only: the fence is there, after what was read.
    pub fn fence_late(&mut self, replica: u8, size: &Size) -> Option<()> {
        let event = self.replicas[replica].placing.as_ref()?.event;
        let is_free = !self.is_fenced(event);
        let placing = self.replicas[replica].placing.as_mut()?;
        if size.flaw != Some(Flaw::FenceAndReadInOneSnapshot) || placing.fenced || !is_free {
            return None;
        }
        placing.fenced = true;
        Some(())
    }

    /// The bet and the answer to its key are stored and committed. `heard` is whether the answer arrives.
    pub fn commit_placement(&mut self, replica: u8, heard: bool, size: &Size) -> Option<()> {
        if !heard {
            self.left.losses = self.left.losses.checked_sub(1)?;
        }
        let placing = self.replicas[replica].placing.take()?;
        let decided = placing.decided?;
        if !placing.fenced && size.flaw != Some(Flaw::NoFence) || !heard && !placing.heard {
            return None;
        }
        let key = &mut self.store.keys[placing.bettor];
        let earlier = key.filter(|_| size.flaw != Some(Flaw::NoDeduplication));
        let answer = earlier.unwrap_or(decided.answer);
        if earlier.is_none() && answer != Answer::Halted {
            *key = Some(answer);
            if answer == Answer::Accepted {
                self.insert(&placing, decided);
            }
        }
        if heard && placing.heard {
            self.bettors[placing.bettor] = Bettor::Answered(answer);
        }
        Some(())
    }

    fn insert(&mut self, placing: &Placing, decided: Decided) {
        let Placing { bettor, event, .. } = *placing;
        let row = self.store.rows[event];
        self.seen.joined_closed |= row.is_none_or(|row| row.event.closed_at.is_some());
        let again = self.store.bets.iter().filter(|bet| bet.bettor == bettor).count();
        let again = u8::try_from(again).expect("a bettor asks a few times");
        self.store.bets.push(Bet {
            id: bettor + 16 * again,
            bettor,
            event,
            odds: decided.odds,
            revision: decided.revision,
            placed_at: decided.placed_at,
            outcome: Outcome::Pending,
            settled_seq: 0,
            ledger: Table::new(),
        });
        self.store.bets.sort();
    }
}
