//! By property: whatever order callbacks come in, however often, and whichever are lost, and however the log and
//! settlement fall in between, the same events, bets and sums come out as when the log alone is read in order.

use std::cell::RefCell;

use bet_maker::feed::apply;
use bet_maker::store::settlements::settle_chunk;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use shared_types::{EventStatus, Timestamp};
use test_support::TestDatabase;

use crate::harness::{Books, History, actor, database, poll_log, read_log, seconds_ago, settle};

const EVENTS: [&str; 3] = ["one", "two", "three"];
const CASES: u32 = 24;

/// One thing that an operator does, to one of the events.
#[derive(Clone, Debug)]
enum Act {
    Odds(usize, u8),
    Status(usize, EventStatus),
}

/// One thing that happens on the way.
#[derive(Clone, Debug)]
enum Delivery {
    /// These changes arrive by callback in one transaction; numbers are taken modulo what happened.
    Callbacks(Vec<usize>),
    /// The log, cut off after so many of its changes, is read in pages of that size.
    Log { known: usize, page: usize },
    /// One chunk of that size.
    Settle(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let event = 0..EVENTS.len();
    let act = prop_oneof![
        1 => (event.clone(), 101_u8..=250).prop_map(|(event, odds)| Act::Odds(event, odds)),
        2 => (event, prop::sample::select(EventStatus::ALL.to_vec()))
            .prop_map(|(event, status)| Act::Status(event, status)),
    ];
    prop::collection::vec(act, 4..16)
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let delivery = prop_oneof![
        5 => prop::collection::vec(0..64_usize, 1..4).prop_map(Delivery::Callbacks),
        1 => (0..64_usize, 2..6_usize).prop_map(|(known, page)| Delivery::Log { known, page }),
        3 => (1..8_u16).prop_map(Delivery::Settle),
    ];
    prop::collection::vec(delivery, 0..30)
}

fn happened(acts: &[Act]) -> History {
    let mut history = History::new();
    for id in EVENTS {
        history.create(id, "1.85");
    }
    // Minutes ago and a second apart, so that some bets came before the first result and some after it.
    let mut seconds = 300;
    for act in acts {
        seconds -= 10;
        match act {
            Act::Odds(event, odds) => {
                history.set_odds(EVENTS[*event], &format!("{}.{:02}", odds / 100, odds % 100));
            }
            Act::Status(event, status) => {
                history.set_status_at(EVENTS[*event], *status, seconds_ago(seconds));
            }
        }
    }
    history
}

/// A database that is emptied before every run.
struct Bench {
    books: Books,
    conn: Object<AsyncPgConnection>,
    /// What the bets' times are counted back from.
    now: Timestamp,
    _database: TestDatabase,
}

impl Bench {
    async fn new() -> Self {
        let database = database().await;
        Self {
            books: Books::open(database.url()).await,
            conn: actor(database.url()).await,
            now: Timestamp::now(),
            _database: database,
        }
    }

    /// Empties it and adds the bets: the same ones each time, placed over the last five minutes.
    async fn reset(&self) {
        self.books
            .run(
                "delete from events; delete from ledger; delete from feed_conflicts; delete from bets;
                 delete from feed; insert into feed default values",
            )
            .await;
        self.books
            .execute(
                "insert into bets (id, event_id, stake, odds, event_revision, placed_at)
                 select md5(event || n)::uuid, event, 100 + n * 37, 150 + n, 1,
                     $1::text::timestamptz - n * interval '25 seconds' - interval '5 seconds'
                 from unnest(array['one', 'two', 'three']) event, generate_series(0, 11) n",
                &[&self.now.to_string()],
            )
            .await;
    }

    /// What must not depend on the way.
    async fn outcome(&self) -> Vec<String> {
        self.books.assert_balanced().await;
        self.books
            .rows(
                "select 'event', id, odds::text, status::text, revision::text, closed_at::text,
                     (settled_seq = result_seq)::text from events
                 union all
                 select 'bet', b.id::text, b.status::text, b.void_reason::text, b.payout::text,
                     coalesce(sum(l.amount), 0)::text, '' from bets b left join ledger l on l.bet_id = b.id
                 group by b.id
                 union all
                 select 'conflict', event_id, revision::text, '', '', '', '' from feed_conflicts
                 order by 1, 2",
            )
            .await
    }

    async fn in_order(&mut self, history: &History) -> Vec<String> {
        self.reset().await;
        read_log(&mut self.conn, history, 500).await;
        settle(&mut self.conn, 100).await;
        self.outcome().await
    }

    async fn by_way_of(&mut self, history: &History, deliveries: &[Delivery]) -> Vec<String> {
        self.reset().await;
        // What the log was read to at first: callbacks are believed only in a history that is followed.
        let mut known = 3;
        poll_log(&mut self.conn, &history.cut_back(known), 500).await;
        for delivery in deliveries {
            match delivery {
                Delivery::Callbacks(numbers) => {
                    let pick = |number: &usize| history.changes[number % history.changes.len()].clone();
                    let changes = numbers.iter().map(pick).collect::<Vec<_>>();
                    // The log of a real line-provider holds what it calls back about.
                    let newest = changes.iter().map(|change| change.position).max().unwrap();
                    known = known.max(usize::try_from(newest).unwrap());
                    apply::receive(&mut self.conn, changes).await.unwrap();
                }
                Delivery::Log { known: more, page } => {
                    known = known.max(more % (history.changes.len() + 1));
                    read_log(&mut self.conn, &history.cut_back(known), *page).await;
                }
                Delivery::Settle(limit) => {
                    settle_chunk(&mut self.conn, *limit, &[]).await.unwrap();
                }
            }
        }
        read_log(&mut self.conn, history, 500).await;
        settle(&mut self.conn, 5).await;
        self.outcome().await
    }
}

#[test]
fn any_order_duplication_and_loss_of_callbacks_comes_out_the_same() {
    let seed: [u8; 32] = rand::random();
    println!("seed {seed:?}");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let system = actix_rt::System::new();
    let bench = RefCell::new(system.block_on(Bench::new()));
    let outcome = runner.run(&(acts(), deliveries()), |(acts, deliveries)| {
        let history = happened(&acts);
        let mut bench = bench.borrow_mut();
        bench.now = Timestamp::now();
        let (expected, actual) = system.block_on(async {
            let expected = bench.in_order(&history).await;
            (expected, bench.by_way_of(&history, &deliveries).await)
        });
        prop_assert_eq!(expected, actual);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("seed {seed:?}: {error}");
    }
}
