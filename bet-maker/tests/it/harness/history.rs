//! A history of events as line-provider would write it: positions from 1 without gaps, revisions per event, and
//! `closed_at` by its rule. Whatever a test wants bet-maker to learn is made here.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_types::{Change, ChangeType, ChangesPage, Event, EventStatus, Instance, Timestamp};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct History {
    pub instance: Instance,
    pub changes: Vec<Change>,
    events: BTreeMap<String, Event>,
}

/// That many seconds from now.
pub fn in_seconds(seconds: u64) -> Timestamp {
    Timestamp::now().saturating_add(Duration::from_secs(seconds))
}

impl History {
    /// An empty one, unlike any other.
    pub fn new() -> Self {
        Self {
            instance: Instance::from_uuid(Uuid::new_v4()),
            changes: Vec::new(),
            events: BTreeMap::new(),
        }
    }

    /// An event that closes in an hour.
    pub fn create(&mut self, id: &str, odds: &str) -> Change {
        self.create_until(id, odds, in_seconds(3600))
    }

    pub fn create_until(&mut self, id: &str, odds: &str, deadline: Timestamp) -> Change {
        let now = Timestamp::now();
        let event = Event {
            id: id.parse().unwrap(),
            title: format!("The game {id}"),
            odds: odds.parse().unwrap(),
            deadline,
            status: EventStatus::Unfinished,
            revision: 1,
            closed_at: None,
            created_at: now,
            updated_at: now,
        };
        self.append(ChangeType::Created, event)
    }

    pub fn set_odds(&mut self, id: &str, odds: &str) -> Change {
        let odds = odds.parse().unwrap();
        self.revise(id, ChangeType::Updated, |event| event.odds = odds)
    }

    pub fn set_deadline(&mut self, id: &str, deadline: Timestamp) -> Change {
        self.revise(id, ChangeType::Updated, |event| event.deadline = deadline)
    }

    /// A result, a cancellation or a correction; the first closes betting now, or at the deadline if that was
    /// earlier.
    pub fn set_status(&mut self, id: &str, status: EventStatus) -> Change {
        self.set_status_at(id, status, Timestamp::now())
    }

    pub fn set_status_at(&mut self, id: &str, status: EventStatus, now: Timestamp) -> Change {
        self.revise(id, ChangeType::StatusChanged, |event| {
            event.status = status;
            event.closed_at = event.closed_at.or(Some(now.min(event.deadline)));
        })
    }

    pub fn won(&mut self, id: &str) -> Change {
        self.set_status(id, EventStatus::FirstTeamWon)
    }

    pub fn lost(&mut self, id: &str) -> Change {
        self.set_status(id, EventStatus::SecondTeamWon)
    }

    pub fn cancelled(&mut self, id: &str) -> Change {
        self.set_status(id, EventStatus::Cancelled)
    }

    pub fn event(&self, id: &str) -> &Event {
        &self.events[id]
    }

    pub fn head(&self) -> u64 {
        u64::try_from(self.changes.len()).unwrap()
    }

    /// What `GET /changes` answers.
    pub fn page(&self, after: u64, limit: usize) -> ChangesPage {
        let skipped = usize::try_from(after).unwrap();
        let items: Vec<_> = self.changes.iter().skip(skipped).take(limit).cloned().collect();
        let next = items.last().map_or(after, |last| last.position);
        ChangesPage {
            instance: self.instance,
            head: self.head(),
            items,
            next,
        }
    }

    /// As a journal restored from a backup: the same instance, only the first `length` changes.
    pub fn cut_back(&self, length: usize) -> Self {
        let changes = self.changes[..length].to_vec();
        let events = changes
            .iter()
            .map(|change| (change.event_id.to_string(), change.event.clone()));
        Self {
            instance: self.instance,
            events: events.collect(),
            changes,
        }
    }

    /// As an operator rebuilds a lost journal: the same events and results said again, under a new instance.
    pub fn said_again(&self) -> Self {
        let mut again = Self::new();
        for change in &self.changes {
            let event = Event {
                created_at: Timestamp::now(),
                updated_at: Timestamp::now(),
                ..change.event.clone()
            };
            again.append(change.kind, event);
        }
        again
    }

    fn revise(&mut self, id: &str, kind: ChangeType, edit: impl FnOnce(&mut Event)) -> Change {
        let mut event = self.events[id].clone();
        edit(&mut event);
        event.revision += 1;
        event.updated_at = Timestamp::now();
        self.append(kind, event)
    }

    fn append(&mut self, kind: ChangeType, event: Event) -> Change {
        let change = Change {
            position: self.head() + 1,
            instance: self.instance,
            kind,
            event_id: event.id.clone(),
            revision: event.revision,
            occurred_at: event.updated_at,
            event: event.clone(),
        };
        self.events.insert(event.id.to_string(), event);
        self.changes.push(change.clone());
        change
    }
}
