//! A worker's connections to its backends.
//!
//! One per worker; `exchange` takes leases, `relay` gives connections back. The lock is never contended (one
//! thread) and never held over an await. Must never give a connection to a second request that a first one
//! has not finished, and never one that a backend has tied to somebody's identity (CVE-2026-88007).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::address::Upstream;
use super::connection::Connection;
use super::fault::UpstreamFault;
use crate::h1::timer::now;

/// How long a connection may be idle. Below the 60 to 75 s after which common backends close: whoever closes
/// first decides whether a request can be lost in between.
pub(crate) const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

/// The idle connections of one worker. A clone is the same pool.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    slots: Arc<Mutex<Vec<Slot>>>,
}

/// One backend's connections.
#[derive(Default)]
struct Slot {
    /// The connection that was used last is at the end and used first.
    idle: Vec<(Box<Connection>, Instant)>,
    /// Busy and idle connections.
    open: usize,
}

impl Pool {
    /// Closes connections that were idle for too long. For the worker to call every few seconds; without it
    /// they go when the backend is asked next.
    pub(crate) fn sweep(&self) {
        let now = now();
        let mut expired = Vec::new();
        for slot in self.lock().iter_mut() {
            slot.expire(now, &mut expired);
        }
    }

    /// How many connections, busy and idle, and how many idle, there are to a backend.
    #[cfg(test)]
    pub(super) fn counts(&self, upstream: &Upstream) -> (usize, usize) {
        self.lock().get(upstream.id).map_or((0, 0), |slot| (slot.open, slot.idle.len()))
    }

    /// A connection to the backend: the one that was used last, if one is idle and still alive, else a new
    /// one.
    ///
    /// # Errors
    /// [`UpstreamFault::Saturated`] or [`UpstreamFault::Unreachable`].
    pub(super) async fn lease(&self, upstream: &Upstream) -> Result<Lease, UpstreamFault> {
        while let Some(mut connection) = self.pop(upstream) {
            let quiet = connection.is_quiet();
            let permit = Permit { pool: self.clone(), id: upstream.id, held: true };
            if quiet {
                return Ok(Lease { connection, permit, pooled: true });
            }
        }
        self.lease_fresh(upstream).await
    }

    /// A new connection to the backend.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub(super) async fn lease_fresh(&self, upstream: &Upstream) -> Result<Lease, UpstreamFault> {
        let permit = self.permit(upstream)?;
        let connection = Connection::open(upstream).await?;
        Ok(Lease { connection, permit, pooled: false })
    }

    fn permit(&self, upstream: &Upstream) -> Result<Permit, UpstreamFault> {
        let mut slots = self.lock();
        if slots.len() <= upstream.id {
            slots.resize_with(upstream.id + 1, Slot::default);
        }
        let slot = &mut slots[upstream.id];
        if slot.open >= upstream.max_connections {
            return Err(UpstreamFault::Saturated);
        }
        slot.open += 1;
        Ok(Permit { pool: self.clone(), id: upstream.id, held: true })
    }

    /// An idle connection that has not expired. It still counts as open.
    fn pop(&self, upstream: &Upstream) -> Option<Box<Connection>> {
        let mut expired = Vec::new();
        let mut slots = self.lock();
        let slot = slots.get_mut(upstream.id)?;
        if slot.idle.is_empty() {
            return None;
        }
        slot.expire(now(), &mut expired);
        let found = slot.idle.pop();
        drop(slots);
        found.map(|(connection, _)| connection)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        // Nothing panics while it is held; if something did, the list is still a list of connections.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an idle connection into the pool, as if an exchange had just finished on it.
    #[cfg(test)]
    pub(super) fn insert(&self, upstream: &Upstream, io: impl Into<crate::h1::Io>) {
        let permit = self.permit(upstream).unwrap();
        let lease = Lease { connection: Connection::new(io.into()), permit, pooled: false };
        lease.give_back(upstream.max_idle);
    }
}

impl Slot {
    /// Moves the connections that were idle for too long to `expired`, to be closed after the lock is
    /// released.
    fn expire(&mut self, now: Instant, expired: &mut Vec<(Box<Connection>, Instant)>) {
        let fresh = |(_, since): &(Box<Connection>, Instant)| now.duration_since(*since) < MAX_IDLE_TIME;
        // The oldest come first.
        let count = self.idle.iter().position(fresh).unwrap_or(self.idle.len());
        if count > 0 {
            expired.extend(self.idle.drain(..count));
            self.open = self.open.saturating_sub(count);
        }
    }
}

/// The right to have one connection open; ends when dropped.
struct Permit {
    pool: Pool,
    id: usize,
    /// Not once the connection is idle: then the pool counts it.
    held: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.held
            && let Some(slot) = self.pool.lock().get_mut(self.id)
        {
            slot.open = slot.open.saturating_sub(1);
        }
    }
}

/// A connection that one exchange has to itself. Dropped: the connection is closed.
pub(super) struct Lease {
    connection: Box<Connection>,
    permit: Permit,
    pooled: bool,
}

impl Lease {
    /// The connection.
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether the connection served another request before.
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Makes the connection idle, or closes it if there are `max_idle` already.
    pub(super) fn give_back(self, max_idle: usize) {
        let Self { mut connection, mut permit, .. } = self;
        connection.shrink();
        let mut slots = permit.pool.lock();
        if let Some(slot) = slots.get_mut(permit.id)
            && slot.idle.len() < max_idle
        {
            slot.idle.push((connection, now()));
            drop(slots);
            permit.held = false;
        }
    }
}
