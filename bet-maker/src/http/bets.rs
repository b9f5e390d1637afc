//! `/bets`: placing and reading bets.

use actix_web::web;
use diesel_async::AsyncPgConnection;
use http_edge::{
    ApiJson, ApiPath, ApiQuery, Created, Cursor, Fail, FieldErrors, Found, IdempotencyKey, Page, PageLimit,
    Problem, codes as edge, route_codes,
};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use shared_types::{Bet, BetId, BetStatus, BettorId, EventId, Money, Odds};

use super::{State, codes};
use crate::placement::{OddsPolicy, PlaceBet};
use crate::store::bets::{self, BetFilter};

route_codes! {
    pub PlaceBetCodes = [
        edge::INVALID_FIELD, codes::EVENT_NOT_FOUND, codes::BETTING_CLOSED, codes::ODDS_CHANGED, codes::KEY_REUSED,
        codes::FEED_STALE, codes::FEED_SUSPENDED, codes::OVERLOADED, codes::DATABASE_UNAVAILABLE,
    ];
    pub ListBetsCodes = [edge::INVALID_CURSOR, codes::OVERLOADED, codes::DATABASE_UNAVAILABLE];
    pub GetBetCodes = [codes::BET_NOT_FOUND, codes::OVERLOADED, codes::DATABASE_UNAVAILABLE];
}

/// Place a bet on the first team's win.
///
/// Accepted only while the event is open, by the database's clock. Repeat it with the same Idempotency-Key and
/// body until it is answered: the first answer, a refusal included, is given again for ever.
#[api_v2_operation(operation_id = "placeBet", tags("Bets"))]
pub async fn place_bet(
    state: web::Data<State>,
    key: IdempotencyKey,
    body: ApiJson<shared_types::bet::PlaceBet>,
) -> Result<Created<Bet>, Fail<PlaceBetCodes>> {
    let bet = check(&body.0, key)?;
    let placed = state.placing.place_bet(bet).await?;
    let answer = Created::<Bet>::new(&placed.bet).location(&format!("/bets/{}", placed.bet.id));
    Ok(if placed.replayed {
        answer.replayed()
    } else {
        answer
    })
}

fn check(request: &shared_types::bet::PlaceBet, key: IdempotencyKey) -> Result<PlaceBet, Problem> {
    let mut errors = FieldErrors::default();
    let event_id = errors.check("event_id", request.event_id.parse::<EventId>());
    let stake = errors.check("stake", Money::stake(&request.stake));
    let bettor = match &request.bettor {
        Some(bettor) => errors.check("bettor", bettor.parse::<BettorId>()).map(Some),
        None => Some(None),
    };
    let odds = check_odds(request, &mut errors);
    let bet = event_id
        .zip(stake)
        .zip(bettor)
        .zip(odds)
        .map(|(((event_id, stake), bettor), odds)| PlaceBet {
            event_id,
            stake,
            odds,
            bettor,
            key: key.0,
        });
    errors.finish(bet)
}

fn check_odds(request: &shared_types::bet::PlaceBet, errors: &mut FieldErrors) -> Option<OddsPolicy> {
    let odds = match &request.odds {
        Some(odds) => Some(errors.check("odds", Odds::try_from(odds))?),
        None => None,
    };
    match (request.odds_change.as_deref(), odds) {
        (None, None) | (Some("any"), _) => Some(OddsPolicy::Any),
        (None | Some("none"), Some(odds)) => Some(OddsPolicy::Exactly(odds)),
        (Some("higher"), Some(odds)) => Some(OddsPolicy::AtLeast(odds)),
        (Some("none" | "higher"), None) => {
            errors.add("odds", "must be given with this odds_change");
            None
        }
        (Some(_), _) => {
            errors.add("odds_change", "must be none, higher or any");
            None
        }
    }
}

/// Which bets to list.
#[derive(Debug, Deserialize, Apiv2Schema)]
#[serde(deny_unknown_fields)]
pub struct ListBets {
    event_id: Option<EventId>,
    bettor: Option<BettorId>,
    status: Option<BetStatus>,
    limit: Option<PageLimit>,
    cursor: Option<Cursor>,
}

/// List bets, newest first.
#[api_v2_operation(operation_id = "listBets", tags("Bets"))]
pub async fn list_bets(
    state: web::Data<State>,
    query: ApiQuery<ListBets>,
) -> Result<Found<Page<Bet>>, Fail<ListBetsCodes>> {
    let ListBets {
        event_id,
        bettor,
        status,
        limit,
        cursor,
    } = query.0;
    let limit = limit.unwrap_or_default();
    let before = cursor.map(|cursor| cursor.decode::<BetId>()).transpose()?;
    let filter = BetFilter {
        event_id,
        bettor,
        status,
    };
    let query = async |conn: &mut AsyncPgConnection| bets::list(conn, &filter, before, limit.get() + 1).await;
    let rows = state.store.read(query).await.map_err(Problem::from)?;
    Ok(Found::<Page<Bet>>::new(&Page::cut(rows, limit, |bet| bet.id)))
}

/// Get a bet.
#[api_v2_operation(operation_id = "getBet", tags("Bets"))]
pub async fn get_bet(
    state: web::Data<State>,
    id: ApiPath<BetId, GetBetCodes>,
) -> Result<Found<Bet>, Fail<GetBetCodes>> {
    let query = async |conn: &mut AsyncPgConnection| bets::find(conn, id.0).await;
    let bet = state.store.read(query).await.map_err(Problem::from)?;
    let bet = bet.ok_or_else(|| Problem::new(&codes::BET_NOT_FOUND))?;
    Ok(Found::<Bet>::new(&bet))
}
