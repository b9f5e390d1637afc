//! A placement and a result, in every order of their steps, each over a connection of its own. Whatever the order,
//! no bet may be left behind: once a result is settled, no bet of its event is pending. A placement that takes its
//! lock and reads in one statement is played too, so that the checker is known to see.

use bet_maker::news::Source;
use bet_maker::placement::{OddsPolicy, decide};
use bet_maker::store::changes::merge;
use bet_maker::store::schema::functions::{clock_timestamp, store_placements};
use bet_maker::store::{events, feed, fence};
use diesel::prelude::*;
use diesel::sql_types::{SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use shared_types::{Change, EventId};
use test_support::wait_until;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::harness::{Books, History, PATIENCE, actor, backend_of, database, settle};

/// What a placement does between its fence and its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// As bet-maker does.
    FenceThenRead,
    /// One statement for both: its snapshot is older than its lock.
    FenceWhileReading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Fence,
    Read,
    Store,
    CommitBet,
    Hold,
    Exclude,
    Write,
    CommitResult,
    Settle,
}

const BETTOR: [Step; 4] = [Step::Fence, Step::Read, Step::Store, Step::CommitBet];
const OPERATOR: [Step; 5] = [
    Step::Hold,
    Step::Exclude,
    Step::Write,
    Step::CommitResult,
    Step::Settle,
];

/// One event's story.
#[derive(Clone)]
struct Story {
    event_id: EventId,
    result: Change,
    placement: Placement,
}

/// Takes its steps one after the other, each as soon as the one before is done.
struct Actor {
    orders: mpsc::UnboundedSender<(Step, Story)>,
    done: mpsc::UnboundedReceiver<Step>,
    under_way: usize,
    backend: i32,
}

impl Actor {
    async fn new(url: &str) -> Self {
        let mut conn = actor(url).await;
        let backend = backend_of(&mut conn).await;
        let (orders, mut received) = mpsc::unbounded_channel();
        let (report, done) = mpsc::unbounded_channel();
        actix_rt::spawn(async move {
            let mut accepted = None;
            while let Some((step, story)) = received.recv().await {
                act(&mut conn, step, &story, &mut accepted).await;
                report.send(step).unwrap();
            }
        });
        Self {
            orders,
            done,
            under_way: 0,
            backend,
        }
    }

    fn order(&mut self, step: Step, story: &Story) {
        self.orders.send((step, story.clone())).unwrap();
        self.under_way += 1;
    }

    /// Done with what was ordered, or waiting for a lock.
    async fn is_at_rest(&mut self, books: &Books) -> bool {
        while self.done.try_recv().is_ok() {
            self.under_way -= 1;
        }
        self.under_way == 0 || books.is_blocked(self.backend).await
    }
}

type Accepted = Option<(i32, i64, OffsetDateTime)>;

async fn act(conn: &mut AsyncPgConnection, step: Step, story: &Story, accepted: &mut Accepted) {
    match step {
        Step::Fence => {
            conn.batch_execute("begin").await.unwrap();
            if story.placement == Placement::FenceThenRead {
                fence::share(conn, [&story.event_id]).await.unwrap();
            }
        }
        Step::Read => {
            *accepted = match story.placement {
                Placement::FenceThenRead => read(conn, &story.event_id).await,
                Placement::FenceWhileReading => read_while_fencing(conn, &story.event_id).await,
            }
        }
        Step::Store => {
            if let Some((odds, revision, now)) = accepted.take() {
                store(conn, &story.event_id, odds, revision, now).await;
            }
        }
        Step::Hold => {
            conn.batch_execute("begin").await.unwrap();
            feed::hold(conn).await.unwrap();
        }
        Step::Exclude => fence::exclude(conn, [&story.event_id]).await.unwrap(),
        Step::Write => {
            let merged = merge(conn, std::slice::from_ref(&story.result), 1, Source::Callback).await;
            assert!(merged.unwrap().due);
        }
        Step::CommitBet | Step::CommitResult => conn.batch_execute("commit").await.unwrap(),
        Step::Settle => {
            settle(conn, 100).await;
        }
    }
}

async fn read(conn: &mut AsyncPgConnection, event_id: &EventId) -> Accepted {
    let now: OffsetDateTime = diesel::select(clock_timestamp()).get_result(conn).await.unwrap();
    let terms = events::terms(conn, &[event_id.as_str()]).await.unwrap();
    let acceptance = decide(terms.get(event_id), OddsPolicy::Any, now.into()).ok()?;
    let revision = acceptance.event_revision.try_into().unwrap();
    Some((acceptance.odds.hundredths(), revision, now))
}

async fn read_while_fencing(conn: &mut AsyncPgConnection, event_id: &EventId) -> Accepted {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SmallInt)]
        status: i16,
    }
    let sql = "select fence_shared(array[
            ('x' || encode(substr(sha256(id::bytea), 1, 8), 'hex'))::bit(64)::bigint
        ]), status from events where id = $1";
    let row: Row = diesel::sql_query(sql)
        .bind::<Text, _>(event_id.as_str())
        .get_result(conn)
        .await
        .unwrap();
    let now = diesel::select(clock_timestamp()).get_result(conn).await.unwrap();
    (row.status == 0).then_some((185, 1, now))
}

async fn store(
    conn: &mut AsyncPgConnection,
    event_id: &EventId,
    odds: i32,
    revision: i64,
    now: OffsetDateTime,
) {
    let statement = store_placements(
        vec![Uuid::now_v7()],
        vec![event_id.as_str()],
        vec![None::<&str>],
        vec![1000_i64],
        vec![odds],
        vec![revision],
        vec![None::<&str>],
        vec![None::<Vec<u8>>],
        vec![None::<serde_json::Value>],
        now,
    );
    diesel::select(statement).load::<String>(conn).await.unwrap();
}

/// All orders of the bettor's (`true`) and the operator's steps.
fn schedules() -> Vec<Vec<bool>> {
    let length = BETTOR.len() + OPERATOR.len();
    (0..1_usize << length)
        .filter(|bits| bits.count_ones() == u32::try_from(BETTOR.len()).unwrap())
        .map(|bits| (0..length).map(|step| bits >> step & 1 == 1).collect())
        .collect()
}

/// What came of all schedules.
#[derive(Debug, Default)]
struct Outcome {
    played: usize,
    accepted: usize,
    left_behind: Vec<Vec<bool>>,
}

async fn play_all(placement: Placement) -> Outcome {
    let database = database().await;
    let books = Books::open(database.url()).await;
    let (mut bettor, mut operator) = (Actor::new(database.url()).await, Actor::new(database.url()).await);
    let mut setter = actor(database.url()).await;
    let mut history = History::new();
    let mut outcome = Outcome::default();
    for schedule in schedules() {
        let id = format!("event-{}", outcome.played);
        let created = history.create(&id, "1.85");
        merge(&mut setter, &[created], 1, Source::Callback).await.unwrap();
        let story = Story {
            event_id: id.parse().unwrap(),
            // Without a close of its own, as if the clocks did not help.
            result: history.set_status_at(&id, shared_types::EventStatus::FirstTeamWon, far_ahead()),
            placement,
        };
        let (mut bets, mut results) = (BETTOR.iter(), OPERATOR.iter());
        for is_bettor in &schedule {
            if *is_bettor {
                bettor.order(*bets.next().unwrap(), &story);
            } else {
                operator.order(*results.next().unwrap(), &story);
            }
            wait_until("both actors at rest", PATIENCE, async || {
                (bettor.is_at_rest(&books).await && operator.is_at_rest(&books).await).then_some(())
            })
            .await;
        }
        assert_eq!((bettor.under_way, operator.under_way), (0, 0), "{schedule:?}");
        let bets = books.by_status(&id).await;
        outcome.played += 1;
        outcome.accepted += usize::from(!bets.is_empty());
        if bets.iter().any(|line| line.starts_with("0 ")) {
            outcome.left_behind.push(schedule);
        }
    }
    outcome
}

fn far_ahead() -> shared_types::Timestamp {
    crate::harness::in_seconds(3600)
}

#[actix_rt::test]
async fn in_every_order_of_steps_no_bet_is_left_behind_a_result() {
    let outcome = play_all(Placement::FenceThenRead).await;
    assert_eq!(outcome.played, 126);
    assert!(outcome.left_behind.is_empty(), "{:?}", outcome.left_behind);
    assert!(
        outcome.accepted > 0 && outcome.accepted < outcome.played,
        "{}",
        outcome.accepted
    );
}

#[actix_rt::test]
async fn the_checker_sees_a_placement_whose_snapshot_is_older_than_its_fence() {
    let outcome = play_all(Placement::FenceWhileReading).await;
    assert!(!outcome.left_behind.is_empty(), "the checker is blind");
}
