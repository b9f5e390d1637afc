//! The fence as the real commands use it: results wait for placements under way, placements that waited see the
//! result, and nobody waits in a circle.

use std::rc::Rc;

use bet_maker::feed::apply;
use bet_maker::news::Source;
use bet_maker::placement::{OddsPolicy, PlaceBet, Refusal};
use bet_maker::store::changes::merge;
use bet_maker::store::placements::{Answer, Ticket, place};
use bet_maker::store::{StoreError, fence};
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use shared_types::{BetId, Money};
use test_support::TestDatabase;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::harness::{Books, History, actor, backend_of, database, read_log, settle};

fn ticket(event_id: &str) -> Ticket {
    Ticket {
        id: BetId::from_uuid(Uuid::now_v7()),
        bet: PlaceBet {
            event_id: event_id.parse().unwrap(),
            stake: Money::from_cents(1000),
            odds: OddsPolicy::Any,
            bettor: None,
            key: None,
        },
    }
}

/// Places in the background; with the backend that does it.
async fn placing(
    database: &Rc<TestDatabase>,
    tickets: Vec<Ticket>,
) -> (i32, JoinHandle<Result<Vec<Answer>, StoreError>>) {
    let mut conn = actor(database.url()).await;
    let backend = backend_of(&mut conn).await;
    let placed = actix_rt::spawn(async move { place(&mut conn, &tickets, || Some(1)).await });
    (backend, placed)
}

fn accepted(answers: &[Answer]) -> usize {
    let accepted = |answer: &&Answer| matches!(answer, Answer::Decided { outcome: Ok(_), .. });
    answers.iter().filter(accepted).count()
}

#[actix_rt::test]
async fn a_result_waits_for_the_placement_that_holds_the_fence() {
    let database = Rc::new(database().await);
    let books = Books::open(database.url()).await;
    let mut operator = actor(database.url()).await;
    let mut history = History::new();
    history.create("final", "1.85");
    read_log(&mut operator, &history, 500).await;

    // Holds the placement up between its decision and its commit.
    books.run("begin; lock table bets in share mode").await;
    let (bettor, placed) = placing(&database, vec![ticket("final")]).await;
    let watcher = Books::open(database.url()).await;
    watcher.wait_until_blocked(bettor).await;
    let result = history.won("final");
    let backend = backend_of(&mut operator).await;
    let applied =
        actix_rt::spawn(async move { (apply::receive(&mut operator, vec![result]).await, operator) });
    watcher.wait_until_blocked(backend).await;
    assert_eq!(watcher.int("select status::bigint from events").await, 0);

    books.run("commit").await;
    assert_eq!(accepted(&placed.await.unwrap().unwrap()), 1);
    let (received, mut operator) = applied.await.unwrap();
    assert!(received.unwrap().merged.due);
    assert_eq!(settle(&mut operator, 100).await, 1);
    assert_eq!(books.by_status("final").await, ["1 1 1850"]);
}

#[actix_rt::test]
async fn a_placement_that_waits_behind_a_result_sees_it() {
    let database = Rc::new(database().await);
    let books = Books::open(database.url()).await;
    let mut operator = actor(database.url()).await;
    let mut history = History::new();
    history.create("final", "1.85");
    history.create("other", "1.85");
    read_log(&mut operator, &history, 500).await;

    operator.batch_execute("begin").await.unwrap();
    fence::exclude(&mut operator, [&"final".parse().unwrap()])
        .await
        .unwrap();
    let (bettor, placed) = placing(&database, vec![ticket("final"), ticket("other")]).await;
    books.wait_until_blocked(bettor).await;
    merge(&mut operator, &[history.won("final")], 1, Source::Callback)
        .await
        .unwrap();
    assert!(books.is_blocked(bettor).await);
    operator.batch_execute("commit").await.unwrap();

    let answers = placed.await.unwrap().unwrap();
    let refused = Answer::Decided {
        outcome: Err(Refusal::BettingClosed),
        replayed: false,
    };
    assert_eq!(answers[0], refused);
    assert_eq!(accepted(&answers[1..]), 1);
}

#[actix_rt::test]
async fn a_placement_on_another_event_does_not_wait() {
    let database = Rc::new(database().await);
    let mut operator = actor(database.url()).await;
    let mut history = History::new();
    history.create("final", "1.85");
    history.create("other", "1.85");
    read_log(&mut operator, &history, 500).await;
    operator.batch_execute("begin").await.unwrap();
    fence::exclude(&mut operator, [&"final".parse().unwrap()])
        .await
        .unwrap();
    let (_, placed) = placing(&database, vec![ticket("other")]).await;
    assert_eq!(accepted(&placed.await.unwrap().unwrap()), 1);
    operator.batch_execute("rollback").await.unwrap();
}

#[actix_rt::test]
async fn batches_and_results_over_the_same_events_never_wait_in_a_circle() {
    let database = Rc::new(database().await);
    let books = Books::open(database.url()).await;
    let mut operator = actor(database.url()).await;
    let mut history = History::new();
    let ids: Vec<String> = (0..24).map(|n| format!("event-{n}")).collect();
    for id in &ids {
        history.create(id, "1.85");
    }
    read_log(&mut operator, &history, 500).await;

    let batches = (0..8).map(async |shift| {
        let mut conn = actor(database.url()).await;
        let mut accepted_here = 0;
        for round in 0..6 {
            let mut order: Vec<_> = ids.iter().map(|id| ticket(id)).collect();
            order.rotate_left((shift * 5 + round) % 24);
            if shift % 2 == 0 {
                order.reverse();
            }
            accepted_here += accepted(&place(&mut conn, &order, || Some(1)).await.unwrap());
        }
        accepted_here
    });
    let results = async {
        for half in ids.chunks(12) {
            let changes = half.iter().rev().map(|id| history.won(id)).collect();
            apply::receive(&mut operator, changes).await.unwrap();
        }
        operator
    };
    let (accepted, mut operator) = futures_util::future::join(join_all(batches), results).await;
    let accepted: usize = accepted.iter().sum();
    assert_eq!(settle(&mut operator, 50).await, accepted);
    let settled = books.int("select count(*) from bets where status <> 0").await;
    assert_eq!(usize::try_from(settled).unwrap(), accepted);
    books.assert_balanced().await;
}
