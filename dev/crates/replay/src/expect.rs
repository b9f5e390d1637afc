//! What a bet must come to, worked out apart from the services: their arithmetic is not used here, so that an
//! error of theirs cannot hide by being made twice. Sums are exact integers of cents.

use std::ops::AddAssign;

use shared_types::{BetStatus, Money, Odds, VoidReason};

use crate::games::Outcome;
use crate::plan::GamePlan;

/// How one bet must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedBet {
    pub status: BetStatus,
    pub void_reason: Option<VoidReason>,
    pub potential_payout_cents: i128,
    pub payout_cents: i128,
}

/// Settles a bet on the first team's win.
pub fn expected_bet(stake: Money, odds: Odds, outcome: Outcome) -> ExpectedBet {
    let stake_cents = cents(stake);
    let odds_hundredths = i128::from(odds.hundredths());
    // Both are positive, so that the division rounds down.
    let potential_payout_cents = stake_cents * odds_hundredths / 100;
    let (status, void_reason, payout_cents) = match outcome {
        Outcome::FirstTeamWon => (BetStatus::Won, None, potential_payout_cents),
        Outcome::SecondTeamWon => (BetStatus::Lost, None, 0),
        Outcome::Tie => (BetStatus::Void, Some(VoidReason::EventCancelled), stake_cents),
    };
    ExpectedBet {
        status,
        void_reason,
        potential_payout_cents,
        payout_cents,
    }
}

/// An amount of the wire in cents.
pub fn cents(money: Money) -> i128 {
    money.cents().into()
}

/// Bets counted and added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub games: u64,
    pub bets: u64,
    pub pending: u64,
    pub won: u64,
    pub lost: u64,
    pub void: u64,
    /// All stakes, refunded ones included.
    pub staked_cents: i128,
    /// Winnings and refunds.
    pub paid_cents: i128,
}

impl Sums {
    /// Counts `bets` bets of one status.
    pub fn add_bets(&mut self, status: BetStatus, bets: u64) {
        self.bets += bets;
        match status {
            BetStatus::Pending => self.pending += bets,
            BetStatus::Won => self.won += bets,
            BetStatus::Lost => self.lost += bets,
            BetStatus::Void => self.void += bets,
        }
    }

    /// Numbers of bets: pending, won, lost, void.
    pub const fn by_status(&self) -> [u64; 4] {
        [self.pending, self.won, self.lost, self.void]
    }

    /// What the house keeps: staked less paid.
    pub const fn house_cents(&self) -> i128 {
        self.staked_cents - self.paid_cents
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.games += other.games;
        self.bets += other.bets;
        self.pending += other.pending;
        self.won += other.won;
        self.lost += other.lost;
        self.void += other.void;
        self.staked_cents += other.staked_cents;
        self.paid_cents += other.paid_cents;
    }
}

/// What one game's bets must come to.
pub fn expected_sums(plan: &GamePlan) -> Sums {
    let mut sums = Sums {
        games: 1,
        ..Sums::default()
    };
    for bet in &plan.bets {
        let expected = expected_bet(bet.stake, plan.game.odds, plan.game.outcome);
        sums.add_bets(expected.status, 1);
        sums.staked_cents += cents(bet.stake);
        sums.paid_cents += expected.payout_cents;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::games::Game;
    use crate::plan::{OddsWish, PlannedBet, Sending};

    fn expected(stake_cents: i64, odds: &str, outcome: Outcome) -> ExpectedBet {
        expected_bet(Money::from_cents(stake_cents), odds.parse().unwrap(), outcome)
    }

    #[test]
    fn a_payout_is_rounded_down_to_the_cent() {
        for (stake_cents, odds, payout_cents) in [
            (1000, "1.85", 1850),
            (29, "1.85", 53), // 53.65
            (1, "1.99", 1),   // 1.99
            (1, "2.00", 2),
            (1, "0.99", 0),   // 0.99
            (99, "1.01", 99), // 99.99
            (100, "1.01", 101),
            (333, "1.33", 442), // 442.89
            (100_000_000_000, "10000.00", 1_000_000_000_000_000),
        ] {
            let bet = expected(stake_cents, odds, Outcome::FirstTeamWon);
            assert_eq!(bet.payout_cents, payout_cents, "{stake_cents} at {odds}");
            assert_eq!(bet.potential_payout_cents, payout_cents);
        }
    }

    #[test]
    fn a_lost_bet_pays_nothing_and_a_tie_gives_the_stake_back() {
        let lost = expected(29, "1.85", Outcome::SecondTeamWon);
        assert_eq!(
            (lost.status, lost.void_reason, lost.payout_cents),
            (BetStatus::Lost, None, 0)
        );
        let void = expected(29, "1.85", Outcome::Tie);
        let cancelled = Some(VoidReason::EventCancelled);
        assert_eq!(
            (void.status, void.void_reason, void.payout_cents),
            (BetStatus::Void, cancelled, 29)
        );
        assert_eq!(
            (lost.potential_payout_cents, void.potential_payout_cents),
            (53, 53)
        );
    }

    #[test]
    fn a_miniature_worked_out_by_hand() {
        let plan = |odds: &str, outcome, stakes: &[i64]| GamePlan {
            game: Game {
                line: 2,
                season: String::new(),
                title: String::new(),
                odds: odds.parse().unwrap(),
                outcome,
            },
            bets: stakes
                .iter()
                .map(|cents| PlannedBet {
                    stake: Money::from_cents(*cents),
                    bettor: None,
                    odds: OddsWish::Current,
                    sending: Sending::Once,
                })
                .collect(),
        };
        let mut sums = Sums::default();
        // Won: 0.29 x 1.85 = 0.53, 10.00 x 1.85 = 18.50. Lost: 0.01, 5.00. Void: 3.33.
        sums += expected_sums(&plan("1.85", Outcome::FirstTeamWon, &[29, 1000]));
        sums += expected_sums(&plan("3.00", Outcome::SecondTeamWon, &[1, 500]));
        sums += expected_sums(&plan("2.50", Outcome::Tie, &[333]));
        let by_hand = Sums {
            games: 3,
            bets: 5,
            pending: 0,
            won: 2,
            lost: 2,
            void: 1,
            staked_cents: 1863,
            paid_cents: 2236,
        };
        assert_eq!(sums, by_hand);
        assert_eq!(sums.house_cents(), -373);
    }
}
