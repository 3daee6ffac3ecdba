//! Threads that give way take a breath between their steps: those who wait for the core go first. Called by the tasks of the
//! office and by SQLite's threads (docs/decisions/0023). Must never be called by a worker: nobody goes before a client.

use std::cell::Cell;
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a thread runs on while another could wait for its core; what one step takes comes on top.
const SHORTEST_RUN: Duration = Duration::from_micros(100);

/// The longest that it runs on where it had to wait long itself.
const LONGEST_RUN: Duration = Duration::from_millis(2);

/// Of the time that it had to wait, the part that it may run before it gives way again: where a core is never idle, whoever gives way
/// has still a ninth of it, as its nice would give it.
const OF_A_WAIT: u32 = 8;

thread_local! {
    /// Since when this thread has run, and how long it may.
    static TURN: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// Lets other threads go first, if this one has run for long enough. Linux lets whoever runs finish his slice before a thread
/// that wakes up, whatever their nice; who gives way of himself has none to finish.
pub fn breathe() {
    let now = present();
    if let Some((since, run)) = TURN.get()
        && now.duration_since(since) < run
    {
        return;
    }
    thread::yield_now();
    let back = present();
    TURN.set(Some((back, run_after(back.duration_since(now)))));
}

#[expect(clippy::disallowed_methods, reason = "how long a thread has run: nothing is judged by it")]
fn present() -> Instant {
    Instant::now()
}

/// How long a thread runs that had to wait so long for its turn.
fn run_after(waited: Duration) -> Duration {
    (waited / OF_A_WAIT).clamp(SHORTEST_RUN, LONGEST_RUN)
}

/// Does `work`, breathing between its steps.
pub async fn breathing<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let step = work.as_mut().poll(context);
        breathe();
        step
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_long_runs_longer_within_limits() {
        for (waited_us, run_us) in
            [(0, 100), (799, 100), (800, 100), (808, 101), (13_000, 1_625), (16_000, 2_000), (90_000, 2_000)]
        {
            let run = run_after(Duration::from_micros(waited_us));
            assert_eq!(run, Duration::from_micros(run_us), "{waited_us}");
        }
    }

    #[test]
    fn a_turn_begins_when_the_thread_is_back() {
        thread::spawn(|| {
            assert!(TURN.get().is_none());
            breathe();
            let (first, _) = TURN.get().unwrap();
            // It has just run for nothing, or was kept from the core in between: then it gives way again.
            breathe();
            let (second, _) = TURN.get().unwrap();
            assert!(second >= first);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn work_that_breathes_is_done() {
        let mut polls = 0;
        let work = std::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 3 { std::task::Poll::Ready(7) } else { std::task::Poll::Pending }
        });
        let mut work = pin!(breathing(work));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let done = (0..3).find_map(|_| match work.as_mut().poll(&mut context) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        });
        assert_eq!(done, Some(7));
    }
}
