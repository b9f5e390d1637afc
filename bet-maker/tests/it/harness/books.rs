//! What is stored, read by plain SQL; and bets in bulk, written by it.

use std::time::Duration;

use bet_maker::store::Store;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use test_support::wait_until;
use tokio_postgres::NoTls;
use tokio_postgres::types::ToSql;

use super::PATIENCE;

/// A plain connection to the database under test.
pub struct Books {
    client: tokio_postgres::Client,
}

/// A connection of the app's own kind, for calling its store functions as one of many actors would.
pub async fn actor(url: &str) -> Object<AsyncPgConnection> {
    Store::new(url, 1).connection().await.unwrap()
}

/// The backend that serves a connection.
pub async fn backend_of(conn: &mut AsyncPgConnection) -> i32 {
    let pid = diesel::dsl::sql::<diesel::sql_types::Integer>("pg_backend_pid()");
    RunQueryDsl::get_result(diesel::select(pid), conn).await.unwrap()
}

impl Books {
    pub async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        actix_rt::spawn(connection);
        Self { client }
    }

    /// One value of one row.
    pub async fn int(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// One text, null as the empty one.
    pub async fn text(&self, sql: &str) -> String {
        let row = self.client.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// All rows of a query of texts, columns joined by blanks, null as `-`.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.client.query(sql, &[]).await.unwrap();
        let line = |row: &tokio_postgres::Row| {
            let columns = (0..row.len()).map(|column| row.get::<_, Option<String>>(column));
            columns
                .map(|text| text.unwrap_or_else(|| "-".into()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        rows.iter().map(line).collect()
    }

    pub async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    /// The error's SQLSTATE and message.
    pub async fn refused(&self, sql: &str) -> (String, String) {
        let error = self.client.batch_execute(sql).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        (error.code().code().to_owned(), error.message().to_owned())
    }

    pub async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> u64 {
        tokio_postgres::Client::execute(&self.client, sql, values)
            .await
            .unwrap()
    }

    /// `count` bets of `stake` cents at odds of 1.85, placed a minute ago.
    pub async fn add_bets(&self, event_id: &str, count: i64, stake: i64) {
        self.execute(
            "insert into bets (id, event_id, stake, odds, event_revision, placed_at)
             select gen_random_uuid(), $1, $2, 185, 1, now() - interval '1 minute'
             from generate_series(1, $3::bigint)",
            &[&event_id, &stake, &count],
        )
        .await;
    }

    /// Per status: number of bets and what they were paid.
    pub async fn by_status(&self, event_id: &str) -> Vec<String> {
        self.rows(&format!(
            "select status::text, count(*)::text, coalesce(sum(payout), 0)::text
             from bets where event_id = '{event_id}' group by status order by status"
        ))
        .await
    }

    /// Waits until no result waits for settlement.
    pub async fn wait_until_settled(&self) {
        wait_until("all results settled", PATIENCE, async || {
            let due = self
                .int("select count(*) from events where settled_seq < result_seq")
                .await;
            (due == 0).then_some(())
        })
        .await;
    }

    /// The books balance: every bet's ledger adds up to what it was paid, and its newest line says where it
    /// stands.
    pub async fn assert_balanced(&self) {
        let off = self
            .rows(
                "select b.id::text, b.payout::text, sum(l.amount)::text
                 from bets b left join ledger l on l.bet_id = b.id
                 group by b.id having coalesce(b.payout, 0) <> coalesce(sum(l.amount), 0)",
            )
            .await;
        assert!(off.is_empty(), "bets and ledger differ: {off:?}");
        let stale = self
            .rows(
                "select b.id::text, b.status::text, l.status::text from bets b join lateral (
                     select * from ledger where bet_id = b.id order by result_seq desc limit 1
                 ) l on true
                 where (b.status, b.void_reason) is distinct from (l.status, l.void_reason)",
            )
            .await;
        assert!(
            stale.is_empty(),
            "bets differ from their newest ledger line: {stale:?}"
        );
    }

    /// Whether that backend waits for a lock that another one holds.
    pub async fn is_blocked(&self, backend: i32) -> bool {
        let sql = "select cardinality(pg_blocking_pids($1)) > 0";
        self.client.query_one(sql, &[&backend]).await.unwrap().get(0)
    }

    pub async fn wait_until_blocked(&self, backend: i32) {
        wait_until(
            "the backend waits for a lock",
            Duration::from_secs(4),
            async || self.is_blocked(backend).await.then_some(()),
        )
        .await;
    }
}
