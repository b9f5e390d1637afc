//! line-provider's log in memory: every revision of every event, about 150 bytes each, titles shared.
//!
//! Checks by itself that positions and revisions run from 1 without gaps, in one instance.

use std::collections::HashMap;
use std::sync::Arc;

use http_edge::report::Check;
use shared_types::{Change, ChangeType, ChangesPage, Event, EventId, EventStatus, Instance, Odds, Timestamp};

use crate::feed::client::{CallError, LineProvider};
use crate::feed::history::plausible;
use crate::store::feed::{Digest, FeedState};

/// An event as one change left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) position: u64,
    pub(super) revision: u64,
    pub(super) title: Arc<str>,
    pub(super) odds: Odds,
    pub(super) deadline: Timestamp,
    pub(super) status: EventStatus,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Said {
    fn of(event: Event, position: u64, before: Option<&Self>) -> Self {
        let title = before
            .filter(|before| *before.title == *event.title)
            .map_or_else(|| Arc::from(event.title), |before| Arc::clone(&before.title));
        Self {
            position,
            revision: event.revision,
            title,
            odds: event.odds,
            deadline: event.deadline,
            status: event.status,
            closed_at: event.closed_at,
            created_at: event.created_at,
            updated_at: event.updated_at,
        }
    }

    /// Whether it takes bets before its deadline.
    pub(super) fn is_open(&self) -> bool {
        self.status == EventStatus::Unfinished && self.closed_at.is_none()
    }
}

/// The whole log as it was when it was read.
pub(super) struct Log {
    pub(super) instance: Instance,
    pub(super) head: u64,
    /// Of the change at the bookmark's position, if there is one.
    pub(super) at_bookmark: Option<Digest>,
    /// In order of position.
    pub(super) events: HashMap<EventId, Vec<Said>>,
}

impl Log {
    /// Reads from the first change to what is the head at the first page. `state` was read before.
    ///
    /// # Errors
    /// [`CallError`]: line-provider is away, or answers what cannot be read.
    pub(super) async fn read(
        line_provider: &LineProvider,
        state: &FeedState,
        check: &mut Check,
    ) -> Result<Self, CallError> {
        let ChangesPage {
            instance,
            head,
            mut items,
            ..
        } = line_provider.changes(0).await?.page;
        let mut log = Self {
            instance,
            head,
            at_bookmark: None,
            events: HashMap::new(),
        };
        let bookmark = state.followed.as_ref().map_or(0, |bookmark| bookmark.position);
        let mut position = 0;
        loop {
            for change in items {
                if change.position > head {
                    return Ok(log);
                }
                if change.position == bookmark {
                    log.at_bookmark = Some(Digest::of(&change));
                }
                position = log.take(change, position, check);
            }
            if position >= head {
                return Ok(log);
            }
            let page = line_provider.changes(position).await?.page;
            if page.instance != instance {
                check.find(format!(
                    "the log's instance went from {instance} to {} while it was read",
                    page.instance
                ));
                return Ok(log);
            }
            if page.items.is_empty() {
                check.find(format!(
                    "the log ends at position {position}, but its head is {head}"
                ));
                return Ok(log);
            }
            items = page.items;
        }
    }

    /// Takes the change that comes behind `position`; answers its position.
    fn take(&mut self, change: Change, position: u64, check: &mut Check) -> u64 {
        let at = change.position;
        if at != position + 1 {
            check.find(format!("the log goes from position {position} to {at}"));
        }
        if change.instance != self.instance {
            check.find(format!(
                "the change at position {at} is of instance {}, not of {}",
                change.instance, self.instance
            ));
        }
        if let Err((member, why)) = plausible(&change) {
            check.find(format!("the change at position {at} cannot be: {member} {why}"));
        }
        let said = self.events.entry(change.event_id).or_default();
        let last = said.last().map_or(0, |last| last.revision);
        if change.revision != last + 1 || (change.kind == ChangeType::Created) != (last == 0) {
            check.find(format!(
                "the change at position {at} is {} of event {} at revision {}, behind revision {last}",
                change.kind.as_str(),
                change.event.id,
                change.revision
            ));
        }
        let next = Said::of(change.event, at, said.last());
        said.push(next);
        // Should positions go back, reading must go on all the same.
        at.max(position + 1)
    }

    pub(super) fn find(&self, event_id: &str, revision: u64) -> Option<&Said> {
        let id: EventId = event_id.parse().ok()?;
        find(self.events.get(&id)?, revision)
    }
}

/// The revision, which is at its own place where there is no gap.
pub(super) fn find(said: &[Said], revision: u64) -> Option<&Said> {
    let place = usize::try_from(revision.checked_sub(1)?).ok()?;
    said.get(place)
        .filter(|said| said.revision == revision)
        .or_else(|| said.iter().find(|said| said.revision == revision))
}
