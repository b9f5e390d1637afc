//! A client of the running pair, as patient as a good client should be: every call is repeated with the same
//! ids and keys until it is answered, so that services may be killed and restarted at any moment. Only an
//! answer that repeating cannot change (a 2xx, or a 4xx other than 408 and 429) ends a call.
//!
//! Bodies are the types of `shared-types`; what they mean is not judged here.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_types::bet::PlaceBet;
use shared_types::event::{CreateEvent, PatchEvent};
use shared_types::{Bet, Event, EventId, EventStatus, Odds, Timestamp};

use crate::games::Game;
use crate::http::{Ask, Base, Http};
use crate::patience::Patience;
use crate::plan::{OddsWish, PlannedBet, idempotency_key};
use crate::wire::{BetPage, Exposure};

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);
const FIRST_POLL: Duration = Duration::from_millis(4);
const LAST_POLL: Duration = Duration::from_millis(200);
const PAGE_LIMIT: usize = 500;

/// Why a call, or a wait for a state, brought nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing came back until patience was spent.
    #[error("{call}: no answer ({last})")]
    Unreachable { call: String, last: String },
    /// Only answers that ask for a repetition came until patience was spent.
    #[error("{call}: still {last}")]
    Unavailable { call: String, last: String },
    /// An answer that repeating does not change.
    #[error("{call}: {status} {code}: {detail}")]
    Refused {
        call: String,
        status: u16,
        code: String,
        detail: String,
    },
    #[error("{call}: the answer is not what the contract says: {why}")]
    Unreadable { call: String, why: String },
    /// The services answer, but what should come does not.
    #[error("{awaited} did not come about")]
    Late { awaited: String },
}

impl CallError {
    /// Whether the run as a whole makes no sense any more: nobody there, or not let in.
    pub const fn ends_the_run(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Refused {
                    status: 401 | 403,
                    ..
                }
        )
    }

    fn is_refused_with(&self, wanted_status: u16, wanted_code: &str) -> bool {
        matches!(self, Self::Refused { status, code, .. }
            if *status == wanted_status && code == wanted_code)
    }
}

/// Where both services are.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub line_provider: Base,
    pub bet_maker: Base,
}

pub struct Pair {
    addresses: Addresses,
    http: Http,
    patience: Rc<Patience>,
    retries: Cell<u64>,
}

impl Pair {
    /// At most `concurrency` calls are under way at once.
    pub fn new(addresses: Addresses, token: &str, concurrency: usize, patience: Rc<Patience>) -> Self {
        Self {
            addresses,
            http: Http::new(token, concurrency),
            patience,
            retries: Cell::new(0),
        }
    }

    /// How many calls had to be repeated.
    pub fn retries(&self) -> u64 {
        self.retries.get()
    }

    /// Checks that both services answer, and that line-provider takes the operator token.
    pub async fn greet(&self) -> Result<(), CallError> {
        self.answered(&Ask::get(self.bet_maker("/healthz"))).await?;
        self.answered(&Ask::get(self.line_provider("/subscriptions?limit=1")).with_token())
            .await?;
        Ok(())
    }

    pub async fn create_event(
        &self,
        id: &EventId,
        game: &Game,
        deadline: Timestamp,
    ) -> Result<Event, CallError> {
        let body = CreateEvent {
            id: Some(id.to_string()),
            title: Some(game.title.clone()),
            odds: game.odds.to_string().as_str().into(),
            deadline: deadline.to_string(),
        };
        let ask = Ask::post(self.line_provider("/events"), json(&body)).with_token();
        self.read(&ask).await
    }

    /// Waits until bet-maker knows the event. A bet placed earlier would be refused, and the refusal kept
    /// under its key.
    pub async fn event_known(&self, id: &EventId) -> Result<(), CallError> {
        self.until(format!("event {id} at bet-maker"), async || {
            match self.known_event(id).await {
                Ok(_) => Ok(true),
                Err(error) if error.is_refused_with(404, "event_not_found") => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Places the `number`th bet on an event.
    pub async fn place_bet(
        &self,
        event: &EventId,
        number: usize,
        bet: &PlannedBet,
        current: Odds,
    ) -> Result<Bet, CallError> {
        let (odds, odds_change) = match bet.odds {
            OddsWish::Current => (None, None),
            OddsWish::Exactly => (Some(current), None),
            OddsWish::AtLeast(seen) => (Some(seen), Some("higher")),
            OddsWish::Any(seen) => (Some(seen), Some("any")),
        };
        let body = PlaceBet {
            event_id: event.to_string(),
            stake: bet.stake.to_string().as_str().into(),
            odds: odds.map(|odds| odds.to_string().as_str().into()),
            odds_change: odds_change.map(str::to_owned),
            bettor: bet.bettor.as_ref().map(ToString::to_string),
        };
        let ask = Ask::post(self.bet_maker("/bets"), json(&body)).with_key(idempotency_key(event, number));
        self.read(&ask).await
    }

    /// Sets the result. Where an earlier attempt did it unseen, a repeated one may be told that the event is
    /// finished: then the event itself tells whether it has the wanted status.
    pub async fn set_status(&self, id: &EventId, status: EventStatus) -> Result<(), CallError> {
        let body = PatchEvent {
            status: Some(status.as_str().to_owned()),
            ..PatchEvent::default()
        };
        let ask = Ask::patch(self.line_provider(&format!("/events/{id}")), json(&body)).with_token();
        let event = match self.read::<Event>(&ask).await {
            Err(error) if error.is_refused_with(409, "event_finished") => self.published_event(id).await?,
            answer => answer?,
        };
        if event.status == status {
            Ok(())
        } else {
            let why = format!(
                "the event is {} instead of {}",
                event.status.as_str(),
                status.as_str()
            );
            Err(CallError::Unreadable {
                call: ask.to_string(),
                why,
            })
        }
    }

    /// Waits until bet-maker knows the event's end and no bet on it is pending.
    pub async fn settled(&self, id: &EventId, status: EventStatus) -> Result<(), CallError> {
        let pending = self.bet_maker(&format!("/bets?event_id={id}&status=pending&limit=1"));
        self.until(format!("settlement of event {id}"), async || {
            let page: BetPage = self.read(&Ask::get(pending.clone())).await?;
            Ok(page.items.is_empty() && self.known_event(id).await?.status == status)
        })
        .await
    }

    /// The event as line-provider has it.
    pub async fn published_event(&self, id: &EventId) -> Result<Event, CallError> {
        self.read(&Ask::get(self.line_provider(&format!("/events/{id}"))))
            .await
    }

    /// The event as bet-maker knows it.
    pub async fn known_event(&self, id: &EventId) -> Result<Event, CallError> {
        self.read(&Ask::get(self.bet_maker(&format!("/events/{id}"))))
            .await
    }

    pub async fn exposure(&self, id: &EventId) -> Result<Exposure, CallError> {
        self.read(&Ask::get(self.bet_maker(&format!("/events/{id}/exposure"))))
            .await
    }

    /// Every bet on an event, page by page.
    pub async fn bets(&self, id: &EventId) -> Result<Vec<Bet>, CallError> {
        let first = self.bet_maker(&format!("/bets?event_id={id}&limit={PAGE_LIMIT}"));
        let mut bets = Vec::new();
        let mut url = first.clone();
        loop {
            let page: BetPage = self.read(&Ask::get(url)).await?;
            bets.extend(page.items);
            match page.next_cursor {
                Some(cursor) => url = format!("{first}&cursor={cursor}"),
                None => return Ok(bets),
            }
        }
    }

    fn line_provider(&self, path: &str) -> String {
        self.addresses.line_provider.join(path)
    }

    fn bet_maker(&self, path: &str) -> String {
        self.addresses.bet_maker.join(path)
    }

    async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, CallError> {
        let body = self.answered(ask).await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Unreadable {
            call: ask.to_string(),
            why: error.to_string(),
        })
    }

    /// Repeats a call until it is answered for good; gives the body of a 2xx.
    async fn answered(&self, ask: &Ask) -> Result<Vec<u8>, CallError> {
        let mut pause = FIRST_RETRY;
        loop {
            let call = ask.to_string();
            let failure = match self.http.exchange(ask).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer.body),
                Ok(answer) if !answer.asks_for_repetition() => {
                    let problem = answer.problem();
                    return Err(CallError::Refused {
                        call,
                        status: answer.status,
                        code: problem.code,
                        detail: problem.detail,
                    });
                }
                Ok(answer) => CallError::Unavailable {
                    call,
                    last: answer.summary(),
                },
                Err(last) => CallError::Unreachable { call, last },
            };
            if self.patience.is_spent() {
                return Err(failure);
            }
            self.retries.set(self.retries.get() + 1);
            self.patience.troubled(failure.to_string());
            actix_rt::time::sleep(jittered(pause)).await;
            pause = LAST_RETRY.min(pause * 2);
        }
    }

    /// Asks again and again whether something is so.
    async fn until(
        &self,
        awaited: String,
        is_so: impl AsyncFn() -> Result<bool, CallError>,
    ) -> Result<(), CallError> {
        let mut pause = FIRST_POLL;
        while !is_so().await? {
            if self.patience.is_spent() {
                return Err(CallError::Late { awaited });
            }
            actix_rt::time::sleep(jittered(pause)).await;
            pause = LAST_POLL.min(pause * 3 / 2);
        }
        Ok(())
    }
}

/// Between half of `pause` and all of it, so that many waiting games do not ask in step.
fn jittered(pause: Duration) -> Duration {
    rand::rng().random_range(pause / 2..=pause)
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("requests are plain structs of strings")
}
