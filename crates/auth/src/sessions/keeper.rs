//! The keeper of sessions: every birth and end goes through here, so that memory and store agree.
//!
//! Order of events, and why:
//! * birth: store first, table second, answer last: an acknowledged login is on disk;
//! * end: table first, store second, answer last: from the answer on, and even before, no request passes;
//! * touch: table at once, store in batches: a crash costs at most one interval of touch.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_queue::SegQueue;

use super::session::Session;
use super::table::Table;
use crate::limits::{MAX_TOUCH_BATCH, REASON_KEPT};
use crate::store::{SessionStore, StoreError};
use crate::words::clock::{Clock, Moment};
use crate::words::credential::AuthMethod;
use crate::words::ids::{SessionId, UserId};
use crate::words::names::{RealmName, Scope};
use crate::words::session::{EndReason, Ended, Origin, SessionLimits, SessionRecord};
use crate::words::token::TokenHash;

/// What a new session is made of.
pub struct NewSession {
    /// Hash of the token that the client will get.
    pub token: TokenHash,
    /// The public id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The realm that vouched for him.
    pub realm: RealmName,
    /// Where it counts.
    pub scope: Scope,
    /// How he logged in.
    pub method: AuthMethod,
    /// Its limits.
    pub limits: SessionLimits,
    /// Where the login came from.
    pub origin: Origin,
}

/// The keeper of sessions.
pub struct Sessions {
    table: Table,
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    touched: SegQueue<Arc<Session>>,
}

impl Sessions {
    /// A keeper with an empty table.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        Self { table: Table::default(), store, clock, touched: SegQueue::new() }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Fills the table from the store; how many sessions there are.
    ///
    /// # Errors
    /// [`StoreError`]: the table is incomplete, nobody may be served with it.
    pub async fn load(&self) -> Result<usize, StoreError> {
        let forget_before = self.clock.now().minus(REASON_KEPT);
        self.store
            .load(&mut |batch| {
                for record in batch {
                    let session = Session::from_record(record);
                    if !session.ended_before(forget_before) {
                        self.table.insert(Arc::new(session));
                    }
                }
            })
            .await?;
        Ok(self.table.len())
    }

    /// Makes a session. It is on disk when this resolves.
    ///
    /// # Errors
    /// [`StoreError`]: there is no session.
    pub async fn open(&self, new: NewSession) -> Result<Arc<Session>, StoreError> {
        let now = self.clock.now();
        let record = SessionRecord {
            token: new.token,
            id: new.id,
            user: new.user,
            realm: new.realm,
            scope: new.scope,
            method: new.method,
            created: now,
            last_seen: now,
            limits: new.limits,
            origin: new.origin,
            ended: None,
        };
        self.store.insert(record.clone()).await?;
        let session = Arc::new(Session::from_record(record));
        self.table.insert(Arc::clone(&session));
        Ok(session)
    }

    /// Notes activity on a session that was just found live.
    pub(crate) fn touch(&self, session: &Arc<Session>, now: Moment) {
        if session.touch(now) {
            self.touched.push(Arc::clone(session));
        }
    }

    /// Ends these sessions: in memory at once, on disk when this resolves. Sessions that have ended before keep their
    /// reason. Gives back the sessions that this call ended.
    ///
    /// # Errors
    /// [`StoreError`]: the sessions are dead in memory, but may live again after a restart; say so, never "done".
    pub async fn end(
        &self,
        sessions: &[Arc<Session>],
        reason: EndReason,
    ) -> Result<Vec<Arc<Session>>, StoreError> {
        let now = self.clock.now();
        let mut made = Vec::new();
        let ends: Vec<_> = sessions
            .iter()
            .map(|session| {
                let end = session.ended(now).unwrap_or(Ended { at: now, reason });
                let counted = session.end(end);
                if counted == (Ended { at: now, reason }) {
                    made.push(Arc::clone(session));
                }
                (session.token, counted)
            })
            .collect();
        if ends.is_empty() {
            return Ok(made);
        }
        self.store.end(ends).await?;
        Ok(made)
    }

    /// Live sessions of a user, the longest idle first.
    #[must_use]
    pub fn live_of(&self, user: &UserId) -> Vec<Arc<Session>> {
        let now = self.clock.now();
        let mut live = self.table.of_user(user);
        live.retain(|session| session.ended(now).is_none());
        live.sort_by_key(|session| session.last_seen());
        live
    }

    /// Writes one batch of touches behind; how many. More may wait if it was [`MAX_TOUCH_BATCH`].
    ///
    /// # Errors
    /// [`StoreError`]: these touches are not on disk; the next activity of the sessions brings them again.
    pub async fn write_touches(&self) -> Result<usize, StoreError> {
        let mut batch = Vec::new();
        while batch.len() < MAX_TOUCH_BATCH {
            let Some(session) = self.touched.pop() else { break };
            // Cleared before the moment is read: activity in between queues the session again rather than being lost.
            session.touched.store(false, Ordering::Release);
            batch.push((session.token, session.last_seen()));
        }
        let written = batch.len();
        if written > 0 {
            self.store.touch(batch).await?;
        }
        Ok(written)
    }

    /// Writes down the ends of sessions that timed out, and forgets those that ended more than a day ago; how many of each.
    ///
    /// # Errors
    /// [`StoreError`]: the next sweep tries again.
    pub async fn sweep(&self) -> Result<(Vec<Arc<Session>>, u64), StoreError> {
        let now = self.clock.now();
        let forget_before = now.minus(REASON_KEPT);
        let over = self.table.filtered(|session| session.record_needs_end(now));
        let ends: Vec<_> = over
            .iter()
            .filter_map(|session| session.ended(now).map(|end| (session.token, session.end(end))))
            .collect();
        if !ends.is_empty() {
            self.store.end(ends).await?;
        }
        for session in self.table.filtered(|session| session.ended_before(forget_before)) {
            self.table.remove(&session);
        }
        let forgotten = self.store.forget(forget_before).await?;
        Ok((over, forgotten))
    }
}
