//! A clock that tests set by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::words::clock::{Clock, Moment};

pub(crate) struct Hand(pub(crate) AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Moment {
        self.now()
    }
}

impl Hand {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}
