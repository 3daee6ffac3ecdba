//! Time as a parameter. The kernel reads time only through a [`Clock`] it was given; tests hold the hand of it.

use std::fmt;
use std::str::FromStr;
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

    /// RFC 3339 in UTC with milliseconds: `2025-05-28T14:05:15.999Z`, for what is read back exactly.
    #[must_use]
    pub fn precise(self) -> String {
        match i64::try_from(self.0).map(jiff::Timestamp::from_millisecond) {
            Ok(Ok(timestamp)) => format!("{timestamp:.3}"),
            _ => self.0.to_string(),
        }
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

/// A text that is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no time from 1970 on as RFC 3339 writes it, such as 2025-05-28T14:05:15Z")]
pub struct MomentFault;

/// As RFC 3339 writes it, with any offset and any fraction of a second; what is finer than a millisecond is cut off.
impl FromStr for Moment {
    type Err = MomentFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| MomentFault)?;
        u64::try_from(timestamp.as_millisecond()).map(Self).map_err(|_| MomentFault)
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
    fn is_read_as_it_is_printed() {
        let read = |text: &str| text.parse::<Moment>().map(Moment::as_millis);
        assert_eq!(read("2025-05-28T14:05:15Z"), Ok(1_748_441_115_000));
        assert_eq!(read("2025-05-28T16:05:15.1239+02:00"), Ok(1_748_441_115_123));
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(0));
        for odd in [
            "",
            "x",
            "1748441115",
            "2025-05-28",
            "2025-05-28T14:05:15",
            "1969-12-31T23:59:59Z",
            "2025-13-01T00:00:00Z",
        ] {
            assert_eq!(read(odd), Err(MomentFault), "{odd:?}");
        }
    }

    #[test]
    fn a_precise_one_reads_back_as_it_was() {
        for millis in [0, 1, 999, 1_000, 1_748_441_115_000, 1_748_441_115_990] {
            let moment = Moment::from_millis(millis);
            assert_eq!(moment.precise().parse(), Ok(moment));
        }
        assert_eq!(Moment::from_millis(1_748_441_115_090).precise(), "2025-05-28T14:05:15.090Z");
        assert_eq!(Moment::from_millis(u64::MAX).precise(), u64::MAX.to_string(), "no year of four digits");
    }

    #[test]
    fn arithmetic_saturates() {
        let start = Moment::from_millis(5);
        assert_eq!(start.minus(Duration::from_secs(1)), Moment::from_millis(0));
        assert_eq!(start.plus(Duration::MAX), Moment::from_millis(u64::MAX));
        assert_eq!(start.since(Moment::from_millis(9)), Duration::ZERO);
    }
}
