//! Both ways in: callbacks and pages of the log, each as a transaction in steps (hold the feed's row, take the
//! fences, write and commit).
//!
//! After `bet-maker/src/feed/{inbox,poller,apply}.rs`. Every step is `None` where it cannot be made, or must wait.

use crate::flaw::Flaw;
use crate::history::Plan;
use crate::rules::Row;
use crate::size::Size;
use crate::state::{Applying, Feed, Replica, Stage, State, Work};

/// Who of a bet-maker applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desk {
    Clerk,
    Poller,
}

impl Replica {
    pub fn desk(&self, desk: Desk) -> Option<&Applying> {
        match desk {
            Desk::Clerk => self.clerk.as_ref(),
            Desk::Poller => self.poller.as_ref(),
        }
    }

    fn desk_mut(&mut self, desk: Desk) -> &mut Option<Applying> {
        match desk {
            Desk::Clerk => &mut self.clerk,
            Desk::Poller => &mut self.poller,
        }
    }

    pub fn applying(&self) -> impl Iterator<Item = &Applying> {
        self.clerk.iter().chain(&self.poller)
    }
}

impl State {
    /// A callback arrives, and its transaction begins.
    pub fn receive(&mut self, replica: u8, number: u8, size: &Size) -> Option<()> {
        self.may_apply_more(size)?;
        let is_free = self.replicas[replica].clerk.is_none();
        let callback = self.flying.remove(number);
        let letter = Applying {
            work: Work::Callback(callback),
            stage: Stage::Waiting,
            found: None,
        };
        self.replicas[replica].clerk = Some(letter);
        is_free.then(|| self.hold(replica, Desk::Clerk, size)).flatten()
    }

    /// A bet-maker asks for the log, and line-provider answers; the page is on its way.
    pub fn poll(&mut self, replica: u8, size: &Size) -> Option<()> {
        self.may_apply_more(size)?;
        let feed = self.store.feed;
        let asker = &mut self.replicas[replica];
        let provider = &self.provider;
        let after = feed.read_after();
        let visible = provider.log.first(provider.visible);
        let changes = visible
            .skip(after.into())
            .take(size.page.into())
            .copied()
            .collect();
        let page = Work::Page {
            asked: feed,
            instance: provider.instance,
            head: provider.visible,
            changes,
        };
        let plan = page.plan(&self.store, &self.store.rows, size.flaw);
        // What would be read again without any news is not read.
        let brings_news = plan.feed.is_some_and(|next| next != feed)
            || plan
                .caught_up
                .is_some_and(|generation| asker.fresh != Some(generation));
        if asker.poller.is_some() || !brings_news {
            return None;
        }
        asker.poller = Some(Applying {
            work: page,
            stage: Stage::Waiting,
            found: None,
        });
        Some(())
    }

    fn may_apply_more(&self, size: &Size) -> Option<()> {
        let in_hand = self.replicas.iter().flat_map(Replica::applying).count();
        (in_hand < usize::from(size.appliers)).then_some(())
    }

    /// The transaction begins, with the feed's row held: one at a time, over all replicas.
    pub fn hold(&mut self, replica: u8, desk: Desk, size: &Size) -> Option<()> {
        let in_turn = size.flaw != Some(Flaw::AppliersDoNotTakeTurns);
        let is_held = |replica: &Replica| replica.applying().any(|one| one.stage != Stage::Waiting);
        if in_turn && self.replicas.iter().any(is_held) {
            return None;
        }
        let applying = self.replicas[replica].desk_mut(desk).as_mut()?;
        if applying.stage != Stage::Waiting {
            return None;
        }
        applying.stage = Stage::Held;
        if !in_turn {
            applying.found = Some(self.store.rows.clone());
        }
        if size.flaw == Some(Flaw::BookmarkBeforeChanges) {
            let plan = applying.work.plan(&self.store, &self.store.rows, size.flaw);
            applying.found = Some(self.store.rows.clone());
            self.store.feed = plan.feed.unwrap_or(self.store.feed);
        }
        Some(())
    }

    /// The fences of the events that change are taken exclusively: placements under way are waited for.
    pub fn fence(&mut self, replica: u8, desk: Desk, size: &Size) -> Option<()> {
        let applying = self.replicas[replica].desk(desk)?;
        let plan = self.plan(applying, size);
        if applying.stage != Stage::Held {
            return None;
        }
        let events = plan.rows.iter().fold(0, |events, row| events | 1 << row.event.id);
        let mut placements = self
            .replicas
            .iter()
            .filter_map(|replica| replica.placing.as_ref());
        let shared = placements.any(|placing| placing.fenced && events & (1 << placing.event) != 0);
        let held = self.replicas.iter().any(|replica| replica.fences(events));
        if shared || held {
            return None;
        }
        self.replicas[replica].desk_mut(desk).as_mut()?.stage = Stage::Fenced(events);
        Some(())
    }

    /// Everything is written and committed. A settler that holds the row of an event that changes is waited for.
    pub fn apply(&mut self, replica: u8, desk: Desk, size: &Size) -> Option<()> {
        let applying = self.replicas[replica].desk(desk)?;
        if !matches!(applying.stage, Stage::Fenced(_)) {
            return None;
        }
        let plan = self.plan(applying, size);
        if plan.rows.iter().any(|row| self.is_held(row.event.id, size)) {
            return None;
        }
        let work = self.replicas[replica].desk_mut(desk).take()?.work;
        if let Some(callback) = work.callback() {
            let event = callback.change.event;
            let taken = &mut self.store.taken[event.id];
            if plan.taken {
                *taken = event.revision.max(*taken);
            }
            if callback.awaited {
                if plan.taken {
                    self.delivered(event.id);
                } else {
                    self.failed(event.id);
                }
            }
        }
        self.write(plan, replica);
        Some(())
    }

    fn plan(&self, applying: &Applying, size: &Size) -> Plan {
        let found = applying.found.as_ref().unwrap_or(&self.store.rows);
        if size.flaw == Some(Flaw::BookmarkBeforeChanges)
            && let Work::Page { asked, .. } = &applying.work
        {
            // The bookmark was moved before; the rest is done as if it had not been.
            let mut store = self.store.clone();
            let moved = std::mem::replace(&mut store.feed, *asked);
            let plan = applying.work.plan(&store, found, size.flaw);
            return Plan {
                feed: Some(moved),
                ..plan
            };
        }
        applying.work.plan(&self.store, found, size.flaw)
    }

    fn write(&mut self, plan: Plan, replica: u8) {
        for new in plan.rows {
            let row = &mut self.store.rows[new.event.id];
            let Some(before) = *row else {
                *row = Some(new);
                continue;
            };
            self.seen.went_back |=
                before.generation == new.generation && new.event.revision < before.event.revision;
            // The progress of settlement is nobody's here.
            *row = Some(Row {
                settled_seq: before.settled_seq,
                settling_seq: before.settling_seq,
                settle_after: before.settle_after,
                ..new
            });
        }
        for conflict in plan.conflicts {
            if !self.store.conflicts.iter().any(|known| *known == conflict) {
                self.store.conflicts.push(conflict);
                self.store.conflicts.sort();
            }
        }
        self.store.feed = plan.feed.unwrap_or(self.store.feed);
        let fresh = &mut self.replicas[replica].fresh;
        *fresh = plan.caught_up.or(*fresh);
    }

    /// The operator says that the log which disagrees is the truth from now on.
    pub fn adopt(&mut self) -> Option<()> {
        let feed = self.store.feed;
        let mut suspension = feed.suspension?;
        if suspension.adopting {
            return None;
        }
        suspension.adopting = true;
        suspension.candidate = crate::state::Bookmark::start_of(suspension.candidate.instance);
        self.store.feed = Feed {
            suspension: Some(suspension),
            ..feed
        };
        Some(())
    }
}

impl Replica {
    /// Whether it holds the fence of one of these events exclusively.
    pub fn fences(&self, events: u8) -> bool {
        self.applying().any(|applying| match applying.stage {
            Stage::Fenced(fenced) => fenced & events != 0,
            Stage::Waiting | Stage::Held => false,
        })
    }
}
