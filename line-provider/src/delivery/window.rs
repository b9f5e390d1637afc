//! What one subscription still has to be told, as a pure state machine: changes go in, attempts come out.
//!
//! Invariants: within a lane (one event) at most one attempt is under way, and positions go out in order; a retry
//! carries the newest change of its lane and supersedes the older ones; the cursor never passes a change that is
//! neither delivered, superseded, filtered out nor given up, and never goes back. Bounded are the positions beyond
//! the cursor, the payloads held, and the attempts under way. A receiver that failed again and again and takes a
//! change is back: what waits for its next attempt is sent at once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared_types::EventId;

use super::backoff;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// Positions beyond the cursor that are looked at; a change that is never taken holds up what lies further.
pub(super) const POSITIONS: usize = 10_000;
/// Changes kept in memory until they are sent.
pub(super) const PAYLOADS: usize = 512;
/// Attempts under way at once, all of different events.
pub(super) const IN_FLIGHT: usize = 32;
/// How long a change is tried, from its first attempt by this process on.
pub(super) const MAX_AGE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// After so many failures in a row, of whatever events, over so long a time, the receiver is taken to be down.
const DOWN: u32 = 3;
const DOWN_FOR: Duration = Duration::from_secs(2);

/// An attempt to make now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start<P> {
    pub(super) lane: EventId,
    pub(super) position: u64,
    /// `None` for a retry: its change is read again.
    pub(super) payload: Option<P>,
    /// What a retry takes the place of: positions of its lane, oldest first.
    pub(super) superseded: Vec<u64>,
}

/// What becomes of a change that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    RetryAt(Instant),
    GivenUp { position: u64 },
}

#[derive(Debug)]
struct Waiting<P> {
    position: u64,
    payload: Option<P>,
    first_attempt_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ready,
    InFlight,
    RetryAt(Instant),
}

/// What is pending of one event, oldest first; never empty.
#[derive(Debug)]
struct Lane<P> {
    waiting: VecDeque<Waiting<P>>,
    stage: Stage,
    /// Failed attempts in a row.
    failures: u32,
    /// The receiver said how long it wants to be left alone.
    is_asked_to_wait: bool,
    /// Its retry was brought forward since it failed first: once, or events that always fail would never be left alone.
    is_hastened: bool,
}

#[derive(Debug)]
pub(super) struct Window<P> {
    cursor: u64,
    /// Which of the positions beyond the cursor are done; the first never is.
    done: VecDeque<bool>,
    lanes: HashMap<EventId, Lane<P>>,
    /// Lanes in stage `Ready`, in the order in which they may start.
    ready: VecDeque<EventId>,
    /// Lanes in stage `RetryAt`.
    retries: BTreeSet<(Instant, EventId)>,
    in_flight: usize,
    payloads: usize,
    /// Lanes whose last attempt failed.
    failing: usize,
    /// Failed attempts since the last that was taken, and when the first of them failed.
    failures_in_a_row: u32,
    failing_since: Option<Instant>,
}

impl<P> Window<P> {
    pub(super) fn new(cursor: u64) -> Self {
        Self {
            cursor,
            done: VecDeque::new(),
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            retries: BTreeSet::new(),
            in_flight: 0,
            payloads: 0,
            failing: 0,
            failures_in_a_row: 0,
            failing_since: None,
        }
    }

    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The last position that was offered or skipped.
    pub(super) fn read_up_to(&self) -> u64 {
        self.cursor + count(self.done.len())
    }

    /// How many more positions may be offered now.
    pub(super) fn room(&self) -> usize {
        let positions = POSITIONS.saturating_sub(self.done.len());
        positions.min(PAYLOADS.saturating_sub(self.payloads))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a retry waits or is under way.
    pub(super) fn is_failing(&self) -> bool {
        self.failing > 0
    }

    /// When the next retry is due.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Takes the next change of the log.
    pub(super) fn offer(&mut self, lane: &EventId, payload: P) {
        self.done.push_back(false);
        let mut waiting = Waiting {
            position: self.read_up_to(),
            payload: Some(payload),
            first_attempt_at: None,
        };
        match self.lanes.entry(lane.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane {
                    waiting: VecDeque::from([waiting]),
                    stage: Stage::Ready,
                    failures: 0,
                    is_asked_to_wait: false,
                    is_hastened: false,
                });
                self.ready.push_back(lane.clone());
                self.payloads += 1;
            }
            Entry::Occupied(mut known) => {
                let lane = known.get_mut();
                // It will go out as a retry, which reads its change again.
                if matches!(lane.stage, Stage::RetryAt(_)) {
                    waiting.payload = None;
                } else {
                    self.payloads += 1;
                }
                lane.waiting.push_back(waiting);
            }
        }
    }

    /// Passes over the next change of the log, which the subscription does not want.
    pub(super) fn skip(&mut self) {
        self.done.push_back(true);
        self.advance();
    }

    /// The next attempt to make, if one may be made now.
    pub(super) fn start(&mut self, now: Instant) -> Option<Start<P>> {
        if self.in_flight >= IN_FLIGHT {
            return None;
        }
        let (id, superseded) = self.next_lane(now)?;
        let lane = self.lanes.get_mut(&id)?;
        lane.stage = Stage::InFlight;
        let first = lane.waiting.front_mut()?;
        first.first_attempt_at.get_or_insert(now);
        let payload = first.payload.take();
        let position = first.position;
        self.in_flight += 1;
        self.payloads -= usize::from(payload.is_some());
        Some(Start {
            lane: id,
            position,
            payload,
            superseded,
        })
    }

    /// With what its attempt supersedes. A lane that was not tried goes before one that failed: a failing lane must not
    /// stop others.
    fn next_lane(&mut self, now: Instant) -> Option<(EventId, Vec<u64>)> {
        if let Some(id) = self.ready.pop_front() {
            return Some((id, Vec::new()));
        }
        self.next_retry().filter(|at| *at <= now)?;
        let (_, id) = self.retries.pop_first()?;
        let superseded = self.supersede(&id);
        Some((id, superseded))
    }

    /// Leaves only the newest change of a lane; the positions of the others.
    fn supersede(&mut self, id: &EventId) -> Vec<u64> {
        let Some(lane) = self.lanes.get_mut(id) else {
            return Vec::new();
        };
        let older = lane.waiting.len().saturating_sub(1);
        let superseded: Vec<_> = lane
            .waiting
            .drain(..older)
            .map(|waiting| waiting.position)
            .collect();
        for position in &superseded {
            self.finish(*position);
        }
        superseded
    }

    /// The receiver took the change that was under way in that lane.
    pub(super) fn delivered(&mut self, lane: &EventId, now: Instant) {
        self.in_flight -= 1;
        self.drop_first(lane);
        let failures = std::mem::take(&mut self.failures_in_a_row);
        let since = self.failing_since.take();
        if failures >= DOWN && since.is_some_and(|since| now.saturating_duration_since(since) >= DOWN_FOR) {
            self.hasten_retries(now);
        }
    }

    /// Makes every retry due, but for those that the receiver wants to wait, and those that this has helped nothing.
    fn hasten_retries(&mut self, now: Instant) {
        let lanes = &mut self.lanes;
        self.retries = std::mem::take(&mut self.retries)
            .into_iter()
            .map(|(at, id)| match lanes.get_mut(&id) {
                Some(lane) if !lane.is_asked_to_wait && !lane.is_hastened => {
                    let at = at.min(now);
                    lane.is_hastened = true;
                    lane.stage = Stage::RetryAt(at);
                    (at, id)
                }
                _ => (at, id),
            })
            .collect();
    }

    /// The receiver did not take it. `random`, out of all of `u32`, spreads the retries.
    pub(super) fn failed(
        &mut self,
        id: &EventId,
        now: Instant,
        retry_after: Option<Duration>,
        random: u32,
    ) -> Fate {
        self.in_flight -= 1;
        let lane = self
            .lanes
            .get_mut(id)
            .expect("a lane stays while its attempt is under way");
        let first = lane.waiting.front().expect("a lane is never empty");
        let (position, first_attempt_at) = (first.position, first.first_attempt_at);
        if first_attempt_at.is_some_and(|at| now.saturating_duration_since(at) >= MAX_AGE) {
            self.drop_first(id);
            return Fate::GivenUp { position };
        }
        self.failing += usize::from(lane.failures == 0);
        lane.failures = lane.failures.saturating_add(1);
        let delay = backoff::delay(lane.failures, retry_after, random);
        let at = now + delay;
        lane.stage = Stage::RetryAt(at);
        lane.is_asked_to_wait = retry_after.is_some();
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.failing_since.get_or_insert(now);
        for waiting in &mut lane.waiting {
            self.payloads -= usize::from(waiting.payload.take().is_some());
        }
        self.retries.insert((at, id.clone()));
        Fate::RetryAt(at)
    }

    /// The attempt does not count, because the subscription stops being served; it is made again when it resumes.
    pub(super) fn put_back(&mut self, id: &EventId) {
        self.in_flight -= 1;
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.stage = Stage::Ready;
            self.ready.push_front(id.clone());
        }
    }

    fn drop_first(&mut self, id: &EventId) {
        let Entry::Occupied(mut known) = self.lanes.entry(id.clone()) else {
            return;
        };
        let lane = known.get_mut();
        self.failing -= usize::from(lane.failures > 0);
        lane.failures = 0;
        lane.is_hastened = false;
        let first = lane.waiting.pop_front();
        if lane.waiting.is_empty() {
            known.remove();
        } else {
            lane.stage = Stage::Ready;
            self.ready.push_back(id.clone());
        }
        if let Some(first) = first {
            self.finish(first.position);
        }
    }

    fn finish(&mut self, position: u64) {
        let offset = position.checked_sub(self.cursor + 1);
        let done = offset
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.done.get_mut(offset))
            .expect("a pending position lies beyond the cursor");
        *done = true;
        self.advance();
    }

    fn advance(&mut self) {
        while self.done.front() == Some(&true) {
            self.done.pop_front();
            self.cursor += 1;
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a usize has 64 bits at most")
}
