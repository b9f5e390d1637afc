//! One wrong at a time, planted in right books: it must be found, and by its own check.

use super::{Audit, assert_right, season};
use crate::harness::{History, TestApp};

/// Plants each wrong in the same books, and undoes it.
async fn each_is_found(audit: &Audit, planted: &[(&str, &[&str], &str)]) {
    for (sql, checks, text) in planted {
        audit
            .books
            .run(
                "create table bets_kept as table bets; create table events_kept as table events;
             create table ledger_kept as table ledger; create table keys_kept as table idempotency_keys;
             create table feed_kept as table feed",
            )
            .await;
        audit.books.run(sql).await;
        let found = audit.report().await;
        assert_eq!(found.broken(), *checks, "{sql}\n{found}");
        assert!(found.to_string().contains(text), "{sql}\n{found}");
        audit
            .books
            .run(
                "truncate bets, events, ledger, idempotency_keys, feed, feed_conflicts;
             insert into bets table bets_kept; insert into events table events_kept;
             insert into ledger table ledger_kept; insert into idempotency_keys table keys_kept;
             insert into feed table feed_kept;
             drop table bets_kept, events_kept, ledger_kept, keys_kept, feed_kept",
            )
            .await;
    }
    assert_right(&audit.report().await);
}

const BET_WON: &str = "(select id from bets where event_id = 'won' and stake = 333)";

#[actix_rt::test]
async fn each_wrong_of_a_bet_is_found_and_named_by_its_checks() {
    let audit = Audit::behind(season().await).await;
    let settled_and_sums: &[&str] = &["settled_by_newest", "ledger_agrees", "sums_agree"];
    let bet = |set: &str| format!("update bets set {set} where id = {BET_WON}");
    let a_cent = bet("payout = payout + 1");
    let lost = bet("status = 2, payout = 0");
    let other_reason = "update bets set void_reason = 2 where event_id = 'void' and stake = 333";
    let pending = bet("status = 0, payout = null, settled_at = null");
    let unknown = bet("event_id = 'nowhere'");
    let at_deadline = "update bets set placed_at = (select deadline from events where id = 'open')
         where event_id = 'open' and stake = 500";
    let other_odds = "update bets set odds = 186 where event_id = 'open' and stake = 333";
    let on_result = bet("event_revision = 2");
    let on_nothing = "update bets set event_revision = 9 where event_id = 'open' and stake = 333";
    let late_unseen = "update bets set placed_at = placed_at - interval '1 hour' where event_id = 'late'";
    each_is_found(
        &audit,
        &[
            (&a_cent, settled_and_sums, "and was paid 617 cents; at revision 2 it should be won and paid 616"),
            (&lost, &["settled_by_newest", "ledger_agrees"], "is lost and was paid 0 cents; at revision 2 it should be won"),
            (
                other_reason,
                &["settled_by_newest", "ledger_agrees"],
                "is void (placed_after_close) and was paid 333 cents; at revision 2 it should be void (event_cancelled)",
            ),
            (
                &pending,
                &["settled_by_newest", "ledger_agrees"],
                "is pending and was paid no cents; at revision 2 it should be won",
            ),
            (
                &unknown,
                &["placed_before_close", "settled_by_newest"],
                "is on event nowhere, which is not known",
            ),
            (
                at_deadline,
                &["placed_before_close"],
                "on revision 2 of event open at odds of 200 hundredths, which has",
            ),
            (
                other_odds,
                &["placed_before_close"],
                "on revision 1 of event open at odds of 186 hundredths, which has the odds 185",
            ),
            (&on_result, &["placed_before_close"], " and takes no bets"),
            (
                on_nothing,
                &["placed_before_close"],
                "was placed on revision 9 of event open, which the log does not have",
            ),
            (
                late_unseen,
                &["settled_by_newest", "keys_agree"],
                "is void (placed_after_close) and was paid 1000 cents; at revision 2 it should be won",
            ),
        ],
    )
    .await;
}

#[actix_rt::test]
async fn each_wrong_of_ledger_and_keys_is_found_and_named() {
    let audit = Audit::behind(season().await).await;
    let line = format!("from ledger where bet_id = {BET_WON}");
    let deleted = format!("delete {line}");
    let twice = format!(
        "insert into ledger select bet_id, 2, event_revision, status, void_reason, amount, settled_at {line}"
    );
    let more = format!("update ledger set amount = amount + 1 where bet_id = {BET_WON}");
    let other = format!("update ledger set status = 2 where bet_id = {BET_WON}");
    let ahead = format!(
        "update ledger set result_seq = 2 where bet_id = {BET_WON};
         update bets set settled_seq = 2 where id = {BET_WON}"
    );
    let ledger: &[&str] = &["ledger_agrees"];
    let keys: &[&str] = &["keys_agree"];
    each_is_found(
        &audit,
        &[
            (&deleted, ledger, "is settled without a line in the ledger"),
            (
                &twice,
                ledger,
                "was paid 616 cents, but its ledger adds up to 1232",
            ),
            (&more, ledger, "was paid 616 cents, but its ledger adds up to 617"),
            (
                &other,
                ledger,
                "is won, but the last line of its ledger made it lost",
            ),
            (&ahead, ledger, "was settled by result 2, but event won has had 1"),
            (
                "insert into ledger values (gen_random_uuid(), 1, 1, 2, null, 0, now())",
                ledger,
                "has lines in the ledger, but there is no such bet",
            ),
            (
                "insert into ledger select id, 1, 1, 0, null, 0, now() from bets where stake = 500",
                ledger,
                "follows result 0, but the last line of its ledger is of result 1",
            ),
            (
                "delete from bets where stake = 333 and event_id = 'open'",
                keys,
                "key open-3.33 names bet ",
            ),
            (
                "insert into idempotency_keys select 'other', fingerprint, bet_id, refusal, created_at
                 from idempotency_keys where key = 'open-3.33'",
                keys,
                "has the keys open-3.33, other",
            ),
        ],
    )
    .await;
}

#[actix_rt::test]
async fn each_wrong_of_an_event_or_the_bookmark_is_found_and_named() {
    let audit = Audit::behind(season().await).await;
    let follow: &[&str] = &["events_follow_the_log"];
    each_is_found(
        &audit,
        &[
            (
                "update events set revision = 1 where id = 'open'",
                follow,
                "event open is at revision 1, but the log was read beyond its revision 2",
            ),
            (
                "update events set revision = 3 where id = 'open'",
                follow,
                "event open is at revision 3, which the log does not have",
            ),
            (
                "update events set title = title || '!' where id = 'open'",
                follow,
                "event open is not what the log says of its revision 2",
            ),
            (
                "update events set closed_at = closed_at - interval '1 microsecond' where id = 'lost'",
                follow,
                "event lost closed at ",
            ),
            (
                "update events set status = 3 where id = 'lost'",
                &["settled_by_newest", "events_follow_the_log"],
                "event lost is not what the log says of its revision 2",
            ),
            (
                "update events set result_seq = result_seq + 1 where id = 'won'",
                &["settled_by_newest"],
                "the bets of event won follow its result 1 of 2",
            ),
            (
                "delete from events where id = 'void'",
                &["settled_by_newest", "events_follow_the_log"],
                "event void is not known, although the log was read beyond its position 4",
            ),
            (
                "update events set generation = 2 where id = 'open'",
                follow,
                "event open is of generation 2, but there have been 1",
            ),
            (
                "update feed set digest = sha256('other')",
                follow,
                "is not the one that was read",
            ),
            ("update feed set highest = highest + 1", follow, "was heard of"),
            (
                "update feed set instance = gen_random_uuid()",
                follow,
                "the log is of instance ",
            ),
            (
                "update feed set position = position - 1",
                follow,
                "is not the one that was read",
            ),
            (
                "insert into feed_conflicts values ('open', 1, 2, 'x', '{}', now())",
                follow,
                "revision 2 of event open came with another content at ",
            ),
        ],
    )
    .await;
}

#[actix_rt::test]
async fn without_the_log_the_tables_are_held_against_each_other() {
    let audit = Audit::behind(season().await).await;
    for (sql, undo, check, text) in [
        (
            "update bets set odds = 186 where event_id = 'open' and stake = 333",
            "update bets set odds = 185 where event_id = 'open' and stake = 333",
            "placed_before_close",
            "2 bets were placed on revision 1 of event open at different odds, 185 to 186 hundredths",
        ),
        (
            "update bets set odds = 199 where stake = 500",
            "update bets set odds = 200 where stake = 500",
            "placed_before_close",
            "which has the odds 200, the deadline ",
        ),
        (
            "update events set revision = 4 where id = 'open'",
            "update events set revision = 2 where id = 'open'",
            "events_follow_the_log",
            "15 revisions are known, but the log was read up to 13, and 13 is the most that was heard of",
        ),
        (
            "update feed set highest = 12",
            "update feed set highest = 13",
            "events_follow_the_log",
            "the bookmark stands at position 13, but none beyond 12 was ever heard of",
        ),
    ] {
        audit.books.run(sql).await;
        let found = audit.report_of_tables().await;
        assert_eq!(found.broken(), [check], "{sql}\n{found}");
        assert!(found.to_string().contains(text), "{sql}\n{found}");
        audit.books.run(undo).await;
    }
    assert_right(&audit.report_of_tables().await);
}

#[actix_rt::test]
async fn a_log_with_a_gap_or_of_two_instances_is_found() {
    let audit = Audit::behind(season().await).await;
    let right = audit.provider.history();
    let spoilt = |edit: fn(&mut History)| {
        let mut history = right.clone();
        edit(&mut history);
        history
    };
    for (history, text) in [
        (
            spoilt(|history| drop(history.changes.remove(4))),
            "the log goes from position 4 to 6",
        ),
        (
            spoilt(|history| history.changes[6].instance = History::new().instance),
            "the change at position 7 is of instance ",
        ),
        (
            spoilt(|history| {
                history.changes[6].revision = 4;
                history.changes[6].event.revision = 4;
            }),
            "the change at position 7 is event.updated of event open at revision 4, behind revision 1",
        ),
    ] {
        audit.provider.replace_history(history);
        let found = audit.report().await;
        assert!(found.broken().contains(&"events_follow_the_log"), "{found}");
        assert!(found.to_string().contains(text), "{text}\n{found}");
    }
}

#[actix_rt::test]
async fn the_sums_of_more_events_than_are_held_at_a_time_are_compared_whole() {
    let audit = Audit::behind(TestApp::start().await).await;
    // Three lines an event, so that a page of 1000 ends within one.
    audit
        .books
        .run(
            "insert into bets (id, event_id, stake, odds, event_revision, placed_at, status, payout, settled_at)
             select gen_random_uuid(), 'game-' || event, 333, 185, 1, now(), status,
                 case status when 1 then 616 when 2 then 0 end, case when status > 0 then now() end
             from generate_series(1, 700) as event, generate_series(0, 2) as status",
        )
        .await;
    let sums = async || {
        let report = audit.report_of_tables().await;
        let sums = report.checks().iter().find(|check| check.name() == "sums_agree");
        sums.unwrap().listed().to_vec()
    };
    assert_eq!(sums().await, Vec::<String>::new());
    audit
        .books
        .run("update bets set payout = payout + 1 where status = 1 and event_id in ('game-1', 'game-700')")
        .await;
    let found = sums().await;
    assert_eq!(found.len(), 2, "{found:?}");
    for (found, id) in found.iter().zip(["game-1", "game-700"]) {
        let text = format!("the exposure of event {id} is answered as pending: 1 bets, ");
        assert!(found.starts_with(&text), "{found}");
        assert!(
            found.ends_with("; lost: 1 bets, stakes 333, payout if the first team wins 616, paid 0"),
            "{found}"
        );
    }
}
