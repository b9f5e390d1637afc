//! Where the time comes from: the machine's clock in production, a test's own in tests. It never goes backwards.
//!
//! Rules take `now` as an argument; whoever calls them asks this clock. Should the machine's clock be set back, time
//! stands still here until it is reached again: a close that lay before bets that were placed in good time would void
//! them for good. It is asked at least at each read of the log, which bet-maker does about every second.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use shared_types::Timestamp;

/// A source of the present moment, cheap to clone; clones share what they have told.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The latest moment told, in unix microseconds.
    latest: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// A clock that tells what `read` says, as long as that does not go backwards.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            read: Arc::new(read),
            latest: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.not_before((self.read)())
    }

    /// Tells no moment before this one from now on: what the journal holds has happened.
    pub fn not_before(&self, moment: Timestamp) -> Timestamp {
        let micros = moment.unix_micros();
        let latest = self.latest.fetch_max(micros, Ordering::Relaxed).max(micros);
        Timestamp::from_unix_micros(latest).expect("it was made from a moment")
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_the_machine_is_behind_what_was_told() {
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let machine = Arc::new(AtomicI64::new(100));
        let read = Arc::clone(&machine);
        let clock = Clock::new(move || at(read.load(Ordering::Relaxed)));
        assert_eq!(clock.now(), at(100));
        machine.store(70, Ordering::Relaxed);
        assert_eq!(clock.now(), at(100));
        assert_eq!(clock.clone().now(), at(100));
        machine.store(101, Ordering::Relaxed);
        assert_eq!(clock.now(), at(101));
        assert_eq!(clock.not_before(at(150)), at(150));
        assert_eq!(clock.now(), at(150));
    }
}
