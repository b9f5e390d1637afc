//! `line-provider verify`: a journal that is right, in every state that a process may leave it in, and one with each
//! kind of damage. What is damaged with a right checksum is written by the journal itself.

mod findings;
mod states;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use line_provider::journal::{Contents, Journal, verify};
use serde_json::json;
use shared_types::Timestamp;
use tempfile::TempDir;
use test_support::wait_until;
use uuid::Uuid;

use crate::support::{PATIENCE, TestApp, in_days};

/// A journal with an event that was moved, finished and corrected, one that goes on, and a subscription.
async fn journal() -> TempDir {
    let app = TestApp::start().await;
    app.create("a").await;
    app.subscribe(&json!({"url": "http://127.0.0.1:9/"})).await;
    app.create("b").await;
    app.patch("a", json!({"odds": "3", "deadline": in_days(40)}))
        .await;
    app.patch("a", json!({"status": "first_team_won"})).await;
    let correction = json!({"status": "unfinished", "reason": "the wrong game"});
    let answer = app.client.post("/events/a/corrections", &correction).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let folder = app.stop().await;
    // An orderly stop moves everything into the one file, and leaves an empty log beside it.
    wait_until("the journal is closed", PATIENCE, async || {
        let wal = folder.path().join("journal.sqlite-wal").metadata();
        wal.is_ok_and(|wal| wal.len() == 0).then_some(())
    })
    .await;
    // Of this process the reading thread may have the file itself open for a moment longer.
    crashed(folder.path())
}

fn execute(folder: &Path, sql: &str) {
    let file = folder.join("journal.sqlite");
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection.batch_execute(sql).unwrap();
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|file| (file.file_name().unwrap().into(), fs::read(&file).unwrap()))
        .collect()
}

/// A copy of what a crash at this moment would leave, without the index that SQLite keeps in memory anyway.
fn crashed(folder: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for (name, bytes) in files(folder) {
        if name != Path::new("journal.sqlite-shm") {
            fs::write(copy.path().join(name), bytes).unwrap();
        }
    }
    copy
}

fn findings(folder: &Path) -> String {
    let report = verify(folder).unwrap();
    report
        .checks()
        .iter()
        .flat_map(|check| {
            check
                .listed()
                .iter()
                .map(|what| format!("{}: {what}\n", check.name()))
        })
        .collect()
}

#[track_caller]
fn assert_right(folder: &Path) {
    assert_eq!(findings(folder), "");
}

fn open(folder: &Path) -> (Journal, Contents) {
    Journal::open(folder, Uuid::now_v7(), Timestamp::now()).unwrap()
}
