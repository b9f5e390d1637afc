//! A candidate's history, read round by round without an app: what it may change before it is followed, which is
//! nothing that costs a bettor or keeps the true history from coming back.

use bet_maker::feed::apply;
use bet_maker::store::feed;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use shared_types::Change;
use test_support::TestDatabase;

use crate::harness::{Books, History, ReadTo, actor, database, in_seconds, poll_log, settle};

struct Scene {
    books: Books,
    reader: Object<AsyncPgConnection>,
    journal: History,
    _database: TestDatabase,
}

impl Scene {
    /// `open` and `other` with ten bets each, read from a journal.
    async fn new() -> Self {
        let database = database().await;
        let books = Books::open(database.url()).await;
        let mut reader = actor(database.url()).await;
        let mut journal = History::new();
        for id in ["open", "other"] {
            journal.create(id, "1.85");
            books.add_bets(id, 10, 1000).await;
        }
        assert_eq!(poll_log(&mut reader, &journal, 500).await, ReadTo::Head);
        Self {
            books,
            reader,
            journal,
            _database: database,
        }
    }

    async fn read(&mut self, history: &History) -> ReadTo {
        let read_to = poll_log(&mut self.reader, history, 500).await;
        settle(&mut self.reader, 100).await;
        read_to
    }

    async fn assert_all_pending(&self) {
        for id in ["open", "other"] {
            assert_eq!(self.books.by_status(id).await, ["0 10 0"], "{id}");
        }
    }

    async fn receive(&mut self, change: &Change) {
        let received = apply::receive(&mut self.reader, vec![change.clone()])
            .await
            .unwrap();
        assert_eq!(received.followed, Some(change.instance));
        settle(&mut self.reader, 100).await;
    }
}

#[actix_rt::test]
async fn a_candidate_that_contradicts_an_event_ends_it_only_when_it_is_adopted() {
    let mut scene = Scene::new().await;
    let mut other = History::new();
    other.create_until("open", "3.00", in_seconds(60));
    other.cancelled("open");
    assert!(matches!(scene.read(&other).await, ReadTo::Doubt(_)));
    scene.assert_all_pending().await;
    apply::adopt(&mut scene.reader, other.instance).await.unwrap();
    assert_eq!(scene.read(&other).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["3 10 10000"]);
    assert_eq!(scene.books.by_status("other").await, ["0 10 0"]);
}

#[actix_rt::test]
async fn what_a_false_candidate_created_does_not_keep_the_true_history_from_coming_back() {
    let mut scene = Scene::new().await;
    let mut other = History::new();
    other.create("invented", "3.00");
    assert_eq!(scene.read(&other).await, ReadTo::Doubt(2));
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    scene.assert_all_pending().await;
    let open = "select count(*) from events where closed_at is null and id = 'invented'";
    assert_eq!(scene.books.int(open).await, 0, "no bets on what no history knows");
}

#[actix_rt::test]
async fn a_false_candidate_that_contradicted_does_not_keep_the_true_history_from_coming_back() {
    let mut scene = Scene::new().await;
    let mut other = History::new();
    other.create_until("open", "3.00", in_seconds(60));
    other.set_odds("open", "4.00");
    other.won("open");
    assert!(matches!(scene.read(&other).await, ReadTo::Doubt(_)));
    let mut journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    scene.assert_all_pending().await;
    assert_eq!(
        scene
            .books
            .text("select odds::text from events where id = 'open'")
            .await,
        "185"
    );
    journal.lost("open");
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["2 10 0"]);
}

#[actix_rt::test]
async fn a_false_candidate_that_agreed_and_went_on_pays_nobody_and_does_not_keep_the_true_history_away() {
    let mut scene = Scene::new().await;
    let mut other = scene.journal.cut_back(1).said_again();
    other.set_odds("open", "4.00");
    other.won("open");
    assert_eq!(scene.read(&other).await, ReadTo::Doubt(1));
    scene.assert_all_pending().await;
    let mut journal = scene.journal.clone();
    journal.set_odds("open", "1.95");
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    scene.assert_all_pending().await;
    assert_eq!(
        scene
            .books
            .text("select odds::text from events where id = 'open'")
            .await,
        "195"
    );
}

#[actix_rt::test]
async fn a_log_that_lost_a_correction_does_not_bring_the_first_result_back() {
    let mut scene = Scene::new().await;
    scene.journal.won("open");
    let before = scene.journal.clone();
    scene.journal.lost("open");
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["2 10 0"]);
    assert_eq!(scene.read(&before).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["2 10 0"]);
    let mut onwards = before;
    onwards.cancelled("open");
    assert_eq!(scene.read(&onwards).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["3 10 10000"]);
    scene.books.assert_balanced().await;
}

#[actix_rt::test]
async fn an_adopted_log_that_was_set_back_keeps_the_events_that_it_knows_open() {
    let mut scene = Scene::new().await;
    let before = scene.journal.cut_back(1);
    scene.journal.set_odds("open", "2.50");
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    assert_eq!(scene.read(&before).await, ReadTo::Doubt(2));
    apply::adopt(&mut scene.reader, before.instance).await.unwrap();
    assert_eq!(scene.read(&before).await, ReadTo::Head);
    let open = "select id || ' ' || odds from events where closed_at is null";
    assert_eq!(scene.books.rows(open).await, ["open 185"]);
    scene.assert_all_pending().await;
}

#[actix_rt::test]
async fn a_candidate_that_forgot_a_result_does_not_undo_it() {
    let mut scene = Scene::new().await;
    let before = scene.journal.clone();
    scene.journal.won("open");
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    assert_eq!(scene.read(&before).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    // Going on from there without the result, it is still not undone.
    let mut onwards = before;
    onwards.set_odds("open", "2.00");
    assert_eq!(scene.read(&onwards).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    assert_eq!(
        scene
            .books
            .text("select closed_at::text is not null || '' from events where id = 'open'")
            .await,
        "true"
    );
}

#[actix_rt::test]
async fn a_result_of_an_event_that_was_closed_by_adoption_is_no_conflict_when_repeated() {
    let mut scene = Scene::new().await;
    let mut other = History::new();
    assert_eq!(scene.read(&other).await, ReadTo::Doubt(2));
    apply::adopt(&mut scene.reader, other.instance).await.unwrap();
    assert_eq!(scene.read(&other).await, ReadTo::Head);
    other.create("open", "1.85");
    let won = other.won("open");
    assert_eq!(scene.read(&other).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    scene.receive(&won).await;
    assert_eq!(scene.books.int("select count(*) from feed_conflicts").await, 0);
}

#[actix_rt::test]
async fn a_log_that_ends_before_what_came_by_callback_was_set_back() {
    let mut scene = Scene::new().await;
    let before = scene.journal.clone();
    let odds = scene.journal.set_odds("open", "2.00");
    scene.receive(&odds).await;
    assert!(matches!(scene.read(&before).await, ReadTo::Doubt(_)));
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    scene.assert_all_pending().await;
}

#[actix_rt::test]
async fn a_log_that_contradicts_what_came_by_callback_is_not_followed() {
    let mut scene = Scene::new().await;
    let mut other = scene.journal.clone();
    let won = scene.journal.won("open");
    scene.receive(&won).await;
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    other.lost("open");
    assert!(matches!(scene.read(&other).await, ReadTo::Doubt(_)));
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
}

#[actix_rt::test]
async fn a_candidate_that_agrees_on_all_is_followed_without_anybodys_word() {
    let mut scene = Scene::new().await;
    let mut again = scene.journal.said_again();
    again.create("more", "1.50");
    assert_eq!(scene.read(&again).await, ReadTo::Head);
    scene.assert_all_pending().await;
    assert_eq!(
        feed::read(&mut scene.reader)
            .await
            .unwrap()
            .followed
            .unwrap()
            .instance,
        again.instance
    );
    again.won("open");
    assert_eq!(scene.read(&again).await, ReadTo::Head);
    assert_eq!(scene.books.by_status("open").await, ["1 10 18500"]);
}

#[actix_rt::test]
async fn an_adoption_closes_more_events_than_one_statement_does() {
    let mut scene = Scene::new().await;
    for n in 0..1100 {
        scene.journal.create(&format!("many-{n}"), "1.85");
    }
    let journal = scene.journal.clone();
    assert_eq!(scene.read(&journal).await, ReadTo::Head);
    let empty = History::new();
    assert_eq!(scene.read(&empty).await, ReadTo::Doubt(1102));
    apply::adopt(&mut scene.reader, empty.instance).await.unwrap();
    assert_eq!(scene.read(&empty).await, ReadTo::Head);
    assert_eq!(
        scene
            .books
            .int("select count(*) from events where closed_at is null")
            .await,
        0
    );
    scene.assert_all_pending().await;
}
