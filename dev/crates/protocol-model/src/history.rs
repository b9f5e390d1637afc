//! Whether a page of the log continues what was read, and what a transaction of the feed would do.
//!
//! After `bet-maker/src/feed/{history,apply}.rs` and `bet-maker/src/store/changes.rs`: the rule of news is bet-maker's
//! own, and decided here is only what surrounds it. Pure.

use bet_maker::news::{News, Source};
use shared_types::EventStatus;

use crate::flaw::Flaw;
use crate::rules::{self, Row};
use crate::state::{Bookmark, Callback, Change, Feed, Store, Suspension, Work};
use crate::table::Table;

/// What a transaction of the feed writes.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The events that change, as they are afterwards.
    pub rows: Vec<Row>,
    /// As it is afterwards; `None` where it stays.
    pub feed: Option<Feed>,
    pub conflicts: Vec<(u8, u8)>,
    /// The generation that was read to its head.
    pub caught_up: Option<u8>,
    /// Whether a callback's change is taken, or was already.
    pub taken: bool,
}

impl Work {
    pub const fn callback(&self) -> Option<&Callback> {
        match self {
            Self::Callback(callback) => Some(callback),
            Self::Page { .. } => None,
        }
    }

    pub const fn callback_mut(&mut self) -> Option<&mut Callback> {
        match self {
            Self::Callback(callback) => Some(callback),
            Self::Page { .. } => None,
        }
    }

    /// What it comes to in this store, with these events in it.
    pub fn plan(&self, store: &Store, found: &Table<Option<Row>>, flaw: Option<Flaw>) -> Plan {
        match self {
            Self::Callback(callback) => receive(callback, store, found, flaw),
            Self::Page {
                asked,
                instance,
                head,
                changes,
            } => {
                let page = Page {
                    instance: *instance,
                    head: *head,
                    changes,
                };
                if !store.feed.reads_like(asked) {
                    return Plan::default();
                }
                match &asked.suspension {
                    None => follow(&page, asked, store, found, flaw),
                    Some(suspension) => reconcile(&page, suspension, store, found, flaw),
                }
            }
        }
    }
}

struct Page<'a> {
    instance: u8,
    head: u8,
    changes: &'a Table<Change>,
}

impl Feed {
    pub fn reads_like(&self, other: &Self) -> bool {
        Self { highest: 0, ..*self } == Self { highest: 0, ..*other }
    }

    /// The place that is read from: one before, so that the page repeats the change at the bookmark.
    pub fn read_after(&self) -> u8 {
        let bookmark = match &self.suspension {
            None => self.followed,
            Some(suspension) => Some(suspension.candidate),
        };
        bookmark.map_or(0, |bookmark| bookmark.position.saturating_sub(1))
    }

    fn suspended(self, instance: u8) -> Self {
        let before = self
            .suspension
            .map_or(self.generation, |suspension| suspension.generation);
        let suspension = Suspension {
            candidate: Bookmark::start_of(instance),
            generation: before + 1,
            adopting: false,
        };
        Self {
            suspension: Some(suspension),
            ..self
        }
    }
}

impl Bookmark {
    /// The changes that follow it, or `None` where the history is broken.
    fn continued(&self, page: &Page<'_>, flaw: Option<Flaw>) -> Option<Vec<Change>> {
        if page.instance != self.instance || page.head < self.position {
            return None;
        }
        let repeats = self.change.is_none()
            || flaw == Some(Flaw::NoDigest)
            || page.changes.iter().next() == self.change.as_ref();
        let skipped = usize::from(self.change.is_some());
        repeats.then(|| page.changes.iter().skip(skipped).copied().collect())
    }

    fn moved(self, changes: &[Change]) -> Self {
        changes.last().map_or(self, |last| Self {
            instance: self.instance,
            position: last.position,
            change: Some(*last),
        })
    }
}

fn receive(callback: &Callback, store: &Store, found: &Table<Option<Row>>, flaw: Option<Flaw>) -> Plan {
    let feed = store.feed;
    let follows = feed.suspension.is_none()
        && feed
            .followed
            .is_some_and(|bookmark| bookmark.instance == callback.instance);
    if !follows {
        return Plan::default();
    }
    let mut plan = merge(&[callback.change], feed.generation, Source::Callback, found, flaw);
    plan.taken = true;
    plan.feed = (callback.change.position > feed.highest).then_some(Feed {
        highest: callback.change.position,
        ..feed
    });
    plan
}

fn follow(
    page: &Page<'_>,
    asked: &Feed,
    store: &Store,
    found: &Table<Option<Row>>,
    flaw: Option<Flaw>,
) -> Plan {
    let feed = store.feed;
    let bookmark = asked.followed.unwrap_or(Bookmark::start_of(page.instance));
    let continued = bookmark
        .continued(page, flaw)
        .filter(|_| page.head >= asked.highest);
    let Some(changes) = continued else {
        let cancelled = found.iter().flatten().filter(|row| row.event.closed_at.is_none());
        let rows = match flaw {
            Some(Flaw::VoidsOnNewInstance) => cancelled.map(Row::cancelled).collect(),
            _ => Vec::new(),
        };
        return Plan {
            rows,
            feed: Some(feed.suspended(page.instance)),
            ..Plan::default()
        };
    };
    let plan = merge(&changes, feed.generation, Source::Log, found, flaw);
    if !plan.conflicts.is_empty() {
        return Plan {
            rows: Vec::new(),
            feed: Some(feed.suspended(bookmark.instance)),
            ..plan
        };
    }
    let followed = bookmark.moved(&changes);
    Plan {
        feed: Some(Feed {
            followed: Some(followed),
            highest: feed.highest.max(followed.position),
            ..feed
        }),
        caught_up: (followed.position >= page.head).then_some(feed.generation),
        ..plan
    }
}

fn reconcile(
    page: &Page<'_>,
    suspension: &Suspension,
    store: &Store,
    found: &Table<Option<Row>>,
    flaw: Option<Flaw>,
) -> Plan {
    let feed = store.feed;
    let Some(changes) = suspension.candidate.continued(page, flaw) else {
        return Plan {
            feed: Some(feed.suspended(page.instance)),
            ..Plan::default()
        };
    };
    let (generation, adopting) = (suspension.generation, suspension.adopting);
    let source = if adopting { Source::Log } else { Source::Candidate };
    let mut plan = merge(&changes, generation, source, found, flaw);
    let candidate = suspension.candidate.moved(&changes);
    let at_head = candidate.position >= page.head;
    let as_planned = |plan: &Plan, row: &Row| {
        plan.rows
            .iter()
            .find(|new| new.event.id == row.event.id)
            .copied()
            .unwrap_or(*row)
    };
    if at_head && adopting {
        for row in found.iter().flatten() {
            let row = as_planned(&plan, row);
            if row.is_open() && row.generation < generation {
                plan.rows.retain(|new| new.event.id != row.event.id);
                plan.rows.push(row.closed());
            }
        }
    }
    let contradicted = |event| {
        let conflict = (generation, event);
        store
            .conflicts
            .iter()
            .chain(&plan.conflicts)
            .any(|known| *known == conflict)
    };
    let in_doubt = found.iter().flatten().any(|row| {
        let row = as_planned(&plan, row);
        row.generation < generation && (row.is_open() || contradicted(row.event.id))
    });
    plan.feed = Some(if at_head && (adopting || !in_doubt) {
        let followed = if adopting {
            candidate
        } else {
            Bookmark::start_of(candidate.instance)
        };
        Feed {
            followed: Some(followed),
            highest: candidate.position,
            generation,
            suspension: None,
        }
    } else {
        let suspension = Suspension {
            candidate,
            ..*suspension
        };
        Feed {
            suspension: Some(suspension),
            ..feed
        }
    });
    plan
}

fn merge(
    changes: &[Change],
    generation: u8,
    source: Source,
    found: &Table<Option<Row>>,
    flaw: Option<Flaw>,
) -> Plan {
    let mut plan = Plan::default();
    for change in changes {
        let event = &change.event;
        let earlier = plan.rows.iter().position(|row| row.event.id == event.id);
        let before = earlier
            .and_then(|index| plan.rows.get(index).copied())
            .or(found[event.id]);
        let news = match flaw {
            Some(Flaw::OlderRevisionApplied) => News::Newer,
            _ => rules::compare(before.as_ref(), event, generation, source),
        };
        let row = match (news, before) {
            (News::Newer, before) => rules::after(before.as_ref(), event, generation),
            (News::Confirmed, Some(before)) => Row { generation, ..before },
            (News::Old | News::Confirmed, _) => continue,
            (News::Conflict, _) => {
                plan.conflicts.push((generation, event.id));
                continue;
            }
        };
        plan.rows.retain(|row| row.event.id != event.id);
        plan.rows.push(row);
    }
    plan
}

impl Row {
    fn is_open(&self) -> bool {
        self.event.status == EventStatus::Unfinished && self.event.closed_at.is_none()
    }

    /// Closed because an operator adopted a log that does not name it: when, does not matter, because every bet on it
    /// was placed before.
    fn closed(mut self) -> Self {
        self.event.closed_at = Some(self.event.deadline);
        self
    }

    fn cancelled(&self) -> Self {
        let mut row = *self;
        row.event.status = EventStatus::Cancelled;
        row.event.closed_at = Some(row.event.deadline);
        row.result_seq += 1;
        row
    }
}
