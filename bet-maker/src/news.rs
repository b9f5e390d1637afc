//! The rule of news: whether what line-provider says of an event is to be taken over, and what follows from it. Pure.
//!
//! Within one history the higher revision wins. Across histories (generations) silence is no correction: a history
//! that lost a result, or holds an older one, does not undo the one that is known.

use std::cmp::Ordering;

use shared_types::{Event, EventStatus};

/// How a change came, which decides how far it is believed about an event of an older generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Perhaps late: never believed over another generation; the log will tell.
    Callback,
    /// The log that is followed.
    Log,
    /// A log that has yet to prove that it agrees: it may confirm or contradict, and changes nothing.
    Candidate,
}

/// An event as it stands, with what the rule needs beside the contract's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub event: Event,
    /// Which history the event's revision counts in.
    pub generation: i32,
    /// Counts what bets must follow: results, corrections, closes. Settlement is due while it lags behind.
    pub result_seq: u64,
    /// The revision that brought the last of these.
    pub result_revision: u64,
}

/// What a change is, beside what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// To be taken over.
    Newer,
    /// Nothing new, but it shows that the event is part of the candidate's history too.
    Confirmed,
    /// No news, or not to be believed over what is known.
    Old,
    /// One revision with two contents.
    Conflict,
}

/// What `event` is at this revision of the history counted in `generation`, beside what is known of it.
pub fn compare(known: Option<&Known>, event: &Event, generation: i32, source: Source) -> News {
    let Some(known) = known else {
        return match source {
            Source::Candidate => News::Old,
            Source::Callback | Source::Log => News::Newer,
        };
    };
    match (generation.cmp(&known.generation), source) {
        (Ordering::Less, _)
        | (Ordering::Equal, Source::Candidate)
        | (Ordering::Greater, Source::Callback) => News::Old,
        (Ordering::Equal, Source::Callback | Source::Log) => {
            match event.revision.cmp(&known.event.revision) {
                Ordering::Greater => News::Newer,
                Ordering::Less => News::Old,
                Ordering::Equal if repeats(event, &known.event) => News::Old,
                Ordering::Equal => News::Conflict,
            }
        }
        (Ordering::Greater, Source::Log) => match (known.event.closed_at, event.closed_at) {
            (None, _) => News::Newer,
            // A history that forgot a result is behind; its silence is not a correction, nor is an older result.
            (Some(_), None) => News::Old,
            (Some(_), Some(_)) if event.updated_at > known.event.updated_at => News::Newer,
            (Some(_), Some(_)) => News::Old,
        },
        (Ordering::Greater, Source::Candidate) => match event.revision.cmp(&known.event.revision) {
            Ordering::Equal if repeats(event, &known.event) => News::Confirmed,
            Ordering::Equal => News::Conflict,
            Ordering::Less | Ordering::Greater => News::Old,
        },
    }
}

/// Whether `event` says what is known once more, perhaps at another time. We may know of an earlier close: adopting
/// a history closes events.
fn repeats(event: &Event, known: &Event) -> bool {
    let content = |event: &Event| (event.title.clone(), event.odds, event.deadline, event.status);
    let closes_no_earlier = match known.closed_at {
        None => event.closed_at.is_none(),
        Some(known) => event.closed_at.is_none_or(|closed_at| closed_at >= known),
    };
    content(event) == content(known) && closes_no_earlier
}

impl Known {
    /// The row after `event` was taken over.
    pub fn after(before: Option<&Self>, event: &Event, generation: i32) -> Self {
        let closed_at = match (before.and_then(|known| known.event.closed_at), event.closed_at) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        let event = Event {
            closed_at,
            ..event.clone()
        };
        let verdict = (event.status, event.closed_at);
        let was = before.map_or((EventStatus::Unfinished, None), |known| {
            (known.event.status, known.event.closed_at)
        });
        let (result_seq, result_revision) =
            before.map_or((0, 0), |known| (known.result_seq, known.result_revision));
        if verdict == was {
            Self {
                event,
                generation,
                result_seq,
                result_revision,
            }
        } else {
            let result_revision = event.revision;
            Self {
                event,
                generation,
                result_seq: result_seq + 1,
                result_revision,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use shared_types::Timestamp;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros(second * 1_000_000).unwrap()
    }

    fn event(revision: u64, status: EventStatus) -> Event {
        let said_at = at(i64::try_from(revision).unwrap());
        Event {
            id: "e".parse().unwrap(),
            title: String::new(),
            odds: "1.50".parse().unwrap(),
            deadline: at(1000),
            status,
            revision,
            closed_at: status.is_final().then_some(said_at),
            created_at: at(0),
            updated_at: said_at,
        }
    }

    fn known(revision: u64, status: EventStatus) -> Known {
        Known {
            event: event(revision, status),
            generation: 1,
            result_seq: 3,
            result_revision: revision,
        }
    }

    const OPEN: EventStatus = EventStatus::Unfinished;
    const FIRST: EventStatus = EventStatus::FirstTeamWon;
    const SECOND: EventStatus = EventStatus::SecondTeamWon;

    #[test]
    fn an_unknown_event_is_news_from_all_but_a_candidate() {
        assert_eq!(compare(None, &event(1, OPEN), 1, Source::Callback), News::Newer);
        assert_eq!(compare(None, &event(1, OPEN), 1, Source::Log), News::Newer);
        assert_eq!(compare(None, &event(1, OPEN), 2, Source::Candidate), News::Old);
    }

    #[test]
    fn within_a_history_the_higher_revision_wins_and_an_equal_one_must_say_the_same() {
        let known = known(2, OPEN);
        for source in [Source::Callback, Source::Log] {
            let compare = |event: &Event| compare(Some(&known), event, 1, source);
            assert_eq!(compare(&event(1, OPEN)), News::Old);
            assert_eq!(compare(&event(2, OPEN)), News::Old);
            assert_eq!(compare(&event(2, FIRST)), News::Conflict);
            assert_eq!(
                compare(&Event {
                    odds: "1.51".parse().unwrap(),
                    ..event(2, OPEN)
                }),
                News::Conflict
            );
            assert_eq!(compare(&event(3, OPEN)), News::Newer);
        }
    }

    #[test]
    fn a_close_that_we_know_to_be_earlier_is_no_conflict_but_one_that_we_did_not_know_is() {
        let mut closed = known(2, FIRST);
        closed.event.closed_at = Some(at(1));
        assert_eq!(
            compare(Some(&closed), &event(2, FIRST), 1, Source::Log),
            News::Old
        );
        closed.event.closed_at = Some(at(3));
        assert_eq!(
            compare(Some(&closed), &event(2, FIRST), 1, Source::Log),
            News::Conflict
        );
    }

    #[test]
    fn a_candidate_confirms_or_contradicts_the_very_revision_and_changes_nothing() {
        let known = known(2, FIRST);
        let compare = |event: &Event| compare(Some(&known), event, 2, Source::Candidate);
        assert_eq!(compare(&event(1, OPEN)), News::Old);
        assert_eq!(compare(&event(2, FIRST)), News::Confirmed);
        assert_eq!(
            compare(&Event {
                updated_at: at(9),
                ..event(2, FIRST)
            }),
            News::Confirmed
        );
        assert_eq!(compare(&event(2, SECOND)), News::Conflict);
        assert_eq!(compare(&event(3, SECOND)), News::Old);
    }

    #[test]
    fn a_newer_history_is_believed_but_for_what_it_lost() {
        let compare = |known: &Known, event: &Event| compare(Some(known), event, 2, Source::Log);
        assert_eq!(compare(&known(5, OPEN), &event(1, OPEN)), News::Newer);
        assert_eq!(
            compare(&known(5, FIRST), &event(1, OPEN)),
            News::Old,
            "a lost result"
        );
        assert_eq!(
            compare(&known(5, FIRST), &event(5, SECOND)),
            News::Old,
            "said no later"
        );
        assert_eq!(
            compare(&known(5, FIRST), &event(6, SECOND)),
            News::Newer,
            "said later"
        );
    }

    #[test]
    fn a_callback_is_never_believed_over_another_generation_nor_an_older_history_over_a_newer() {
        assert_eq!(
            compare(Some(&known(1, OPEN)), &event(2, FIRST), 2, Source::Callback),
            News::Old
        );
        for source in [Source::Callback, Source::Log, Source::Candidate] {
            assert_eq!(
                compare(Some(&known(1, OPEN)), &event(2, FIRST), 0, source),
                News::Old
            );
        }
    }

    #[test]
    fn a_change_that_bets_must_follow_is_counted() {
        let before = known(1, OPEN);
        let moved = Known::after(
            Some(&before),
            &Event {
                deadline: at(2000),
                ..event(2, OPEN)
            },
            1,
        );
        assert_eq!((moved.result_seq, moved.result_revision), (3, 1));
        let won = Known::after(Some(&before), &event(2, FIRST), 1);
        assert_eq!((won.result_seq, won.result_revision), (4, 2));
        assert_eq!(Known::after(None, &event(1, OPEN), 1).result_seq, 0);
        assert_eq!(Known::after(None, &event(2, FIRST), 1).result_seq, 1);
    }

    #[test]
    fn the_earliest_close_stays() {
        let mut before = known(2, FIRST);
        before.event.closed_at = Some(at(1));
        assert_eq!(
            Known::after(Some(&before), &event(3, SECOND), 1).event.closed_at,
            Some(at(1))
        );
        before.event.closed_at = Some(at(9));
        assert_eq!(
            Known::after(Some(&before), &event(3, SECOND), 1).event.closed_at,
            Some(at(3))
        );
        assert_eq!(
            Known::after(Some(&before), &event(3, OPEN), 1).event.closed_at,
            Some(at(9))
        );
    }
}
