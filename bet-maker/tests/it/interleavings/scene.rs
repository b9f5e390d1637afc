//! The stage on which a story is played again and again, each time about an event of its own.

use std::collections::VecDeque;

use bet_maker::feed::apply;
use bet_maker::placement::PlaceBet;
use bet_maker::store::bets::BetFilter;
use bet_maker::store::placements::{Answer, Ticket, place};
use bet_maker::store::{bets, events, feed};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use shared_types::{BetId, Change, EventId, Money, Timestamp};
use test_support::TestDatabase;
use uuid::Uuid;

use super::actors::{Actor, Call, Gatekeeper, Report, Rest};
use super::judge::{self, Verdict};
use super::schedules::{Footprint, Stage};
use super::steps::{End, Kind, Place, footprint};
use super::story::{Deed, Part, Story, Wish};
use crate::harness::{Books, History, actor, database, in_seconds, read_log, settle};

/// A call that ended: by which step, and when that was by the database's clock.
#[derive(Clone, Debug)]
pub struct Ended {
    pub step: usize,
    /// In microseconds, read once all were at rest again.
    pub clock: i64,
    pub call: Call,
    pub report: Report,
}

/// One schedule of a story.
pub struct Run {
    pub event_id: EventId,
    /// The changes of the event, by revision from 1.
    pub changes: Vec<Change>,
    /// How many of these were known before the actors began.
    pub known_before: usize,
    /// The bets placed before.
    pub placed: Vec<Answer>,
    /// Whether the event is closed by the adoption of a journal that does not name it.
    pub adopted: bool,
    pub ended: Vec<Ended>,
    /// Who took which step from where.
    pub steps: Vec<(usize, Place)>,
    calls: Vec<VecDeque<Call>>,
    under_way: Vec<Option<Call>>,
    /// Whether that actor looks for something to settle, if it is a settler.
    wakeful: Vec<bool>,
}

pub struct Scene {
    pub story: Story,
    pub books: Books,
    pub verdict: Verdict,
    setter: Object<AsyncPgConnection>,
    gatekeeper: Gatekeeper,
    actors: Vec<Actor>,
    history: History,
    run: Option<Run>,
    begun: usize,
    _database: TestDatabase,
}

impl Scene {
    /// With one actor a part, on a database that `planted` makes wrong.
    pub async fn new(story: Story, planted: &str) -> Self {
        let database = database().await;
        let url = database.url();
        let gatekeeper = Gatekeeper::new(database.connect().await).await;
        let mut actors = Vec::new();
        for number in (1..).take(story.actors.len()) {
            actors.push(gatekeeper.actor(url, number).await);
        }
        let (mut setter, history) = (actor(url).await, History::new());
        read_log(&mut setter, &history, 500).await;
        let books = Books::open(url).await;
        books.run(planted).await;
        Self {
            story,
            books,
            verdict: Verdict::default(),
            setter,
            gatekeeper,
            actors,
            history,
            run: None,
            begun: 0,
            _database: database,
        }
    }

    fn run(&mut self) -> &mut Run {
        self.run.as_mut().expect("a schedule has begun")
    }

    fn do_deed(&mut self, id: &str, deed: Deed) -> Change {
        match deed {
            Deed::Odds(odds) => self.history.set_odds(id, odds),
            Deed::DeadlineNow => self.history.set_deadline(id, Timestamp::now()),
            // Without a close of its own, as if the clocks did not help: nothing but the fence keeps bets out.
            Deed::Status(status) => self.history.set_status_at(id, status, in_seconds(3600)),
        }
    }

    async fn learn(&mut self, change: Change) {
        apply::receive(&mut self.setter, vec![change]).await.unwrap();
    }

    fn ticket(id: &EventId, wish: &Wish) -> Ticket {
        Ticket {
            id: BetId::from_uuid(Uuid::now_v7()),
            bet: PlaceBet {
                event_id: id.clone(),
                stake: Money::from_cents(wish.stake),
                odds: wish.odds,
                bettor: None,
                key: wish.key.map(|key| format!("{key}-{id}").parse().unwrap()),
            },
        }
    }

    /// Sends an actor into its next call.
    fn call_next(&mut self, who: usize) {
        let call = self.next_call(who).expect("it is ready");
        let run = self.run();
        run.calls[who].pop_front();
        run.wakeful[who] = false;
        run.under_way[who] = Some(call.clone());
        self.actors[who].call(call);
    }

    fn next_call(&self, who: usize) -> Option<Call> {
        let run = self.run.as_ref()?;
        match self.story.actors[who] {
            Part::Settler(limit) => run.wakeful[who].then_some(Call::Settle(limit)),
            _ => run.calls[who].front().cloned(),
        }
    }

    /// Waits for rest after a step of `who`, and says what was touched.
    async fn see(&mut self, who: usize) -> Footprint {
        let from = self.actors[who].rest.place();
        let (arrivals, clock) = self.gatekeeper.wait_for_rest(&mut self.actors).await;
        let run = self.run.as_mut().expect("a schedule has begun");
        let step = run.steps.len();
        run.steps.push((who, from));
        let is_settler = |part: &Part| matches!(part, Part::Settler(_));
        let settler = self.story.actors.iter().position(is_settler);
        let kind = |run: &Run, who: usize| run.under_way[who].as_ref().map_or(Kind::Place, Call::kind);
        let mut touched = Footprint::default();
        if arrivals.iter().all(|arrival| arrival.who != who) {
            // It came to a gate like the one that it left.
            touched = footprint(kind(run, who), from, End::Within);
        }
        for arrival in arrivals {
            let end = match arrival.report {
                None => End::Within,
                Some(Report::Settled(false)) => End::OfLook,
                Some(_) => End::OfCall,
            };
            touched = touched.and(footprint(kind(run, arrival.who), arrival.from, end));
            let Some(report) = arrival.report else { continue };
            let call = run.under_way[arrival.who].take().expect("it was in a call");
            match report {
                // It wakes one worker, as bet-maker does.
                Report::Received(true) => run.wakeful[settler.unwrap_or(0)] = true,
                Report::Settled(more) => run.wakeful[arrival.who] |= more,
                _ => {}
            }
            run.ended.push(Ended {
                step,
                clock,
                call,
                report,
            });
        }
        touched
    }
}

impl Stage for Scene {
    async fn begin(&mut self) {
        // What a schedule that was cut left due.
        settle(&mut self.setter, 100).await;
        let id = format!("event-{}", self.begun);
        self.begun += 1;
        let event_id: EventId = id.parse().unwrap();
        let generation = feed::read(&mut self.setter).await.unwrap().generation;
        let mut changes = vec![self.history.create(&id, "1.85")];
        self.learn(changes[0].clone()).await;
        let tickets: Vec<Ticket> = (0..self.story.bets)
            .map(|_| Self::ticket(&event_id, &Wish::default()))
            .collect();
        let placed = place(&mut self.setter, &tickets, || Some(generation)).await;
        for deed in self.story.before.clone() {
            let change = self.do_deed(&id, deed);
            self.learn(change.clone()).await;
            changes.push(change);
        }
        let known_before = changes.len();
        let mut calls = Vec::new();
        let mut adopted = false;
        for part in self.story.actors.clone() {
            calls.push(match part {
                Part::Bettor(wish) => {
                    VecDeque::from([Call::Place(Self::ticket(&event_id, &wish), generation)])
                }
                Part::Blunderer => VecDeque::from([Call::PlaceInOneStatement(Self::ticket(
                    &event_id,
                    &Wish::default(),
                ))]),
                Part::Operator(deeds) => {
                    let changes_here: Vec<_> =
                        deeds.into_iter().map(|deed| self.do_deed(&id, deed)).collect();
                    changes.extend(changes_here.clone());
                    changes_here.into_iter().map(Call::Receive).collect()
                }
                Part::Settler(_) => VecDeque::new(),
                Part::Adopter => {
                    adopted = true;
                    self.history = History::new();
                    VecDeque::from([Call::Doubt(self.history.instance), Call::Close, Call::Follow])
                }
            });
        }
        let due = self
            .story
            .before
            .iter()
            .any(|deed| matches!(deed, Deed::Status(_)));
        let settles = |part: &Part| due && matches!(part, Part::Settler(_));
        self.run = Some(Run {
            event_id,
            changes,
            known_before,
            placed: placed.unwrap(),
            adopted,
            ended: Vec::new(),
            steps: Vec::new(),
            under_way: vec![None; calls.len()],
            wakeful: self.story.actors.iter().map(settles).collect(),
            calls,
        });
        // What a placement does before its fence touches nothing, so that it is no step.
        for who in 0..self.actors.len() {
            if matches!(self.story.actors[who], Part::Bettor(_) | Part::Blunderer) {
                self.call_next(who);
            }
        }
        self.gatekeeper.wait_for_rest(&mut self.actors).await;
    }

    fn ready(&self) -> Vec<usize> {
        let ready = |who: &usize| match self.actors[*who].rest {
            Rest::At(Place::Outside) => self.next_call(*who).is_some(),
            Rest::At(_) => true,
            Rest::Behind(_) => false,
        };
        (0..self.actors.len()).filter(ready).collect()
    }

    async fn step(&mut self, who: usize) -> Footprint {
        if self.actors[who].rest == Rest::At(Place::Outside) {
            self.call_next(who);
        } else {
            self.gatekeeper.release(&mut self.actors[who]).await;
        }
        self.see(who).await
    }

    async fn end(&mut self) {
        let run = self.run.take().expect("a schedule was played");
        let stuck = run.under_way.iter().any(Option::is_some);
        assert!(!stuck, "actors wait for each other: {:?}", run.steps);
        settle(&mut self.setter, 100).await;
        let event = events::find(&mut self.setter, &run.event_id).await.unwrap();
        let filter = BetFilter {
            event_id: Some(run.event_id.clone()),
            ..BetFilter::default()
        };
        let bets = bets::list(&mut self.setter, &filter, None, 100).await.unwrap();
        judge::judge(&run, &event.unwrap(), bets, &self.books, &mut self.verdict).await;
    }
}
