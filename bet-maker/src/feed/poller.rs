//! Reading the log: at start, about every second, and whenever something does not fit. With every callback lost,
//! this alone makes bet-maker complete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_edge::metrics::count;
use http_edge::telemetry::chain;
use tokio::sync::Notify;

use super::Freshness;
use super::apply::{self, Read, Reconciled};
use super::client::{CallError, LineProvider};
use super::history::{self, Break, continued, reaches};
use crate::store::feed::{Bookmark, FeedState, Suspension};
use crate::store::{Store, StoreError, feed};

/// Clocks further apart than this are worth a word: a bet near the deadline is judged by the database's.
const CLOCK_ALARM_S: f64 = 0.25;

/// Reads line-provider's log for one replica.
pub struct Poller {
    pub store: Store,
    pub line_provider: LineProvider,
    pub freshness: Arc<Freshness>,
    /// How long to rest between two readings.
    pub every: Duration,
    pub wake: Arc<Notify>,
    pub wake_settler: Arc<Notify>,
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Page(Break),
    #[error("the log's page cannot be stored")]
    Store(#[from] StoreError),
}

/// Whether to go on at once.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    /// The log has more to read.
    More,
    /// Its head was reached, or acceptance was suspended: a log that breaks each time must not be read in a spin.
    Rest,
}

impl Poller {
    /// Never returns; drop it to stop it.
    pub async fn run(self) {
        let mut away = false;
        loop {
            match self.round().await {
                Ok(Round::More) => continue,
                Ok(Round::Rest) if away => {
                    away = false;
                    tracing::info!("the log can be read again");
                }
                Ok(Round::Rest) => {}
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(
                        error = chain(&error),
                        "the log cannot be read; trying again and again"
                    );
                }
                Err(error) => tracing::debug!(%error, "the log still cannot be read"),
            }
            let age_s = self
                .freshness
                .age(Instant::now())
                .map_or(f64::INFINITY, |age| age.as_secs_f64());
            metrics::gauge!("bet_maker_feed_age_seconds").set(age_s);
            // Replicas that were started together spread out.
            let pause = self.every.mul_f64(rand::random_range(0.9..1.1));
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }

    async fn round(&self) -> Result<Round, RoundError> {
        let asked_at = Instant::now();
        let state = self.store.work(async |conn| feed::read(conn).await).await?;
        metrics::gauge!("bet_maker_feed_suspended").set(if state.suspension.is_some() { 1.0 } else { 0.0 });
        match &state.suspension {
            None => self.follow(&state, asked_at).await,
            Some(suspension) => self.reconcile(&state, suspension).await,
        }
    }

    async fn follow(&self, state: &FeedState, asked_at: Instant) -> Result<Round, RoundError> {
        let after = state.followed.as_ref().map_or(0, history::after);
        let page = self.read_log(after).await?;
        let bookmark = state
            .followed
            .clone()
            .unwrap_or(Bookmark::start_of(page.instance));
        let continued = continued(&bookmark, &page);
        let changes = match continued.and_then(|changes| reaches(state.highest, &page).map(|()| changes)) {
            Ok(changes) => changes,
            Err(broken) => return self.suspend(state, &page, broken).await,
        };
        let follow = async |conn: &mut _| apply::follow(conn, state, &bookmark, changes).await;
        match self.store.work(follow).await? {
            Read::Outdated => Ok(Round::More),
            Read::Contradicted(broken) => {
                tracing::error!(reason = %broken, "acceptance of bets is suspended");
                Ok(Round::Rest)
            }
            Read::Merged { merged, position } => {
                if merged.due {
                    self.wake_settler.notify_one();
                }
                metrics::gauge!("bet_maker_feed_lag_positions")
                    .set(count(page.head.saturating_sub(position)));
                if position < page.head {
                    return Ok(Round::More);
                }
                self.freshness.caught_up(asked_at, state.generation);
                Ok(Round::Rest)
            }
        }
    }

    async fn reconcile(&self, state: &FeedState, suspension: &Suspension) -> Result<Round, RoundError> {
        let page = self.read_log(history::after(&suspension.candidate)).await?;
        let changes = match continued(&suspension.candidate, &page) {
            Ok(changes) => changes,
            Err(broken) => return self.suspend(state, &page, broken).await,
        };
        let instance = page.instance;
        let reconcile =
            async |conn: &mut _| apply::reconcile(conn, state, suspension, changes, page.head).await;
        match self.store.work(reconcile).await? {
            Reconciled::Going | Reconciled::Outdated => Ok(Round::More),
            Reconciled::Disagrees { events } => {
                metrics::gauge!("bet_maker_feed_unconfirmed_events").set(count(events.unsigned_abs()));
                tracing::debug!(events, %instance, "line-provider's log leaves events in doubt");
                Ok(Round::Rest)
            }
            Reconciled::Adopted { .. } => {
                metrics::gauge!("bet_maker_feed_unconfirmed_events").set(0.0);
                tracing::warn!(%instance, "line-provider's log is followed again");
                self.wake_settler.notify_one();
                Ok(Round::More)
            }
        }
    }

    async fn suspend(
        &self,
        state: &FeedState,
        page: &shared_types::ChangesPage,
        broken: Break,
    ) -> Result<Round, RoundError> {
        if matches!(broken, Break::Misplaced { .. } | Break::Implausible { .. }) {
            return Err(RoundError::Page(broken));
        }
        tracing::error!(reason = %broken, "acceptance of bets is suspended");
        self.store
            .work(async |conn| apply::suspend(conn, state, page.instance, &broken).await)
            .await?;
        Ok(Round::Rest)
    }

    async fn read_log(&self, after: u64) -> Result<shared_types::ChangesPage, CallError> {
        let answer = self.line_provider.changes(after).await?;
        if let Some(offset_s) = answer.clock_offset_s {
            metrics::gauge!("bet_maker_clock_offset_seconds").set(offset_s);
            if offset_s.abs() > CLOCK_ALARM_S {
                tracing::warn!(offset_s, "line-provider's clock is off against ours");
            }
        }
        Ok(answer.page)
    }
}
