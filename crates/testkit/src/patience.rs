//! Waiting with an end: the one place of the test machinery that reads the real clock.
//!
//! Called by every other file here. Must never be used to wait "long enough" for something that can be observed:
//! wait for the thing itself, this only bounds how long.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "real processes and sockets are waited for in real time, and a poisoned test lock is a failed test"
)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long any wait of the test machinery may last before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two looks at something that cannot wake us (a process, a file below `/proc`).
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Looks at `probe` until it gives something, at most [`PATIENCE`] long; `None` when the time is over.
pub fn wait_until<T>(probe: impl FnMut() -> Option<T>) -> Option<T> {
    wait_until_within(PATIENCE, probe)
}

/// Like [`wait_until`], with a limit of its own.
pub fn wait_until_within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A value that threads change and tests wait on.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    /// Changes the value, wakes every waiter, and returns what the change returned.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Reads the value.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    /// Waits until `find` gives something, at most `limit` long.
    pub(crate) fn wait_within<R>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let end = Instant::now() + limit;
        let mut value = self.lock();
        loop {
            if let Some(found) = find(&mut value) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            value = self.changed.wait_timeout(value, left).unwrap().0;
        }
    }

    // A panic in one thread of a test must not hide behind "poisoned lock" in the next.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A door that a test opens: a scripted answer holds before it until then.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Watched<bool>>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for everyone who waits and everyone who comes later.
    pub fn open(&self) {
        self.0.change(|open| *open = true);
    }

    /// Waits until the gate is open, at most [`PATIENCE`]; says whether it is.
    #[must_use]
    pub fn wait(&self) -> bool {
        self.0.wait_within(PATIENCE, |open| open.then_some(())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_gate_lets_through_and_a_watched_value_wakes_its_waiter() {
        let gate = Gate::new();
        let waiter = std::thread::spawn({
            let gate = gate.clone();
            move || gate.wait()
        });
        gate.open();
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn a_wait_for_nothing_ends() {
        assert_eq!(wait_until_within(Duration::from_millis(1), || None::<()>), None);
        let watched = Watched::new(0_u8);
        assert_eq!(watched.wait_within(Duration::from_millis(1), |value| (*value == 1).then_some(())), None);
    }
}
