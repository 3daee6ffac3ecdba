//! Time as a parameter. The kernel reads time only through a [`Clock`] it was given; tests hold the hand of it.

use std::fmt;
use std::time::Duration;

/// A point in house time: milliseconds since 1970-01-01T00:00:00Z.
///
/// House time starts at the wall clock and then advances by the machine's monotonic clock, so that a wall clock that
/// jumps a year ends no session early and revives none (DESIGN part 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment, `span` later; saturates.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        let millis = span.as_millis();
        if millis > u64::MAX as u128 { Self(u64::MAX) } else { Self(self.0.saturating_add(millis as u64)) }
    }

    /// This moment, `span` earlier; stops at the epoch.
    #[must_use]
    pub const fn minus(self, span: Duration) -> Self {
        let millis = span.as_millis();
        if millis > u64::MAX as u128 { Self(0) } else { Self(self.0.saturating_sub(millis as u64)) }
    }

    /// The span since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339 in UTC with whole seconds, as the contract prints it: `2025-05-28T14:05:15Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_second(seconds) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{seconds}"),
        }
    }
}

/// Tells the time. The binary's is made of the machine's clocks, the tests' of a number.
pub trait Clock: Send + Sync {
    /// House time, for every decision.
    fn now(&self) -> Moment;
    /// Wall time, for logs and records that people compare with other machines' logs.
    fn wall(&self) -> Moment;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_printed_as_the_contract_prints_it() {
        assert_eq!(Moment::from_millis(1_748_441_115_999).to_string(), "2025-05-28T14:05:15Z");
    }

    #[test]
    fn arithmetic_saturates() {
        let start = Moment::from_millis(5);
        assert_eq!(start.minus(Duration::from_secs(1)), Moment::from_millis(0));
        assert_eq!(start.plus(Duration::MAX), Moment::from_millis(u64::MAX));
        assert_eq!(start.since(Moment::from_millis(9)), Duration::ZERO);
    }
}
