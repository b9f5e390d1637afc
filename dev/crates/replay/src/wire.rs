//! Answers of bet-maker that are not in `shared-types`: a page of bets and an event's exposure. They are read
//! strictly, so that a changed shape shows at once.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use shared_types::{Bet, BetStatus, EventId};

#[derive(Debug, Deserialize)]
pub struct BetPage {
    pub items: Vec<Bet>,
    pub next_cursor: Option<String>,
}

/// Answer of `GET /events/{id}/exposure`.
#[derive(Debug, Deserialize)]
pub struct Exposure {
    pub event_id: EventId,
    pub total: Stakes,
    pub by_status: StakesByStatus,
}

/// The bets of each status, added up.
#[derive(Debug, Deserialize)]
pub struct StakesByStatus {
    pub pending: Stakes,
    pub won: Stakes,
    pub lost: Stakes,
    pub void: Stakes,
}

impl StakesByStatus {
    pub const fn of(&self, status: BetStatus) -> &Stakes {
        match status {
            BetStatus::Pending => &self.pending,
            BetStatus::Won => &self.won,
            BetStatus::Lost => &self.lost,
            BetStatus::Void => &self.void,
        }
    }
}

/// Bets added up.
#[derive(Debug, Deserialize)]
pub struct Stakes {
    pub bets: u64,
    pub stakes: CentsSum,
    pub payout_if_first_team_wins: CentsSum,
    pub paid: CentsSum,
}

/// A sum of amounts in cents, which may exceed what one amount can hold; `"12.50"` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CentsSum(pub i128);

/// The text is not digits, a point and two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sum must be written with two decimals, such as \"12.50\"")]
pub struct InvalidSum;

impl FromStr for CentsSum {
    type Err = InvalidSum;

    fn from_str(text: &str) -> Result<Self, InvalidSum> {
        let (whole, decimals) = text.split_once('.').ok_or(InvalidSum)?;
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) || decimals.len() != 2 {
            return Err(InvalidSum);
        }
        let cents = format!("{whole}{decimals}");
        cents.parse().map(Self).map_err(|_| InvalidSum)
    }
}

impl<'de> Deserialize<'de> for CentsSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_whole_cents_of_any_size() {
        assert_eq!("0.00".parse(), Ok(CentsSum(0)));
        assert_eq!("0.29".parse(), Ok(CentsSum(29)));
        assert_eq!(
            "92233720368547758.08".parse(),
            Ok(CentsSum(9_223_372_036_854_775_808))
        );
        for bad in ["", "1", "1.5", "1.500", "-1.00", ".50", "1.", "1e2.00"] {
            assert_eq!(bad.parse::<CentsSum>(), Err(InvalidSum), "{bad}");
        }
    }
}
