//! line-provider: its writer, step by step (decide, sync, publish, answer), and its delivery.
//!
//! After `line-provider/src/writer` and `line-provider/src/delivery/window.rs`. Every step is `None` where it cannot be
//! made.

use shared_types::EventStatus;

use crate::flaw::Flaw;
use crate::rules::{self, Event};
use crate::size::Size;
use crate::state::{Callback, Change, Lane, Provider, State, Window};

/// What the operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Create(u8),
    ChangeOdds(u8),
    Finish(u8, EventStatus),
    Correct(u8, EventStatus),
}

impl State {
    /// Decides a command and appends its change. A batch may grow until it is synced.
    pub fn decide(&mut self, command: Command, size: &Size) -> Option<()> {
        self.left.commands = self.left.commands.checked_sub(1)?;
        let provider = &mut self.provider;
        // The writer is busy until everybody who asked was answered.
        let busy = size.flaw != Some(Flaw::AnswersBeforeSync) && provider.answered < provider.durable;
        if busy {
            return None;
        }
        // The clock stands between a bet that came before this and one that comes after.
        let now = match command {
            Command::ChangeOdds(_) => self.now,
            Command::Create(_) | Command::Finish(..) | Command::Correct(..) => self.now + 1,
        };
        let event = match command {
            Command::Create(id) if provider.newest(id).is_none() => {
                rules::create(id, size.deadline.max(now + 1), now)?
            }
            Command::Create(_) => return None,
            Command::ChangeOdds(id) => rules::change_odds(provider.newest(id)?, now)?,
            Command::Finish(id, status) => rules::finish(provider.newest(id)?, status, now)?,
            Command::Correct(id, status) => rules::correct(provider.newest(id)?, status, now)?,
        };
        self.now = now;
        provider.head += 1;
        provider.log.push(Change {
            position: provider.head,
            event,
        });
        Some(())
    }

    pub fn sync(&mut self) -> Option<()> {
        let provider = &mut self.provider;
        let is_due = provider.durable < provider.log.len();
        provider.durable = provider.log.len();
        is_due.then_some(())
    }

    pub fn publish(&mut self, size: &Size) -> Option<()> {
        let provider = &mut self.provider;
        let target = match size.flaw {
            Some(Flaw::PublishesBeforeSync) => provider.log.len(),
            _ => provider.durable,
        };
        let is_due = provider.visible < target;
        provider.visible = target;
        is_due.then_some(())
    }

    pub fn answer(&mut self, size: &Size) -> Option<()> {
        let provider = &mut self.provider;
        let target = match size.flaw {
            Some(Flaw::AnswersBeforeSync) => provider.log.len(),
            _ => provider.visible.min(provider.durable),
        };
        let is_due = provider.answered < target;
        provider.answered = target;
        is_due.then_some(())
    }

    /// Starts the next attempt for an event.
    pub fn attempt(&mut self, event: u8, size: &Size) -> Option<()> {
        // A receiver that follows another history refuses; that is waited out here.
        let feed = &self.store.feed;
        let follows = feed.suspension.is_none()
            && feed
                .followed
                .is_some_and(|bookmark| bookmark.instance == self.provider.instance);
        if !size.callbacks || !follows {
            return None;
        }
        let provider = &mut self.provider;
        let (oldest, newest) = {
            let mut pending = provider.pending(event);
            let oldest = pending.next()?;
            (oldest, pending.next_back().unwrap_or(oldest))
        };
        let drops_newer = size.flaw == Some(Flaw::RetryDropsNewer);
        let (position, superseded) = match provider.window.lanes[event] {
            Lane::InFlight(_) => return None,
            Lane::Ready => (oldest, None),
            Lane::Retry if drops_newer => (oldest, Some(newest)),
            Lane::Retry => (newest, Some(oldest)),
        };
        if superseded.is_some() {
            let others: Vec<_> = provider
                .pending(event)
                .filter(|other| *other != position)
                .collect();
            others.into_iter().for_each(|other| provider.window.finish(other));
        }
        if size.flaw == Some(Flaw::CursorRunsAhead) {
            provider.window.finish(position);
        }
        provider.window.lanes[event] = Lane::InFlight(position);
        let callback = Callback {
            instance: provider.instance,
            change: provider.log[position - 1],
            awaited: true,
        };
        self.fly(callback);
        Some(())
    }

    pub fn fly(&mut self, callback: Callback) {
        self.flying.push(callback);
        self.flying.sort();
    }

    pub fn save_cursor(&mut self) -> Option<()> {
        let provider = &mut self.provider;
        let is_due = provider.saved != provider.window.cursor;
        provider.saved = provider.window.cursor;
        is_due.then_some(())
    }

    /// The receiver took what is under way for that event, and its answer arrived.
    pub fn delivered(&mut self, event: u8) {
        let window = &mut self.provider.window;
        if let Lane::InFlight(position) = window.lanes[event] {
            window.lanes[event] = Lane::Ready;
            window.finish(position);
        }
    }

    /// The sender of what is under way for that event gives it up.
    pub fn failed(&mut self, event: u8) -> Option<()> {
        let lane = &mut self.provider.window.lanes[event];
        if !matches!(lane, Lane::InFlight(_)) {
            return None;
        }
        *lane = Lane::Retry;
        Some(())
    }
}

impl Provider {
    /// The event as it was decided last.
    pub fn newest(&self, event: u8) -> Option<&Event> {
        self.log
            .first(self.log.len())
            .map(|change| &change.event)
            .rfind(|known| known.id == event)
    }

    /// Positions of visible changes of the event that are not done, in order.
    fn pending(&self, event: u8) -> impl DoubleEndedIterator<Item = u8> {
        let Self { window, visible, .. } = self;
        self.log
            .first(*visible)
            .enumerate()
            .filter(move |(_, change)| change.event.id == event)
            .filter_map(|(index, _)| u8::try_from(index + 1).ok())
            .filter(|position| *position > window.cursor && window.done & (1 << *position) == 0)
    }

    /// The process ends and starts again on what the journal holds.
    pub fn restart(&mut self, events: u8) {
        let length = self.log.len();
        (self.durable, self.visible, self.answered) = (length, length, length);
        self.head = self.log.last().map_or(0, |change| change.position);
        self.window = Window::new(self.saved, events);
    }
}

impl Window {
    fn finish(&mut self, position: u8) {
        if position > self.cursor {
            self.done |= 1 << position;
        }
        while self.done & (1 << (self.cursor + 1)) != 0 {
            self.cursor += 1;
            self.done &= !(1 << self.cursor);
        }
    }
}
