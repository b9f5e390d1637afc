//! The rule of settlement: what becomes of a bet once something is known of its event. Pure; the same rule
//! serves first results, cancellations, late bets and corrections, because it never looks at what the bet was.

use shared_types::{BetStatus, EventStatus, Money, Odds, Timestamp, VoidReason};

/// What an event says about its bets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: EventStatus,
    pub closed_at: Option<Timestamp>,
}

/// Where a bet stands, with the amount that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pending,
    Won { payout: Money },
    Lost,
    Void { reason: VoidReason, refund: Money },
}

impl Outcome {
    pub const fn status(self) -> BetStatus {
        match self {
            Self::Pending => BetStatus::Pending,
            Self::Won { .. } => BetStatus::Won,
            Self::Lost => BetStatus::Lost,
            Self::Void { .. } => BetStatus::Void,
        }
    }

    pub const fn void_reason(self) -> Option<VoidReason> {
        match self {
            Self::Void { reason, .. } => Some(reason),
            Self::Pending | Self::Won { .. } | Self::Lost => None,
        }
    }

    /// What the bettor gets; `None` while pending.
    pub const fn payout(self) -> Option<Money> {
        match self {
            Self::Pending => None,
            Self::Won { payout } => Some(payout),
            Self::Lost => Some(Money::ZERO),
            Self::Void { refund, .. } => Some(refund),
        }
    }
}

/// Stake times odds, rounded down to the cent.
pub fn potential_payout(stake: Money, odds: Odds) -> Money {
    let product = i128::from(stake.cents()) * i128::from(odds.hundredths()) / 100;
    Money::from_cents(i64::try_from(product).expect("the largest stake at the largest odds is 10^15 cents"))
}

/// Settles one bet. A bet placed at or after the close is refunded whatever the result: it was taken only
/// because bet-maker did not know of the close yet.
pub fn settle(verdict: Verdict, stake: Money, odds: Odds, placed_at: Timestamp) -> Outcome {
    let late = verdict.closed_at.is_some_and(|closed_at| placed_at >= closed_at);
    if late {
        return Outcome::Void {
            reason: VoidReason::PlacedAfterClose,
            refund: stake,
        };
    }
    match verdict.status {
        EventStatus::Unfinished => Outcome::Pending,
        EventStatus::FirstTeamWon => Outcome::Won {
            payout: potential_payout(stake, odds),
        },
        EventStatus::SecondTeamWon => Outcome::Lost,
        EventStatus::Cancelled => Outcome::Void {
            reason: VoidReason::EventCancelled,
            refund: stake,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(micros).unwrap()
    }

    fn odds(hundredths: i64) -> Odds {
        Odds::from_hundredths(hundredths).unwrap()
    }

    fn settle_at(status: EventStatus, placed_at: i64) -> Outcome {
        let verdict = Verdict {
            status,
            closed_at: Some(at(100)),
        };
        settle(verdict, Money::from_cents(1000), odds(185), at(placed_at))
    }

    #[test]
    fn a_bet_placed_before_the_close_follows_the_result() {
        assert_eq!(
            settle_at(EventStatus::FirstTeamWon, 99),
            Outcome::Won {
                payout: Money::from_cents(1850)
            }
        );
        assert_eq!(settle_at(EventStatus::SecondTeamWon, 99), Outcome::Lost);
        assert_eq!(settle_at(EventStatus::Unfinished, 99), Outcome::Pending);
        let refund = Outcome::Void {
            reason: VoidReason::EventCancelled,
            refund: Money::from_cents(1000),
        };
        assert_eq!(settle_at(EventStatus::Cancelled, 99), refund);
    }

    #[test]
    fn a_bet_placed_at_the_close_is_refunded_whatever_the_result() {
        let refund = Outcome::Void {
            reason: VoidReason::PlacedAfterClose,
            refund: Money::from_cents(1000),
        };
        for status in EventStatus::ALL {
            assert_eq!(settle_at(status, 100), refund);
            assert_eq!(settle_at(status, 101), refund);
        }
    }

    #[test]
    fn a_payout_is_rounded_down_to_the_cent() {
        let payout = |cents, hundredths| potential_payout(Money::from_cents(cents), odds(hundredths)).cents();
        assert_eq!(payout(29, 100), 29);
        assert_eq!(payout(1, 199), 1);
        assert_eq!(payout(1, 200), 2);
        assert_eq!(payout(1, 1), 0);
        assert_eq!(payout(333, 185), 616); // 6.1605
        assert_eq!(payout(Money::MAX_STAKE.cents(), 1_000_000), 1_000_000_000_000_000);
    }

    proptest! {
        #[test]
        fn a_payout_is_within_a_cent_below_the_exact_product(
            cents in 1..=Money::MAX_STAKE.cents(), hundredths in 1..=1_000_000_i64,
        ) {
            let payout = i128::from(potential_payout(Money::from_cents(cents), odds(hundredths)).cents());
            let exact_times_100 = i128::from(cents) * i128::from(hundredths);
            prop_assert!(payout * 100 <= exact_times_100 && exact_times_100 < (payout + 1) * 100);
        }
    }
}
