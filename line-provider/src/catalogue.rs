//! The read model of events: what the API serves from, derived from the journal and rebuilt at start.
//!
//! Only the writer changes it, after a change is durable. Events are found by id in a `DashMap`; lists walk
//! indexes ordered by deadline. Each entry carries its JSON, so that an answer is a concatenation. No guard leaves
//! a function here, so none is held over an await.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use dashmap::DashMap;
use shared_types::{Event, EventId, EventStatus, Timestamp};

use crate::event::is_open;

const UNPOISONED: &str = "nobody panics while holding this lock";

/// An event and its JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub event: Event,
    pub json: Arc<str>,
}

impl Entry {
    /// Renders the event.
    pub fn new(event: Event) -> Self {
        let json = serde_json::to_string(&event)
            .expect("an event holds nothing that JSON cannot say")
            .into();
        Self { event, json }
    }
}

/// Which events a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    All,
    Status(EventStatus),
    /// Unfinished, with a deadline after that moment.
    ActiveAt(Timestamp),
}

/// Where an event stands in a list: soonest deadline first, then by id. Without an id: before every event of that
/// deadline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub deadline: Timestamp,
    pub id: Option<EventId>,
}

impl Place {
    fn of(event: &Event) -> Self {
        Self {
            deadline: event.deadline,
            id: Some(event.id.clone()),
        }
    }
}

/// A part of a list.
#[derive(Debug)]
pub struct Page {
    pub entries: Vec<Arc<Entry>>,
    /// The place of the last entry, where more follow.
    pub next: Option<Place>,
}

type Index = BTreeMap<Place, Arc<Entry>>;

#[derive(Debug, Default)]
struct Order {
    all: Index,
    unfinished: Index,
    first_team_won: Index,
    second_team_won: Index,
    cancelled: Index,
    /// Never finished: what ends by itself at its deadline.
    open: Index,
}

impl Order {
    fn of(&self, status: EventStatus) -> &Index {
        match status {
            EventStatus::Unfinished => &self.unfinished,
            EventStatus::FirstTeamWon => &self.first_team_won,
            EventStatus::SecondTeamWon => &self.second_team_won,
            EventStatus::Cancelled => &self.cancelled,
        }
    }

    fn of_mut(&mut self, status: EventStatus) -> &mut Index {
        match status {
            EventStatus::Unfinished => &mut self.unfinished,
            EventStatus::FirstTeamWon => &mut self.first_team_won,
            EventStatus::SecondTeamWon => &mut self.second_team_won,
            EventStatus::Cancelled => &mut self.cancelled,
        }
    }

    fn remove(&mut self, event: &Event) {
        let place = Place::of(event);
        self.all.remove(&place);
        self.of_mut(event.status).remove(&place);
        self.open.remove(&place);
    }

    fn insert(&mut self, entry: &Arc<Entry>) {
        let place = Place::of(&entry.event);
        if is_open(&entry.event) {
            self.open.insert(place.clone(), Arc::clone(entry));
        }
        self.of_mut(entry.event.status)
            .insert(place.clone(), Arc::clone(entry));
        self.all.insert(place, Arc::clone(entry));
    }
}

/// Every event at its newest revision.
#[derive(Debug, Default)]
pub struct Catalogue {
    events: DashMap<EventId, Arc<Entry>>,
    order: RwLock<Order>,
}

impl Catalogue {
    /// Takes over entries that are durable, each replacing the event's earlier one.
    pub fn put(&self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        let mut order = self.order.write().expect(UNPOISONED);
        for entry in entries {
            let earlier = self.events.insert(entry.event.id.clone(), Arc::clone(&entry));
            if let Some(earlier) = earlier {
                order.remove(&earlier.event);
            }
            order.insert(&entry);
        }
    }

    pub fn find(&self, id: &EventId) -> Option<Arc<Entry>> {
        self.events.get(id).map(|entry| Arc::clone(&entry))
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Up to `limit` events of the filter behind `after`.
    pub fn page(&self, filter: Filter, after: Option<Place>, limit: usize) -> Page {
        let order = self.order.read().expect(UNPOISONED);
        let (index, least) = match filter {
            Filter::All => (&order.all, None),
            Filter::Status(status) => (order.of(status), None),
            Filter::ActiveAt(now) => (&order.unfinished, Some(just_after(now))),
        };
        let from = match (after, least) {
            (Some(after), Some(least)) if after < least => Bound::Included(least),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(least)) => Bound::Included(least),
            (None, None) => Bound::Unbounded,
        };
        let mut rest = index.range((from, Bound::Unbounded));
        let entries: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|(_, entry)| Arc::clone(entry))
            .collect();
        let next = rest
            .next()
            .and(entries.last())
            .map(|entry| Place::of(&entry.event));
        Page { entries, next }
    }

    /// Up to `limit` never finished events with the soonest deadlines.
    pub fn soonest_open(&self, limit: usize) -> Vec<Arc<Entry>> {
        let order = self.order.read().expect(UNPOISONED);
        order.open.values().take(limit).cloned().collect()
    }
}

fn just_after(now: Timestamp) -> Place {
    Place {
        deadline: now.saturating_add(Duration::from_micros(1)),
        id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn entry(id: &str, deadline: i64, status: EventStatus) -> Arc<Entry> {
        Arc::new(Entry::new(Event {
            id: id.parse().unwrap(),
            title: String::new(),
            odds: "1.85".parse().unwrap(),
            deadline: at(deadline),
            status,
            revision: 1,
            closed_at: status.is_final().then(|| at(0)),
            created_at: at(0),
            updated_at: at(0),
        }))
    }

    fn ids(page: &Page) -> String {
        let ids: Vec<_> = page.entries.iter().map(|e| e.event.id.as_str()).collect();
        ids.join(" ")
    }

    fn filled() -> Catalogue {
        let catalogue = Catalogue::default();
        catalogue.put([
            entry("c", 10, EventStatus::Unfinished),
            entry("a", 20, EventStatus::Unfinished),
            entry("b", 20, EventStatus::Unfinished),
            entry("d", 15, EventStatus::Cancelled),
        ]);
        catalogue
    }

    #[test]
    fn lists_go_by_deadline_then_id_and_active_begins_after_now() {
        let catalogue = filled();
        let list = |filter| ids(&catalogue.page(filter, None, 9));
        assert_eq!(list(Filter::All), "c d a b");
        assert_eq!(list(Filter::Status(EventStatus::Cancelled)), "d");
        assert_eq!(list(Filter::Status(EventStatus::FirstTeamWon)), "");
        assert_eq!(list(Filter::ActiveAt(at(9))), "c a b");
        assert_eq!(list(Filter::ActiveAt(at(10))), "a b");
        assert_eq!(list(Filter::ActiveAt(at(20))), "");
    }

    #[test]
    fn pages_continue_behind_the_last_entry_and_the_last_page_says_so() {
        let catalogue = filled();
        let first = catalogue.page(Filter::All, None, 3);
        assert_eq!(ids(&first), "c d a");
        let second = catalogue.page(Filter::All, first.next, 3);
        assert_eq!((ids(&second), second.next), ("b".to_owned(), None));
        assert_eq!(catalogue.page(Filter::All, None, 4).next, None);
        let behind_c = catalogue.page(Filter::All, None, 1).next;
        let active = catalogue.page(Filter::ActiveAt(at(15)), behind_c, 9);
        assert_eq!(ids(&active), "a b");
    }

    #[test]
    fn a_new_revision_leaves_nothing_behind_in_the_old_lists() {
        let catalogue = filled();
        catalogue.put([entry("a", 5, EventStatus::FirstTeamWon)]);
        let list = |filter| ids(&catalogue.page(filter, None, 9));
        assert_eq!(list(Filter::All), "a c d b");
        assert_eq!(list(Filter::Status(EventStatus::Unfinished)), "c b");
        assert_eq!(list(Filter::Status(EventStatus::FirstTeamWon)), "a");
        let open = catalogue.soonest_open(9);
        let open: Vec<_> = open.iter().map(|e| e.event.id.as_str()).collect();
        assert_eq!(open, ["c", "b"]);
        assert_eq!(catalogue.len(), 4);
    }
}
