//! Watches for those who guess at session tokens and keys: more unknown ones from one address than can be a mistake
//! (security.md row 33). Nobody is locked out by it: what is known is let in as ever; only each further unknown one is
//! answered late.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::throttle::client_of;
use crate::limits::{GUESS_PAUSE, GUESS_WINDOW, MAX_GUESSERS, MAX_GUESSES};
use crate::words::clock::{Clock, Moment};

/// How often room is made at the most.
const CLEARED_EVERY: Duration = Duration::from_secs(1);

/// What became of a guess.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// One of few: answer at once.
    Few,
    /// The first that is too many: worth an event.
    TooMany(Duration),
    /// One more of too many: answer after this.
    More(Duration),
}

/// The guesses of all addresses within the window.
pub struct Guesses {
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    by_address: HashMap<Option<IpAddr>, (Moment, u32)>,
    /// When those whose window is over were last taken out to make room.
    cleared: Moment,
}

impl Guesses {
    /// Nobody guesses yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counts: Mutex::default() }
    }

    /// Counts a guess from this address.
    pub(crate) fn count(&self, address: IpAddr) -> Guess {
        let now = self.clock.now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(client_of(address));
        if counts.by_address.len() >= MAX_GUESSERS && !counts.by_address.contains_key(&key) {
            // Not for each of them: looking at all costs more than a guess.
            if now >= counts.cleared.plus(CLEARED_EVERY) {
                counts.cleared = now;
                counts.by_address.retain(|_, (since, _)| now < since.plus(GUESS_WINDOW));
            }
            if counts.by_address.len() >= MAX_GUESSERS {
                // Addresses that there is no room for share one count.
                key = None;
            }
        }
        let (since, count) = counts.by_address.entry(key).or_insert((now, 0));
        if now >= since.plus(GUESS_WINDOW) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        match *count {
            0..=MAX_GUESSES => Guess::Few,
            count if count == MAX_GUESSES + 1 => Guess::TooMany(GUESS_PAUSE),
            _ => Guess::More(GUESS_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::login::hand::Hand;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(number))
    }

    #[test]
    fn asvs_33_the_limit_has_two_sides_and_a_window() {
        let clock = Arc::new(Hand(AtomicU64::new(1_748_441_115_000)));
        let guesses = Guesses::new(Arc::clone(&clock) as Arc<dyn Clock>);
        for _ in 0..MAX_GUESSES {
            assert_eq!(guesses.count(address(1)), Guess::Few);
        }
        assert_eq!(guesses.count(address(1)), Guess::TooMany(GUESS_PAUSE));
        assert_eq!(guesses.count(address(1)), Guess::More(GUESS_PAUSE));
        assert_eq!(guesses.count(address(2)), Guess::Few, "others are not slowed");
        clock.advance(GUESS_WINDOW);
        assert_eq!(guesses.count(address(1)), Guess::Few);
    }

    #[test]
    fn asvs_33_those_for_whom_there_is_no_room_share_a_count() {
        let clock = Arc::new(Hand(AtomicU64::new(1_748_441_115_000)));
        let guesses = Guesses::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let most = u32::try_from(MAX_GUESSERS).unwrap();
        for number in 0..most + MAX_GUESSES {
            assert_eq!(guesses.count(address(number)), Guess::Few);
        }
        assert_eq!(guesses.count(address(most + MAX_GUESSES)), Guess::TooMany(GUESS_PAUSE));
        assert_eq!(guesses.count(address(0)), Guess::Few, "who is known keeps his own");
        clock.advance(GUESS_WINDOW);
        assert_eq!(guesses.count(address(most + MAX_GUESSES)), Guess::Few, "there is room again");
    }
}
