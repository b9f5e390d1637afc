//! How long ago this replica knew all of the log, and of which history; placing stops when that is too long.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The last time that the bookmark stood at the log's head. Starts as never.
#[derive(Debug)]
pub struct Freshness {
    last: Mutex<Option<CaughtUp>>,
    limit: Duration,
}

#[derive(Clone, Copy, Debug)]
struct CaughtUp {
    at: Instant,
    /// Which history was read to its head.
    generation: i32,
}

impl Freshness {
    /// Stale `limit` after the last time of being caught up.
    pub const fn new(limit: Duration) -> Self {
        Self {
            last: Mutex::new(None),
            limit,
        }
    }

    /// Notes that at `asked_at`, before the log was asked, everything in the history of that generation was known.
    pub fn caught_up(&self, asked_at: Instant, generation: i32) {
        *self.lock() = Some(CaughtUp {
            at: asked_at,
            generation,
        });
    }

    /// How old the knowledge is at `now`; `None` before the first time.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.lock().map(|last| now.saturating_duration_since(last.at))
    }

    /// The generation of the history that is freshly known at `now`: bets may be decided while it is the one that is
    /// followed. `None` when the knowledge is stale.
    pub fn fresh_generation(&self, now: Instant) -> Option<i32> {
        let last = (*self.lock())?;
        (now.saturating_duration_since(last.at) <= self.limit).then_some(last.generation)
    }

    fn lock(&self) -> MutexGuard<'_, Option<CaughtUp>> {
        self.last.lock().expect("nobody panics while holding this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_fresh_up_to_the_limit() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let freshness = Freshness::new(20 * second);
        assert_eq!(freshness.fresh_generation(start), None);
        freshness.caught_up(start, 7);
        assert_eq!(freshness.fresh_generation(start + 20 * second), Some(7));
        assert_eq!(
            freshness.fresh_generation(start + 20 * second + Duration::from_nanos(1)),
            None
        );
        freshness.caught_up(start + 30 * second, 8);
        assert_eq!(freshness.fresh_generation(start + 50 * second), Some(8));
    }
}
