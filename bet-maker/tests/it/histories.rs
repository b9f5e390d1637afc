//! When line-provider's history breaks: a new journal, one set back, one rewritten. Acceptance stops, nothing is
//! voided or unsettled, and it heals when the history comes back, agrees, or is adopted.

use serde_json::{Value, json};
use shared_types::Instance;
use test_support::wait_until;

use bet_maker::feed::apply;

use crate::harness::{History, PATIENCE, Signed, TestApp, actor, in_seconds, problem};

/// `open` and `gone` with a pending bet each, `won` with a settled one.
struct Scene {
    app: TestApp,
    bets: Vec<Value>,
}

impl Scene {
    async fn new() -> Self {
        let mut history = History::new();
        for id in ["won", "open", "gone"] {
            history.create(id, "1.85");
        }
        let app = TestApp::start_on(history).await;
        let mut bets = Vec::new();
        for id in ["won", "open", "gone"] {
            bets.push(app.placed(id, "10.00").await);
        }
        app.happens(|history| history.won("won")).await;
        bets[0] = app.wait_for_status(bets[0]["id"].as_str().unwrap(), "won").await;
        let head = app.provider.history().head().to_string();
        wait_until("the log is read", PATIENCE, async || {
            (app.books.text("select position::text from feed").await == head).then_some(())
        })
        .await;
        Self { app, bets }
    }

    async fn wait_until_suspended(&self) {
        self.app
            .wait_until_placing_answers("open", 503, Some("feed_suspended"))
            .await;
        let not_ready = problem(&self.app.ready().await, 503, "not_ready");
        assert_eq!(not_ready["dependencies"]["line_provider"]["status"], "down");
        assert_eq!(not_ready["dependencies"]["database"]["status"], "up");
        self.assert_untouched().await;
    }

    /// Waits until the candidate was read to the head of what is served.
    async fn wait_until_reconciled(&self) {
        let head = self.app.provider.history().head().to_string();
        wait_until("the candidate is read", PATIENCE, async || {
            let sql = "select candidate_position::text from feed where candidate_instance is not null";
            (self.app.books.rows(sql).await == [head.as_str()]).then_some(())
        })
        .await;
        let rounds = self.app.provider.rounds();
        wait_until("two more rounds", PATIENCE, async || {
            (self.app.provider.rounds() > rounds + 1).then_some(())
        })
        .await;
    }

    async fn wait_until_healed(&self, event_id: &str) {
        self.app.wait_until_placing_answers(event_id, 201, None).await;
        self.app.wait_until_ready().await;
        self.assert_untouched().await;
    }

    /// The first bets and their ledger are as they were.
    async fn assert_untouched(&self) {
        for bet in &self.bets {
            assert_eq!(self.app.bet(bet["id"].as_str().unwrap()).await.json(), *bet);
        }
        assert_eq!(
            self.app.books.rows("select amount::text from ledger").await,
            ["1850"]
        );
    }

    async fn adopt(&self, instance: Instance) -> Result<(), apply::AdoptError> {
        apply::adopt(&mut *actor(self.app.database.url()).await, instance).await
    }
}

#[actix_rt::test]
async fn a_provider_restarted_empty_suspends_acceptance_until_its_journal_is_back() {
    let scene = Scene::new().await;
    let journal = scene.app.provider.replace_history(History::new());
    scene.wait_until_suspended().await;
    scene.wait_until_reconciled().await;
    scene.wait_until_suspended().await;

    let keyed = scene
        .app
        .place_with_key("k1", &json!({"event_id": "open", "stake": "1.00"}))
        .await;
    problem(&keyed, 503, "feed_suspended");
    assert_eq!(
        scene.app.books.int("select count(*) from idempotency_keys").await,
        0
    );
    let of_the_new = scene.app.provider.edit(|history| history.create("open", "1.85"));
    problem(
        &scene.app.callback(&Signed::change(&of_the_new)).await,
        503,
        "feed_suspended",
    );
    let of_the_old = journal.clone().lost("open");
    problem(
        &scene.app.callback(&Signed::change(&of_the_old)).await,
        503,
        "feed_suspended",
    );

    scene.app.provider.replace_history(journal);
    scene.wait_until_healed("open").await;
    scene.app.happens(|history| history.lost("open")).await;
    scene
        .app
        .wait_for_status(scene.bets[1]["id"].as_str().unwrap(), "lost")
        .await;
}

#[actix_rt::test]
async fn a_log_that_was_set_back_suspends_acceptance_until_it_is_whole_again() {
    let scene = Scene::new().await;
    let journal = scene.app.provider.history();
    scene.app.provider.replace_history(journal.cut_back(2));
    scene.wait_until_suspended().await;
    scene.wait_until_reconciled().await;
    scene.wait_until_suspended().await;
    scene.app.provider.replace_history(journal);
    scene.wait_until_healed("open").await;
}

#[actix_rt::test]
async fn a_log_that_was_rewritten_suspends_acceptance_until_the_old_one_is_back() {
    let scene = Scene::new().await;
    let journal = scene.app.provider.history();
    let mut rewritten = journal.cut_back(2);
    rewritten.create("never-seen", "3.00");
    rewritten.cancelled("open");
    scene.app.provider.replace_history(rewritten);
    scene.wait_until_suspended().await;
    scene.app.provider.replace_history(journal);
    scene.wait_until_healed("open").await;
}

#[actix_rt::test]
async fn a_log_that_lost_only_results_is_followed_again_and_unsettles_nothing() {
    let scene = Scene::new().await;
    let journal = scene.app.provider.history();
    scene.app.provider.replace_history(journal.cut_back(3));
    scene.app.provider.edit(|history| history.create("next", "1.85"));
    scene.wait_until_healed("next").await;
    // The result is said again, otherwise than before: a correction.
    scene.app.happens(|history| history.set_odds("won", "2.00")).await;
    scene.assert_untouched().await;
    scene.app.provider.edit(|history| history.lost("won"));
    scene
        .app
        .wait_for_status(scene.bets[0]["id"].as_str().unwrap(), "lost")
        .await;
    scene.app.books.assert_balanced().await;
}

#[actix_rt::test]
async fn a_new_journal_that_says_everything_again_is_followed_by_itself() {
    let scene = Scene::new().await;
    let journal = scene.app.provider.history();
    scene.app.provider.replace_history(journal.said_again());
    scene.wait_until_healed("open").await;
    let instance = scene.app.provider.history().instance.to_string();
    wait_until("the new journal is followed", PATIENCE, async || {
        (scene.app.books.text("select instance::text from feed").await == instance).then_some(())
    })
    .await;
    scene.app.happens(|history| history.won("open")).await;
    scene
        .app
        .wait_for_status(scene.bets[1]["id"].as_str().unwrap(), "won")
        .await;
}

#[actix_rt::test]
async fn an_adopted_journal_closes_what_it_does_not_know_and_settles_what_it_says_again() {
    let scene = Scene::new().await;
    scene.app.provider.replace_history(History::new());
    scene
        .app
        .provider
        .edit(|history| history.create_until("open", "2.00", in_seconds(7200)));
    scene.wait_until_suspended().await;
    scene.wait_until_reconciled().await;
    let instance = scene.app.provider.history().instance;
    scene.adopt(instance).await.unwrap();
    scene.wait_until_healed("open").await;

    let gone = scene.app.event("gone").await.json();
    assert_eq!(
        (&gone["status"], gone["closed_at"].is_string()),
        (&json!("unfinished"), true)
    );
    problem(
        &scene
            .app
            .place(&json!({"event_id": "gone", "stake": "1.00"}))
            .await,
        409,
        "betting_closed",
    );
    assert_eq!(scene.app.event("open").await.json()["odds"], "2.00");

    scene.app.happens(|history| history.won("open")).await;
    let paid = scene
        .app
        .wait_for_status(scene.bets[1]["id"].as_str().unwrap(), "won")
        .await;
    assert_eq!(paid["payout"], "18.50");
    // The other event is created anew and ends: its bets, placed before it was closed here, follow the result.
    scene.app.provider.edit(|history| {
        history.create("gone", "1.85");
        history.lost("gone")
    });
    scene
        .app
        .wait_for_status(scene.bets[2]["id"].as_str().unwrap(), "lost")
        .await;
    scene.app.books.assert_balanced().await;
    let last = scene.app.provider.history().changes.last().unwrap().clone();
    scene.app.told(&last).await;
    assert_eq!(
        scene
            .app
            .books
            .int("select count(*) from feed_conflicts where event_id = 'gone'")
            .await,
        0,
        "a repeat is no conflict"
    );
}

#[actix_rt::test]
async fn only_the_journal_that_is_served_can_be_adopted_and_only_while_suspended() {
    let scene = Scene::new().await;
    let served = scene.app.provider.history().instance;
    assert!(matches!(
        scene.adopt(served).await,
        Err(apply::AdoptError::NotSuspended)
    ));
    scene.app.provider.replace_history(History::new());
    scene.wait_until_suspended().await;
    let candidate = scene.app.provider.history().instance;
    match scene.adopt(served).await {
        Err(apply::AdoptError::OtherCandidate(other)) => assert_eq!(other, candidate),
        other => panic!("{other:?}"),
    }
    scene.wait_until_suspended().await;
}
