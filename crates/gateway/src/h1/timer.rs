//! Deadlines without a timer per request.
//!
//! Each client connection owns one [`Timer`]; whatever its task waits for (the client, or a backend on its
//! behalf) is bounded by it. Must never be used for sessions, throttling or anything that a user's clock
//! decides: it measures how long a socket was silent and nothing else.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A timer is armed at most this far ahead. Every usual deadline is at least as far, so that a busy
/// connection touches the runtime's timer wheel once in ten seconds instead of several times per request.
const ARM_AHEAD: Duration = Duration::from_secs(10);

/// The time on the runtime's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long a socket is silent; tests pause this clock"
    )]
    Instant::now()
}

/// One lazily armed timer. It is left armed when its deadline moves later, and armed again only when it fires
/// early.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Timer {
    /// Ready once `deadline` has passed; otherwise the task is woken no later than then.
    pub(crate) fn poll_until(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match (&mut self.sleep, self.armed) {
                (Some(_), Some(armed)) if armed <= deadline => {}
                (sleep, _) => {
                    let at = deadline.min(now() + ARM_AHEAD);
                    match sleep {
                        Some(sleep) => sleep.as_mut().reset(at),
                        None => *sleep = Some(Box::pin(tokio::time::sleep_until(at))),
                    }
                    self.armed = Some(at);
                }
            }
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(context));
            }
            if self.armed.take().is_some_and(|armed| armed >= deadline) {
                return Poll::Ready(());
            }
        }
    }
}

/// How long somebody has been waited for: a deadline that is computed when the waiting starts, and anew after
/// progress or when something else is waited for.
#[derive(Default)]
pub(crate) struct Patience {
    waiting: Option<(Wait, Instant)>,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The first byte of a request.
    Request,
    /// The rest of a request head.
    Head,
    /// The client's next body bytes.
    Body,
    /// The client to take what is written to it.
    Client,
    /// The backend to take what is written to it.
    Backend,
    /// The backend's leave to send the body.
    Continue,
    /// The head of the backend's answer.
    Answer,
    /// The next bytes of the backend's answer.
    Download,
}

impl Patience {
    /// Something moved: the next wait starts anew.
    pub(crate) fn renew(&mut self) {
        self.waiting = None;
    }

    /// Until when to wait, counted from when this wait began.
    pub(crate) fn until(&mut self, wait: Wait, within: Duration) -> Instant {
        match self.waiting {
            Some((same, until)) if same == wait => until,
            _ => {
                let until = now() + within;
                self.waiting = Some((wait, until));
                until
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_timer_fires_at_its_deadline_near_and_far() {
        let mut timer = Timer::default();
        for seconds in [1, 9, 10, 11, 35] {
            let start = now();
            let deadline = start + Duration::from_secs(seconds);
            poll_fn(|context| timer.poll_until(deadline, context)).await;
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_move_in_both_directions() {
        let mut timer = Timer::default();
        let start = now();
        let pending =
            poll_fn(|context| Poll::Ready(timer.poll_until(start + Duration::from_secs(30), context))).await;
        assert!(pending.is_pending());
        poll_fn(|context| timer.poll_until(start + Duration::from_secs(1), context)).await;
        assert_eq!(start.elapsed().as_secs(), 1);
        let pending =
            poll_fn(|context| Poll::Ready(timer.poll_until(start + Duration::from_secs(5), context))).await;
        assert!(pending.is_pending());
        poll_fn(|context| timer.poll_until(start + Duration::from_secs(60), context)).await;
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_starts_anew_after_progress_and_for_another_wait() {
        let mut patience = Patience::default();
        let first = patience.until(Wait::Head, Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(patience.until(Wait::Head, Duration::from_secs(10)), first);
        assert!(patience.until(Wait::Body, Duration::from_secs(10)) > first);
        patience.renew();
        assert!(patience.until(Wait::Head, Duration::from_secs(10)) > first);
    }
}
