//! The rules of events: pure functions from an event, a command and the present moment to a new event or a
//! refusal.
//!
//! Invariants kept here: `revision` grows by one with each change and never otherwise; `closed_at` is set by the
//! first final status, is never later than the deadline, and never changes again; an event with `closed_at` set
//! keeps its deadline. Commands come from the writer, decided one after the other; what changed goes into the
//! journal.

use shared_types::{ChangeType, Event, EventId, EventStatus, Odds, Timestamp};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// An event as its operator wants it, each field checked. Kept as the creation record, so that a repeated
/// request is recognised whatever happened to the event since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub id: EventId,
    pub title: String,
    pub odds: Odds,
    pub deadline: Timestamp,
}

/// What `PATCH` asks for; absent fields stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    pub title: Option<String>,
    pub odds: Option<Odds>,
    pub deadline: Option<Timestamp>,
    pub status: Option<EventStatus>,
}

/// The right status of an event whose result was wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    pub status: EventStatus,
    pub reason: String,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Changed(Event, ChangeType),
    /// Everything is already as asked for.
    Unchanged,
}

/// Why an event's state, or its deadline's rule, forbids a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("an event with this id exists with other content")]
    EventExists,
    #[error("the event is finished; a wrong result is put right by a correction")]
    EventFinished,
    #[error("betting on the event is closed for good, so its deadline stays as it is")]
    BettingClosed,
    #[error("the event has never been finished, so there is no result to correct")]
    EventNotFinished,
    #[error("the event is finished already, or its deadline is still ahead")]
    NotDue,
    #[error("must be in the future")]
    DeadlinePassed,
    #[error("must be within 2 years from now")]
    DeadlineTooFar,
}

/// Creates an event.
///
/// # Errors
/// [`Refusal::DeadlinePassed`] and [`Refusal::DeadlineTooFar`].
pub fn create(new: &NewEvent, now: Timestamp) -> Result<Event, Refusal> {
    check_deadline(new.deadline, now)?;
    Ok(Event {
        id: new.id.clone(),
        title: new.title.clone(),
        odds: new.odds,
        deadline: new.deadline,
        status: EventStatus::Unfinished,
        revision: 1,
        closed_at: None,
        created_at: now,
        updated_at: now,
    })
}

/// Compares a request for an id that is taken with what that event was created with: a repeated request is fine,
/// whatever happened to the event since.
///
/// # Errors
/// [`Refusal::EventExists`] for other content.
pub fn create_again(new: &NewEvent, creation: &NewEvent) -> Result<(), Refusal> {
    if new == creation {
        Ok(())
    } else {
        Err(Refusal::EventExists)
    }
}

/// Changes an event's title, odds, deadline or status. A status is the news when several change at once.
///
/// # Errors
/// [`Refusal::EventFinished`] when anything would change on a final event, [`Refusal::BettingClosed`] for another
/// deadline after betting closed, [`Refusal::DeadlinePassed`] and [`Refusal::DeadlineTooFar`] for another deadline.
pub fn update(event: &Event, update: &Update, now: Timestamp) -> Result<Decision, Refusal> {
    let title = update.title.as_ref().unwrap_or(&event.title);
    let odds = update.odds.unwrap_or(event.odds);
    let deadline = update.deadline.unwrap_or(event.deadline);
    let status = update.status.unwrap_or(event.status);
    let details_stay = *title == event.title && odds == event.odds && deadline == event.deadline;
    if details_stay && status == event.status {
        return Ok(Decision::Unchanged);
    }
    if event.status.is_final() {
        return Err(Refusal::EventFinished);
    }
    if deadline != event.deadline {
        if event.closed_at.is_some() {
            return Err(Refusal::BettingClosed);
        }
        check_deadline(deadline, now)?;
    }
    let details = Event {
        title: title.clone(),
        odds,
        deadline,
        ..event.clone()
    };
    Ok(next_revision(details, status, now))
}

/// Puts a wrong result right. Betting stays closed, even when the event is unfinished again.
///
/// # Errors
/// [`Refusal::EventNotFinished`] for an event that never had a final status.
pub fn correct(event: &Event, correction: &Correction, now: Timestamp) -> Result<Decision, Refusal> {
    if event.closed_at.is_none() {
        return Err(Refusal::EventNotFinished);
    }
    if correction.status == event.status {
        return Ok(Decision::Unchanged);
    }
    Ok(next_revision(event.clone(), correction.status, now))
}

/// Gives an event its result because its deadline has come.
///
/// # Errors
/// [`Refusal::NotDue`] for an event that was finished, even once, and for one whose deadline is ahead.
pub fn finish_at_deadline(event: &Event, status: EventStatus, now: Timestamp) -> Result<Decision, Refusal> {
    if is_open(event) && event.deadline <= now {
        Ok(next_revision(event.clone(), status, now))
    } else {
        Err(Refusal::NotDue)
    }
}

/// Whether the event never had a final status.
pub fn is_open(event: &Event) -> bool {
    event.closed_at.is_none() && !event.status.is_final()
}

fn next_revision(event: Event, status: EventStatus, now: Timestamp) -> Decision {
    let kind = if status == event.status {
        ChangeType::Updated
    } else {
        ChangeType::StatusChanged
    };
    let closed_at = match event.closed_at {
        None if status.is_final() => Some(now.min(event.deadline)),
        unchanged => unchanged,
    };
    let event = Event {
        status,
        closed_at,
        revision: event.revision + 1,
        updated_at: now,
        ..event
    };
    Decision::Changed(event, kind)
}

fn check_deadline(deadline: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if deadline <= now {
        Err(Refusal::DeadlinePassed)
    } else if deadline > two_years_after(now) {
        Err(Refusal::DeadlineTooFar)
    } else {
        Ok(())
    }
}

/// The same day and time two years later; the 1st of March where that year has no 29th of February.
fn two_years_after(now: Timestamp) -> Timestamp {
    let now = now.as_offset_date_time();
    let year = now.year() + 2;
    now.replace_year(year)
        .or_else(|_| {
            now.replace_day(1)
                .and_then(|first| first.replace_month(time::Month::March))
                .and_then(|march| march.replace_year(year))
        })
        .map_or(Timestamp::from(now), Timestamp::from)
}
