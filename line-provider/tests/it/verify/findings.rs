//! One kind of damage at a time: it is found, all of it, and named by its check.

use std::path::Path;

use line_provider::catalogue::Entry;
use line_provider::journal::{Record, Write};
use shared_types::{ChangeType, Event, EventStatus, Timestamp};

use super::{execute, findings, journal, open};

/// Writes to the journal what its program never would, each row with a right checksum.
fn write(folder: &Path, writes: &[Write]) {
    let (mut journal, _) = open(folder);
    journal.commit(writes).unwrap();
    journal.close().unwrap();
}

/// The next change of the event, as `edit` makes it.
fn change(folder: &Path, id: &str, kind: ChangeType, edit: impl FnOnce(&mut Event)) -> Write {
    let (_, contents) = open(folder);
    let known = contents
        .events
        .into_iter()
        .find(|known| known.newest.event.id.as_str() == id);
    let mut event = known.unwrap().newest.event;
    event.revision += 1;
    event.updated_at = Timestamp::now();
    edit(&mut event);
    let entry = Entry::new(event);
    Write::Change(Record {
        position: contents.head + 1,
        event_id: id.parse().unwrap(),
        revision: entry.event.revision,
        kind,
        occurred_at: entry.event.updated_at,
        body: entry.json,
        note: None,
        trace: None,
    })
}

#[actix_rt::test]
async fn damaged_rows_are_all_found_and_named() {
    let checksum = "its checksum does not match";
    let cases: [(&str, &[&str]); 10] = [
        (
            "delete from changes where position = 3",
            &[
                "positions: position 3 is missing, 4 follows 2",
                "revisions: the change at position 4: revision 3 of event a follows 1",
            ],
        ),
        (
            "update changes set body = replace(body, '1.85', '9.85') where position in (1, 2)",
            &[
                "checksums: the change at position 1: ",
                "checksums: the change at position 2: ",
            ],
        ),
        (
            "update changes set revision = 7 where position = 2",
            &[
                "checksums: the change at position 2: ",
                "revisions: the change at position 2: revision 7 of event b follows 0",
                "revisions: the change at position 2: an event is created by its first revision and by no other",
                "events: the event at position 2 is not the one that changed",
            ],
        ),
        (
            "update subscription_cursors set cursor = 2",
            &["subscriptions: a subscription's cursor: ", " has no cursor"],
        ),
        ("delete from subscription_cursors", &[" has no cursor"]),
        (
            "delete from subscriptions",
            &["subscriptions: the subscription of cursor "],
        ),
        (
            "delete from journal",
            &["instance: the row that holds its instance is missing"],
        ),
        (
            "update journal set created_at = 1",
            &["instance: the row that holds its instance "],
        ),
        (
            "drop table subscriptions",
            &["structure: cannot read the subscriptions of "],
        ),
        (
            "pragma writable_schema = on; update sqlite_schema set rootpage = 3 where name = 'journal'",
            &[
                "structure: cannot check the structure of ",
                "structure: cannot read the instance of ",
            ],
        ),
    ];
    for (sql, expected) in cases {
        let folder = journal().await;
        execute(folder.path(), sql);
        let found = findings(folder.path());
        assert_eq!(found.lines().count(), expected.len(), "{sql}:\n{found}");
        for (line, expected) in found.lines().zip(expected) {
            assert!(line.contains(expected), "{sql}:\n{found}");
            assert!(
                !line.starts_with("checksums") || line.ends_with(checksum),
                "{sql}:\n{found}"
            );
        }
    }
}

#[actix_rt::test]
async fn what_no_rule_allows_is_found_although_every_checksum_is_right() {
    type Edit = fn(&mut Event);
    let edits: [(&str, ChangeType, Edit, &str); 6] = [
        (
            "b",
            ChangeType::StatusChanged,
            |event| {
                event.status = EventStatus::Cancelled;
                event.closed_at = Some(event.created_at);
            },
            "closed_at: the change at position 6: event b has closed_at ",
        ),
        (
            "a",
            ChangeType::StatusChanged,
            |event| {
                event.status = EventStatus::Cancelled;
                event.closed_at = Some(event.updated_at);
            },
            "closed_at: the change at position 6: event a has closed_at ",
        ),
        (
            "a",
            ChangeType::Updated,
            |event| event.deadline = event.updated_at,
            "deadlines: the change at position 6: event a got the deadline ",
        ),
        (
            "b",
            ChangeType::Updated,
            |event| event.updated_at = event.created_at,
            "times: the change at position 6 occurred at ",
        ),
        (
            "b",
            ChangeType::Updated,
            |event| event.created_at = event.updated_at,
            "times: the change at position 6: event b has created_at ",
        ),
        (
            "b",
            ChangeType::StatusChanged,
            |event| event.title.push('!'),
            "events: the change at position 6: event b is told by event.status_changed, but ",
        ),
    ];
    for (id, kind, edit, expected) in edits {
        let folder = journal().await;
        let change = change(folder.path(), id, kind, edit);
        write(folder.path(), &[change]);
        // The start is content: it reads each event's ends only.
        open(folder.path());
        let found = findings(folder.path());
        assert!(found.starts_with(expected), "{expected}:\n{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[actix_rt::test]
async fn a_cursor_beyond_the_head_is_found_although_its_checksum_is_right() {
    let folder = journal().await;
    let (mut journal, contents) = open(folder.path());
    let id = contents.subscriptions[0].0.id;
    journal.commit(&[Write::Cursor(id, 6)]).unwrap();
    journal.close().unwrap();
    let expected = format!("subscriptions: subscription {id} was served up to 6, but the log ends at 5\n");
    assert_eq!(findings(folder.path()), expected);
}
