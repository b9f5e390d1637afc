//! Bets: what bet-maker keeps, and the request that places one.

use paperclip::actix::Apiv2Schema;
use serde::{Deserialize, Serialize};

use crate::event::present;
use crate::ids::{BetId, BettorId, EventId};
use crate::money::Money;
use crate::odds::Odds;
use crate::timestamp::Timestamp;
use crate::token::DecimalToken;

/// Where a bet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum BetStatus {
    Pending,
    Won,
    Lost,
    /// Refunded; [`VoidReason`] says why.
    Void,
}

impl BetStatus {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Won, Self::Lost, Self::Void];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Void => "void",
        }
    }
}

/// Why a bet was refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Apiv2Schema)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    EventCancelled,
    /// Placed at or after the event's `closed_at`, before bet-maker knew of it.
    PlacedAfterClose,
}

/// A bet on the first team's win.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Apiv2Schema)]
pub struct Bet {
    pub id: BetId,
    pub event_id: EventId,
    pub bettor: Option<BettorId>,
    pub stake: Money,
    /// The odds that were accepted.
    pub odds: Odds,
    /// Stake times odds, rounded down to the cent.
    pub potential_payout: Money,
    pub status: BetStatus,
    pub void_reason: Option<VoidReason>,
    /// Null while pending; won: the potential payout; lost: `"0.00"`; void: the stake.
    pub payout: Option<Money>,
    /// The revision of the event that the bet was placed on.
    pub event_revision: u64,
    /// By the database's clock.
    pub placed_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

/// Body of `POST /bets`, before its fields are checked.
#[derive(Clone, Debug, Serialize, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBet {
    pub event_id: String,
    /// Greater than 0, at most 1000000000.00, two decimals. `amount` is accepted as another name.
    #[serde(alias = "amount")]
    pub stake: DecimalToken,
    /// The odds that the bettor saw; the current ones if absent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub odds: Option<DecimalToken>,
    /// What to do when the current odds differ from `odds`: `none` (refuse; the default with `odds`), `higher`
    /// (accept better ones), `any` (the default without `odds`).
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub odds_change: Option<String>,
    /// `[A-Za-z0-9_-]{1,64}`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub bettor: Option<String>,
}
