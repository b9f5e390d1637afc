//! What the writer knows: the state that commands are decided against, one after the other.
//!
//! It runs ahead of the journal by the batch being decided. That is safe because a batch that cannot be written
//! ends the writer, and nobody is told of a decision before its batch is durable.

use std::collections::HashMap;
use std::sync::Arc;

use http_edge::Traceparent;
use shared_types::{ChangeType, Event, EventId, SubscriptionId, Timestamp};

use super::command::{
    Effect, EventAnswer, EventCommand, EventRefusal, SubscriptionAnswer, SubscriptionCommand,
    SubscriptionRefusal,
};
use crate::catalogue::Entry;
use crate::event::{self, Decision, NewEvent};
use crate::journal::{Contents, Record, Write};
use crate::subscription::{self, CallbackUrl, Registration};

struct Known {
    entry: Arc<Entry>,
    creation: NewEvent,
}

/// What a change keeps of how it came about.
struct Cause {
    trace: Option<Traceparent>,
    /// Why a result was corrected.
    note: Option<String>,
}

/// What a batch of decisions makes true, once it is durable.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) writes: Vec<Write>,
    /// The events that changed, in order.
    pub(super) entries: Vec<Arc<Entry>>,
}

pub(super) struct Truth {
    head: u64,
    events: HashMap<EventId, Known>,
    subscriptions: HashMap<SubscriptionId, Arc<Registration>>,
}

impl Truth {
    pub(super) fn new(contents: Contents) -> Self {
        let mut events = HashMap::with_capacity(contents.events.len());
        for replayed in contents.events {
            let known = Known {
                entry: Arc::new(replayed.newest),
                creation: replayed.creation,
            };
            events.insert(known.entry.event.id.clone(), known);
        }
        let registrations = contents.subscriptions.into_iter();
        Self {
            head: contents.head,
            events,
            subscriptions: registrations
                .map(|(registration, _)| (registration.id, registration))
                .collect(),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.events.values().map(|known| Arc::clone(&known.entry))
    }

    pub(super) fn decide_event(
        &mut self,
        command: EventCommand,
        trace: Option<Traceparent>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<EventAnswer, EventRefusal> {
        let mut cause = Cause { trace, note: None };
        let entry = match command {
            EventCommand::Create(new) => return self.create(new, now, cause, batch),
            EventCommand::Update { id, if_match, update } => {
                let event = self.find(&id)?;
                if_match
                    .check(event.revision)
                    .map_err(|_| EventRefusal::OtherRevision)?;
                let decision = event::update(event, &update, now)?;
                self.accept(&id, decision, cause, batch)?
            }
            EventCommand::Correct {
                id,
                if_match,
                correction,
            } => {
                let event = self.find(&id)?;
                if_match
                    .check(event.revision)
                    .map_err(|_| EventRefusal::OtherRevision)?;
                let decision = event::correct(event, &correction, now)?;
                cause.note = Some(correction.reason);
                self.accept(&id, decision, cause, batch)?
            }
            EventCommand::FinishAtDeadline { id, status } => {
                let decision = event::finish_at_deadline(self.find(&id)?, status, now)?;
                self.accept(&id, decision, cause, batch)?
            }
        };
        Ok(EventAnswer {
            entry,
            effect: Effect::Existing,
        })
    }

    fn find(&self, id: &EventId) -> Result<&Event, EventRefusal> {
        let known = self.events.get(id).ok_or(EventRefusal::NotFound)?;
        Ok(&known.entry.event)
    }

    fn create(
        &mut self,
        new: NewEvent,
        now: Timestamp,
        cause: Cause,
        batch: &mut Batch,
    ) -> Result<EventAnswer, EventRefusal> {
        if let Some(known) = self.events.get(&new.id) {
            event::create_again(&new, &known.creation)?;
            return Ok(EventAnswer {
                entry: Arc::clone(&known.entry),
                effect: Effect::Existing,
            });
        }
        let entry = Arc::new(Entry::new(event::create(&new, now)?));
        let known = Known {
            entry: Arc::clone(&entry),
            creation: new,
        };
        self.events.insert(known.creation.id.clone(), known);
        self.append(&entry, ChangeType::Created, cause, batch);
        Ok(EventAnswer {
            entry,
            effect: Effect::Created,
        })
    }

    fn accept(
        &mut self,
        id: &EventId,
        decision: Decision,
        cause: Cause,
        batch: &mut Batch,
    ) -> Result<Arc<Entry>, EventRefusal> {
        let known = self.events.get_mut(id).ok_or(EventRefusal::NotFound)?;
        let Decision::Changed(event, kind) = decision else {
            return Ok(Arc::clone(&known.entry));
        };
        let entry = Arc::new(Entry::new(event));
        known.entry = Arc::clone(&entry);
        self.append(&entry, kind, cause, batch);
        Ok(entry)
    }

    fn append(&mut self, entry: &Arc<Entry>, kind: ChangeType, cause: Cause, batch: &mut Batch) {
        let Cause { trace, note } = cause;
        self.head += 1;
        batch.writes.push(Write::Change(Record {
            position: self.head,
            event_id: entry.event.id.clone(),
            revision: entry.event.revision,
            kind,
            occurred_at: entry.event.updated_at,
            body: Arc::clone(&entry.json),
            note,
            trace,
        }));
        batch.entries.push(Arc::clone(entry));
    }

    pub(super) fn decide_subscription(
        &mut self,
        command: SubscriptionCommand,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<SubscriptionAnswer, SubscriptionRefusal> {
        let changed = match command {
            SubscriptionCommand::Register(wanted) => match self.find_url(&wanted.url) {
                Some(existing) => subscription::register(Some(existing), wanted, now),
                None => {
                    let registration = Arc::new(subscription::register(None, wanted, now));
                    return Ok(self.subscribe(registration, batch));
                }
            },
            SubscriptionCommand::Patch { id, patch } => {
                let existing = self.find_subscription(id)?;
                let owner = patch.url.as_ref().and_then(|url| self.find_url(url));
                if owner.is_some_and(|owner| owner.id != id) {
                    return Err(SubscriptionRefusal::UrlTaken);
                }
                subscription::patch(existing, patch, now)
            }
            SubscriptionCommand::Disable { id, url, reason } => {
                subscription::disable(self.find_subscription(id)?, &url, reason, now)
            }
            SubscriptionCommand::Unsubscribe { id } => {
                let registration = self
                    .subscriptions
                    .remove(&id)
                    .ok_or(SubscriptionRefusal::NotFound)?;
                batch.writes.push(Write::Unsubscribe(id));
                return Ok(SubscriptionAnswer {
                    registration,
                    effect: Effect::Existing,
                });
            }
        };
        let changed = Arc::new(changed);
        if self.subscriptions.get(&changed.id) != Some(&changed) {
            self.subscriptions.insert(changed.id, Arc::clone(&changed));
            batch.writes.push(Write::ChangeSubscription(Arc::clone(&changed)));
        }
        Ok(SubscriptionAnswer {
            registration: changed,
            effect: Effect::Existing,
        })
    }

    /// A new subscription is served from here on; what was before stands in the log.
    fn subscribe(&mut self, registration: Arc<Registration>, batch: &mut Batch) -> SubscriptionAnswer {
        self.subscriptions
            .insert(registration.id, Arc::clone(&registration));
        batch
            .writes
            .push(Write::Subscribe(Arc::clone(&registration), self.head));
        SubscriptionAnswer {
            registration,
            effect: Effect::Created,
        }
    }

    fn find_subscription(&self, id: SubscriptionId) -> Result<&Registration, SubscriptionRefusal> {
        let registration = self.subscriptions.get(&id);
        registration.map(Arc::as_ref).ok_or(SubscriptionRefusal::NotFound)
    }

    fn find_url(&self, url: &CallbackUrl) -> Option<&Registration> {
        self.subscriptions
            .values()
            .map(Arc::as_ref)
            .find(|registration| registration.url == *url)
    }

    /// Saves how far subscriptions were served; one that is gone by now is passed over.
    pub(super) fn save_cursors(&self, cursors: &[(SubscriptionId, u64)], batch: &mut Batch) {
        let known = cursors
            .iter()
            .filter(|(id, _)| self.subscriptions.contains_key(id));
        batch
            .writes
            .extend(known.map(|(id, cursor)| Write::Cursor(*id, *cursor)));
    }
}
