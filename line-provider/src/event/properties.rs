//! What holds for every sequence of commands at any times.

use proptest::prelude::*;

use super::*;

const CREATED_MICROS: i64 = 1_772_366_400_000_000;

#[derive(Clone, Debug)]
enum Command {
    Update(Update),
    Correct(Correction),
    Finish(EventStatus),
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(CREATED_MICROS + seconds * 1_000_000).unwrap()
}

fn any_status() -> impl Strategy<Value = EventStatus> {
    prop::sample::select(EventStatus::ALL.to_vec())
}

fn any_command() -> impl Strategy<Value = Command> {
    let update = (
        prop::option::of("[ab]{0,1}"),
        prop::option::of(1..4_i64),
        prop::option::of(-5..50_i64),
        prop::option::of(any_status()),
    );
    prop_oneof![
        update.prop_map(|(title, odds, deadline, status)| Command::Update(Update {
            title,
            odds: odds.map(|odds| Odds::from_hundredths(odds).unwrap()),
            deadline: deadline.map(moment),
            status,
        })),
        any_status().prop_map(|status| Command::Correct(Correction {
            status,
            reason: "misread".to_owned(),
        })),
        any_status()
            .prop_filter("a result", |status| status.is_final())
            .prop_map(Command::Finish),
    ]
}

fn decide(event: &Event, command: &Command, now: Timestamp) -> Result<Decision, Refusal> {
    match command {
        Command::Update(wanted) => update(event, wanted, now),
        Command::Correct(correction) => correct(event, correction, now),
        Command::Finish(status) => finish_at_deadline(event, *status, now),
    }
}

proptest! {
    #[test]
    fn revisions_count_changes_and_betting_closes_once(
        commands in prop::collection::vec((any_command(), 0..10_i64), 0..30),
    ) {
        let new = NewEvent {
            id: "e".parse().unwrap(),
            title: String::new(),
            odds: Odds::from_hundredths(185).unwrap(),
            deadline: moment(20),
        };
        let mut event = create(&new, moment(0)).unwrap();
        let mut now = 0;
        for (command, later) in commands {
            now += later;
            let Ok(Decision::Changed(next, kind)) = decide(&event, &command, moment(now)) else {
                continue;
            };
            prop_assert_eq!(next.revision, event.revision + 1);
            prop_assert_eq!(kind == ChangeType::StatusChanged, next.status != event.status);
            prop_assert!(!next.status.is_final() || next.closed_at.is_some());
            if let Some(closed_at) = event.closed_at {
                prop_assert_eq!(next.closed_at, Some(closed_at));
                prop_assert_eq!(next.deadline, event.deadline);
            } else if let Some(closed_at) = next.closed_at {
                prop_assert_eq!(closed_at, moment(now).min(next.deadline));
            }
            if !matches!(command, Command::Finish(_)) {
                prop_assert_eq!(decide(&next, &command, moment(now)), Ok(Decision::Unchanged));
            }
            prop_assert_eq!((&next.id, next.created_at), (&event.id, event.created_at));
            event = next;
        }
    }
}
