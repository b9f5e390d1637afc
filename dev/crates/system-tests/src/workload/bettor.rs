//! A bettor: places bets on random replicas, mostly with a key and then until they are answered; hangs up in the
//! middle, sends the same bet to two replicas at once, and uses a key for another bet, which must be refused.

use std::rc::Rc;
use std::time::Duration;

use awc::http::Method;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use test_support::Client;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::World;
use super::caller::{Caller, Request, is_decided};
use crate::history::{Call, Outcome, Wish};

/// Keys of bets that were answered and may be tried again.
const REMEMBERED: usize = 50;

struct Bettor {
    world: Rc<World>,
    caller: Caller,
    replicas: Vec<Client>,
    random: StdRng,
    name: String,
    placed: Vec<Wish>,
}

pub(super) async fn run(world: Rc<World>, number: usize, random: StdRng) {
    let name = format!("bettor-{number}");
    let mut bettor = Bettor {
        caller: Caller::new(name.clone(), Rc::clone(&world.recorder)),
        replicas: world
            .addresses
            .replicas
            .iter()
            .map(|url| Client::new(url))
            .collect(),
        world,
        random,
        name,
        placed: Vec::new(),
    };
    while !bettor.world.is_over() {
        bettor.act().await;
        let pause = Duration::from_millis(bettor.random.random_range(0..15));
        bettor.world.pause(pause).await;
    }
}

impl Bettor {
    async fn act(&mut self) {
        match self.random.random_range(0..100) {
            // The same bet again, long after it was answered.
            0..3 => {
                if let Some(wish) = self.placed.choose(&mut self.random).cloned() {
                    self.insist(&wish).await;
                }
            }
            // Another bet under a key that was used.
            3..5 => {
                if let Some(wish) = self.placed.choose(&mut self.random).cloned() {
                    let stake = format!("1{}", wish.stake);
                    self.insist(&Wish { stake, ..wish }).await;
                }
            }
            choice => {
                let Some(wish) = self.wish(choice >= 92) else {
                    return self.world.pause(Duration::from_millis(50)).await;
                };
                match choice {
                    5..8 => self.hang_up(&wish).await,
                    8..12 => {
                        let (first, second) = (self.replica(), self.replica());
                        tokio::join!(self.ask(&wish, first), self.ask(&wish, second));
                    }
                    _ => {}
                }
                self.place(wish).await;
            }
        }
    }

    /// Until it is answered, or once where it has no key.
    async fn place(&mut self, wish: Wish) {
        if wish.key.is_none() {
            let replica = self.replica();
            self.ask(&wish, replica).await;
            return;
        }
        if self.insist(&wish).await == 201 {
            self.placed.push(wish);
            if self.placed.len() > REMEMBERED {
                self.placed.remove(0);
            }
        }
    }

    async fn insist(&mut self, wish: &Wish) -> u16 {
        let mut pause = Duration::from_millis(20);
        loop {
            let replica = self.replica();
            if let Outcome::Answered { status, .. } = self.ask(wish, replica).await
                && is_decided(status)
            {
                return status;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }

    async fn ask(&self, wish: &Wish, replica: usize) -> Outcome {
        let request = Request {
            key: wish.key.clone(),
            ..Request::send(Method::POST, "/bets".to_owned(), body(wish))
        };
        let Some(client) = self.replicas.get(replica) else {
            unreachable!("a replica is drawn from those that are there");
        };
        let outcome = self.caller.call(client, call(wish, replica), &request).await;
        if let Outcome::Answered {
            status: 201, body, ..
        } = &outcome
            && let Some(id) = body.get("id").and_then(Value::as_str)
        {
            self.world.bets.borrow_mut().push(id.to_owned());
        }
        outcome
    }

    /// Sends the request and is gone before the answer, by a reset.
    async fn hang_up(&mut self, wish: &Wish) {
        let replica = self.replica();
        let Some(url) = self.world.addresses.replicas.get(replica) else {
            return;
        };
        let (host, body) = (url.trim_start_matches("http://"), body(wish).to_string());
        let key = wish
            .key
            .as_ref()
            .map(|key| format!("idempotency-key: {key}\r\n"))
            .unwrap_or_default();
        let head = format!("POST /bets HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{key}");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let id = self
            .caller
            .recorder()
            .invoke(self.caller.actor(), call(wish, replica));
        let stays = Duration::from_millis(self.random.random_range(0..12));
        let sent = async {
            let mut stream = TcpStream::connect(host).await?;
            stream.set_zero_linger()?;
            stream.write_all(request.as_bytes()).await?;
            tokio::time::sleep(stays).await;
            std::io::Result::Ok(())
        };
        let why = match tokio::time::timeout(Duration::from_secs(2), sent).await {
            Ok(Ok(())) => "hung up".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "could not be sent in time".to_owned(),
        };
        self.caller.recorder().returned(id, Outcome::Unknown { why });
    }

    fn replica(&mut self) -> usize {
        self.random.random_range(0..self.replicas.len())
    }

    /// A new bet on an event that is open, as far as is known. Without a key it is told apart by its bettor.
    fn wish(&mut self, without_key: bool) -> Option<Wish> {
        let open = self.world.open_events();
        let event = open.choose(&mut self.random)?;
        let number = self.world.next_key.get();
        self.world.next_key.set(number + 1);
        let cents: u32 = self.random.random_range(1..200_000);
        let odds_change = match self.random.random_range(0..4) {
            0 => None,
            1 => Some("higher"),
            2 => Some("any"),
            _ => Some("none"),
        };
        // With neither, whatever the odds are.
        let odds = match odds_change {
            None if self.random.random_bool(0.7) => None,
            _ => Some(event.odds.to_string()),
        };
        Some(Wish {
            key: (!without_key).then(|| format!("key-{number}")),
            event_id: event.id.to_string(),
            stake: format!("{}.{:02}", cents / 100, cents % 100),
            odds,
            odds_change: odds_change.map(str::to_owned),
            bettor: if without_key {
                format!("once-{number}")
            } else {
                self.name.clone()
            },
        })
    }
}

fn call(wish: &Wish, replica: usize) -> Call {
    let wish = wish.clone();
    Call::PlaceBet { replica, wish }
}

fn body(wish: &Wish) -> Value {
    let members = [
        ("event_id", Some(&wish.event_id)),
        ("stake", Some(&wish.stake)),
        ("odds", wish.odds.as_ref()),
        ("odds_change", wish.odds_change.as_ref()),
        ("bettor", Some(&wish.bettor)),
    ];
    let given = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    given.collect::<serde_json::Map<_, _>>().into()
}
