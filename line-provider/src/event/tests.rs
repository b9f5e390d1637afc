//! Both sides of each boundary of the rules.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2026-03-01T12:00:00Z";
const DEADLINE: &str = "2026-03-01T18:00:00Z";

fn new_event() -> NewEvent {
    NewEvent {
        id: "final".parse().unwrap(),
        title: "A - B".to_owned(),
        odds: "1.85".parse().unwrap(),
        deadline: at(DEADLINE),
    }
}

fn changed(decision: Result<Decision, Refusal>) -> (Event, ChangeType) {
    match decision {
        Ok(Decision::Changed(event, kind)) => (event, kind),
        other => panic!("expected a change, got {other:?}"),
    }
}

fn unfinished() -> Event {
    create(&new_event(), at(NOW)).unwrap()
}

fn status(status: EventStatus) -> Update {
    Update {
        status: Some(status),
        ..Update::default()
    }
}

fn deadline(text: &str) -> Update {
    Update {
        deadline: Some(at(text)),
        ..Update::default()
    }
}

fn won_at(now: &str) -> Event {
    changed(update(&unfinished(), &status(EventStatus::FirstTeamWon), at(now))).0
}

fn corrected(event: &Event, status: EventStatus, now: &str) -> Result<Decision, Refusal> {
    let correction = Correction {
        status,
        reason: "misread".to_owned(),
    };
    correct(event, &correction, at(now))
}

#[test]
fn a_new_event_is_unfinished_at_revision_1() {
    let event = unfinished();
    assert_eq!((event.revision, event.status), (1, EventStatus::Unfinished));
    assert_eq!((event.closed_at, event.created_at), (None, at(NOW)));
}

#[test]
fn creating_again_is_fine_with_the_same_content_only() {
    assert_eq!(create_again(&new_event(), &new_event()), Ok(()));
    let other = NewEvent {
        odds: "1.86".parse().unwrap(),
        ..new_event()
    };
    assert_eq!(create_again(&other, &new_event()), Err(Refusal::EventExists));
}

#[test]
fn a_deadline_lies_after_now_and_at_most_two_years_ahead() {
    let create_with = |deadline: &str, now: &str| {
        let new = NewEvent {
            deadline: at(deadline),
            ..new_event()
        };
        create(&new, at(now)).map(|_| ())
    };
    assert_eq!(create_with(NOW, NOW), Err(Refusal::DeadlinePassed));
    assert_eq!(create_with("2026-03-01T12:00:00.000001Z", NOW), Ok(()));
    assert_eq!(create_with("2028-03-01T12:00:00Z", NOW), Ok(()));
    assert_eq!(
        create_with("2028-03-01T12:00:00.000001Z", NOW),
        Err(Refusal::DeadlineTooFar)
    );
    let leap_day = "2028-02-29T12:00:00Z";
    assert_eq!(create_with("2030-03-01T12:00:00Z", leap_day), Ok(()));
    assert_eq!(
        create_with("2030-03-01T12:00:01Z", leap_day),
        Err(Refusal::DeadlineTooFar)
    );
}

#[test]
fn the_same_rule_holds_for_a_changed_deadline_but_not_for_the_same_one_again() {
    let event = unfinished();
    let late = at("2026-03-01T19:00:00Z");
    assert_eq!(update(&event, &deadline(DEADLINE), late), Ok(Decision::Unchanged));
    assert_eq!(
        update(&event, &deadline("2026-03-01T19:00:00Z"), late),
        Err(Refusal::DeadlinePassed)
    );
    let (postponed, kind) = changed(update(&event, &deadline("2026-03-01T19:00:01Z"), late));
    assert_eq!((postponed.revision, kind), (2, ChangeType::Updated));
    assert_eq!(postponed.closed_at, None);
}

#[test]
fn betting_closes_at_the_first_final_status_or_the_deadline_whichever_is_earlier() {
    for (now, closed_at) in [
        ("2026-03-01T17:59:59.999999Z", "2026-03-01T17:59:59.999999Z"),
        (DEADLINE, DEADLINE),
        ("2026-03-01T18:00:00.000001Z", DEADLINE),
    ] {
        assert_eq!(won_at(now).closed_at, Some(at(closed_at)), "{now}");
    }
}

#[test]
fn a_final_event_takes_its_very_same_values_and_no_others() {
    let won = won_at(NOW);
    let same = Update {
        title: Some(won.title.clone()),
        odds: Some(won.odds),
        deadline: Some(won.deadline),
        status: Some(won.status),
    };
    assert_eq!(update(&won, &same, at(NOW)), Ok(Decision::Unchanged));
    assert_eq!(update(&won, &Update::default(), at(NOW)), Ok(Decision::Unchanged));
    for other in [
        status(EventStatus::SecondTeamWon),
        status(EventStatus::Unfinished),
        deadline("2026-03-01T19:00:00Z"),
        Update {
            title: Some("B - A".to_owned()),
            ..Update::default()
        },
    ] {
        assert_eq!(update(&won, &other, at(NOW)), Err(Refusal::EventFinished));
    }
}

#[test]
fn a_status_beside_other_fields_is_one_change_of_the_status() {
    let mixed = Update {
        odds: Some("2.00".parse().unwrap()),
        deadline: Some(at("2026-03-01T13:00:00Z")),
        ..status(EventStatus::Cancelled)
    };
    let (event, kind) = changed(update(&unfinished(), &mixed, at(NOW)));
    assert_eq!((event.revision, kind), (2, ChangeType::StatusChanged));
    assert_eq!(
        (event.odds, event.closed_at),
        ("2.00".parse().unwrap(), Some(at(NOW)))
    );
}

#[test]
fn only_a_result_can_be_corrected() {
    let refused = corrected(&unfinished(), EventStatus::Cancelled, NOW);
    assert_eq!(refused, Err(Refusal::EventNotFinished));
    let won = won_at(NOW);
    assert_eq!(
        corrected(&won, EventStatus::FirstTeamWon, NOW),
        Ok(Decision::Unchanged)
    );
    let (lost, kind) = changed(corrected(
        &won,
        EventStatus::SecondTeamWon,
        "2026-03-03T00:00:00Z",
    ));
    assert_eq!((lost.revision, kind), (3, ChangeType::StatusChanged));
    assert_eq!(lost.closed_at, Some(at(NOW)));
}

#[test]
fn an_event_corrected_to_unfinished_stays_closed_and_can_be_finished_again() {
    let (reopened, _) = changed(corrected(&won_at(NOW), EventStatus::Unfinished, NOW));
    assert_eq!(reopened.closed_at, Some(at(NOW)));
    assert_eq!(
        update(&reopened, &deadline("2026-03-01T19:00:00Z"), at(NOW)),
        Err(Refusal::BettingClosed)
    );
    let later = at("2026-03-01T17:00:00Z");
    let (cancelled, _) = changed(update(&reopened, &status(EventStatus::Cancelled), later));
    assert_eq!(cancelled.closed_at, Some(at(NOW)));
}

#[test]
fn only_an_open_event_finishes_at_its_deadline_and_not_a_moment_before() {
    let event = unfinished();
    let winner = EventStatus::SecondTeamWon;
    let before = at("2026-03-01T17:59:59.999999Z");
    assert_eq!(finish_at_deadline(&event, winner, before), Err(Refusal::NotDue));
    let (finished, _) = changed(finish_at_deadline(&event, winner, at(DEADLINE)));
    assert_eq!(finished.closed_at, Some(at(DEADLINE)));
    let (reopened, _) = changed(corrected(&finished, EventStatus::Unfinished, DEADLINE));
    for closed in [finished, reopened] {
        assert_eq!(
            finish_at_deadline(&closed, winner, at(DEADLINE)),
            Err(Refusal::NotDue)
        );
    }
}
