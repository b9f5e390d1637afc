//! Reads everything back once all games are over, and compares it with what was expected: each event at both
//! services, each bet one by one, and each event's exposure. Nothing that a service said earlier is trusted
//! here, except which bets it accepted.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::time::Duration;

use futures_util::stream::{StreamExt, TryStreamExt, iter};
use shared_types::{Bet, BetId, BetStatus, Event, EventId, Timestamp};

use crate::expect::{Sums, cents, expected_bet, expected_sums};
use crate::pair::CallError;
use crate::plan::{GamePlan, PlannedBet};
use crate::play::{Played, Run};
use crate::progress::count;
use crate::report::{Difference, money};
use crate::wire::Exposure;

/// What was read back of one game, or of all.
#[derive(Debug, Default)]
pub struct Verified {
    /// Added up from every bet.
    pub bets: Sums,
    /// Added up from every event's exposure.
    pub exposure: Sums,
    /// From the change of status to the settlement of the last bet, by the services' own clocks.
    pub settling: Vec<Duration>,
    pub differences: Vec<Difference>,
}

/// Verifies every game whose event was created.
///
/// # Errors
/// The first error that [ends the run](CallError::ends_the_run).
pub async fn verify(
    run: &Run<'_>,
    plans: &[GamePlan],
    played: &[(usize, Played)],
) -> Result<Verified, CallError> {
    let games = played
        .iter()
        .filter(|(_, played)| played.begun)
        .filter_map(|(place, played)| plans.get(*place).zip(Some(played)));
    iter(games)
        .map(|(plan, played)| verify_game(run, plan, played))
        .buffer_unordered(run.concurrency)
        .try_fold(Verified::default(), async |mut all, game| {
            all.bets += game.bets;
            all.exposure += game.exposure;
            all.settling.extend(game.settling);
            all.differences.extend(game.differences);
            Ok(all)
        })
        .await
}

async fn verify_game(run: &Run<'_>, plan: &GamePlan, played: &Played) -> Result<Verified, CallError> {
    let mut check = Check {
        line: plan.game.line,
        verified: Verified::default(),
    };
    match check.game(run, plan, played).await {
        Err(error) if !error.ends_the_run() => check.differs(error.to_string()),
        outcome => outcome?,
    }
    run.patience.moved();
    count(&run.progress.games_verified);
    Ok(check.verified)
}

/// Collects what is found of one game.
struct Check {
    line: u64,
    verified: Verified,
}

impl Check {
    fn differs(&mut self, text: String) {
        self.verified
            .differences
            .push(Difference::of_game(self.line, text));
    }

    fn equal<T: PartialEq + Debug>(&mut self, of: impl Display, found: &T, expected: &T) {
        if found != expected {
            self.differs(format!("{of} is {found:?} instead of {expected:?}"));
        }
    }

    fn equal_cents(&mut self, of: impl Display, found: i128, expected: i128) {
        if found != expected {
            self.differs(format!("{of} is {} instead of {}", money(found), money(expected)));
        }
    }

    async fn game(&mut self, run: &Run<'_>, plan: &GamePlan, played: &Played) -> Result<(), CallError> {
        let id = run.id.event_id(plan.game.line);
        let published = run.pair.published_event(&id).await?;
        let known = run.pair.known_event(&id).await?;
        let status = plan.game.outcome.status();
        self.equal(
            format!("event {id} at line-provider: status"),
            &published.status,
            &status,
        );
        self.equal(format!("event {id} at bet-maker: status"), &known.status, &status);

        let bets = run.pair.bets(&id).await?;
        self.add_bets(&bets);
        self.compare_bets(&id, plan, played, &bets);
        self.verified.settling.extend(settling(&published, &bets));

        let exposure = run.pair.exposure(&id).await?;
        self.compare_exposure(&id, plan, &exposure);
        Ok(())
    }

    fn add_bets(&mut self, bets: &[Bet]) {
        let sums = &mut self.verified.bets;
        sums.games += 1;
        for bet in bets {
            sums.add_bets(bet.status, 1);
            sums.staked_cents += cents(bet.stake);
            sums.paid_cents += bet.payout.map_or(0, cents);
        }
    }

    fn compare_bets(&mut self, id: &EventId, plan: &GamePlan, played: &Played, bets: &[Bet]) {
        let mut unexpected: BTreeMap<BetId, &Bet> = bets.iter().map(|bet| (bet.id, bet)).collect();
        self.equal(
            format!("event {id}: number of listed bets, each once,"),
            &bets.len(),
            &unexpected.len(),
        );
        for (planned, placed) in plan.bets.iter().zip(&played.placed) {
            let Some(placed) = placed else { continue };
            match unexpected.remove(&placed.id) {
                Some(found) => self.compare_bet(id, plan, planned, found),
                None => self.differs(format!("bet {} was accepted and is not there", placed.id)),
            }
        }
        for bet in unexpected.values() {
            self.differs(format!("bet {} on event {id} was never accepted", bet.id));
        }
    }

    fn compare_bet(&mut self, id: &EventId, plan: &GamePlan, planned: &PlannedBet, found: &Bet) {
        let expected = expected_bet(planned.stake, plan.game.odds, plan.game.outcome);
        let name = |field: &str| format!("bet {}: {field}", found.id);
        self.equal(name("event_id"), &found.event_id, id);
        self.equal(name("bettor"), &found.bettor, &planned.bettor);
        self.equal(name("stake"), &found.stake, &planned.stake);
        self.equal(name("odds"), &found.odds, &plan.game.odds);
        self.equal_cents(
            name("potential_payout"),
            cents(found.potential_payout),
            expected.potential_payout_cents,
        );
        if found.status != expected.status {
            // Whatever else is off follows from it.
            let (found, expected) = (found.status.as_str(), expected.status.as_str());
            return self.differs(format!("{} is {found} instead of {expected}", name("status")));
        }
        self.equal(name("void_reason"), &found.void_reason, &expected.void_reason);
        self.equal_cents(
            name("payout"),
            found.payout.map_or(0, cents),
            expected.payout_cents,
        );
        if found.payout.is_none() || found.settled_at.is_none() {
            self.differs(format!(
                "bet {} is settled without payout or settled_at",
                found.id
            ));
        }
    }

    /// The parts by status go into the table; the total must be what the parts and the plan come to.
    fn compare_exposure(&mut self, id: &EventId, plan: &GamePlan, exposure: &Exposure) {
        let sums = &mut self.verified.exposure;
        sums.games += 1;
        for status in BetStatus::ALL {
            let of_status = exposure.by_status.of(status);
            sums.add_bets(status, of_status.bets);
            sums.staked_cents += of_status.stakes.0;
            sums.paid_cents += of_status.paid.0;
        }
        let expected = expected_sums(plan);
        let found = *sums;
        let name = |field: &str| format!("exposure of {id}: {field}");
        self.equal(name("event_id"), &exposure.event_id, id);
        self.equal(name("bets by status"), &found.by_status(), &expected.by_status());
        self.equal_cents(name("stakes"), found.staked_cents, expected.staked_cents);
        self.equal_cents(name("paid"), found.paid_cents, expected.paid_cents);
        let total = &exposure.total;
        self.equal(name("total bets"), &total.bets, &expected.bets);
        self.equal_cents(name("total stakes"), total.stakes.0, expected.staked_cents);
        self.equal_cents(name("total paid"), total.paid.0, expected.paid_cents);
        let if_first_wins = |bet: &PlannedBet| {
            let expected = expected_bet(bet.stake, plan.game.odds, plan.game.outcome);
            if expected.status == BetStatus::Void {
                expected.payout_cents
            } else {
                expected.potential_payout_cents
            }
        };
        self.equal_cents(
            name("total payout if the first team wins"),
            total.payout_if_first_team_wins.0,
            plan.bets.iter().map(if_first_wins).sum(),
        );
    }
}

/// By the services' own clocks; `None` where nothing was settled.
fn settling(event: &Event, bets: &[Bet]) -> Option<Duration> {
    let last: Timestamp = bets.iter().filter_map(|bet| bet.settled_at).max()?;
    Some(last.saturating_since(event.closed_at?))
}
