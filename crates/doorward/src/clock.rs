//! The machine's clocks as house time: the wall clock at the start, then the machine's time since boot, which no
//! administrator and no NTP server can move and which goes on while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};

use auth::{Clock, Moment};
use rustix::time::{ClockId, clock_gettime};

/// House time of this process.
pub(crate) struct HouseClock {
    /// Milliseconds to add to the time since boot.
    offset: AtomicU64,
}

impl HouseClock {
    /// A clock that begins at the wall clock.
    pub(crate) fn new() -> Self {
        Self { offset: AtomicU64::new(wall_millis().saturating_sub(since_boot())) }
    }

    /// Sees to it that house time is not before `moment`, the latest that the store knows of: a wall clock that was set
    /// back while nobody served revives nothing.
    pub(crate) fn not_before(&self, moment: Moment) {
        let least = moment.as_millis().saturating_sub(since_boot());
        self.offset.fetch_max(least, Ordering::Relaxed);
    }
}

impl Clock for HouseClock {
    fn now(&self) -> Moment {
        Moment::from_millis(self.offset.load(Ordering::Relaxed) + since_boot())
    }

    fn wall(&self) -> Moment {
        Moment::from_millis(wall_millis())
    }
}

fn since_boot() -> u64 {
    millis(clock_gettime(ClockId::Boottime))
}

fn wall_millis() -> u64 {
    millis(clock_gettime(ClockId::Realtime))
}

fn millis(time: rustix::time::Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figure_18_house_time_is_not_before_what_the_store_knows() {
        let clock = HouseClock::new();
        let later = clock.now().plus(Duration::from_secs(365 * 24 * 3_600));
        clock.not_before(later);
        assert!(clock.now() >= later);
        clock.not_before(Moment::from_millis(1));
        assert!(clock.now() >= later);
    }
}
