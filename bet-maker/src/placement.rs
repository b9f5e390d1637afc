//! The rule of placement: whether a bet is accepted on an event, at which odds, or why not. Pure; the caller
//! holds the event's fence and brings the database's clock.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use shared_types::{BettorId, EventId, EventStatus, IdempotencyKey, Money, Odds, Timestamp};

/// What a bettor asks for, checked field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceBet {
    pub event_id: EventId,
    pub stake: Money,
    pub odds: OddsPolicy,
    pub bettor: Option<BettorId>,
    pub key: Option<IdempotencyKey>,
}

/// Which odds the bettor takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddsPolicy {
    /// Whatever they are now.
    Any,
    Exactly(Odds),
    /// These or better ones; the bet gets the current odds.
    AtLeast(Odds),
}

/// What an idempotency key stands for: the same fingerprint means the same request, however it was spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PlaceBet {
    /// SHA-256 over the checked fields, so that `1.5` and `1.50` are one request.
    pub fn fingerprint(&self) -> Fingerprint {
        let (policy, odds) = match self.odds {
            OddsPolicy::Any => ("any", 0),
            OddsPolicy::Exactly(odds) => ("none", odds.hundredths()),
            OddsPolicy::AtLeast(odds) => ("higher", odds.hundredths()),
        };
        let bettor = self.bettor.as_ref().map_or("", BettorId::as_str);
        // Ids hold no slash, so that no two requests share a text.
        let text = format!(
            "{}/{}/{policy}/{odds}/{bettor}",
            self.event_id,
            self.stake.cents()
        );
        Fingerprint(Sha256::digest(text).into())
    }
}

/// An event as far as a placement needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub odds: Odds,
    pub revision: u64,
    pub deadline: Timestamp,
    pub status: EventStatus,
    pub closed_at: Option<Timestamp>,
}

/// The terms at which a bet is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    pub odds: Odds,
    pub event_revision: u64,
}

/// Why the state of things forbids a bet. Stored under the idempotency key, so that a repeat hears it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    EventNotFound,
    BettingClosed,
    OddsChanged {
        #[serde(deserialize_with = "odds_from_text")]
        current_odds: Odds,
    },
}

/// [`Odds`] take a number's raw text too, which an internally tagged enum no longer has.
fn odds_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Odds, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventNotFound => f.write_str("no such event is known"),
            Self::BettingClosed => f.write_str("betting on this event is closed"),
            Self::OddsChanged { current_odds } => write!(f, "the odds are {current_odds} now"),
        }
    }
}

/// Decides on a bet at `now`. A bet at the very deadline is too late.
///
/// # Errors
/// [`Refusal`], by cause; a closed event is named before changed odds.
pub fn decide(terms: Option<&Terms>, policy: OddsPolicy, now: Timestamp) -> Result<Acceptance, Refusal> {
    let terms = terms.ok_or(Refusal::EventNotFound)?;
    let open = terms.status == EventStatus::Unfinished && terms.closed_at.is_none() && now < terms.deadline;
    if !open {
        return Err(Refusal::BettingClosed);
    }
    let acceptable = match policy {
        OddsPolicy::Any => true,
        OddsPolicy::Exactly(odds) => terms.odds == odds,
        OddsPolicy::AtLeast(odds) => terms.odds >= odds,
    };
    if acceptable {
        Ok(Acceptance {
            odds: terms.odds,
            event_revision: terms.revision,
        })
    } else {
        Err(Refusal::OddsChanged {
            current_odds: terms.odds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: i64 = 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(micros).unwrap()
    }

    fn odds(text: &str) -> Odds {
        text.parse().unwrap()
    }

    fn open() -> Terms {
        Terms {
            odds: odds("1.85"),
            revision: 7,
            deadline: at(DEADLINE),
            status: EventStatus::Unfinished,
            closed_at: None,
        }
    }

    #[test]
    fn a_bet_is_accepted_until_just_before_the_deadline() {
        let accepted = Ok(Acceptance {
            odds: odds("1.85"),
            event_revision: 7,
        });
        assert_eq!(decide(Some(&open()), OddsPolicy::Any, at(DEADLINE - 1)), accepted);
        assert_eq!(
            decide(Some(&open()), OddsPolicy::Any, at(DEADLINE)),
            Err(Refusal::BettingClosed)
        );
    }

    #[test]
    fn a_finished_a_closed_and_an_unknown_event_take_no_bets() {
        for status in [
            EventStatus::FirstTeamWon,
            EventStatus::SecondTeamWon,
            EventStatus::Cancelled,
        ] {
            let terms = Terms { status, ..open() };
            assert_eq!(
                decide(Some(&terms), OddsPolicy::Any, at(0)),
                Err(Refusal::BettingClosed)
            );
        }
        let reopened = Terms {
            closed_at: Some(at(5)),
            ..open()
        };
        assert_eq!(
            decide(Some(&reopened), OddsPolicy::Any, at(0)),
            Err(Refusal::BettingClosed)
        );
        assert_eq!(decide(None, OddsPolicy::Any, at(0)), Err(Refusal::EventNotFound));
    }

    #[test]
    fn the_policy_says_which_odds_are_taken() {
        let changed = Err(Refusal::OddsChanged {
            current_odds: odds("1.85"),
        });
        let decide = |policy| decide(Some(&open()), policy, at(0)).map(|accepted| accepted.odds.to_string());
        assert_eq!(decide(OddsPolicy::Exactly(odds("1.85"))), Ok("1.85".into()));
        assert_eq!(decide(OddsPolicy::Exactly(odds("1.84"))), changed);
        assert_eq!(decide(OddsPolicy::AtLeast(odds("1.84"))), Ok("1.85".into()));
        assert_eq!(decide(OddsPolicy::AtLeast(odds("1.85"))), Ok("1.85".into()));
        assert_eq!(decide(OddsPolicy::AtLeast(odds("1.86"))), changed);
    }

    #[test]
    fn a_fingerprint_tells_requests_apart_by_meaning() {
        let bet = PlaceBet {
            event_id: "e1".parse().unwrap(),
            stake: Money::from_cents(150),
            odds: OddsPolicy::Any,
            bettor: None,
            key: None,
        };
        assert_eq!(bet.fingerprint(), bet.clone().fingerprint());
        let others = [
            PlaceBet {
                event_id: "e2".parse().unwrap(),
                ..bet.clone()
            },
            PlaceBet {
                stake: Money::from_cents(151),
                ..bet.clone()
            },
            PlaceBet {
                odds: OddsPolicy::Exactly(odds("1.85")),
                ..bet.clone()
            },
            PlaceBet {
                odds: OddsPolicy::AtLeast(odds("1.85")),
                ..bet.clone()
            },
            PlaceBet {
                bettor: Some("b".parse().unwrap()),
                ..bet.clone()
            },
        ];
        for other in others {
            assert_ne!(bet.fingerprint(), other.fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn a_stored_refusal_reads_back_as_it_was() {
        for refusal in [
            Refusal::EventNotFound,
            Refusal::BettingClosed,
            Refusal::OddsChanged {
                current_odds: odds("2.00"),
            },
        ] {
            let stored = serde_json::to_value(refusal).unwrap();
            assert_eq!(serde_json::from_value::<Refusal>(stored).unwrap(), refusal);
        }
    }
}
