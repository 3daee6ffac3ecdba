//! The circuit breaker of one server: after a failure it is left alone for a while, then tried once.
//!
//! Called by `network.rs` and `server.rs` before and after each attempt at a server. Must never wait, and never let more than one attempt at
//! a time through to a server that failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::Moment;

use super::{FIRST_PAUSE, LONGEST_PAUSE};

/// Whether one server may be asked.
///
/// ```text
/// closed ──failure──▶ open for 1 s ──then──▶ one trial ──success──▶ closed
///                          ▲                     │
///                          └── twice as long ◀───┘ failure (30 s at the most)
/// ```
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often it opened.
    openings: u64,
    /// How long it was open last.
    pause: Duration,
    /// Until when it is open; `None` while it is closed.
    open_until: Option<Moment>,
    /// Somebody is trying whether the server is back.
    in_trial: bool,
}

/// That one attempt may be made. Whoever has it tells how it went; whoever drops it untold has found out nothing.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    breaker: &'a Breaker,
    openings: u64,
    is_trial: bool,
    is_told: AtomicBool,
}

impl Breaker {
    /// Whether the server may be asked now.
    pub(crate) fn admit(&self, now: Moment) -> Option<Admission<'_>> {
        let mut state = self.state();
        let is_trial = match state.open_until {
            None => false,
            Some(until) if now < until || state.in_trial => return None,
            Some(_) => true,
        };
        state.in_trial = is_trial;
        Some(Admission { breaker: self, openings: state.openings, is_trial, is_told: AtomicBool::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission<'_> {
    /// Whether somebody else found the server ill since this admission was given.
    pub(crate) fn is_outdated(&self) -> bool {
        self.breaker.state().openings != self.openings
    }

    /// The server answered.
    pub(crate) fn succeed(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        let mut state = self.breaker.state();
        state.open_until = None;
        state.in_trial = false;
    }

    /// It did not; told twice, it counts once. What began before somebody else found out does not count again.
    pub(crate) fn fail(&self, now: Moment) {
        let was_told = self.is_told.swap(true, Ordering::Relaxed);
        let mut state = self.breaker.state();
        if self.is_trial && !was_told {
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
            state.in_trial = false;
        } else if state.open_until.is_none() {
            state.pause = FIRST_PAUSE;
        } else {
            return;
        }
        state.openings += 1;
        state.open_until = Some(now.plus(state.pause));
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.is_trial && !*self.is_told.get_mut() {
            self.breaker.state().in_trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_millis(1_000_000);

    fn after(millis: u64) -> Moment {
        START.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_failure_opens_it_for_a_second() {
        let breaker = Breaker::default();
        let admission = breaker.admit(START).unwrap();
        assert!(!admission.is_outdated());
        admission.fail(START);
        assert!(admission.is_outdated());
        assert!(breaker.admit(after(999)).is_none());
        assert!(breaker.admit(after(1_000)).is_some());
    }

    #[test]
    fn one_trial_at_a_time_and_twice_the_pause_after_each() {
        let breaker = Breaker::default();
        breaker.admit(START).unwrap().fail(START);
        let mut now = after(1_000);
        for pause in [2, 4, 8, 16, 30, 30] {
            let trial = breaker.admit(now).unwrap();
            assert!(breaker.admit(now).is_none(), "a second trial");
            trial.fail(now);
            trial.fail(now);
            assert!(breaker.admit(now.plus(Duration::from_millis(pause * 1_000 - 1))).is_none());
            now = now.plus(Duration::from_secs(pause));
        }
        breaker.admit(now).unwrap().succeed();
        breaker.admit(now).unwrap().fail(now);
        assert!(breaker.admit(now.plus(Duration::from_secs(1))).is_some(), "the pauses begin anew");
    }

    #[test]
    fn a_trial_that_nobody_ended_is_none() {
        let breaker = Breaker::default();
        breaker.admit(START).unwrap().fail(START);
        drop(breaker.admit(after(1_000)).unwrap());
        let trial = breaker.admit(after(1_000)).unwrap();
        trial.succeed();
        drop(trial);
        assert!(breaker.admit(after(1_000)).is_some());
    }

    #[test]
    fn what_fails_together_counts_once() {
        let breaker = Breaker::default();
        let admissions = [START; 3].map(|now| breaker.admit(now).unwrap());
        for admission in &admissions {
            admission.fail(START);
        }
        assert!(breaker.admit(after(1_000)).is_some());
    }

    #[test]
    fn an_answer_closes_it() {
        let breaker = Breaker::default();
        let [first, second] = [START; 2].map(|now| breaker.admit(now).unwrap());
        first.fail(START);
        assert!(breaker.admit(START).is_none());
        second.succeed();
        assert!(breaker.admit(START).is_some());
    }
}
