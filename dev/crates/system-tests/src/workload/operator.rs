//! An operator: creates events, moves odds and deadlines, sets, corrects and cancels results. Each operator's events
//! are its own, so that what it knows of them is what the last answer said.

use std::rc::Rc;
use std::time::Duration;

use awc::http::Method;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::json;
use shared_types::{Event, EventStatus, Timestamp};
use test_support::Client;

use super::World;
use super::caller::{Caller, Request};
use crate::history::Call;

/// Events of one operator that take bets at a time: few, so that bets and results meet often.
const OPEN_EVENTS: usize = 4;
const FAR: Duration = Duration::from_secs(3600);
const RESULTS: [EventStatus; 3] = [
    EventStatus::FirstTeamWon,
    EventStatus::SecondTeamWon,
    EventStatus::Cancelled,
];

struct Operator {
    world: Rc<World>,
    caller: Caller,
    client: Client,
    random: StdRng,
    number: usize,
    created: usize,
    events: Vec<Event>,
}

pub(super) async fn run(world: Rc<World>, number: usize, random: StdRng) {
    let client = Client::new(&world.addresses.line_provider).with_bearer(&world.addresses.operator_token);
    let caller = Caller::new(format!("operator-{number}"), Rc::clone(&world.recorder));
    let mut operator = Operator {
        world,
        caller,
        client,
        random,
        number,
        created: 0,
        events: Vec::new(),
    };
    while !operator.world.is_over() {
        operator.act().await;
        let pause = Duration::from_millis(operator.random.random_range(2..25));
        operator.world.pause(pause).await;
    }
    operator.conclude().await;
}

impl Operator {
    async fn act(&mut self) {
        let open = self.places(|event| event.closed_at.is_none() && event.deadline > Timestamp::now());
        let overdue = self.places(|event| event.closed_at.is_none() && event.deadline <= Timestamp::now());
        let over = self.places(|event| event.closed_at.is_some());
        if open.len() < OPEN_EVENTS {
            return self.create().await;
        }
        let pick = |places: &[usize], random: &mut StdRng| places.choose(random).copied();
        match self.random.random_range(0..100) {
            0..70 => {
                let odds = self.odds();
                if let Some(place) = pick(&open, &mut self.random) {
                    self.patch(place, Some(odds), None, None).await;
                }
            }
            70..78 => {
                let ahead = Duration::from_millis(self.random.random_range(1500..6000));
                let deadline = Timestamp::now().saturating_add(ahead).to_string();
                if let Some(place) = pick(&open, &mut self.random) {
                    self.patch(place, None, Some(deadline), None).await;
                }
            }
            78..90 => {
                let status = RESULTS.choose(&mut self.random).copied();
                let places = if overdue.is_empty() { open } else { overdue };
                if let Some(place) = pick(&places, &mut self.random) {
                    self.patch(place, None, None, status).await;
                }
            }
            _ => {
                if let Some(place) = pick(&over, &mut self.random) {
                    self.correct(place).await;
                }
            }
        }
    }

    /// Gives most of what is open its result; some events stay unfinished, and their bets pending.
    async fn conclude(&mut self) {
        for place in self.places(|event| event.closed_at.is_none()) {
            if self.random.random_bool(0.8) {
                let status = RESULTS.choose(&mut self.random).copied();
                self.patch(place, None, None, status).await;
            }
        }
    }

    fn places(&self, which: impl Fn(&Event) -> bool) -> Vec<usize> {
        let events = self.events.iter().enumerate();
        events
            .filter(|(_, event)| which(event))
            .map(|(place, _)| place)
            .collect()
    }

    fn odds(&mut self) -> String {
        let hundredths = self.random.random_range(101..1000);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }

    async fn create(&mut self) {
        self.created += 1;
        let id = format!("game-{}-{}", self.number, self.created);
        let ahead = match self.random.random_range(0..10) {
            0..4 => Duration::from_millis(self.random.random_range(2000..8000)),
            _ => FAR,
        };
        let (title, odds) = (format!("Reds - Blues {}", self.created), self.odds());
        let deadline = Timestamp::now().saturating_add(ahead).to_string();
        let body = json!({"id": id, "title": title, "odds": odds, "deadline": deadline});
        let request = Request::send(Method::POST, "/events".to_owned(), body);
        let call = Call::CreateEvent {
            id,
            title,
            odds,
            deadline,
        };
        if let Some(event) = self.command(&call, &request).await {
            self.events.push(event);
        }
    }

    async fn patch(
        &mut self,
        place: usize,
        odds: Option<String>,
        deadline: Option<String>,
        status: Option<EventStatus>,
    ) {
        let Some(id) = self.events.get(place).map(|event| event.id.to_string()) else {
            return;
        };
        let mut body = serde_json::Map::new();
        if let Some(odds) = &odds {
            body.insert("odds".to_owned(), json!(odds));
        }
        if let Some(deadline) = &deadline {
            body.insert("deadline".to_owned(), json!(deadline));
        }
        if let Some(status) = status {
            body.insert("status".to_owned(), json!(status));
        }
        let request = Request::send(Method::PATCH, format!("/events/{id}"), body.into());
        let call = Call::PatchEvent {
            id,
            odds,
            deadline,
            status,
        };
        self.command_on(place, &call, &request).await;
    }

    async fn correct(&mut self, place: usize) {
        let Some(event) = self.events.get(place) else {
            return;
        };
        let id = event.id.to_string();
        let others = EventStatus::ALL
            .into_iter()
            .filter(|status| *status != event.status);
        let others: Vec<_> = others.collect();
        let Some(status) = others.choose(&mut self.random).copied() else {
            return;
        };
        let body = json!({"status": status, "reason": "the referee looked again"});
        let request = Request::send(Method::POST, format!("/events/{id}/corrections"), body);
        self.command_on(place, &Call::Correct { id, status }, &request)
            .await;
    }

    async fn command_on(&mut self, place: usize, call: &Call, request: &Request) {
        if let Some(answered) = self.command(call, request).await
            && let Some(event) = self.events.get_mut(place)
        {
            *event = answered;
        }
    }

    /// The event as it is after the command, where it was accepted.
    async fn command(&self, call: &Call, request: &Request) -> Option<Event> {
        let _open = self.world.gate.0.read().await;
        let (status, body) = self.caller.insist(&self.client, call, request).await;
        let event: Event = (status == 200 || status == 201)
            .then(|| serde_json::from_value(body).ok())
            .flatten()?;
        let mut known = self.world.events.borrow_mut();
        known.insert(event.id.to_string(), event.clone());
        Some(event)
    }
}
