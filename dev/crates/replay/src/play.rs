//! Plays the planned games through the pair: create, bet, end, wait for settlement; many games at once, each in
//! that order. What goes wrong for one game is kept as a difference of that game; only a run that has become
//! pointless ends early.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use shared_types::{Bet, EventId, Timestamp};

use crate::pair::{CallError, Pair};
use crate::patience::Patience;
use crate::plan::{GamePlan, PlannedBet, RunId, Sending};
use crate::progress::{Progress, count};
use crate::report::Difference;

/// What all games of a run share.
pub struct Run<'a> {
    pub id: &'a RunId,
    pub pair: &'a Pair,
    pub patience: &'a Patience,
    pub progress: &'a Progress,
    pub deadline: Timestamp,
    pub concurrency: usize,
}

/// What became of one game.
#[derive(Debug, Default)]
pub struct Played {
    /// The answer to each planned bet, in the plan's order; `None` where it was not accepted.
    pub placed: Vec<Option<Bet>>,
    /// From asking to the answer, with retries, of each accepted bet.
    pub placing: Vec<Duration>,
    /// From asking for the result to having seen the last bet settled.
    pub settling: Option<Duration>,
    pub differences: Vec<Difference>,
    /// Whether its event was created.
    pub begun: bool,
}

/// Plays every game; answers each plan's place and what became of it, in no order.
///
/// # Errors
/// The first error that [ends the run](CallError::ends_the_run).
pub async fn play(run: &Run<'_>, plans: &[GamePlan]) -> Result<Vec<(usize, Played)>, CallError> {
    // Unordered, so that one game that waits holds up no others.
    iter(plans.iter().enumerate())
        .map(async |(place, plan)| Ok((place, play_game(run, plan).await?)))
        .buffer_unordered(run.concurrency)
        .try_collect()
        .await
}

async fn play_game(run: &Run<'_>, plan: &GamePlan) -> Result<Played, CallError> {
    let line = plan.game.line;
    let mut played = Played::default();
    if run.patience.is_spent() {
        let text = "not played: nothing moved for too long".to_owned();
        played.differences.push(Difference::of_game(line, text));
        return Ok(played);
    }
    match steps(run, plan, &mut played).await {
        Err(error) if !error.ends_the_run() => {
            played
                .differences
                .push(Difference::of_game(line, error.to_string()));
        }
        outcome => outcome?,
    }
    Ok(played)
}

async fn steps(run: &Run<'_>, plan: &GamePlan, played: &mut Played) -> Result<(), CallError> {
    let line = plan.game.line;
    let event = run.id.event_id(line);
    run.pair.create_event(&event, &plan.game, run.deadline).await?;
    played.begun = true;
    run.patience.moved();
    run.pair.event_known(&event).await?;
    run.patience.moved();

    let placing = plan
        .bets
        .iter()
        .enumerate()
        .map(|(number, bet)| place(run, plan, &event, number, bet));
    for answer in join_all(placing).await {
        match answer {
            Ok(placed) => {
                played.placed.push(Some(placed.bet));
                played.placing.push(placed.took);
                played.differences.extend(placed.difference);
            }
            Err(error) if error.ends_the_run() => return Err(error),
            Err(error) => {
                played.placed.push(None);
                played
                    .differences
                    .push(Difference::of_game(line, error.to_string()));
            }
        }
    }

    let asked_at = Instant::now();
    let status = plan.game.outcome.status();
    run.pair.set_status(&event, status).await?;
    run.patience.moved();
    run.pair.settled(&event, status).await?;
    run.patience.moved();
    played.settling = Some(asked_at.elapsed());
    count(&run.progress.games_settled);
    Ok(())
}

struct Placed {
    bet: Bet,
    took: Duration,
    difference: Option<Difference>,
}

/// Places one bet, twice where the plan says so: both requests must be answered with the same bet.
async fn place(
    run: &Run<'_>,
    plan: &GamePlan,
    event: &EventId,
    number: usize,
    bet: &PlannedBet,
) -> Result<Placed, CallError> {
    let ask = || run.pair.place_bet(event, number, bet, plan.game.odds);
    let started = Instant::now();
    let (first, took, second) = match bet.sending {
        Sending::Once => (ask().await?, started.elapsed(), None),
        Sending::TwiceInTurn => {
            let first = ask().await?;
            let took = started.elapsed();
            (first, took, Some(ask().await?))
        }
        Sending::TwiceAtOnce => {
            let (first, second) = join(ask(), ask()).await;
            (first?, started.elapsed(), Some(second?))
        }
    };
    run.patience.moved();
    count(&run.progress.bets_placed);
    let difference = second.filter(|second| *second != first).map(|second| {
        let text = format!(
            "bet {number}, sent twice with one key, was answered with bet {} and then otherwise, as bet {}",
            first.id, second.id
        );
        Difference::of_game(plan.game.line, text)
    });
    Ok(Placed {
        bet: first,
        took,
        difference,
    })
}
