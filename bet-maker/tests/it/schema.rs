//! `store::schema` against the migrated database, and migrations by several replicas at once.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use bet_maker::store::migrate::{self, MigrateError};
use test_support::TestDatabase;

use crate::harness::{Books, PATIENCE, database, migrated};

const SOURCE: &str = include_str!("../../src/store/schema.rs");

/// `table.column type null`, as the `table!` macros say.
fn as_declared() -> BTreeSet<String> {
    let mut table = "";
    let mut columns = BTreeSet::new();
    for line in SOURCE.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = name;
        } else if let Some((column, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            let nullable = kind.starts_with("Nullable<");
            let kind = kind.trim_start_matches("Nullable<").trim_end_matches('>');
            columns.insert(format!("{table}.{column} {kind} {nullable}"));
        }
    }
    columns
}

#[actix_rt::test]
async fn the_tables_of_the_code_are_those_of_the_database() {
    let database = database().await;
    let books = Books::open(database.url()).await;
    let migrated: BTreeSet<String> = books
        .rows(
            "select table_name || '.' || column_name || ' ' || case data_type
                 when 'text' then 'Text' when 'integer' then 'Integer' when 'bigint' then 'BigInt'
                 when 'smallint' then 'SmallInt' when 'uuid' then 'Uuid' when 'jsonb' then 'Jsonb'
                 when 'bytea' then 'Binary' when 'boolean' then 'Bool'
                 when 'timestamp with time zone' then 'Timestamptz' else data_type end
                 || ' ' || (is_nullable = 'YES')::text
             from information_schema.columns
             where table_schema = 'public' and table_name not like '\\_\\_diesel%'",
        )
        .await
        .into_iter()
        .collect();
    assert_eq!(as_declared(), migrated);
}

#[actix_rt::test]
async fn four_replicas_migrate_one_empty_database_at_once() {
    let database = TestDatabase::empty().await;
    let all = (0..4).map(|_| migrated(database.url().to_owned()));
    for replica in futures_util::future::join_all(all).await {
        replica.unwrap();
    }
    let books = Books::open(database.url()).await;
    assert_eq!(books.int("select count(*) from feed").await, 1);
    assert_eq!(
        books.int("select count(*) from __diesel_schema_migrations").await,
        1
    );
    migrated(database.url().to_owned()).await.unwrap();
}

#[actix_rt::test]
async fn the_database_refuses_what_no_code_may_write() {
    let database = database().await;
    let books = Books::open(database.url()).await;
    books.add_bets("e", 1, 100).await;
    for (constraint, sql) in [
        ("bets_stake_check", "update bets set stake = 0"),
        ("bets_check", "update bets set void_reason = 1"),
        ("bets_check1", "update bets set payout = 5"),
        ("bets_check2", "update bets set settled_at = now()"),
        (
            "bets_status_check",
            "update bets set status = 4, payout = 1, settled_at = now()",
        ),
        ("feed_check", "update feed set suspended = 'why'"),
        ("feed_pkey", "insert into feed default values"),
    ] {
        let (_, message) = books.refused(sql).await;
        assert!(message.contains(&format!("\"{constraint}\"")), "{sql}: {message}");
    }
}

#[actix_rt::test]
async fn a_replica_that_hangs_in_a_migration_is_not_waited_for_without_end() {
    let database = TestDatabase::empty().await;
    let hanging = Books::open(database.url()).await;
    hanging.run("select pg_advisory_lock(1112756557, 1)").await;
    let url = database.url().to_owned();
    let (done, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || done.send(migrate::run_in_turn(&url, Duration::from_millis(300))));
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert!(matches!(ended, Err(MigrateError::NoTurn { .. })), "{ended:?}");
    drop(hanging);
    migrated(database.url().to_owned()).await.unwrap();
}

#[actix_rt::test]
async fn a_database_that_says_nothing_is_not_migrated_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let ended = tokio::time::timeout(PATIENCE, migrated(url)).await.unwrap();
    assert!(matches!(ended, Err(MigrateError::Unreachable(_))), "{ended:?}");
}
