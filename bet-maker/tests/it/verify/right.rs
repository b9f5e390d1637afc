//! Books that are right, in every state that they may be found in; and the command.

use std::net::TcpListener;
use std::process::{Command, Output};

use bet_maker::feed::apply;
use bet_maker::feed::history::Break;
use bet_maker::store::feed;
use bet_maker::store::settlements::settle_chunk;
use serde_json::json;
use test_support::{Postgres, TestDatabase, wait_until};

use super::{Audit, assert_right, season};
use crate::harness::{History, Mood, PATIENCE, TestApp, actor, in_seconds, poll_log, seconds_ago, settle};
use crate::outage::app_on;

#[actix_rt::test]
async fn right_books_have_no_findings_with_the_log_and_without() {
    let audit = Audit::beside(&season().await).await;
    let with_log = audit.report().await;
    assert_right(&with_log);
    assert!(with_log.is_whole() && with_log.notes().is_empty(), "{with_log}");
    let text = with_log.to_string();
    assert!(
        text.contains("checked: events 6, bets 13, ledger 12, keys 12, generation 1, position "),
        "{text}"
    );
    let alone = audit.report_of_tables().await;
    assert_right(&alone);
    assert!(alone.is_whole(), "{alone}");
    assert!(
        alone.to_string().contains("note: no line-provider was named"),
        "{alone}"
    );
}

#[actix_rt::test]
async fn nothing_is_found_while_bets_are_placed_and_settled_and_results_corrected() {
    let app = TestApp::start().await;
    let audit = Audit::beside(&app).await;
    for round in 0..3 {
        let id = format!("game-{round}");
        app.happens(|history| history.create(&id, "1.85")).await;
        app.books.add_bets(&id, 20_000, 333).await;
        let placing = async {
            for _ in 0..40 {
                let body = json!({"event_id": id, "stake": "1.00"});
                let answer = app.place(&body).await;
                assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
            }
        };
        let playing = async {
            // Told by the log alone, so that log and books are apart most of the time.
            app.provider.edit(|history| history.set_odds(&id, "2.00"));
            app.provider.edit(|history| history.won(&id));
            app.provider.edit(|history| history.cancelled(&id));
        };
        let verifying = async {
            for _ in 0..4 {
                assert_right(&audit.report_under_way().await);
            }
        };
        futures_util::join!(placing, playing, verifying);
    }
    app.wait_for_revision("game-2", 4).await;
    app.books.wait_until_settled().await;
    assert_right(&audit.report().await);
}

#[actix_rt::test]
async fn a_suspended_feed_is_noted_and_an_adopted_log_is_no_finding() {
    let audit = Audit::behind(season().await).await;
    let again = audit.provider.history().said_again();
    audit.provider.replace_history(again.clone());
    let mut conn = actor(audit.database.url()).await;
    // Suspended as by the poller, before the other log is compared.
    let asked = feed::read(&mut conn).await.unwrap();
    let broken = Break::SetBack { head: 1, read: 2 };
    apply::suspend(&mut conn, &asked, again.instance, &broken)
        .await
        .unwrap();
    let suspended = audit.report().await;
    assert_right(&suspended);
    assert!(
        suspended.to_string().contains("note: acceptance is suspended, "),
        "{suspended}"
    );
    // It says the same once more, at another time, and is followed.
    poll_log(&mut conn, &again, 100).await;
    settle(&mut conn, 100).await;
    let adopted = audit.report().await;
    assert_right(&adopted);
    assert!(adopted.to_string().contains("generation 2"), "{adopted}");
}

#[actix_rt::test]
async fn settlement_that_is_due_is_noted_unless_all_should_be_settled() {
    let audit = Audit::behind(season().await).await;
    let mut conn = actor(audit.database.url()).await;
    let mut history = audit.provider.history();
    history.won("open");
    audit.provider.replace_history(history.clone());
    poll_log(&mut conn, &history, 100).await;
    // A part of its bets.
    settle_chunk(&mut conn, 1, &[]).await.unwrap();
    let noted = audit.report_under_way().await;
    assert_right(&noted);
    assert!(
        noted
            .to_string()
            .contains("note: the settlement of 1 events is under way"),
        "{noted}"
    );
    let found = audit.report().await;
    assert_eq!(found.broken(), ["settled_by_newest"], "{found}");
    assert!(
        found
            .to_string()
            .contains("the bets of event open follow its result 0 of 1"),
        "{found}"
    );
}

#[actix_rt::test]
async fn a_bet_on_an_event_that_moves_its_deadline_is_judged_by_the_revision_it_was_placed_on() {
    let mut history = History::new();
    history.create_until("moved", "1.85", in_seconds(3600));
    let app = TestApp::start_on(history).await;
    let audit = Audit::beside(&app).await;
    app.placed("moved", "1.00").await;
    // As one that had been brought forward by an operator while the bet was on its way.
    app.happens(|history| history.set_deadline("moved", seconds_ago(5)))
        .await;
    assert_right(&audit.report().await);
    assert_right(&audit.report_of_tables().await);
}

#[actix_rt::test]
async fn the_command_exits_with_0_1_or_2_and_says_why() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let audit = Audit::behind(season().await).await;
    let log = format!("--bet-maker-line-provider-url={}", audit.provider.url());
    let url = audit.database.url().to_owned();
    let right = run(url.clone(), vec![log.clone()]).await;
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    let lines = text(&right.stdout);
    assert!(
        lines.starts_with("checked: events 6, bets 13, ledger 12, keys 12, "),
        "{lines}"
    );
    assert!(
        lines.ends_with(
            "findings: placed_before_close 0, settled_by_newest 0, ledger_agrees 0, keys_agree 0, sums_agree 0, \
             events_follow_the_log 0\n"
        ),
        "{lines}"
    );

    audit.books.run("delete from ledger").await;
    let wrong = run(url.clone(), vec![]).await;
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let lines = text(&wrong.stdout);
    assert!(lines.starts_with("ledger_agrees: bet "), "{lines}");
    assert!(lines.contains("note: no line-provider was named"), "{lines}");
    assert!(lines.contains(" ledger_agrees 10, "), "{lines}");

    audit
        .books
        .run("update events set settled_seq = 0 where id = 'won'")
        .await;
    let strict = run(url.clone(), vec!["--settled".to_owned()]).await;
    assert!(
        text(&strict.stdout).contains("settled_by_newest: the bets of event won follow "),
        "{strict:?}"
    );

    for (url, why) in [
        (
            "postgres://127.0.0.1:1/nothing".to_owned(),
            "the database cannot be checked: the database is away",
        ),
        (
            TestDatabase::empty().await.url().to_owned(),
            "the database is not one of bet-maker",
        ),
    ] {
        let unchecked = run(url, vec![]).await;
        assert_eq!(unchecked.status.code(), Some(2), "{unchecked:?}");
        assert!(text(&unchecked.stderr).contains(why), "{unchecked:?}");
    }
    audit
        .books
        .run("update __diesel_schema_migrations set version = 'another'")
        .await;
    let other = run(url, vec![]).await;
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    assert!(
        text(&other.stderr).contains("the database has the schema [\"another\"], "),
        "{other:?}"
    );
}

#[actix_rt::test]
async fn without_line_provider_the_command_checks_what_the_tables_tell_and_says_what_it_could_not() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let audit = Audit::behind(season().await).await;
    let url = audit.database.url().to_owned();
    let away = vec!["--bet-maker-line-provider-url=http://127.0.0.1:1".to_owned()];
    let unread = "not checked: bets and events were not compared with line-provider's log, which cannot be read: \
         line-provider cannot be reached: ";
    let right = run(url.clone(), away.clone()).await;
    assert_eq!(right.status.code(), Some(2), "{right:?}");
    let lines = text(&right.stdout);
    assert!(lines.starts_with(unread), "{lines}");
    assert!(
        lines.contains("\nchecked: events 6, bets 13, ledger 12, keys 12, "),
        "{lines}"
    );
    assert!(lines.contains(" settled_by_newest 0, "), "{lines}");

    audit
        .books
        .run(
            "update bets set odds = 186 where event_id = 'open' and stake = 333;
             delete from ledger where bet_id = (select id from bets where event_id = 'won' and stake = 333);
             update feed set highest = highest - 1",
        )
        .await;
    let wrong = run(url, away).await;
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let lines = text(&wrong.stdout);
    assert!(lines.contains(unread), "{lines}");
    assert!(
        lines.ends_with(
            "findings: placed_before_close 1, settled_by_newest 0, ledger_agrees 1, keys_agree 0, sums_agree 0, \
             events_follow_the_log 2\n"
        ),
        "{lines}"
    );
}

#[actix_rt::test]
async fn why_a_log_cannot_be_read_is_told() {
    let audit = Audit::behind(season().await).await;
    for (mood, why) in [
        (
            Mood::Fails,
            "line-provider answered 500 Internal Server Error: out of order",
        ),
        (Mood::Babbles, "line-provider's answer cannot be read: "),
    ] {
        audit.provider.set_mood(mood);
        let report = audit.report().await;
        assert_right(&report);
        assert!(!report.is_whole(), "{report}");
        assert!(report.to_string().contains(why), "{report}");
    }
}

#[actix_rt::test]
async fn a_log_that_does_not_come_is_waited_for_half_of_the_time() {
    let audit = Audit::behind(season().await).await;
    // The system takes the connection; nobody ever reads from it. A single call is given up after 5 s.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let arguments = vec![
        format!("--bet-maker-line-provider-url={url}"),
        "--within-s=8".to_owned(),
    ];
    let unread = run(audit.database.url().to_owned(), arguments).await;
    assert_eq!(unread.status.code(), Some(2), "{unread:?}");
    let lines = String::from_utf8(unread.stdout).unwrap();
    assert!(
        lines.starts_with(
            "not checked: bets and events were not compared with line-provider's log, which could not be read within 4s\n"
        ),
        "{lines}"
    );
    assert!(lines.contains(" settled_by_newest 0, "), "{lines}");
}

#[actix_rt::test]
async fn a_database_that_hangs_is_given_up() {
    let (postgres, _app) = app_on(Postgres::builder()).await;
    let frozen = postgres.freeze().unwrap();
    let hung = run(postgres.url("postgres"), vec!["--within-s=1".to_owned()]).await;
    drop(frozen);
    assert_eq!(hung.status.code(), Some(2), "{hung:?}");
    let said = String::from_utf8(hung.stderr).unwrap();
    assert!(said.contains("it took longer than 1s"), "{said}");
}

#[actix_rt::test]
async fn what_was_found_before_the_time_was_over_is_told() {
    let audit = Audit::behind(season().await).await;
    let mut history = audit.provider.history();
    history.changes.remove(2);
    audit.provider.replace_history(history);
    audit.books.run("delete from ledger").await;
    // Read by the last check only; the time is over before the lock is given up (10 s).
    audit
        .books
        .run("begin; lock table feed_conflicts in access exclusive mode")
        .await;
    let log = format!("--bet-maker-line-provider-url={}", audit.provider.url());
    let arguments = vec![log, "--within-s=8".to_owned()];
    let cut_short = run(audit.database.url().to_owned(), arguments).await;
    assert_eq!(cut_short.status.code(), Some(1), "{cut_short:?}");
    let lines = String::from_utf8(cut_short.stdout).unwrap();
    assert!(lines.contains("ledger_agrees: bet "), "{lines}");
    assert!(
        lines.contains("events_follow_the_log: the log goes from position 2 to 4\n"),
        "{lines}"
    );
    assert!(
        lines.contains("\nnot checked: events_follow_the_log to the end: it took longer than 8s\n"),
        "{lines}"
    );
}

#[actix_rt::test]
async fn after_an_operator_adopted_another_log_right_books_are_right_and_wrong_ones_are_found() {
    let app = season().await;
    app.provider.replace_history(History::new());
    app.provider
        .edit(|history| history.create_until("open", "2.00", in_seconds(7200)));
    let instance = app.provider.history().instance;
    let mut conn = actor(app.database.url()).await;
    wait_until("the other log is read and adopted", PATIENCE, async || {
        apply::adopt(&mut conn, instance).await.ok()
    })
    .await;
    app.wait_until_placing_answers("open", 201, None).await;
    app.happens(|history| history.won("open")).await;
    let audit = Audit::behind(app).await;
    let right = audit.report().await;
    assert_right(&right);
    assert!(right.to_string().contains("generation 2"), "{right}");

    audit
        .books
        .run(
            "update bets set payout = payout + 1 where event_id = 'open' and status = 1;
             update events set title = 'another' where id = 'open'",
        )
        .await;
    let wrong = audit.report().await;
    assert_eq!(
        wrong.broken(),
        [
            "settled_by_newest",
            "ledger_agrees",
            "sums_agree",
            "events_follow_the_log"
        ],
        "{wrong}"
    );
}

/// Beside the runtime, which serves the line-provider that is read.
async fn run(database_url: String, arguments: Vec<String>) -> Output {
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_bet-maker"))
            .arg("verify")
            .args(arguments)
            .env_remove("BET_MAKER_LINE_PROVIDER_URL")
            .env("BET_MAKER_DATABASE_URL", database_url)
            .output()
            .unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}
