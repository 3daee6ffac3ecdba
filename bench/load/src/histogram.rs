//! Latencies in buckets 3 % wide: constant memory however long a run is.
//!
//! Called by `engine`. Must never be averaged over runs: merge the buckets, then ask.

use std::time::Duration;

/// Buckets per power of two.
const FINE_BITS: u32 = 5;

/// Counts of durations from 0 to about 18 minutes in nanoseconds; longer ones count as the longest.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; bucket(1 << 40) + 1], total: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        self.counts[bucket(nanoseconds).min(last)] += 1;
        self.total += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, add) in self.counts.iter_mut().zip(&other.counts) {
            *own += add;
        }
        self.total += other.total;
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The duration that `share` (0 to 1) of all did not exceed; zero when nothing was recorded.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(highest(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let exponent = (64 - nanoseconds.leading_zeros()).saturating_sub(FINE_BITS + 1);
    let fine = nanoseconds >> exponent;
    usize::try_from((u64::from(exponent) << FINE_BITS) + fine).unwrap_or(usize::MAX)
}

fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let exponent = (bucket >> FINE_BITS).saturating_sub(1);
    let fine = bucket - (exponent << FINE_BITS);
    ((fine + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket_and_within_a_thirtieth() {
        let mut last = 0;
        for value in (0..5000).chain((12..40).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let index = bucket(value);
            assert!(index >= last || value < 5000, "{value}");
            last = last.max(index);
            assert!(highest(index) >= value, "{value}: {}", highest(index));
            assert!(highest(index) as f64 <= value as f64 * 1.033 + 1.0, "{value}: {}", highest(index));
        }
    }

    #[test]
    fn quantiles_are_those_of_the_recorded_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for value in 1..=20 {
            histogram.record(Duration::from_nanos(value));
        }
        assert_eq!(histogram.quantile(0.5), Duration::from_nanos(10));
        assert_eq!(histogram.quantile(1.0), Duration::from_nanos(20));
        let mut both = histogram.clone();
        both.merge(&histogram);
        assert_eq!(both.quantile(0.05), Duration::from_nanos(1));
    }
}
