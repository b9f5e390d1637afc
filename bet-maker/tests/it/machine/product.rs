//! The product: two replicas' sessions on a database of the case's own, called as their workers and requests would call.

use bet_maker::feed::apply;
use bet_maker::store::placements;
use bet_maker::store::settlements::{SettleError, settle_chunk};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use test_support::TestDatabase;
use uuid::Uuid;

use super::books::{self, Chunk, Line, standing};
use super::model::{EVENTS, Model, Moment, Placed, Transition, Work};
use super::words::{bet_code, do_deed, event_code, read_answer, reason_code, ticket};
use crate::harness::{Books, History, actor, database, read_log, read_page};

pub const RIGHT: &str = "";

/// A pass under way goes on where it is when its event's result is corrected.
pub const PLANTED: &str = "create function goes_on() returns trigger language plpgsql
    as $$ begin new.settling_seq := new.result_seq; return new; end $$;
    create trigger goes_on before update on events for each row
    when (new.result_seq > old.result_seq and old.settle_after is not null) execute function goes_on()";

/// Ends the session that asked for it, once its transaction has written, or is about to commit.
const CRASH: &str = "create function crash() returns trigger language plpgsql as $$
    begin
        if current_setting('machine.crash', true) = tg_argv[0] then
            perform pg_terminate_backend(pg_backend_pid());
            perform pg_sleep(1);
        end if;
        return null;
    end $$;
    do $$
    declare t text;
    begin
        foreach t in array array['bets', 'ledger', 'events', 'idempotency_keys', 'feed'] loop
            execute format('create trigger crash_written after insert or update on %I
                for each statement execute function crash(''written'')', t);
            execute format('create constraint trigger crash_commit after insert or update on %I
                deferrable initially deferred for each row execute function crash(''commit'')', t);
        end loop;
    end $$";

pub struct Replicas {
    conns: Vec<Object<AsyncPgConnection>>,
    stored: Books,
    history: History,
    books: books::Books,
    database: TestDatabase,
    system: actix_rt::SystemRunner,
}

impl Replicas {
    pub fn start(model: &Model, planted: &str) -> Self {
        let system = actix_rt::System::new();
        let mut history = History::new();
        for told in &model.log {
            history.create(EVENTS[told.event], "1.85");
        }
        let (database, stored, conns) = system.block_on(async {
            let database = database().await;
            let stored = Books::open(database.url()).await;
            stored.run(CRASH).await;
            stored.run(planted).await;
            let mut conns = vec![actor(database.url()).await, actor(database.url()).await];
            read_log(&mut conns[0], &history, 500).await;
            (database, stored, conns)
        });
        Self {
            conns,
            stored,
            history,
            books: books::Books::default(),
            database,
            system,
        }
    }

    pub fn take(&mut self, model: &Model, transition: Transition) {
        // Each replica in its turn.
        let replica = usize::try_from(model.now).unwrap() % self.conns.len();
        let Self {
            conns,
            history,
            books,
            database,
            system,
            ..
        } = self;
        let conn = &mut conns[replica];
        system.block_on(async {
            match transition {
                Transition::Source(event, deed) => do_deed(history, EVENTS[event], deed),
                Transition::Callbacks(numbers) => {
                    let changes = numbers
                        .iter()
                        .map(|number| history.changes[model.change(*number)].clone());
                    apply::receive(conn, changes.collect()).await.unwrap();
                }
                Transition::Read(page) => read_page(conn, history, page).await,
                Transition::Place(request) => {
                    let ticket = ticket(&request, model.now);
                    let answers = placements::place(conn, &[ticket], || Some(1)).await.unwrap();
                    assert_eq!(read_answer(&answers[0]), model.answer.unwrap());
                }
                Transition::Settle(limit) => settle(conn, books, model, limit)
                    .await
                    .unwrap_or_else(|error| panic!("{error:?}")),
                Transition::Crash(work, moment) => {
                    let moment = match moment {
                        Moment::Written => "written",
                        Moment::Commit => "commit",
                    };
                    conn.batch_execute(&format!("set machine.crash = '{moment}'"))
                        .await
                        .unwrap();
                    let crashed = match work {
                        // There may be nothing to settle, and nothing to crash.
                        Work::Settle(limit) => {
                            settle(conn, books, model, limit).await.is_err() || books.due(model).is_empty()
                        }
                        Work::Place(request) => {
                            let ticket = ticket(&request, model.now);
                            placements::place(conn, &[ticket], || Some(1)).await.is_err()
                        }
                        Work::Callback(number) => {
                            let change = history.changes[model.change(number)].clone();
                            apply::receive(conn, vec![change]).await.is_err()
                        }
                    };
                    assert!(crashed, "nothing crashed");
                    *conn = actor(database.url()).await;
                }
                Transition::Restart => *conn = actor(database.url()).await,
            }
        });
    }

    /// The database holds what the model says, and nothing else.
    pub fn check(&self, model: &Model) {
        let events = model
            .known
            .iter()
            .zip(self.books.progress)
            .map(|(known, progress)| {
                let told = known.told;
                format!(
                    "event {} {} {} {} {} {} {}",
                    EVENTS[told.event],
                    told.odds,
                    event_code(told.status),
                    told.revision,
                    told.closed_at.is_some(),
                    known.results,
                    progress.settled,
                )
            });
        let bets = model.bets.iter().map(|bet| self.line_of(bet));
        let rest = format!("rest {} 0 {}", model.keys.len(), model.read);
        let mut expected: Vec<String> = events.chain(bets).chain([rest]).collect();
        expected.sort();
        let mut stored = self.system.block_on(self.stored.rows(STORED));
        stored.sort();
        assert_eq!(stored, expected);
    }

    fn line_of(&self, bet: &Placed) -> String {
        let (stands, lines) = self.books.of(bet);
        let text = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
        let line = |line: &Line| {
            let Line {
                result,
                revision,
                status,
                amount,
            } = *line;
            format!("{result}/{revision}/{}/{amount}", bet_code(status))
        };
        let lines: Vec<String> = lines.iter().map(line).collect();
        format!(
            "bet {} {} {} {} {} {} {} {} {}",
            Uuid::from_u128(bet.at.into()),
            EVENTS[bet.event],
            bet.stake,
            bet.odds,
            bet.revision,
            bet_code(stands.status),
            text(stands.reason.map(reason_code)),
            text(stands.payout),
            lines.join(","),
        )
    }

    /// The log is read to its head, and all is settled: every bet stands as line-provider's newest word says.
    pub fn read_and_settle_all(&mut self, model: &mut Model) {
        while model.read < model.log.len() {
            let page = Transition::Read(4);
            model.take(&page);
            self.take(model, page);
        }
        while !self.books.due(model).is_empty() {
            self.take(model, Transition::Settle(3));
        }
        self.check(model);
        for bet in &model.bets {
            let (stands, lines) = self.books.of(bet);
            assert_eq!(stands, standing(&model.newest(bet.event), bet));
            let booked: i64 = lines.iter().map(|line| line.amount).sum();
            assert_eq!(booked, stands.payout.unwrap_or(0));
        }
    }
}

/// All rows, one a line, in the words of [`Replicas::check`].
const STORED: &str = "select concat_ws(' ', 'event', id, odds, status, revision,
        case when closed_at is null then 'false' else 'true' end, result_seq, settled_seq)
    from events
    union all
    select concat_ws(' ', 'bet', b.id, b.event_id, stake, odds, b.event_revision, b.status,
        coalesce(b.void_reason::text, '-'), coalesce(payout::text, '-'),
        coalesce(string_agg(concat_ws('/', l.result_seq, l.event_revision, l.status, l.amount), ','
            order by l.result_seq), ''))
    from bets b left join ledger l on l.bet_id = b.id group by b.id
    union all
    select concat_ws(' ', 'rest', (select count(*) from idempotency_keys), (select count(*) from feed_conflicts),
        position)
    from feed";

/// Settles a chunk, of an event that bet-maker chooses, and books in the model what that must have done.
async fn settle(
    conn: &mut AsyncPgConnection,
    books: &mut books::Books,
    model: &Model,
    limit: u16,
) -> Result<(), SettleError> {
    let due = books.due(model);
    let Some(chunk) = settle_chunk(conn, limit, &[]).await? else {
        assert!(due.is_empty(), "nothing was settled, due were {due:?}");
        return Ok(());
    };
    let event = EVENTS
        .iter()
        .position(|id| *id == chunk.event_id.as_str())
        .unwrap();
    assert!(
        due.contains(&event),
        "{} was settled, due were {due:?}",
        chunk.event_id
    );
    let expected = books.settle(model, event, limit.into());
    let done = Chunk {
        seen: chunk.seen,
        settled: chunk.settled,
        finished: chunk.finished,
    };
    assert_eq!(done, expected);
    Ok(())
}
