//! `POST /callbacks/line-provider`: who is believed, what is taken, and what changes nothing.

use serde_json::{Value, json};

use crate::harness::{
    OTHER_SECRET, SECRET, Signed, TestApp, broken_fields, callback, in_seconds, problem, seconds_ago,
};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.happens(|history| history.create("final", "1.85")).await;
    app
}

/// Everything that a callback may touch.
async fn stored(app: &TestApp) -> Vec<String> {
    let sql = "select to_jsonb(events)::text from events union all select to_jsonb(feed_conflicts)::text
        from feed_conflicts union all select to_jsonb(bets)::text from bets
        union all select to_jsonb(ledger)::text from ledger order by 1";
    app.books.rows(sql).await
}

#[actix_rt::test]
async fn a_callback_that_cannot_be_believed_is_401_in_one_wording_and_changes_nothing() {
    let app = app().await;
    let before = stored(&app).await;
    // Not in the log, so that only the callback could bring it.
    let change = app.provider.history().won("final");
    let good = Signed::change(&change);
    let signature = good.headers[3].1.clone();
    let mut tampered = good.clone();
    tampered.body = String::from_utf8(good.body.clone())
        .unwrap()
        .replace("first_team", "second_team")
        .into();
    let mut details = Vec::new();
    for (why, signed) in [
        ("no id", good.clone().without("webhook-id")),
        ("no timestamp", good.clone().without("webhook-timestamp")),
        ("no signature", good.clone().without("webhook-signature")),
        ("another id", good.clone().with("webhook-id", "msg_other_1")),
        (
            "another time",
            good.clone()
                .with("webhook-timestamp", &seconds_ago(1).unix_seconds().to_string()),
        ),
        ("no time", good.clone().with("webhook-timestamp", "now")),
        (
            "no version",
            good.clone()
                .with("webhook-signature", signature.trim_start_matches("v1,")),
        ),
        (
            "another version",
            good.clone()
                .with("webhook-signature", &signature.replace("v1,", "v1a,")),
        ),
        (
            "cut off",
            good.clone()
                .with("webhook-signature", &signature[..signature.len() - 4]),
        ),
        ("not base64", good.clone().with("webhook-signature", "v1,????")),
        (
            "beyond five",
            good.clone().with(
                "webhook-signature",
                &format!("{}{signature}", "v1,AAAA ".repeat(5)),
            ),
        ),
        ("another secret", Signed::at(&change, OTHER_SECRET, in_seconds(0))),
        ("too old", Signed::at(&change, SECRET, seconds_ago(301))),
        ("of the future", Signed::at(&change, SECRET, in_seconds(310))),
        ("tampered", tampered),
        (
            "forged and unreadable",
            Signed {
                body: b"nonsense".to_vec(),
                ..good.clone()
            },
        ),
    ] {
        let answer = app.callback(&signed).await;
        let refusal = problem(&answer, 401, "invalid_signature");
        details.push((refusal["title"].clone(), refusal["detail"].clone()));
        assert_eq!(stored(&app).await, before, "{why}");
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!(app.callback(&good).await.status, 204);
}

#[actix_rt::test]
async fn a_callback_within_the_tolerance_is_believed() {
    let app = app().await;
    for at in [seconds_ago(290), in_seconds(290)] {
        let change = app.provider.edit(|history| history.set_odds("final", "2.00"));
        assert_eq!(app.callback(&Signed::at(&change, SECRET, at)).await.status, 204);
    }
    let signed = Signed::change(&app.provider.edit(|history| history.set_odds("final", "2.50")));
    let signature = format!("v1,AAAA v2,x {}", signed.headers[3].1);
    assert_eq!(
        app.callback(&signed.with("webhook-signature", &signature))
            .await
            .status,
        204
    );
    assert_eq!(app.event("final").await.json()["odds"], "2.50");
}

#[actix_rt::test]
async fn while_secrets_rotate_both_are_believed() {
    let app = app().await;
    let rotating = TestApp::start_with(app.database.clone(), app.provider.clone(), |settings| {
        settings.callback_secrets = vec![OTHER_SECRET.parse().unwrap(), SECRET.parse().unwrap()];
    })
    .await;
    for (secret, odds) in [(SECRET, "2.00"), (OTHER_SECRET, "3.00")] {
        let change = app.provider.edit(|history| history.set_odds("final", odds));
        let answer = rotating
            .callback(&Signed::at(&change, secret, in_seconds(0)))
            .await;
        assert_eq!(answer.status, 204);
        assert_eq!(rotating.event("final").await.json()["odds"], odds);
    }
}

#[actix_rt::test]
async fn a_change_takes_effect_before_its_callback_is_answered() {
    let app = app().await;
    let body = json!({"event_id": "final", "stake": "1.00"});
    app.placed("final", "1.00").await;
    app.happens(|history| history.won("final")).await;
    problem(&app.place(&body).await, 409, "betting_closed");
    assert_eq!(app.event("final").await.json()["status"], "first_team_won");
}

#[actix_rt::test]
async fn repeats_and_older_revisions_are_accepted_without_effect() {
    let app = app().await;
    app.placed("final", "1.00").await;
    let created = app.provider.history().changes[0].clone();
    let odds = app.happens(|history| history.set_odds("final", "2.00")).await;
    let lost = app.happens(|history| history.lost("final")).await;
    let won = app.happens(|history| history.won("final")).await;
    app.books.wait_until_settled().await;
    let before = stored(&app).await;
    for change in [&won, &won, &lost, &odds, &created, &lost, &won] {
        app.told(change).await;
    }
    app.books.wait_until_settled().await;
    assert_eq!(stored(&app).await, before);
    assert_eq!(app.books.int("select count(*) from feed_conflicts").await, 0);
}

#[actix_rt::test]
async fn one_revision_with_another_content_is_kept_as_a_conflict_and_not_applied() {
    let app = app().await;
    let bet = app.placed("final", "1.00").await;
    let lost = app.happens(|history| history.lost("final")).await;
    app.wait_for_status(bet["id"].as_str().unwrap(), "lost").await;
    let mut other = lost.clone();
    other.event.status = shared_types::EventStatus::FirstTeamWon;
    for _ in 0..2 {
        app.told(&other).await;
    }
    assert_eq!(app.event("final").await.json()["status"], "second_team_won");
    assert_eq!(
        app.bet(bet["id"].as_str().unwrap()).await.json()["status"],
        "lost"
    );
    let kept = "select revision::text, received->'event'->>'status' from feed_conflicts";
    assert_eq!(app.books.rows(kept).await, ["2 first_team_won"]);
}

#[actix_rt::test]
async fn a_type_that_does_not_concern_us_is_accepted_and_left_alone() {
    let app = app().await;
    let before = stored(&app).await;
    for body in [
        json!({"type": "ping"}),
        json!({"type": "subscription.disabled", "data": {"event": 1}}),
        json!({"type": "", "data": null}),
    ] {
        assert_eq!(
            app.callback(&Signed::bytes(body.to_string())).await.status,
            204,
            "{body}"
        );
    }
    assert_eq!(stored(&app).await, before);
}

#[actix_rt::test]
async fn a_signed_body_that_cannot_be_read_is_400() {
    let app = app().await;
    let whole = callback(&app.provider.history().won("final"));
    let with = |pointer: &str, value: Value| {
        let mut body = whole.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string().into_bytes()
    };
    for body in [
        b"".to_vec(),
        b"nonsense".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"\xff".to_vec(),
        json!({"type": 1}).to_string().into_bytes(),
        json!({"type": "event.created"}).to_string().into_bytes(),
        with("/data/event/odds", json!("-1.00")),
        with("/data/event/odds", json!("1.855")),
        with("/data/event/status", json!("tie")),
        with("/data/event/deadline", json!("tomorrow")),
        with("/data/event/id", json!("a b")),
        with("/data/revision", json!(-1)),
        with("/data/position", json!("1")),
        with("/data/instance", json!("x")),
    ] {
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = app.callback(&Signed::bytes(body)).await;
        assert_eq!(answer.status, 400, "{text}");
        problem(&answer, 400, "invalid_json");
    }
}

#[actix_rt::test]
async fn a_change_that_contradicts_itself_is_422() {
    let app = app().await;
    let before = stored(&app).await;
    let whole = callback(&app.provider.history().won("final"));
    for (pointer, value, field) in [
        ("/data/event_id", json!("other"), "data.event_id"),
        ("/data/revision", json!(7), "data.revision"),
        ("/data/event/revision", json!(0), "data.revision"),
        ("/data/event/title", json!("a\u{0}b"), "data.event.title"),
        ("/data/event/closed_at", json!(null), "data.event.closed_at"),
    ] {
        let mut body = whole.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        let answer = app.callback(&Signed::bytes(body.to_string())).await;
        assert_eq!(broken_fields(&problem(&answer, 422, "invalid_field")), [field]);
    }
    assert_eq!(stored(&app).await, before);
}

#[actix_rt::test]
async fn numbers_beyond_what_is_stored_are_refused_and_no_fault() {
    let app = app().await;
    let before = stored(&app).await;
    let mut body = callback(&app.provider.history().won("final"));
    for number in [i64::MAX as u64 + 1, u64::MAX] {
        body["data"]["revision"] = json!(number);
        body["data"]["event"]["revision"] = json!(number);
        let answer = app.callback(&Signed::bytes(body.to_string())).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text());
    }
    assert_eq!(stored(&app).await, before);
    app.happens(|history| history.set_odds("final", "2.00")).await;
}

#[actix_rt::test]
async fn a_callback_of_more_than_64_kib_is_413() {
    let app = app().await;
    let padded = |length: usize| {
        let ping = json!({"type": "ping"}).to_string();
        [ping.as_bytes(), &vec![b' '; length - ping.len()]].concat()
    };
    assert_eq!(app.callback(&Signed::bytes(padded(64 * 1024))).await.status, 204);
    problem(
        &app.callback(&Signed::bytes(padded(64 * 1024 + 1))).await,
        413,
        "body_too_large",
    );
}

#[actix_rt::test]
async fn a_change_of_a_history_that_is_not_followed_must_come_again() {
    let app = app().await;
    let before = stored(&app).await;
    let mut foreign = crate::harness::History::new();
    let change = foreign.create("final", "9.99");
    problem(
        &app.callback(&Signed::change(&change)).await,
        503,
        "feed_suspended",
    );
    assert_eq!(stored(&app).await, before);
    app.placed("final", "1.00").await;
}
