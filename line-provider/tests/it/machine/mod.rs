//! The writer and its journal on a real folder, against a reference in plain Rust: whatever is committed, in whichever
//! order it is closed, copied as a crash leaves it, cut off and opened again, it holds exactly what was acknowledged.

mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use http_edge::IfMatch;
use line_provider::catalogue::Catalogue;
use line_provider::clock::Clock;
use line_provider::event::{Correction, NewEvent, Update};
use line_provider::journal::{self, Journal, Log};
use line_provider::subscription::board::Board;
use line_provider::subscription::{Patch, Register, Registration, Standing};
use line_provider::writer::{
    EventCommand, ReadModels, SubscriptionCommand, Writer, WriterError, WriterThread,
};
use proptest::prelude::*;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use shared_types::signature::Secret;
use shared_types::{Change, ChangeType, Event, Instance, SubscriptionId, Timestamp};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use uuid::Uuid;

use reference::{Answer, Command, Contents, Reference, Subscription, Transition, deadline, odds, share};

const FILE: &str = "journal.sqlite";
const WAL: &str = "journal.sqlite-wal";

/// A log that claims this head has nothing of it in memory, and reads everything from the disk.
const OUT_OF_MEMORY: u64 = 1 << 40;

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_holds_what_was_acknowledged_however_it_is_left(sequential 1..25 => Machine);
}

/// Of the subscriptions that the reference never made.
const NOBODY: u16 = 10_000;

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
            Transition::CommitWithTornTwin { commands, percent } => {
                let before = Image::of(machine.folder.path());
                machine.carry_out(&commands, reference);
                let torn = Image::of(machine.folder.path()).torn(&before, percent);
                machine.check_torn(&torn, percent, reference);
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

    /// Hands in all of them at once, and compares the answers.
    fn carry_out(&self, commands: &[Command], reference: &Reference) {
        let answers = commands
            .iter()
            .zip(&reference.before)
            .zip(&reference.answers)
            .map(|((command, before), expected)| self.ask(command, before, expected, reference));
        let answers = self.runtime.block_on(join_all(answers));
        assert_eq!(answers, reference.answers, "{commands:?}");
    }

    fn ask<'a>(
        &'a self,
        command: &Command,
        before: &Contents,
        expected: &Answer,
        reference: &Reference,
    ) -> LocalBoxFuture<'a, Answer> {
        let known = |url: &u8| before.subscriptions.get(url).map_or(NOBODY, |known| known.number);
        let command = match command {
            Command::SaveCursor { url, percent } => {
                let cursor = count(share(*percent, reference.before[0].log.len()));
                let cursors = vec![(subscription_id(known(url)), cursor)];
                return self
                    .writer
                    .save_cursors(cursors)
                    .map(|()| Answer::Saved)
                    .boxed_local();
            }
            Command::Register { url, types } => {
                // Taken only where the url is new.
                let fresh = match expected {
                    Answer::Subscription(number) if !before.subscriptions.contains_key(url) => *number,
                    _ => NOBODY,
                };
                SubscriptionCommand::Register(Register {
                    url: callback_url(*url).parse().unwrap(),
                    event_types: types.clone(),
                    secret: None,
                    fresh: (subscription_id(fresh), Secret::from_bytes(&[7; 32]).unwrap()),
                })
            }
            Command::Patch { url, paused } => SubscriptionCommand::Patch {
                id: subscription_id(known(url)),
                patch: Patch {
                    standing: Some(standing(*paused)),
                    ..Patch::default()
                },
            },
            Command::Unsubscribe { url } => SubscriptionCommand::Unsubscribe {
                id: subscription_id(known(url)),
            },
            Command::Create { .. } | Command::Update { .. } | Command::Correct { .. } => {
                return self.ask_about_event(event_command(command));
            }
        };
        let answer = self.writer.subscription(command);
        let answer = answer.map(|answer| match answer {
            Ok(answer) => Answer::Subscription(number(answer.registration.id)),
            Err(WriterError::Refused(_)) => Answer::Refused,
            Err(error) => panic!("{error}"),
        });
        answer.boxed_local()
    }

    fn ask_about_event(&self, command: EventCommand) -> LocalBoxFuture<'_, Answer> {
        let answer = self.writer.event(command, None);
        let answer = answer.map(|answer| match answer {
            Ok(answer) => {
                let entry = &answer.entry;
                assert_eq!(serde_json::from_str::<Event>(&entry.json).unwrap(), entry.event);
                Answer::Event(entry.event.clone())
            }
            Err(WriterError::Refused(_)) => Answer::Refused,
            Err(error) => panic!("{error}"),
        });
        answer.boxed_local()
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
    fn check_torn(&self, torn: &Image, percent: u8, reference: &Reference) {
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
        match percent {
            100 => assert!(reference.before.last().is_some_and(is_like), "something was lost"),
            _ => assert!(reference.before.iter().any(is_like), "{contents:?}"),
        }
    }
}

/// The files of a folder at one moment, between two commits.
struct Image {
    file: Vec<u8>,
    wal: Vec<u8>,
}

impl Image {
    fn of(folder: &Path) -> Self {
        Self {
            file: fs::read(folder.join(FILE)).unwrap(),
            wal: fs::read(folder.join(WAL)).unwrap(),
        }
    }

    /// Cut off so that of what came after `before` only that share is there.
    fn torn(mut self, before: &Self, percent: u8) -> Self {
        assert!(
            self.file == before.file && self.wal.starts_with(&before.wal),
            "commits only append"
        );
        let synced = before.wal.len();
        self.wal
            .truncate(synced + share(percent, self.wal.len() - synced));
        self
    }

    fn folder(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(FILE), &self.file).unwrap();
        fs::write(folder.path().join(WAL), &self.wal).unwrap();
        folder
    }
}

fn open(folder: &Path) -> (Journal, journal::Contents) {
    // Never taken but by the first.
    Journal::open(folder, Uuid::now_v7(), Timestamp::now()).unwrap()
}

fn event_command(command: &Command) -> EventCommand {
    let id = |event: &u8| format!("e{event}").parse().unwrap();
    let if_match = IfMatch::Absent;
    match command {
        Command::Create { event, odds: number } => EventCommand::Create(NewEvent {
            id: id(event),
            title: String::new(),
            odds: odds(*number),
            deadline: deadline(),
        }),
        Command::Update {
            event,
            odds: number,
            status,
        } => EventCommand::Update {
            id: id(event),
            if_match,
            update: Update {
                odds: number.map(odds),
                status: *status,
                ..Update::default()
            },
        },
        Command::Correct { event, status } => EventCommand::Correct {
            id: id(event),
            if_match,
            correction: Correction {
                status: *status,
                reason: "misread".to_owned(),
            },
        },
        other => unreachable!("{other:?} is not about an event"),
    }
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

fn callback_url(url: u8) -> String {
    format!("http://127.0.0.1:9/{url}")
}

const fn standing(paused: bool) -> Standing {
    if paused {
        Standing::Paused
    } else {
        Standing::Active
    }
}

fn subscription_id(number: u16) -> SubscriptionId {
    SubscriptionId::from_uuid(Uuid::from_u128(number.into()))
}

fn number(id: SubscriptionId) -> u16 {
    id.as_uuid().as_u128().try_into().unwrap()
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap()
}
