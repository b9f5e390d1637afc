//! What a change may make of its event: the rules of [`crate::event`] told once more, from the outside, for `verify`.
//!
//! Pure: an event before and after a change, and the change, give what does not add up.

use shared_types::{ChangeType, Event, Timestamp};

use super::reading::Check;
use super::record::Record;

type Found = (Check, String);

/// What is wrong with a change that made `after` of `before`; `None` where it created the event.
pub(super) fn judge(before: Option<&Event>, after: &Event, record: &Record) -> Vec<Found> {
    let mut found = Vec::new();
    let wrong = |check: Check, what: String| {
        let (at, id) = (record.position, &record.event_id);
        (check, format!("the change at position {at}: event {id} {what}"))
    };
    found.extend(kind(before, after, record).map(|what| wrong(Check::Events, what)));
    found.extend(details(before, after).map(|what| wrong(Check::Events, what)));
    found.extend(closed_at(before, after).map(|what| wrong(Check::ClosedAt, what)));
    found.extend(deadline(before, after).map(|what| wrong(Check::Deadlines, what)));
    found.extend(times(before, after, record).map(|what| wrong(Check::Times, what)));
    found
}

fn kind(before: Option<&Event>, after: &Event, record: &Record) -> Option<String> {
    let expected = match before {
        None => ChangeType::Created,
        Some(before) if before.status == after.status => ChangeType::Updated,
        Some(_) => ChangeType::StatusChanged,
    };
    (record.kind != expected).then(|| {
        let (is, should) = (record.kind.as_str(), expected.as_str());
        format!("is told by {is}, but what changed is told by {should}")
    })
}

/// A final event has no other title and no other odds than those with which it ended.
fn details(before: Option<&Event>, after: &Event) -> Option<String> {
    let before = before.filter(|before| before.status.is_final())?;
    let stay = (&before.title, before.odds) == (&after.title, after.odds);
    (!stay).then(|| "got another title or other odds after it had ended".to_owned())
}

fn closed_at(before: Option<&Event>, after: &Event) -> Option<String> {
    let first_final = || {
        let closes = after.status.is_final();
        closes.then(|| after.updated_at.min(after.deadline))
    };
    let expected = before.and_then(|before| before.closed_at).or_else(first_final);
    (after.closed_at != expected).then(|| {
        let (is, should) = (moment(after.closed_at), moment(expected));
        format!("has closed_at {is}, but {should} follows from its changes")
    })
}

fn deadline(before: Option<&Event>, after: &Event) -> Option<String> {
    let before = before.filter(|before| before.closed_at.is_some())?;
    let (was, is) = (before.deadline, after.deadline);
    (was != is).then(|| format!("got the deadline {is} in place of {was} after it had closed"))
}

fn times(before: Option<&Event>, after: &Event, record: &Record) -> Option<String> {
    let (updated_at, occurred_at) = (after.updated_at, record.occurred_at);
    if updated_at != occurred_at {
        return Some(format!(
            "has updated_at {updated_at}, but it occurred at {occurred_at}"
        ));
    }
    let created_at = before.map_or(updated_at, |before| before.created_at);
    (after.created_at != created_at).then(|| {
        let is = after.created_at;
        format!("has created_at {is}, but it was created at {created_at}")
    })
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "null".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use shared_types::EventStatus;

    use super::*;
    use crate::event::{Correction, Decision, NewEvent, Update, correct, create, finish_at_deadline, update};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros(second * 1_000_000).unwrap()
    }

    fn created() -> Event {
        let new = NewEvent {
            id: "e".parse().unwrap(),
            title: "A - B".to_owned(),
            odds: "1.85".parse().unwrap(),
            deadline: at(1000),
        };
        create(&new, at(0)).unwrap()
    }

    fn record(kind: ChangeType, after: &Event) -> Record {
        Record {
            position: 7,
            event_id: after.id.clone(),
            revision: after.revision,
            kind,
            occurred_at: after.updated_at,
            body: "".into(),
            note: None,
            trace: None,
        }
    }

    fn changed(decision: Decision) -> (Event, ChangeType) {
        match decision {
            Decision::Changed(event, kind) => (event, kind),
            Decision::Unchanged => panic!("nothing changed"),
        }
    }

    /// Steps that the rules of events take, each with what it was taken from.
    fn lawful() -> Vec<(Option<Event>, Event, ChangeType)> {
        let first = created();
        let patch = Update {
            title: Some("B - A".to_owned()),
            deadline: Some(at(2000)),
            ..Update::default()
        };
        let (moved, updated) = changed(update(&first, &patch, at(10)).unwrap());
        let patch = Update {
            odds: Some("3".parse().unwrap()),
            status: Some(EventStatus::FirstTeamWon),
            ..Update::default()
        };
        let (won, ended) = changed(update(&moved, &patch, at(20)).unwrap());
        let reopened = Correction {
            status: EventStatus::Unfinished,
            reason: "wrong game".to_owned(),
        };
        let (open, corrected) = changed(correct(&won, &reopened, at(30)).unwrap());
        let (late, at_deadline) =
            changed(finish_at_deadline(&first, EventStatus::SecondTeamWon, at(5000)).unwrap());
        vec![
            (None, first.clone(), ChangeType::Created),
            (Some(first.clone()), moved.clone(), updated),
            (Some(moved), won.clone(), ended),
            (Some(won), open, corrected),
            (Some(first), late, at_deadline),
        ]
    }

    #[test]
    fn what_the_rules_decide_is_found_right() {
        for (before, after, kind) in lawful() {
            assert_eq!(judge(before.as_ref(), &after, &record(kind, &after)), []);
        }
    }

    #[test]
    fn each_departure_from_the_rules_is_found_under_its_check() {
        type Spoil = fn(&mut Event, &mut Record);
        let (moved, won, reopened, late) = (1, 2, 3, 4);
        let spoilt: [(usize, Check, Spoil); 11] = [
            (moved, Check::Events, |_, change| {
                change.kind = ChangeType::StatusChanged
            }),
            (won, Check::Events, |_, change| change.kind = ChangeType::Updated),
            (reopened, Check::Events, |event, _| {
                event.odds = "9".parse().unwrap()
            }),
            (reopened, Check::Events, |event, _| event.title.push('!')),
            (moved, Check::ClosedAt, |event, _| event.closed_at = Some(at(5))),
            (won, Check::ClosedAt, |event, _| event.closed_at = None),
            (reopened, Check::ClosedAt, |event, _| {
                event.closed_at = Some(at(19))
            }),
            (late, Check::ClosedAt, |event, _| event.closed_at = Some(at(5000))),
            (reopened, Check::Deadlines, |event, _| event.deadline = at(3000)),
            (moved, Check::Times, |event, _| event.created_at = at(1)),
            (moved, Check::Times, |_, change| change.occurred_at = at(9)),
        ];
        for (index, (step, check, spoil)) in spoilt.into_iter().enumerate() {
            let (before, mut after, kind) = lawful().swap_remove(step);
            let mut record = record(kind, &after);
            spoil(&mut after, &mut record);
            let found = judge(before.as_ref(), &after, &record);
            let checks: Vec<_> = found.iter().map(|(check, _)| *check).collect();
            assert_eq!(checks, [check], "{index}: {found:?}");
        }
    }
}
