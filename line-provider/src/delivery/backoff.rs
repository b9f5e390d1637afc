//! How long to wait before a retry: exponential with full jitter, or as long as the receiver asks for.
//!
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog: full jitter spreads retries best.

use std::time::Duration;

const BASE_MS: u64 = 500;
const CAP_MS: u64 = 5 * 60 * 1000;
const RETRY_AFTER_CAP: Duration = Duration::from_secs(60 * 60);

/// The delay after so many failures in a row; `random` out of all of `u32` picks it from zero to the ceiling.
pub(super) fn delay(failures: u32, retry_after: Option<Duration>, random: u32) -> Duration {
    match retry_after {
        Some(asked) => asked.min(RETRY_AFTER_CAP),
        None => {
            let doublings = failures.saturating_sub(1).min(20);
            let ceiling_ms = (BASE_MS << doublings).min(CAP_MS);
            Duration::from_millis(ceiling_ms * u64::from(random) / u64::from(u32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_five_minutes() {
        let ceiling = |failures| delay(failures, None, u32::MAX).as_millis();
        assert_eq!(
            [1, 2, 3, 10, 11, 1000].map(ceiling),
            [500, 1000, 2000, 256_000, 300_000, 300_000]
        );
        assert_eq!(delay(5, None, 0), Duration::ZERO);
        assert_eq!(delay(1, None, u32::MAX / 2), Duration::from_millis(249));
    }

    #[test]
    fn a_receiver_is_left_alone_as_long_as_it_asks_for_but_not_for_ever() {
        let asked = |seconds| delay(9, Some(Duration::from_secs(seconds)), 0).as_secs();
        assert_eq!((asked(0), asked(3600), asked(3601)), (0, 3600, 3600));
    }
}
