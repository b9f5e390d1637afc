//! The plan: which bets are placed on each game. It follows from the seed and the game's line alone, so that
//! the same file and seed give the same bets on every machine, whatever `--season` and `--limit` leave out.
//!
//! Per game, half to one and a half of `bets_per_game` bets. Of 1,000 stakes about 80 are 0.01, 80 are 0.29,
//! 80 other awkward cents, 80 run from 1,000.00 to 250,000.00, one is the largest that is allowed, and the rest
//! lie between 1.00 and 200.00. One bet in ten has no bettor; one in ten is sent twice; half name odds.

use std::str::FromStr;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use shared_types::ids::InvalidId;
use shared_types::{BettorId, EventId, Money, Odds};

use crate::games::Game;

const AWKWARD_CENTS: [i64; 12] = [2, 3, 7, 19, 33, 57, 67, 99, 101, 199, 333, 1999];
const BETTORS: u32 = 500;

/// The odds that a bet's request names. Every one of these is accepted at the event's odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddsWish {
    /// None: the current ones.
    Current,
    /// The current ones, and no others.
    Exactly,
    /// Worse ones than the current, with the consent to better ones.
    AtLeast(Odds),
    /// Other ones, with the consent to any.
    Any(Odds),
}

/// How often a bet's request is sent, besides retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    Once,
    /// Again with the same key after the first answer.
    TwiceInTurn,
    /// Two requests with the same key at the same time.
    TwiceAtOnce,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBet {
    /// The largest is [`Money::MAX_STAKE`].
    pub stake: Money,
    pub bettor: Option<BettorId>,
    pub odds: OddsWish,
    pub sending: Sending,
}

/// A game and the bets on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GamePlan {
    pub game: Game,
    pub bets: Vec<PlannedBet>,
}

/// Plans the bets on one game.
pub fn plan_game(game: Game, seed: u64, bets_per_game: u16) -> GamePlan {
    let mut rng = StdRng::from_seed(seed_of(seed, game.line));
    let half = u32::from(bets_per_game) / 2;
    let count = u32::from(bets_per_game) - half + rng.random_range(0..=2 * half);
    let bets = (0..count).map(|_| plan_bet(&mut rng, game.odds)).collect();
    GamePlan { game, bets }
}

fn seed_of(seed: u64, line: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let parts = seed.to_le_bytes().into_iter().chain(line.to_le_bytes());
    for (byte, part) in bytes.iter_mut().zip(parts) {
        *byte = part;
    }
    bytes
}

fn plan_bet(rng: &mut StdRng, odds: Odds) -> PlannedBet {
    let stake = Money::from_cents(plan_stake_cents(rng));
    let bettor = rng.random_ratio(9, 10).then(|| {
        format!("bettor-{}", rng.random_range(1..=BETTORS))
            .parse()
            .expect("\"bettor-\" and digits make a plain id")
    });
    let sending = match rng.random_range(0..20) {
        0 => Sending::TwiceInTurn,
        1 => Sending::TwiceAtOnce,
        _ => Sending::Once,
    };
    PlannedBet {
        stake,
        bettor,
        odds: plan_odds(rng, odds),
        sending,
    }
}

fn plan_stake_cents(rng: &mut StdRng) -> i64 {
    match rng.random_range(0..1000) {
        0 => Money::MAX_STAKE.cents(),
        1..=80 => 1,
        81..=160 => 29,
        161..=240 => {
            let at = rng.random_range(0..AWKWARD_CENTS.len());
            AWKWARD_CENTS.get(at).copied().unwrap_or(1)
        }
        241..=320 => rng.random_range(100_000..=25_000_000),
        _ => rng.random_range(100..=20_000),
    }
}

fn plan_odds(rng: &mut StdRng, odds: Odds) -> OddsWish {
    let apart = rng.random_range(1..=10);
    let lower = Odds::from_hundredths(i64::from(odds.hundredths()) - apart);
    let higher = Odds::from_hundredths(i64::from(odds.hundredths()) + apart);
    match (rng.random_range(0..8), lower, higher) {
        (0 | 1, _, _) => OddsWish::Exactly,
        (2, Ok(lower), _) => OddsWish::AtLeast(lower),
        (3, _, Ok(higher)) => OddsWish::Any(higher),
        _ => OddsWish::Current,
    }
}

/// What tells this replay's events and keys from those of every other: 1 to 40 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// So that a line number and a bet's number still fit behind it.
    const MAX_CHARS: usize = 40;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The event of the game on that line: `<run>-<line>`.
    pub fn event_id(&self, line: u64) -> EventId {
        format!("{}-{line}", self.0)
            .parse()
            .expect("a run id and at most 20 digits make a plain id of at most 64 characters")
    }
}

/// The `Idempotency-Key` of an event's bet, counted from 0: `<run>-<line>-<number>`.
pub fn idempotency_key(event: &EventId, number: usize) -> String {
    format!("{event}-{number}")
}

/// The text does not make a [`RunId`].
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to {} characters of A-Z, a-z, 0-9, _ and -", RunId::MAX_CHARS)]
pub struct InvalidRunId;

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        match text.parse::<EventId>() {
            Ok(_) if text.len() <= Self::MAX_CHARS => Ok(Self(text.to_owned())),
            Ok(_) | Err(InvalidId) => Err(InvalidRunId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::{Sums, expected_sums};
    use crate::games::Outcome;

    fn game(line: u64) -> Game {
        Game {
            line,
            season: "2024".to_owned(),
            title: "Foxes – Owls".to_owned(),
            odds: "1.85".parse().unwrap(),
            outcome: Outcome::FirstTeamWon,
        }
    }

    #[test]
    fn the_same_seed_and_line_give_the_same_bets_and_others_give_others() {
        let plan = plan_game(game(7), 1, 10);
        assert_eq!(plan, plan_game(game(7), 1, 10));
        assert_ne!(plan.bets, plan_game(game(7), 2, 10).bets);
        assert_ne!(plan.bets, plan_game(game(8), 1, 10).bets);
    }

    /// Fails when a new version of the generator would quietly change what a seed means.
    #[test]
    fn the_plan_of_the_sample_file_stays_what_it_was() {
        let sample = include_bytes!("../../../games/sample.csv");
        let games = crate::games::parse(sample).unwrap();
        assert_eq!((games.good.len(), games.bad.len()), (58, 2));
        let mut sums = Sums::default();
        for game in games.good {
            sums += expected_sums(&plan_game(game, 1, 10));
        }
        let (bets, staked_cents, paid_cents) = (sums.bets, sums.staked_cents, sums.paid_cents);
        assert_eq!((bets, staked_cents, paid_cents), (535, 530_805_579, 642_324_571));
    }

    #[test]
    fn the_number_of_bets_is_around_the_mean() {
        for (mean, counts) in [(0, 0..=0), (1, 1..=1), (10, 5..=15), (11, 6..=16)] {
            let mut total = 0;
            for line in 0..1000 {
                let count = plan_game(game(line), 1, mean).bets.len();
                assert!(counts.contains(&count), "{count} for a mean of {mean}");
                total += count;
            }
            assert!(
                total.abs_diff(usize::from(mean) * 1000) <= 500,
                "{total} for {mean}"
            );
        }
    }

    #[test]
    fn every_kind_of_bet_is_planned_and_every_stake_is_allowed() {
        let bets: Vec<_> = (0..1000)
            .flat_map(|line| plan_game(game(line), 1, 10).bets)
            .collect();
        assert!(
            bets.iter()
                .all(|bet| bet.stake > Money::ZERO && bet.stake <= Money::MAX_STAKE)
        );
        for cents in [1, 29, Money::MAX_STAKE.cents()] {
            assert!(bets.iter().any(|bet| bet.stake.cents() == cents), "{cents}");
        }
        assert!(bets.iter().any(|bet| bet.bettor.is_none()));
        for sending in [Sending::Once, Sending::TwiceInTurn, Sending::TwiceAtOnce] {
            assert!(bets.iter().any(|bet| bet.sending == sending), "{sending:?}");
        }
        for wish in [
            |o| o == OddsWish::Current,
            |o| o == OddsWish::Exactly,
            |o| matches!(o, OddsWish::AtLeast(_)),
            |o| matches!(o, OddsWish::Any(_)),
        ] {
            assert!(bets.iter().any(|bet| wish(bet.odds)));
        }
    }

    #[test]
    fn odds_at_the_edge_leave_out_the_wishes_that_they_cannot_have() {
        for edge in ["0.01", "10000.00"] {
            let bets = (0..200).flat_map(|line| {
                let game = Game {
                    odds: edge.parse().unwrap(),
                    ..game(line)
                };
                plan_game(game, 1, 10).bets
            });
            for bet in bets {
                match bet.odds {
                    OddsWish::AtLeast(_) => assert_eq!(edge, "10000.00"),
                    OddsWish::Any(_) => assert_eq!(edge, "0.01"),
                    OddsWish::Current | OddsWish::Exactly => {}
                }
            }
        }
    }

    #[test]
    fn a_run_id_leaves_room_for_line_and_number() {
        let longest: RunId = "r".repeat(RunId::MAX_CHARS).parse().unwrap();
        assert!(longest.event_id(u64::MAX).as_str().len() <= 64);
        for bad in ["", "a b", "ä", &"r".repeat(RunId::MAX_CHARS + 1)] {
            assert!(bad.parse::<RunId>().is_err(), "{bad:?}");
        }
    }
}
