//! Every state that a process, a crash or a disk may leave a journal in: it is read, and stays as it is; and the command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use line_provider::clock::Clock;
use line_provider::config::AutoResult;
use line_provider::journal::{JournalError, Write, verify};
use line_provider::subscription::{Register, register};
use serde_json::json;
use shared_types::signature::Secret;
use shared_types::{SubscriptionId, Timestamp};
use tempfile::TempDir;
use test_support::Service;
use uuid::Uuid;

use super::{assert_right, crashed, execute, files, findings, journal, open};
use crate::support::{TOKEN, TestApp, new_event};

#[actix_rt::test]
async fn a_right_journal_has_no_findings_and_stays_as_it_is_to_the_byte() {
    let folder = journal().await;
    let before = files(folder.path());
    let report = verify(folder.path()).unwrap();
    assert_eq!(report.found(), 0, "{report}");
    assert_eq!(files(folder.path()), before);
    let text = report.to_string();
    assert!(
        text.contains("checked: events 2, changes 5, head 5, subscriptions 1, instance "),
        "{text}"
    );
}

#[actix_rt::test]
async fn what_a_crash_left_is_read_with_its_write_ahead_log_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    let app = TestApp::start_in(folder, Clock::system(), AutoResult::Off).await;
    app.create("a").await;
    app.patch("a", json!({"status": "cancelled"})).await;
    let crashed = crashed(app.folder());
    let wal = crashed.path().join("journal.sqlite-wal");
    assert!(fs::metadata(&wal).unwrap().len() > 0);
    let before = files(crashed.path());
    let report = verify(crashed.path()).unwrap();
    assert!(
        report.to_string().contains("events 1, changes 2, head 2"),
        "{report}"
    );
    assert_eq!(report.found(), 0, "{report}");
    let mut after = files(crashed.path());
    // SQLite's index of the write-ahead log, which a start makes anew.
    after.remove(Path::new("journal.sqlite-shm"));
    assert_eq!(after, before);
    assert_eq!(open(crashed.path()).1.head, 2);
}

#[actix_rt::test]
async fn a_running_journal_is_verified_beside_its_process_again_and_again() {
    let folder = TempDir::new().unwrap();
    let mut service = Service::named("line-provider")
        .env("LINE_PROVIDER_DATA_DIR", folder.path().to_str().unwrap())
        .env("LINE_PROVIDER_OPERATOR_TOKEN", TOKEN)
        .start()
        .await;
    let client = service.client().with_bearer(TOKEN);
    for number in 0..30 {
        let id = format!("e{number}");
        assert_eq!(client.post("/events", &new_event(&id)).await.status, 201);
        let won = json!({"status": "first_team_won"});
        assert_eq!(client.patch(&format!("/events/{id}"), &won).await.status, 200);
        let report = verify(folder.path()).unwrap();
        assert_eq!(report.found(), 0, "{report}");
        let text = report.to_string();
        assert!(text.contains(&format!("head {}", 2 * (number + 1))), "{text}");
        assert!(text.contains("note: a process has the journal open"), "{text}");
    }
    service.kill9().await;
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.found(), report.notes().len()), (0, 0), "{report}");
    service.restart().await;
    service.terminate().await;
    assert_right(folder.path());
}

#[actix_rt::test]
async fn a_damaged_write_ahead_log_is_found_and_kept() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path());
    for number in 0..20 {
        let wanted = Register {
            url: format!("http://127.0.0.1:9/{number}").parse().unwrap(),
            event_types: None,
            secret: None,
            fresh: (
                SubscriptionId::from_uuid(Uuid::from_u128(number)),
                Secret::from_bytes(&[7; 32]).unwrap(),
            ),
        };
        let registration = register(None, wanted, Timestamp::now());
        journal
            .commit(&[Write::Subscribe(Arc::new(registration), 0)])
            .unwrap();
    }
    // Its first frame, so that SQLite takes nothing of it for good, and one in the middle.
    let length = fs::metadata(folder.path().join("journal.sqlite-wal"))
        .unwrap()
        .len();
    let middle = usize::try_from(length / 2).unwrap();
    for offset in [32 + 24 + 100, middle] {
        let crashed = crashed(folder.path());
        let wal = crashed.path().join("journal.sqlite-wal");
        let mut bytes = fs::read(&wal).unwrap();
        bytes[offset] ^= 0x55;
        fs::write(&wal, &bytes).unwrap();
        let before = files(crashed.path());
        let report = verify(crashed.path());
        match report {
            Ok(report) => assert!(report.broken().contains(&"write_ahead_log"), "{report}"),
            // Nothing of the journal is left without its write-ahead log.
            Err(error) => assert!(matches!(error, JournalError::Foreign { .. }), "{error}"),
        }
        let mut after = files(crashed.path());
        after.remove(Path::new("journal.sqlite-shm"));
        assert_eq!(after, before, "the evidence is gone");
    }
}

#[actix_rt::test]
async fn a_journal_that_was_emptied_or_cut_off_keeps_its_write_ahead_log() {
    let app = TestApp::start().await;
    app.create("a").await;
    for length in [0, 1, 511] {
        let crashed = crashed(app.folder());
        let file = crashed.path().join("journal.sqlite");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..length]).unwrap();
        let before = files(crashed.path());
        let expected = format!("structure: it is cut off after {length} bytes\n");
        assert_eq!(findings(crashed.path()), expected);
        assert_eq!(files(crashed.path()), before);
    }
}

fn run(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_line-provider"))
        .arg("verify")
        .env("LINE_PROVIDER_DATA_DIR", folder)
        .output()
        .unwrap()
}

#[actix_rt::test]
async fn the_command_exits_with_0_1_or_2_and_says_why() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let folder = journal().await;
    let right = run(folder.path());
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    let lines = text(&right.stdout);
    assert!(lines.starts_with("checked: events 2, changes 5"), "{lines}");
    assert!(
        lines.ends_with("deadlines 0, times 0, subscriptions 0\n"),
        "{lines}"
    );

    execute(folder.path(), "delete from changes where position = 3");
    let wrong = run(folder.path());
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let lines = text(&wrong.stdout);
    assert!(
        lines.starts_with("positions: position 3 is missing, 4 follows 2\n"),
        "{lines}"
    );
    assert!(lines.contains(", positions 1, revisions 1, "), "{lines}");

    let nowhere = folder.path().join("nowhere");
    let missing = run(&nowhere);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert!(
        text(&missing.stderr).contains("line-provider: there is no journal in "),
        "{missing:?}"
    );
    assert!(!nowhere.exists());

    for (sql, why) in [
        ("pragma application_id = 7", "is not a journal of line-provider"),
        (
            "pragma application_id = 1280332362; pragma user_version = 2",
            "was written by a newer line-provider",
        ),
        ("pragma user_version = 0", "was written by an older line-provider"),
    ] {
        execute(folder.path(), sql);
        let refused = run(folder.path());
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(text(&refused.stderr).contains(why), "{refused:?}");
    }
}
