//! Whether a page of the log continues the history that was read so far. Pure.

use shared_types::{Change, ChangesPage, Instance};

use crate::store::feed::{Bookmark, Digest};

/// How a history broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("line-provider has another journal ({now}) than the one that was read ({before})")]
    OtherInstance { before: Instance, now: Instance },
    #[error(
        "line-provider's log ends at {head}, before position {read} that was read already: its journal was set back"
    )]
    SetBack { head: u64, read: u64 },
    #[error("line-provider's log holds another change at position {position} than the one that was read")]
    Rewritten { position: u64 },
    #[error("line-provider's log gives {revisions} revisions another content than the one that was learnt")]
    Contradicted { revisions: usize },
    #[error("line-provider's log holds a change at position {position} that cannot be: {why}")]
    Implausible { position: u64, why: &'static str },
    #[error("line-provider's page does not start where it was asked to, at {asked}")]
    Misplaced { asked: u64 },
}

/// Where to read on from: one before the bookmark, so that the page shows again what the bookmark stands on.
pub fn after(bookmark: &Bookmark) -> u64 {
    bookmark.position.saturating_sub(1)
}

/// Whether the log still reaches as far as anything that was heard of its history.
///
/// # Errors
/// [`Break::SetBack`].
pub fn reaches(highest: u64, page: &ChangesPage) -> Result<(), Break> {
    if page.head < highest {
        Err(Break::SetBack {
            head: page.head,
            read: highest,
        })
    } else {
        Ok(())
    }
}

/// The changes of `page`, read from [`after`], that follow the bookmark.
///
/// # Errors
/// [`Break`], by cause.
pub fn continued<'a>(bookmark: &Bookmark, page: &'a ChangesPage) -> Result<&'a [Change], Break> {
    if page.instance != bookmark.instance {
        return Err(Break::OtherInstance {
            before: bookmark.instance,
            now: page.instance,
        });
    }
    reaches(bookmark.position, page)?;
    let asked = after(bookmark);
    let positions = page.items.iter().map(|change| change.position);
    if !positions.eq((asked + 1..).take(page.items.len())) {
        return Err(Break::Misplaced { asked });
    }
    for change in &page.items {
        let position = change.position;
        plausible(change).map_err(|(_, why)| Break::Implausible { position, why })?;
    }
    if page.items.is_empty() && page.head > bookmark.position {
        return Err(Break::Misplaced { asked });
    }
    let Some(digest) = &bookmark.digest else {
        return Ok(&page.items);
    };
    match page.items.split_first() {
        Some((first, rest)) if Digest::of(first) == *digest => Ok(rest),
        Some(_) => Err(Break::Rewritten {
            position: bookmark.position,
        }),
        None => Err(Break::Misplaced { asked }),
    }
}

/// Whether a change agrees with the event that it carries, and holds nothing that Postgres cannot.
///
/// # Errors
/// The first member that is wrong, as a callback names it, and its rule.
pub fn plausible(change: &Change) -> Result<(), (&'static str, &'static str)> {
    let event = &change.event;
    let counts = [
        ("data.position", change.position),
        ("data.revision", change.revision),
    ];
    if let Some((member, _)) = counts
        .into_iter()
        .find(|(_, count)| *count == 0 || i64::try_from(*count).is_err())
    {
        return Err((member, "must be 1 or more, and below 2^63"));
    }
    if event.id != change.event_id {
        return Err(("data.event_id", "must be the id of the event"));
    }
    if event.revision != change.revision {
        return Err(("data.revision", "must be the revision of the event"));
    }
    if event.title.contains('\0') {
        return Err(("data.event.title", "must not hold U+0000"));
    }
    if event.status.is_final() && event.closed_at.is_none() {
        return Err(("data.event.closed_at", "must be set once the status is final"));
    }
    Ok(())
}

/// The bookmark behind the last of `changes`, or as it was if there are none.
pub fn moved(bookmark: &Bookmark, changes: &[Change]) -> Bookmark {
    match changes.last() {
        Some(last) => Bookmark {
            instance: bookmark.instance,
            position: last.position,
            digest: Some(Digest::of(last)),
        },
        None => bookmark.clone(),
    }
}

#[cfg(test)]
mod tests {
    use shared_types::{ChangeType, Event, EventStatus, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn instance(n: u128) -> Instance {
        Instance::from_uuid(Uuid::from_u128(n))
    }

    fn change(position: u64, title: &str) -> Change {
        let at = Timestamp::from_unix_micros(0).unwrap();
        let event = Event {
            id: "e".parse().unwrap(),
            title: title.into(),
            odds: "1.50".parse().unwrap(),
            deadline: at,
            status: EventStatus::Unfinished,
            revision: position,
            closed_at: None,
            created_at: at,
            updated_at: at,
        };
        Change {
            position,
            instance: instance(1),
            kind: ChangeType::Updated,
            event_id: event.id.clone(),
            revision: position,
            occurred_at: at,
            event,
        }
    }

    fn page(positions: std::ops::RangeInclusive<u64>, head: u64) -> ChangesPage {
        let items: Vec<_> = positions.map(|position| change(position, "")).collect();
        let next = items.last().map_or(0, |last| last.position);
        ChangesPage {
            instance: instance(1),
            head,
            items,
            next,
        }
    }

    fn at(position: u64) -> Bookmark {
        Bookmark {
            instance: instance(1),
            position,
            digest: Some(Digest::of(&change(position, ""))),
        }
    }

    #[test]
    fn a_page_that_repeats_the_bookmark_continues_behind_it() {
        let start = Bookmark::start_of(instance(1));
        assert_eq!(continued(&start, &page(1..=3, 3)).unwrap().len(), 3);
        let next = page(3..=5, 5);
        let new = continued(&at(3), &next).unwrap();
        assert_eq!(
            new.iter().map(|change| change.position).collect::<Vec<_>>(),
            [4, 5]
        );
        assert_eq!(moved(&at(3), new), at(5));
        assert_eq!(moved(&at(3), &[]), at(3));
    }

    #[test]
    fn another_journal_a_shorter_log_and_a_rewritten_change_are_breaks() {
        let other = ChangesPage {
            instance: instance(2),
            ..page(3..=3, 3)
        };
        assert_eq!(
            continued(&at(3), &other),
            Err(Break::OtherInstance {
                before: instance(1),
                now: instance(2)
            })
        );
        assert_eq!(
            continued(&at(3), &page(2..=2, 2)),
            Err(Break::SetBack { head: 2, read: 3 })
        );
        let mut rewritten = page(3..=4, 4);
        rewritten.items[0] = change(3, "rewritten");
        assert_eq!(
            continued(&at(3), &rewritten),
            Err(Break::Rewritten { position: 3 })
        );
    }

    #[test]
    fn a_change_that_contradicts_itself_stops_the_reading() {
        type Spoil = fn(&mut Change);
        let wrong: [(Spoil, &str); 6] = [
            (|change| change.revision = 0, "must be 1 or more, and below 2^63"),
            (
                |change| change.revision = u64::MAX,
                "must be 1 or more, and below 2^63",
            ),
            (
                |change| change.event_id = "other".parse().unwrap(),
                "must be the id of the event",
            ),
            (
                |change| change.event.revision += 1,
                "must be the revision of the event",
            ),
            (
                |change| change.event.title = "a\0b".into(),
                "must not hold U+0000",
            ),
            (
                |change| change.event.status = EventStatus::Cancelled,
                "must be set once the status is final",
            ),
        ];
        for (spoil, why) in wrong {
            let mut page = page(3..=4, 4);
            spoil(&mut page.items[1]);
            assert_eq!(
                continued(&at(3), &page),
                Err(Break::Implausible { position: 4, why })
            );
        }
    }

    #[test]
    fn a_page_with_a_gap_or_without_the_bookmark_is_misplaced() {
        assert_eq!(
            continued(&at(3), &page(4..=5, 5)),
            Err(Break::Misplaced { asked: 2 })
        );
        let mut gap = page(3..=5, 5);
        gap.items.remove(1);
        assert_eq!(continued(&at(3), &gap), Err(Break::Misplaced { asked: 2 }));
        let empty = ChangesPage {
            items: vec![],
            ..page(3..=3, 3)
        };
        assert_eq!(continued(&at(3), &empty), Err(Break::Misplaced { asked: 2 }));
        assert_eq!(
            continued(&Bookmark::start_of(instance(1)), &empty),
            Err(Break::Misplaced { asked: 0 })
        );
    }
}
