//! Connections of one server that were used for somebody's bind and wait for the next one's.
//!
//! Called by `server.rs` and `network.rs`. Must never keep one that is in the middle of something.

use std::sync::{Mutex, MutexGuard, PoisonError};

use auth::Moment;

use super::IDLE_KEPT;
use super::connection::Connection;

/// Connections that nobody uses now, the one used last behind the others.
#[derive(Debug, Default)]
pub(super) struct Idle {
    kept: Mutex<Vec<(Connection, Moment)>>,
}

impl Idle {
    /// The one that was used last and has not ended: those that are not needed grow old.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut kept = self.kept();
        while let Some((connection, _)) = kept.pop() {
            if !connection.has_ended() {
                return Some(connection);
            }
        }
        None
    }

    /// Nobody uses it any more.
    pub(super) fn put(&self, connection: Connection, now: Moment) {
        self.kept().push((connection, now));
    }

    /// Closes those that were not used for long; whether any are left.
    pub(super) fn close_unused(&self, now: Moment) -> bool {
        let mut kept = self.kept();
        kept.retain(|(connection, since)| !connection.has_ended() && now.since(*since) < IDLE_KEPT);
        !kept.is_empty()
    }

    /// Closes all of them.
    pub(super) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Connection, Moment)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
