//! The writer when the disk is slow or fails: another connection holds the file's write lock for a while.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use line_provider::app::RunError;
use line_provider::catalogue::Catalogue;
use line_provider::clock::Clock;
use line_provider::event::NewEvent;
use line_provider::journal::Journal;
use line_provider::subscription::board::Board;
use line_provider::writer::{EventCommand, EventRefusal, ReadModels, Writer, WriterError};
use shared_types::Timestamp;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::support::{TestApp, code, in_days, moment, new_event};

fn hold_write_lock(folder: &std::path::Path) -> SqliteConnection {
    let file = folder.join("journal.sqlite");
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection.batch_execute("begin immediate").unwrap();
    connection
}

#[actix_rt::test]
async fn a_write_that_fails_ends_the_service_and_nothing_unwritten_was_acknowledged() {
    let app = TestApp::start().await;
    app.create("kept").await;
    let held = hold_write_lock(app.folder());
    let refused = app.client.post("/events", &new_event("lost")).await;
    assert_eq!(code(&refused, 503), "journal_unavailable");
    assert!(refused.header("retry-after").is_some());
    let (ended, folder) = app.ended().await;
    assert!(matches!(ended, Err(RunError::Journal(_))), "{ended:?}");
    drop(held);
    let app = TestApp::start_in(folder, Clock::system(), line_provider::config::AutoResult::Off).await;
    assert_eq!(app.changes().await.len(), 1);
    assert_eq!(app.anyone.get("/events/lost").await.status, 404);
}

#[actix_rt::test]
async fn a_full_queue_refuses_at_once_and_everything_taken_is_carried_out() {
    const COMMANDS: usize = 2000;
    let folder = TempDir::new().unwrap();
    let (journal, contents) = Journal::open(folder.path(), Uuid::now_v7(), Timestamp::now()).unwrap();
    let read_models = ReadModels {
        catalogue: Arc::new(Catalogue::default()),
        board: Arc::new(Board::new([])),
        log: Arc::new(journal.log(0).unwrap()),
    };
    let (ended, _) = oneshot::channel();
    let held = hold_write_lock(folder.path());
    let (writer, thread) = Writer::start(journal, contents, Clock::system(), read_models.clone(), ended);
    let commands = (0..COMMANDS).map(|n| {
        let new = NewEvent {
            id: format!("e{n}").parse().unwrap(),
            title: String::new(),
            odds: "1.5".parse().unwrap(),
            deadline: moment(&in_days(30)),
        };
        let writer = writer.clone();
        tokio::task::spawn_local(async move { writer.event(EventCommand::Create(new), None).await })
    });
    let running: Vec<_> = commands.collect();
    // Every task runs up to its place in the queue, or its refusal.
    tokio::task::yield_now().await;
    drop(held);
    let mut taken = 0;
    for answer in futures_util::future::join_all(running).await {
        match answer.unwrap() {
            Ok(_) => taken += 1,
            Err(WriterError::<EventRefusal>::Overloaded) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1024..COMMANDS).contains(&taken), "{taken}");
    assert_eq!(read_models.log.head(), u64::try_from(taken).unwrap());
    writer.stop().await;
    thread.join().unwrap().unwrap();
}
