//! Flipped bytes and cut off files: the journal is refused, or what it holds is exactly what it held.

use std::fs;
use std::path::Path;

use line_provider::catalogue::Entry;
use line_provider::journal::{Contents, Journal, JournalError, Record, Write};
use line_provider::subscription::{Register, Registration, register};
use shared_types::signature::Secret;
use shared_types::{ChangeType, Event, EventStatus, SubscriptionId, Timestamp};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

const COMMITS: u64 = 40;

fn event(number: u64, revision: u64) -> Event {
    let now = Timestamp::from_unix_micros(1_800_000_000_000_000).unwrap();
    Event {
        id: format!("event-{number}").parse().unwrap(),
        title: format!("title of {number} at {revision}"),
        odds: "1.85".parse().unwrap(),
        deadline: now,
        status: EventStatus::Unfinished,
        revision,
        closed_at: None,
        created_at: now,
        updated_at: now,
    }
}

fn change(position: u64, kind: ChangeType, event: Event) -> Write {
    let entry = Entry::new(event);
    Write::Change(Record {
        position,
        event_id: entry.event.id.clone(),
        revision: entry.event.revision,
        kind,
        occurred_at: entry.event.updated_at,
        body: entry.json,
        note: None,
        trace: None,
    })
}

fn registration() -> Registration {
    let wanted = Register {
        url: "http://127.0.0.1:9/".parse().unwrap(),
        event_types: None,
        secret: None,
        fresh: (
            SubscriptionId::from_uuid(Uuid::nil()),
            Secret::from_bytes(&[7; 32]).unwrap(),
        ),
    };
    register(None, wanted, Timestamp::from_unix_micros(0).unwrap())
}

/// Commits of two changes each: an event, and its second revision.
fn fill(journal: &mut Journal) {
    for number in 0..COMMITS {
        let writes = [
            change(2 * number + 1, ChangeType::Created, event(number, 1)),
            change(2 * number + 2, ChangeType::Updated, event(number, 2)),
        ];
        journal.commit(&writes).unwrap();
    }
}

fn open(folder: &Path) -> Result<(Journal, Contents), JournalError> {
    Journal::open(folder, Uuid::now_v7(), Timestamp::now())
}

/// Everything that a journal tells, in a fixed order.
async fn told(journal: &Journal, mut contents: Contents) -> String {
    contents
        .events
        .sort_by(|a, b| a.newest.event.id.cmp(&b.newest.event.id));
    let log = journal.log(contents.head).unwrap();
    let changes = log.read(0, usize::MAX >> 1).await.unwrap();
    format!("{} {contents:?} {changes:?}", journal.instance())
}

/// A folder with these files.
fn folder_of(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Every byte of the file's head, then about 300 spread over the rest.
fn offsets(length: usize) -> impl Iterator<Item = usize> {
    const HEAD: usize = 100;
    // Odd, so that they do not fall on the same place of every page.
    let step = (length / 300) | 1;
    (0..HEAD).chain((HEAD..length).step_by(step))
}

#[actix_rt::test]
async fn a_flipped_byte_in_the_journal_is_refused_or_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    fill(&mut journal);
    journal
        .commit(&[Write::Subscribe(Arc::new(registration()), 2 * COMMITS)])
        .unwrap();
    journal.close().unwrap();
    let bytes = fs::read(folder.path().join("journal.sqlite")).unwrap();
    let (journal, contents) = open(folder.path()).unwrap();
    let before = told(&journal, contents).await;
    let mut refused = 0;
    let mut tried = 0;
    for offset in offsets(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 0x55;
        let folder = folder_of(&[("journal.sqlite", &flipped)]);
        tried += 1;
        match open(folder.path()) {
            Err(_) => refused += 1,
            Ok((journal, contents)) => {
                let after = told(&journal, contents).await;
                assert!(after == before, "a flip at {offset} changed what is told");
            }
        }
    }
    assert!(
        refused > tried / 4,
        "only {refused} of {tried} flips were noticed"
    );
}

#[actix_rt::test]
async fn a_flipped_byte_in_the_write_ahead_log_is_refused_or_costs_the_last_commit_at_most() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    fill(&mut journal);
    let file = fs::read(folder.path().join("journal.sqlite")).unwrap();
    let wal = fs::read(folder.path().join("journal.sqlite-wal")).unwrap();
    let mut refused = 0;
    for offset in offsets(wal.len()) {
        let mut flipped = wal.clone();
        flipped[offset] ^= 0x55;
        let folder = folder_of(&[("journal.sqlite", &file), ("journal.sqlite-wal", &flipped)]);
        match open(folder.path()) {
            Err(JournalError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("a flip at {offset}: {error}"),
            Ok((_, contents)) => assert!(
                contents.head >= 2 * (COMMITS - 1),
                "a flip at {offset} silently undid changes: {}",
                contents.head
            ),
        }
    }
    assert!(refused > 0);
}

#[actix_rt::test]
async fn a_write_ahead_log_that_a_crash_cut_off_gives_whole_commits() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    fill(&mut journal);
    let file = fs::read(folder.path().join("journal.sqlite")).unwrap();
    let wal = fs::read(folder.path().join("journal.sqlite-wal")).unwrap();
    let mut last = 0;
    for length in (0..wal.len()).step_by(1733) {
        let folder = folder_of(&[("journal.sqlite", &file), ("journal.sqlite-wal", &wal[..length])]);
        let (_, contents) = open(folder.path()).unwrap();
        assert_eq!(contents.head % 2, 0, "half a commit");
        assert!(contents.head >= last);
        last = contents.head;
    }
    assert!(last > COMMITS);
}

#[actix_rt::test]
async fn a_journal_that_was_cut_off_is_refused() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    fill(&mut journal);
    journal.close().unwrap();
    let bytes = fs::read(folder.path().join("journal.sqlite")).unwrap();
    for length in (1..bytes.len()).step_by(509) {
        let folder = folder_of(&[("journal.sqlite", &bytes[..length])]);
        let error = open(folder.path()).err().unwrap();
        assert!(error.to_string().contains("journal.sqlite"), "{error}");
    }
}
