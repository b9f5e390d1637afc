//! How long ago this replica knew all of the log; placing stops when that is too long.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The last moment at which the bookmark stood at the log's head. Starts as never.
#[derive(Debug)]
pub struct Freshness {
    caught_up_at: Mutex<Option<Instant>>,
    limit: Duration,
}

impl Freshness {
    /// Stale `limit` after the last time of being caught up.
    pub const fn new(limit: Duration) -> Self {
        Self {
            caught_up_at: Mutex::new(None),
            limit,
        }
    }

    /// Notes that at `asked_at`, before the log was asked, everything in it was known.
    pub fn caught_up(&self, asked_at: Instant) {
        let mut caught_up_at = self.lock();
        *caught_up_at = (*caught_up_at).max(Some(asked_at));
    }

    /// Notes that the log is not the one that was known: only catching up anew makes fresh again.
    pub fn lost(&self) {
        *self.lock() = None;
    }

    /// How old the knowledge is at `now`; `None` before the first time.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.lock().map(|at| now.saturating_duration_since(at))
    }

    pub fn is_fresh(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age <= self.limit)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.caught_up_at
            .lock()
            .expect("nobody panics while holding this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_fresh_up_to_the_limit() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let freshness = Freshness::new(20 * second);
        assert!(!freshness.is_fresh(start));
        freshness.caught_up(start);
        assert!(freshness.is_fresh(start + 20 * second));
        assert!(!freshness.is_fresh(start + 20 * second + Duration::from_nanos(1)));
        freshness.caught_up(start + 30 * second);
        freshness.caught_up(start + 5 * second);
        assert!(freshness.is_fresh(start + 50 * second));
        freshness.lost();
        assert!(!freshness.is_fresh(start + 30 * second));
    }
}
