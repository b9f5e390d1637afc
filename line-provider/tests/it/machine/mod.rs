//! The writer and its journal on a real folder, against a reference in plain Rust: whatever is committed, in whichever
//! order it is closed, copied as a crash leaves it, cut off and opened again, it holds exactly what was acknowledged.

mod asking;
mod image;
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use line_provider::catalogue::Catalogue;
use line_provider::clock::Clock;
use line_provider::journal::{self, Journal, Log};
use line_provider::subscription::Registration;
use line_provider::subscription::board::Board;
use line_provider::writer::{ReadModels, Writer, WriterThread};
use proptest::prelude::*;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use shared_types::{Change, ChangeType, Event, Instance, Timestamp};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use uuid::Uuid;

use asking::{callback_url, number, standing};
use image::{Image, WAL};
use reference::{Contents, Reference, Subscription, Transition, share};

/// A log that claims this head has nothing of it in memory, and reads everything from the disk.
const OUT_OF_MEMORY: u64 = 1 << 40;

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_holds_what_was_acknowledged_however_it_is_left(sequential 1..25 => Machine);
}

struct Machine {
    runtime: Runtime,
    instance: Instance,
    clock: Arc<AtomicI64>,
    writer: Writer,
    thread: WriterThread,
    read_models: ReadModels,
    from_disk: Log,
    folder: TempDir,
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Self {
        Self::open(TempDir::new().unwrap(), None, reference)
    }

    fn apply(machine: Self, reference: &Reference, transition: Transition) -> Self {
        machine.clock.store(reference.now.unix_micros(), Ordering::SeqCst);
        match transition {
            Transition::Commit(commands) => machine.carry_out(&commands, reference),
            Transition::CloseAndOpen => {
                let instance = machine.instance;
                let folder = machine.close();
                let wal = fs::metadata(folder.path().join(WAL));
                assert_eq!(wal.map_or(0, |wal| wal.len()), 0, "everything is in the one file");
                return Self::open(folder, Some(instance), reference);
            }
            Transition::CrashAndOpen => {
                let (image, instance) = (Image::of(machine.folder.path()), machine.instance);
                machine.close();
                return Self::open(image.folder(), Some(instance), reference);
            }
            Transition::CommitWithTornTwins { commands, cuts } => {
                let before = Image::of(machine.folder.path());
                machine.carry_out(&commands, reference);
                let whole = Image::of(machine.folder.path());
                for cut in 0..=cuts {
                    let torn = whole.torn(&before, usize::from(cut), cuts.into());
                    machine.check_torn(&torn, reference);
                }
                machine.check_torn(&whole, &reference.at_the_end());
            }
            Transition::Read { percent, limit } => {
                machine.read(share(percent, reference.log.len()), limit.into(), reference);
            }
        }
        machine
    }

    fn check_invariants(machine: &Self, reference: &Reference) {
        let ReadModels { catalogue, log, .. } = &machine.read_models;
        assert_eq!(log.head(), count(reference.log.len()));
        assert_eq!(catalogue.len(), reference.events.len());
        assert!(machine.writer.is_running());
    }

    fn teardown(machine: Self, reference: Reference) {
        let instance = machine.instance;
        let folder = machine.close();
        Self::open(folder, Some(instance), &reference).close();
    }
}

impl Machine {
    /// Opens the folder and checks that it holds what the reference does; the instance too, where there was one.
    fn open(folder: TempDir, instance: Option<Instance>, reference: &Reference) -> Self {
        let (journal, contents) = open(folder.path());
        assert_eq!(instance.unwrap_or(journal.instance()), journal.instance());
        check_events(&contents, reference);
        assert_eq!(subscriptions(&contents), reference.subscriptions);
        let clock = Arc::new(AtomicI64::new(reference.now.unix_micros()));
        let micros = Arc::clone(&clock);
        let now = move || Timestamp::from_unix_micros(micros.load(Ordering::SeqCst)).unwrap();
        let read_models = ReadModels {
            catalogue: Arc::new(Catalogue::default()),
            board: Arc::new(Board::new(contents.subscriptions.clone())),
            log: Arc::new(journal.log(contents.head).unwrap()),
        };
        let (instance, from_disk) = (journal.instance(), journal.log(OUT_OF_MEMORY).unwrap());
        let (ended, _) = oneshot::channel();
        let (writer, thread) = Writer::start(journal, contents, Clock::new(now), read_models.clone(), ended);
        let machine = Self {
            runtime: Runtime::new().unwrap(),
            instance,
            clock,
            writer,
            thread,
            read_models,
            from_disk,
            folder,
        };
        machine.read(0, reference.log.len() + 1, reference);
        machine
    }

    /// Stops in order; gives the folder back.
    fn close(self) -> TempDir {
        self.runtime.block_on(self.writer.stop());
        self.thread.join().unwrap().unwrap();
        self.folder
    }

    /// Reads a part of the log, from memory and from the disk.
    fn read(&self, after: usize, limit: usize, reference: &Reference) {
        let expected: Vec<_> = changes(&reference.log, self.instance)
            .skip(after)
            .take(limit)
            .collect();
        for log in [&*self.read_models.log, &self.from_disk] {
            let read = self.runtime.block_on(log.read(count(after), limit)).unwrap();
            let read: Vec<Change> = read
                .iter()
                .map(|change| serde_json::from_str(&change.json).unwrap())
                .collect();
            assert_eq!(read, expected);
        }
    }

    /// What a cut write-ahead log gives is what was there after some of the commands, in their order, and all of it.
    fn check_torn(&self, torn: &Image, reference: &Reference) {
        let folder = torn.folder();
        let (journal, contents) = open(folder.path());
        assert_eq!(journal.instance(), self.instance);
        let log = journal.log(contents.head).unwrap();
        let read = self.runtime.block_on(log.read(0, usize::MAX >> 1)).unwrap();
        let read: Vec<Change> = read
            .iter()
            .map(|change| serde_json::from_str(&change.json).unwrap())
            .collect();
        let is_like = |possible: &Contents| {
            subscriptions(&contents) == possible.subscriptions
                && changes(&possible.log, self.instance).eq(read.iter().cloned())
        };
        assert!(reference.before.iter().any(is_like), "{contents:?}");
    }
}

fn open(folder: &Path) -> (Journal, journal::Contents) {
    // Never taken but by the first.
    Journal::open(folder, Uuid::now_v7(), Timestamp::now()).unwrap()
}

fn check_events(contents: &journal::Contents, reference: &Reference) {
    assert_eq!(contents.head, count(reference.log.len()));
    assert_eq!(contents.events.len(), reference.events.len());
    for replayed in &contents.events {
        let newest = &replayed.newest.event;
        let mut known = reference
            .events
            .values()
            .filter(|(created, _)| created.id == newest.id);
        let (created, expected) = known.next().unwrap();
        assert_eq!(newest, expected);
        let creation = &replayed.creation;
        assert_eq!(
            (creation.odds, creation.deadline),
            (created.odds, created.deadline)
        );
    }
}

fn subscriptions(contents: &journal::Contents) -> BTreeMap<u8, Subscription> {
    let known = contents.subscriptions.iter().map(|(registration, cursor)| {
        let registration: &Registration = registration;
        let url = (0..=u8::MAX)
            .find(|url| callback_url(*url) == registration.url.as_str())
            .unwrap();
        let known = Subscription {
            number: number(registration.id),
            types: registration.event_types.clone(),
            paused: registration.standing == standing(true),
            cursor: usize::try_from(*cursor).unwrap(),
        };
        (url, known)
    });
    known.collect()
}

fn changes(log: &[(ChangeType, Event)], instance: Instance) -> impl Iterator<Item = Change> {
    log.iter().zip(1..).map(move |((kind, event), position)| Change {
        position,
        instance,
        kind: *kind,
        event_id: event.id.clone(),
        revision: event.revision,
        occurred_at: event.updated_at,
        event: event.clone(),
    })
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap()
}
