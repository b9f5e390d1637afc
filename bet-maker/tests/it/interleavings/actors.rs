//! Actors: sessions of bet-maker's own kind that make calls of its own functions, one after the other, and stop at the
//! gates of `gates.sql`. A [`Gatekeeper`] holds the gates and sees where everybody rests.

use std::collections::HashMap;

use bet_maker::feed::apply::{self, Reconciled};
use bet_maker::feed::history::Break;
use bet_maker::store::placements::{Answer, Ticket, place};
use bet_maker::store::settlements::settle_chunk;
use bet_maker::store::{StoreError, feed};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use shared_types::{Change, Instance};
use test_support::wait_until;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::planted::place_in_one_statement;
use super::steps::{Kind, Place};
use crate::harness::{PATIENCE, actor, backend_of};

/// One call of bet-maker's, as a worker or a request makes it.
#[derive(Clone, Debug)]
pub enum Call {
    /// By a replica that knows this generation to be fresh.
    Place(Ticket, i32),
    /// Not bet-maker's, but a wrong one.
    PlaceInOneStatement(Ticket),
    Receive(Change),
    Settle(u16),
    /// Another journal shows up, and an operator says that it is the truth. Stops at no gate.
    Doubt(Instance),
    /// The other journal is read to its end, which is at once: what it does not name is closed.
    Close,
    /// It is followed. Stops at no gate.
    Follow,
}

impl Call {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Place(..) | Self::PlaceInOneStatement(_) => Kind::Place,
            Self::Receive(_) => Kind::Receive,
            Self::Settle(_) => Kind::Settle,
            Self::Doubt(_) | Self::Close | Self::Follow => Kind::Adopt,
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Report {
    Placed(Answer),
    /// Whether settlement became due.
    Received(bool),
    /// Whether there was something to settle.
    Settled(bool),
    Done,
    Failed(String),
}

/// Where an actor rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    At(Place),
    /// Waiting for another actor, on the way from there.
    Behind(Place),
}

impl Rest {
    pub const fn place(self) -> Place {
        match self {
            Self::At(place) | Self::Behind(place) => place,
        }
    }
}

pub struct Actor {
    calls: mpsc::UnboundedSender<Call>,
    reports: mpsc::UnboundedReceiver<Report>,
    /// Whom the gates know it as, from 1.
    number: i32,
    backend: i32,
    /// The gate that it comes to next, or stands at.
    gate: i64,
    under_way: bool,
    pub rest: Rest,
}

impl Actor {
    async fn new(url: &str, number: i32) -> Self {
        let mut conn = actor(url).await;
        let backend = backend_of(&mut conn).await;
        // Waiting at a gate is nothing that bet-maker should give up for.
        conn.batch_execute(&format!(
            "set lock_timeout = 0; set statement_timeout = 0; set gates.actor = '{number}';
             set search_path = gates, public, pg_catalog"
        ))
        .await
        .unwrap();
        let (calls, mut received) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        actix_rt::spawn(async move {
            while let Some(call) = received.recv().await {
                let done = make(&mut conn, number, call).await;
                let done = done.unwrap_or_else(|error| Report::Failed(format!("{error:?}")));
                // Nobody listens any more once a schedule has failed.
                let _ = report.send(done);
            }
        });
        Self {
            calls,
            reports,
            number,
            backend,
            gate: 1,
            under_way: false,
            rest: Rest::At(Place::Outside),
        }
    }

    pub fn call(&mut self, call: Call) {
        self.under_way = true;
        self.calls.send(call).unwrap();
    }
}

async fn make(conn: &mut AsyncPgConnection, number: i32, call: Call) -> Result<Report, StoreError> {
    Ok(match call {
        Call::Place(ticket, generation) => {
            let answers = place(conn, &[ticket], || Some(generation)).await?;
            Report::Placed(answers.into_iter().next().unwrap())
        }
        Call::PlaceInOneStatement(ticket) => Report::Placed(place_in_one_statement(conn, &ticket).await),
        Call::Receive(change) => {
            let received = apply::receive(conn, vec![change]).await?;
            Report::Received(received.merged.due)
        }
        Call::Settle(limit) => match settle_chunk(conn, limit, &[]).await {
            Ok(chunk) => Report::Settled(chunk.is_some()),
            Err(error) => return Err(error.source),
        },
        Call::Doubt(instance) => {
            conn.batch_execute("set gates.actor = ''").await?;
            let asked = feed::read(conn).await?;
            let before = asked.followed.as_ref().unwrap().instance;
            let reason = Break::OtherInstance {
                before,
                now: instance,
            };
            apply::suspend(conn, &asked, instance, &reason).await?;
            apply::adopt(conn, instance).await.unwrap();
            conn.batch_execute(&format!("set gates.actor = '{number}'"))
                .await?;
            Report::Done
        }
        Call::Close => {
            assert_eq!(reconcile(conn).await?, Reconciled::Going);
            Report::Done
        }
        Call::Follow => {
            conn.batch_execute("set gates.actor = ''").await?;
            let reconciled = reconcile(conn).await?;
            assert!(matches!(reconciled, Reconciled::Adopted { .. }), "{reconciled:?}");
            conn.batch_execute(&format!("set gates.actor = '{number}'"))
                .await?;
            Report::Done
        }
    })
}

async fn reconcile(conn: &mut AsyncPgConnection) -> Result<Reconciled, StoreError> {
    let asked = feed::read(conn).await?;
    let suspension = asked.suspension.clone().unwrap();
    apply::reconcile(conn, &asked, &suspension, &[], 0).await
}

/// Holds the gates of all actors, and watches.
pub struct Gatekeeper {
    client: tokio_postgres::Client,
    look: tokio_postgres::Statement,
    release: tokio_postgres::Statement,
}

/// Looks without a pause between them.
const AT_ONCE: usize = 12;

/// Where sessions wait. Locks are seen at one moment, names at another.
const LOOK: &str = "with waiting as materialized (select * from pg_lock_status() where not granted)
    select s.pid, s.application_name, w.locktype = 'advisory' and w.objsubid = 2, w.objid::bigint,
        (extract(epoch from clock_timestamp()) * 1000000)::bigint
    from unnest($1::integer[]) backend, pg_stat_get_activity(backend) s left join waiting w on w.pid = s.pid";

const RELEASE: &str = "select pg_advisory_lock($1, $2 + 1), pg_advisory_unlock($1, $2)";

/// An actor that came to rest, with the end of its call if that is why.
pub struct Arrival {
    pub who: usize,
    pub from: Place,
    pub report: Option<Report>,
}

impl Gatekeeper {
    /// Brings the gates to a database.
    pub async fn new(client: tokio_postgres::Client) -> Self {
        client.batch_execute(include_str!("gates.sql")).await.unwrap();
        Self {
            look: client.prepare(LOOK).await.unwrap(),
            release: client.prepare(RELEASE).await.unwrap(),
            client,
        }
    }

    pub async fn actor(&self, url: &str, number: i32) -> Actor {
        let actor = Actor::new(url, number).await;
        let sql = "select pg_advisory_lock($1, 1)";
        self.client.execute(sql, &[&actor.number]).await.unwrap();
        actor
    }

    /// Lets go on who stands at a gate, up to the next.
    pub async fn release(&self, actor: &mut Actor) {
        let (number, gate) = (actor.number, i32::try_from(actor.gate).unwrap());
        self.client
            .execute(&self.release, &[&number, &gate])
            .await
            .unwrap();
        actor.gate += 1;
    }

    /// Waits until nobody moves: each is outside of a call, at a gate, or waits for another one. Answers who came to
    /// rest elsewhere than before, and the database's clock in microseconds.
    pub async fn wait_for_rest(&self, actors: &mut [Actor]) -> (Vec<Arrival>, i64) {
        let mut ended = HashMap::new();
        let mut look = async || {
            hear(actors, &mut ended);
            self.look(actors).await
        };
        // Most steps take as long as a few looks.
        let mut seen = None;
        for _ in 0..AT_ONCE {
            seen = look().await;
            if seen.is_some() {
                break;
            }
        }
        let (rests, clock) = match seen {
            Some(seen) => seen,
            None => wait_until("all actors at rest", PATIENCE, look).await,
        };
        let mut arrivals = Vec::new();
        for (who, (actor, rest)) in actors.iter_mut().zip(rests).enumerate() {
            let from = actor.rest.place();
            let rest = rest.unwrap_or(Rest::Behind(from));
            let report = ended.remove(&who);
            if rest != actor.rest || report.is_some() {
                actor.rest = rest;
                arrivals.push(Arrival { who, from, report });
            }
        }
        (arrivals, clock)
    }

    /// Where all rest, `None` for those behind another; or nothing while one moves. The server's locks are seen at one
    /// moment, and whoever is let go on by another one is seen as such from that moment on.
    async fn look(&self, actors: &[Actor]) -> Option<(Vec<Option<Rest>>, i64)> {
        let backends: Vec<i32> = actors.iter().map(|actor| actor.backend).collect();
        let rows = self.client.query(&self.look, &[&backends]).await.unwrap();
        assert_eq!(rows.len(), actors.len(), "an actor's session is gone");
        let clock = rows[0].get(4);
        let rest = |actor: &Actor| {
            if !actor.under_way {
                return Some(Some(Rest::At(Place::Outside)));
            }
            let row = rows.iter().find(|row| row.get::<_, i32>(0) == actor.backend)?;
            if !row.get::<_, Option<bool>>(2)? {
                return Some(None);
            }
            // The name is seen at another moment than the locks.
            let (gate, place) = row.get::<_, &str>(1).split_once(' ')?;
            let there = row.get::<_, i64>(3) == actor.gate && gate == actor.gate.to_string();
            there.then(|| Some(Rest::At(Place::named(place))))
        };
        let rests: Option<Vec<_>> = actors.iter().map(rest).collect();
        Some((rests?, clock))
    }
}

/// Takes the reports that have come.
fn hear(actors: &mut [Actor], ended: &mut HashMap<usize, Report>) {
    for (who, actor) in actors.iter_mut().enumerate() {
        match actor.reports.try_recv() {
            Ok(report) => {
                actor.under_way = false;
                assert!(ended.insert(who, report).is_none());
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => panic!("actor {who} has died"),
        }
    }
}
