//! What one hash costs and how many run at a time. Made by the wiring from the settings file's `[login]`, read by the
//! pool. Must never fall back to something cheaper: what cannot be run is refused at the start.

use argon2::Params;

use crate::limits::{
    LONGEST_WAIT, MAX_LANES, MAX_MEMORY_KIB, MAX_PARALLEL, MAX_PASSES, MAX_QUEUE, MAX_WORK, MIN_MEMORY_KIB,
    OUTPUT_BYTES,
};

/// Nanoseconds for one KiB and pass, about: measured 390 with reused memory (performance.md part 4) to 630 with fresh.
const NANOS_PER_KIB_PASS: u64 = 600;

/// The cost of a hash, and the size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSettings {
    /// Argon2id's memory m in KiB, [`MIN_MEMORY_KIB`] to [`MAX_MEMORY_KIB`], at least 8 a lane.
    pub memory_kib: u32,
    /// Argon2id's passes t, 1 to [`MAX_PASSES`].
    pub passes: u32,
    /// Argon2id's lanes p, 1 to [`MAX_LANES`].
    pub lanes: u32,
    /// Hashes at a time, each on a thread of its own with memory of its own; 1 to [`MAX_PARALLEL`].
    pub parallel: usize,
    /// Logins that may wait for a slot; 1 to [`MAX_QUEUE`]. One more is answered "unavailable" at once.
    pub queue: usize,
}

/// What is wrong with [`HashSettings`], in words for the person who wrote them.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// A number outside its range.
    #[error("{what} is {is}; it can be {least} to {most}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it is.
        is: u64,
        /// The least it can be.
        least: u64,
        /// The most it can be.
        most: u64,
    },
    /// The system gives no random bytes; without them there are no salts.
    #[error("no random bytes from the system: {0}")]
    NoRandom(getrandom::Error),
    /// The system gives no thread.
    #[error("cannot start a thread for password hashes: {0}")]
    NoThread(std::io::Error),
}

impl HashSettings {
    /// The contract's hash (t = 2, p = 1; contract/config.md `[login]`) with this much memory, `parallel` at a time, and
    /// a queue so long that its last waits for about [`LONGEST_WAIT`].
    #[must_use]
    pub fn standard(memory_kib: u32, parallel: usize) -> Self {
        let nanos = u64::from(memory_kib.max(1)) * 2 * NANOS_PER_KIB_PASS;
        let per_slot = (u64::try_from(LONGEST_WAIT.as_nanos()).unwrap_or(u64::MAX) / nanos).clamp(4, 512);
        let queue = parallel.saturating_mul(usize::try_from(per_slot).unwrap_or(usize::MAX)).min(MAX_QUEUE);
        Self { memory_kib, passes: 2, lanes: 1, parallel, queue }
    }

    /// These settings as Argon2's parameters.
    ///
    /// # Errors
    /// [`SettingsFault::OutOfRange`] names the first number that is out of its range.
    pub(crate) fn params(&self) -> Result<Params, SettingsFault> {
        let least_memory = u64::from(MIN_MEMORY_KIB) * u64::from(self.lanes);
        let most_passes = (MAX_WORK / u64::from(self.memory_kib).max(1)).min(u64::from(MAX_PASSES));
        let ranges = [
            ("the number of lanes", u64::from(self.lanes), 1, u64::from(MAX_LANES)),
            (
                "the memory of a hash in KiB",
                u64::from(self.memory_kib),
                least_memory,
                u64::from(MAX_MEMORY_KIB),
            ),
            ("the number of passes", u64::from(self.passes), 1, most_passes),
            ("the number of hashes at a time", self.parallel as u64, 1, MAX_PARALLEL as u64),
            ("the number of logins that may wait", self.queue as u64, 1, MAX_QUEUE as u64),
        ];
        for (what, is, least, most) in ranges {
            if !(least..=most).contains(&is) {
                return Err(SettingsFault::OutOfRange { what, is, least, most });
            }
        }
        match Params::new(self.memory_kib, self.passes, self.lanes, Some(OUTPUT_BYTES)) {
            Ok(params) => Ok(params),
            Err(_) => unreachable!("Argon2's ranges are wider than ours"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: HashSettings = HashSettings { memory_kib: 8, passes: 1, lanes: 1, parallel: 1, queue: 1 };

    #[test]
    fn every_number_has_a_limit_on_both_sides() {
        let most_memory = HashSettings { memory_kib: MAX_MEMORY_KIB, ..GOOD };
        let most = HashSettings { lanes: MAX_LANES, memory_kib: 8 * MAX_LANES, passes: MAX_PASSES, ..GOOD };
        let widest = HashSettings { parallel: MAX_PARALLEL, queue: MAX_QUEUE, ..GOOD };
        let work = u32::try_from(MAX_WORK).unwrap() / 32;
        let hardest = HashSettings { memory_kib: work, passes: 32, ..GOOD };
        for good in [GOOD, most_memory, most, widest, hardest] {
            assert!(good.params().is_ok(), "{good:?}");
        }
        for bad in [
            HashSettings { memory_kib: MIN_MEMORY_KIB - 1, ..GOOD },
            HashSettings { memory_kib: 15, lanes: 2, ..GOOD },
            HashSettings { memory_kib: MAX_MEMORY_KIB + 1, ..GOOD },
            HashSettings { passes: 0, ..GOOD },
            HashSettings { passes: MAX_PASSES + 1, ..GOOD },
            HashSettings { passes: 33, ..hardest },
            HashSettings { lanes: 0, ..GOOD },
            HashSettings { lanes: MAX_LANES + 1, memory_kib: 1_024, ..GOOD },
            HashSettings { parallel: 0, ..GOOD },
            HashSettings { parallel: MAX_PARALLEL + 1, ..GOOD },
            HashSettings { queue: 0, ..GOOD },
            HashSettings { queue: MAX_QUEUE + 1, ..GOOD },
        ] {
            assert!(matches!(bad.params(), Err(SettingsFault::OutOfRange { .. })), "{bad:?}");
        }
    }

    #[test]
    fn the_standard_queue_waits_two_to_four_seconds() {
        let standard = HashSettings::standard(19_456, 2);
        assert_eq!((standard.passes, standard.lanes), (2, 1));
        // 15.3 ms and 24.5 ms a hash: performance.md part 4.
        let per_slot = standard.queue as f64 / 2.0;
        assert!((1.9..4.0).contains(&(per_slot * 0.0153)) && per_slot * 0.0245 < 4.0, "{per_slot}");
        assert!(HashSettings::standard(MAX_MEMORY_KIB, 1).queue >= 4);
    }
}
