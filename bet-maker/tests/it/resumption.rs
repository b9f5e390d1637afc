//! Settlement in chunks by hand, without an app: broken off in the middle, overtaken by a newer result, and shared
//! by several workers. The totals are exact every time.

use std::time::Duration;

use bet_maker::store::settlements::settle_chunk;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use futures_util::future::join_all;
use test_support::{TestDatabase, wait_until};

use crate::harness::{Books, History, PATIENCE, actor, backend_of, database, read_log, settle};

struct Scene {
    database: TestDatabase,
    books: Books,
    worker: Object<AsyncPgConnection>,
    history: History,
}

impl Scene {
    /// `final` with that many bets of 3.33 at 1.85, and no result yet.
    async fn with_bets(count: i64) -> Self {
        let database = database().await;
        let books = Books::open(database.url()).await;
        let worker = actor(database.url()).await;
        let mut history = History::new();
        history.create("final", "1.85");
        let mut scene = Self {
            database,
            books,
            worker,
            history,
        };
        scene.read_log().await;
        scene.books.add_bets("final", count, 333).await;
        scene
    }

    async fn read_log(&mut self) {
        let mut reader = actor(self.database.url()).await;
        read_log(&mut reader, &self.history, 500).await;
    }

    async fn ledger(&self) -> Vec<String> {
        self.books
            .rows("select result_seq::text, count(*)::text, sum(amount)::text from ledger group by 1 order by 1")
            .await
    }
}

#[actix_rt::test]
async fn a_pass_is_settled_chunk_by_chunk_and_each_is_booked_with_its_progress() {
    let mut scene = Scene::with_bets(250).await;
    scene.history.won("final");
    scene.read_log().await;
    for (seen, finished) in [(100, false), (100, false), (50, true)] {
        let chunk = settle_chunk(&mut scene.worker, 100, &[]).await.unwrap().unwrap();
        assert_eq!(
            (chunk.seen, chunk.settled, chunk.finished),
            (seen, seen, finished)
        );
        scene.books.assert_balanced().await;
    }
    assert_eq!(settle_chunk(&mut scene.worker, 100, &[]).await.unwrap(), None);
    assert_eq!(scene.ledger().await, ["1 250 154000"]);
}

#[actix_rt::test]
async fn a_full_last_chunk_ends_the_pass_all_the_same() {
    let mut scene = Scene::with_bets(200).await;
    scene.history.won("final");
    scene.read_log().await;
    assert_eq!(settle(&mut scene.worker, 100).await, 200);
    assert_eq!(scene.books.int("select settled_seq from events").await, 1);
}

#[actix_rt::test]
async fn a_pass_whose_worker_is_killed_in_a_chunk_goes_on_where_it_was() {
    let mut scene = Scene::with_bets(1000).await;
    scene.history.won("final");
    scene.read_log().await;
    for _ in 0..3 {
        settle_chunk(&mut scene.worker, 100, &[]).await.unwrap().unwrap();
    }
    // The fourth chunk gets as far as its last bet.
    let last = "begin; select from bets where id = (select id from bets where status = 0 order by id offset 99 limit 1)
        for update";
    scene.books.run(last).await;
    let mut victim = actor(scene.database.url()).await;
    let backend = backend_of(&mut victim).await;
    let chunk = actix_rt::spawn(async move { settle_chunk(&mut victim, 100, &[]).await });
    let watcher = Books::open(scene.database.url()).await;
    watcher.wait_until_blocked(backend).await;
    watcher
        .run(&format!("select pg_terminate_backend({backend}, 5000)"))
        .await;
    assert!(chunk.await.unwrap().is_err());
    scene.books.run("commit").await;
    assert_eq!(scene.ledger().await, ["1 300 184800"]);

    assert_eq!(settle(&mut scene.worker, 100).await, 700);
    assert_eq!(scene.ledger().await, ["1 1000 616000"]);
    assert_eq!(scene.books.by_status("final").await, ["1 1000 616000"]);
}

#[actix_rt::test]
async fn a_chunk_that_is_dropped_half_way_leaves_nothing() {
    let mut scene = Scene::with_bets(100).await;
    scene.history.won("final");
    scene.read_log().await;
    scene.books.run("begin; lock table ledger in share mode").await;
    let dropped = actor(scene.database.url()).await;
    let chunk = async move {
        let mut conn = dropped;
        settle_chunk(&mut conn, 100, &[]).await
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(100), chunk)
            .await
            .is_err()
    );
    scene.books.run("commit").await;
    // The session that was left holds the event until the server notices that its client is gone.
    wait_until("the chunk done again", PATIENCE, async || {
        settle(&mut scene.worker, 30).await;
        let due = scene
            .books
            .int("select count(*) from events where settled_seq < result_seq")
            .await;
        (due == 0).then_some(())
    })
    .await;
    assert_eq!(scene.ledger().await, ["1 100 61600"]);
}

#[actix_rt::test]
async fn a_newer_result_in_the_middle_of_a_pass_starts_it_over() {
    let mut scene = Scene::with_bets(1000).await;
    scene.history.won("final");
    scene.read_log().await;
    for _ in 0..3 {
        settle_chunk(&mut scene.worker, 100, &[]).await.unwrap().unwrap();
    }
    scene.history.lost("final");
    scene.read_log().await;
    assert_eq!(settle(&mut scene.worker, 100).await, 1000);
    assert_eq!(scene.ledger().await, ["1 300 184800", "2 1000 -184800"]);
    assert_eq!(scene.books.by_status("final").await, ["2 1000 0"]);
    scene.books.assert_balanced().await;

    scene.history.won("final");
    scene.read_log().await;
    settle_chunk(&mut scene.worker, 100, &[]).await.unwrap().unwrap();
    scene
        .history
        .set_status("final", shared_types::EventStatus::Unfinished);
    scene.read_log().await;
    settle(&mut scene.worker, 100).await;
    assert_eq!(scene.books.by_status("final").await, ["0 1000 0"]);
    scene.books.assert_balanced().await;
}

#[actix_rt::test]
async fn a_result_that_was_taken_back_before_it_was_settled_books_nothing() {
    let mut scene = Scene::with_bets(10).await;
    scene.history.won("final");
    scene.read_log().await;
    scene
        .history
        .set_status("final", shared_types::EventStatus::Unfinished);
    scene.read_log().await;
    assert_eq!(settle(&mut scene.worker, 100).await, 0);
    assert!(scene.ledger().await.is_empty());
    assert_eq!(scene.books.int("select settled_seq from events").await, 2);
}

#[actix_rt::test]
async fn a_large_event_holds_up_no_small_one() {
    let mut scene = Scene::with_bets(100).await;
    scene.history.create("small", "1.85");
    scene.history.won("final");
    scene.read_log().await;
    scene.books.add_bets("small", 1, 100).await;
    let first = settle_chunk(&mut scene.worker, 10, &[]).await.unwrap().unwrap();
    assert_eq!(first.event_id.as_str(), "final");
    scene.history.won("small");
    scene.read_log().await;
    let second = settle_chunk(&mut scene.worker, 10, &[]).await.unwrap().unwrap();
    assert_eq!((second.event_id.as_str(), second.finished), ("small", true));
}

#[actix_rt::test]
async fn three_workers_over_many_events_settle_every_bet_once() {
    let mut scene = Scene::with_bets(150).await;
    for n in 0..20 {
        let id = format!("event-{n}");
        scene.history.create(&id, "1.85");
        scene.books.add_bets(&id, 40, 333).await;
    }
    scene.read_log().await;
    for n in 0..20 {
        scene.history.won(&format!("event-{n}"));
    }
    scene.history.won("final");
    scene.read_log().await;
    let url = scene.database.url().to_owned();
    let workers = (0..3).map(|_| {
        let url = url.clone();
        // A thread each: they shall truly meet.
        tokio::task::spawn_blocking(move || {
            actix_rt::System::new().block_on(async {
                let mut worker = actor(&url).await;
                settle(&mut worker, 7).await
            })
        })
    });
    let shares: Vec<usize> = join_all(workers).await.into_iter().map(Result::unwrap).collect();
    // Who found nothing free left early; what others were at then is finished by them.
    assert_eq!(shares.iter().sum::<usize>(), 950);
    assert_eq!(scene.ledger().await, ["1 950 585200"]);
    assert_eq!(
        scene
            .books
            .int("select count(*) from events where settled_seq < result_seq")
            .await,
        0
    );
    scene.books.assert_balanced().await;
}

#[actix_rt::test]
async fn a_bet_cannot_be_settled_twice_by_one_result() {
    let mut scene = Scene::with_bets(1).await;
    scene.history.won("final");
    scene.read_log().await;
    settle(&mut scene.worker, 10).await;
    let again = "select settle_bets(1, 2, now(), array_agg(id), array[2::smallint], array[null::smallint],
        array[0::bigint], array[-616::bigint]) from bets";
    assert_eq!(scene.books.int(again).await, 0);
    let double = "insert into ledger select * from ledger";
    assert_eq!(scene.books.refused(double).await.0, "23505");
    assert_eq!(scene.books.by_status("final").await, ["1 1 616"]);
}
