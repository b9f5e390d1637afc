//! Numbers out of rounds: medians, ratios, percentiles. Pure.

use std::time::Duration;

/// Where the values of several rounds lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }

    /// The ratio of the medians, between the least and the greatest ratio within one round. `None` unless every
    /// round has both.
    pub fn of_ratio(ours: &[f64], limit: &[f64]) -> Option<Self> {
        if ours.len() != limit.len() {
            return None;
        }
        let rounds: Vec<f64> = ours.iter().zip(limit).map(|(ours, limit)| ours / limit).collect();
        let rounds = Self::of(&rounds)?;
        Some(Self {
            median: Self::of(ours)?.median / Self::of(limit)?.median,
            ..rounds
        })
    }
}

/// How long exchanges took, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn push(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The nearest rank: 50 is the median, 100 the longest. Zero of nothing.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        let micros = sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default();
        Duration::from_micros(micros.into())
    }

    /// `"p50 1.2 ms, p99 3.4 ms"`
    pub fn summary(&self) -> String {
        format!(
            "p50 {}, p99 {}",
            millis(self.percentile(50)),
            millis(self.percentile(99))
        )
    }
}

pub fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

/// So many per second.
pub fn rate(count: u64, within: Duration) -> f64 {
    float(count) / within.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts and byte sizes: a figure has three digits that matter"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = |values: &[f64]| Spread::of(values).map(|s| (s.min, s.median, s.max));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some((1.0, 2.0, 9.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some((1.0, 3.0, 9.0)));
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_with_the_rounds_own_ratios_around_it() {
        let ratio = Spread::of_ratio(&[10.0, 30.0, 20.0], &[10.0, 10.0, 40.0]).unwrap();
        assert_eq!((ratio.min, ratio.median, ratio.max), (0.5, 2.0, 3.0));
        assert_eq!(Spread::of_ratio(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(Spread::of_ratio(&[], &[]), None);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), Duration::ZERO);
        for ms in (1..=200).rev() {
            latencies.push(Duration::from_millis(ms));
        }
        assert_eq!(latencies.percentile(50), Duration::from_millis(100));
        assert_eq!(latencies.percentile(99), Duration::from_millis(198));
        assert_eq!(latencies.percentile(100), Duration::from_millis(200));
        assert_eq!(latencies.summary(), "p50 100.00 ms, p99 198.00 ms");
    }

    #[test]
    fn a_rate_over_no_time_is_finite() {
        assert!((rate(10, Duration::from_secs(4)) - 2.5).abs() < f64::EPSILON);
        assert!(rate(0, Duration::ZERO).is_finite());
    }
}
