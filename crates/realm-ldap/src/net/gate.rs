//! A bounded number at a time, a bounded number who wait, and a bounded wait.
//!
//! Called by `network.rs` before each operation at a server. Must never let a login storm become a storm at the directory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Lets so many through at a time.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

/// Everybody is busy, and nobody became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// Counts one who waits, for as long as he does.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate for `at_a_time`, before which `most_waiting` wait for `patience` at the most.
    pub(crate) fn new(at_a_time: usize, most_waiting: usize, patience: Duration) -> Self {
        Self { free: Semaphore::new(at_a_time), waiting: AtomicUsize::new(0), most_waiting, patience }
    }

    /// Places that are free.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.free.available_permits()
    }

    /// Waits for a place, in the order of arrival.
    pub(crate) async fn pass(&self) -> Result<SemaphorePermit<'_>, Busy> {
        if let Ok(place) = self.free.try_acquire() {
            return Ok(place);
        }
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            return Err(Busy);
        }
        let place = tokio::time::timeout(self.patience, self.free.acquire()).await;
        drop(waiting);
        // The semaphore is never closed.
        place.map_err(|_| Busy)?.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn so_many_pass_and_so_many_wait() {
        let gate = Arc::new(Gate::new(1, 2, Duration::from_secs(60)));
        let place = gate.pass().await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.pass().await.map(drop) })
            })
            .collect();
        while gate.waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.pass().await.err(), Some(Busy), "one more than may wait");
        drop(place);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
        assert!(gate.pass().await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_he_may() {
        let gate = Gate::new(1, 2, Duration::from_millis(20));
        let place = gate.pass().await.unwrap();
        assert_eq!(gate.pass().await.err(), Some(Busy));
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
        drop(place);
        assert!(gate.pass().await.is_ok());
    }

    #[tokio::test]
    async fn without_patience_nobody_waits() {
        let gate = Gate::new(1, 2, Duration::ZERO);
        let _place = gate.pass().await.unwrap();
        assert_eq!(gate.pass().await.err(), Some(Busy));
    }
}
