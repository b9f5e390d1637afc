//! `/events`: events as bet-maker knows them, and what is at stake on each.

use actix_web::web;
use diesel_async::AsyncPgConnection;
use http_edge::{
    ApiPath, ApiQuery, Cursor, Fail, Found, Page, PageLimit, Problem, codes as edge, route_codes,
};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use shared_types::{BetStatus, Event, EventId, Timestamp};

use super::{State, codes};
use crate::store::events::{self, ExposureLine};

route_codes! {
    pub ListEventsCodes = [edge::INVALID_CURSOR, codes::OVERLOADED, codes::DATABASE_UNAVAILABLE];
    pub GetEventCodes = [codes::EVENT_NOT_FOUND, codes::OVERLOADED, codes::DATABASE_UNAVAILABLE];
}

/// Which page to show.
#[derive(Debug, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct ListEvents {
    limit: Option<PageLimit>,
    cursor: Option<Cursor>,
}

/// List the events open for betting, soonest deadline first.
#[api_v2_operation(operation_id = "listEvents", tags("Events"))]
pub async fn list_events(
    state: web::Data<State>,
    query: ApiQuery<ListEvents>,
) -> Result<Found<Page<Event>>, Fail<ListEventsCodes>> {
    let ListEvents { limit, cursor } = query.0;
    let limit = limit.unwrap_or_default();
    let after = cursor
        .map(|cursor| cursor.decode::<(Timestamp, EventId)>())
        .transpose()?;
    let after = after.as_ref().map(|(deadline, id)| (*deadline, id));
    let query = async |conn: &mut AsyncPgConnection| events::list_open(conn, after, limit.get() + 1).await;
    let rows = state.store.read(query).await.map_err(Problem::from)?;
    let page = Page::cut(rows, limit, |event| (event.deadline, event.id.clone()));
    Ok(Found::<Page<Event>>::new(&page))
}

/// Get an event, open or not, at the newest revision that is known here.
#[api_v2_operation(operation_id = "getEvent", tags("Events"))]
pub async fn get_event(
    state: web::Data<State>,
    id: ApiPath<EventId, GetEventCodes>,
) -> Result<Found<Event>, Fail<GetEventCodes>> {
    let query = async |conn: &mut AsyncPgConnection| events::find(conn, &id.0).await;
    let event = state.store.read(query).await.map_err(Problem::from)?;
    let event = event.ok_or_else(|| Problem::new(&codes::EVENT_NOT_FOUND))?;
    Ok(Found::<Event>::new(&event))
}

/// Bets added up. Amounts are decimal strings with two places; sums may exceed what one bet can hold.
#[derive(Clone, Debug, Default, Serialize, Apiv2Schema)]
pub struct Sums {
    /// Number of bets.
    bets: u64,
    /// Their stakes.
    stakes: String,
    /// What they pay if the first team wins; a void bet pays its stake back.
    payout_if_first_team_wins: String,
    /// What was paid or refunded so far.
    paid: String,
}

/// What is at stake on an event.
#[derive(Debug, Serialize, Apiv2Schema)]
pub struct Exposure {
    event_id: EventId,
    total: Sums,
    by_status: SumsByStatus,
}

/// The sums of each status of bets.
#[derive(Debug, Serialize, Apiv2Schema)]
pub struct SumsByStatus {
    pending: Sums,
    won: Sums,
    lost: Sums,
    void: Sums,
}

impl Sums {
    fn of<'a>(lines: impl Iterator<Item = &'a ExposureLine> + Clone) -> Self {
        let sum = |amount: fn(&ExposureLine) -> Decimal| in_units(lines.clone().map(amount).sum());
        Self {
            bets: lines.clone().map(|line| line.bets).sum(),
            stakes: sum(|line| line.stakes),
            payout_if_first_team_wins: sum(|line| line.payout_if_first_team_wins),
            paid: sum(|line| line.paid),
        }
    }
}

/// Cents as a decimal string with two places.
fn in_units(cents: Decimal) -> String {
    let mut units = cents.trunc();
    units.set_scale(2).expect("2 is a scale that decimals have");
    units.to_string()
}

/// Get what is at stake on an event, by status of its bets.
#[api_v2_operation(operation_id = "getExposure", tags("Events"))]
pub async fn get_exposure(
    state: web::Data<State>,
    id: ApiPath<EventId, GetEventCodes>,
) -> Result<Found<Exposure>, Fail<GetEventCodes>> {
    let query = async |conn: &mut AsyncPgConnection| match events::find(conn, &id.0).await? {
        Some(_) => events::exposure(conn, &id.0).await.map(Some),
        None => Ok(None),
    };
    let lines = state.store.read(query).await.map_err(Problem::from)?;
    let lines = lines.ok_or_else(|| Problem::new(&codes::EVENT_NOT_FOUND))?;
    let of = |status: BetStatus| Sums::of(lines.iter().filter(move |line| line.status == status));
    let by_status = SumsByStatus {
        pending: of(BetStatus::Pending),
        won: of(BetStatus::Won),
        lost: of(BetStatus::Lost),
        void: of(BetStatus::Void),
    };
    let exposure = Exposure {
        event_id: id.0,
        total: Sums::of(lines.iter()),
        by_status,
    };
    Ok(Found::<Exposure>::new(&exposure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_written_with_two_places() {
        for (cents, text) in [
            ("0", "0.00"),
            ("5", "0.05"),
            ("1850", "18.50"),
            ("100000000000000000000000", "1000000000000000000000.00"),
        ] {
            assert_eq!(in_units(cents.parse().unwrap()), text);
        }
    }
}
