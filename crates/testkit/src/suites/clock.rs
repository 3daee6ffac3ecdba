//! A clock that stands still until a test moves it.
//!
//! Called by every test of a rule about time. Must never read the machine's clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth::{Clock, Moment};

/// Where a [`FixedClock`] starts: 2025-05-28T14:05:15Z, the contract's own example.
pub const START: Moment = Moment::from_millis(1_748_441_115_000);

/// House time and wall time as two numbers.
#[derive(Debug)]
pub struct FixedClock {
    house: AtomicU64,
    wall: AtomicU64,
}

impl FixedClock {
    /// A clock at [`START`].
    #[must_use]
    pub fn new() -> Self {
        Self::at(START)
    }

    /// A clock at `moment`, in house time and on the wall.
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self { house: AtomicU64::new(moment.as_millis()), wall: AtomicU64::new(moment.as_millis()) }
    }

    /// Time passes: both clocks go on by `span`.
    ///
    /// # Panics
    /// If `span` is more milliseconds than fit in 64 bits.
    pub fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).expect("a span of a test fits in 64 bits");
        self.house.fetch_add(millis, Ordering::SeqCst);
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }

    /// House time is `moment` from now on. The wall clock stays.
    pub fn set(&self, moment: Moment) {
        self.house.store(moment.as_millis(), Ordering::SeqCst);
    }

    /// The wall clock jumps to `moment`. House time stays.
    pub fn set_wall(&self, moment: Moment) {
        self.wall.store(moment.as_millis(), Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Moment {
        Moment::from_millis(self.house.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Moment {
        Moment::from_millis(self.wall.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_by_hand() {
        let clock = FixedClock::new();
        assert_eq!((clock.now(), clock.wall()), (START, START));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now().since(START), Duration::from_secs(1));
        clock.set_wall(Moment::from_millis(7));
        assert_eq!(
            (clock.now().since(START), clock.wall()),
            (Duration::from_secs(1), Moment::from_millis(7))
        );
        clock.set(Moment::from_millis(9));
        assert_eq!((clock.now(), clock.wall()), (Moment::from_millis(9), Moment::from_millis(7)));
    }
}
