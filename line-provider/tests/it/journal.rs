//! The data folder: what a restart keeps, who may open it, and which files are refused.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use line_provider::app::App;
use line_provider::clock::Clock;
use line_provider::config::AutoResult;
use line_provider::journal::JournalError;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;
use test_support::Service;

use crate::support::{TOKEN, TestApp, settings};

fn refusal(folder: &Path) -> JournalError {
    App::open(settings(folder, AutoResult::Off), Clock::system())
        .err()
        .unwrap()
}

fn execute(folder: &Path, sql: &str) {
    let file = folder.join("journal.sqlite");
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection.batch_execute(sql).unwrap();
}

#[actix_rt::test]
async fn a_restart_keeps_events_changes_subscriptions_and_the_instance() {
    let app = TestApp::start().await;
    app.create("a").await;
    app.create("b").await;
    app.patch("a", json!({"title": "\"quoted\" ä\n", "odds": "3"}))
        .await;
    app.patch("b", json!({"status": "second_team_won"})).await;
    let subscription = app
        .subscribe(&json!({"url": "http://127.0.0.1:9/", "event_types": ["event.created"]}))
        .await;
    let path = format!("/subscriptions/{}", subscription["id"].as_str().unwrap());
    app.client.patch(&path, &json!({"status": "paused"})).await;
    let before = (
        app.anyone.get("/events?status=all").await.json(),
        app.changes().await,
        app.subscription(&subscription["id"]).await,
    );
    let app = app.restart().await;
    let after = (
        app.anyone.get("/events?status=all").await.json(),
        app.changes().await,
        app.subscription(&subscription["id"]).await,
    );
    assert_eq!(before, after);
    assert_eq!(app.create("c").await["revision"], 1);
    assert_eq!(app.changes().await.len(), 5);
}

#[actix_rt::test]
async fn what_is_made_is_for_the_owner_only() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("new/data");
    drop(App::open(settings(&folder, AutoResult::Off), Clock::system()).unwrap());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("journal.sqlite")), 0o600);
    assert_eq!(mode(&folder.join("journal.lock")), 0o600);
}

#[actix_rt::test]
async fn a_folder_in_use_is_refused_by_name() {
    let app = TestApp::start().await;
    let error = refusal(app.folder());
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(app.folder().to_str().unwrap()));
    let second = Service::named("line-provider")
        .env("LINE_PROVIDER_DATA_DIR", app.folder().to_str().unwrap())
        .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
        .try_start()
        .await;
    let message = format!("{:#}", second.err().unwrap());
    assert!(message.contains("in use by another process"), "{message}");
}

#[actix_rt::test]
async fn a_journal_of_a_newer_version_or_of_another_program_is_refused_and_stays_as_it_is() {
    let app = TestApp::start().await;
    app.create("a").await;
    let folder = app.stop().await;
    execute(folder.path(), "pragma user_version = 2");
    let error = refusal(folder.path());
    assert!(
        matches!(
            error,
            JournalError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    execute(
        folder.path(),
        "pragma user_version = 1; pragma application_id = 7",
    );
    assert!(matches!(refusal(folder.path()), JournalError::Foreign { .. }));
    execute(folder.path(), "pragma application_id = 1280332362");
    let app = TestApp::start_in(folder, Clock::system(), AutoResult::Off).await;
    assert_eq!(app.changes().await.len(), 1);
}

#[actix_rt::test]
async fn a_journal_that_does_not_add_up_is_refused_with_the_place() {
    let app = TestApp::start().await;
    app.create("a").await;
    app.create("b").await;
    app.patch("a", json!({"odds": "3"})).await;
    app.subscribe(&json!({"url": "http://127.0.0.1:9/"})).await;
    let folder = app.stop().await;
    for (sql, undo, expected) in [
        (
            "create table kept as select * from changes where position = 2; delete from changes where position = 2",
            "insert into changes select * from kept; drop table kept",
            "position 2 is missing",
        ),
        (
            "update changes set body = replace(body, '1.85', '9.85') where position = 2",
            "update changes set body = replace(body, '9.85', '1.85') where position = 2",
            "the change at position 2: its checksum does not match",
        ),
        (
            "update subscription_cursors set cursor = 2",
            "update subscription_cursors set cursor = 3",
            "a subscription's cursor: its checksum does not match",
        ),
        (
            "update subscriptions set url = 'http://127.0.0.1:8/'",
            "update subscriptions set url = 'http://127.0.0.1:9/'",
            "a subscription: its checksum does not match",
        ),
    ] {
        execute(folder.path(), sql);
        let error = refusal(folder.path());
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        execute(folder.path(), undo);
    }
    TestApp::start_in(folder, Clock::system(), AutoResult::Off).await;
}
