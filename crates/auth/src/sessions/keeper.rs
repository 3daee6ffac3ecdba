//! The keeper of sessions: every birth and end goes through here, so that memory and store agree.
//!
//! Order of events, and why:
//! * birth: store first, table second, answer last: an acknowledged login is on disk;
//! * end: table first, store second, answer last: from the answer on, and even before, no request passes;
//! * touch: table at once, store in batches: a crash costs at most one interval of touch;
//! * exchange (a restore): births and ends wait, the store is exchanged, its new table is read beside the old one, then both
//!   change places in one step. Requests never wait and never see half a table.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::{ArcSwap, Guard};
use crossbeam_queue::SegQueue;
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::session::Session;
use super::table::Table;
use crate::limits::{MAX_TOUCH_BATCH, REASON_KEPT};
use crate::store::{SessionStore, StoreError};
use crate::words::clock::{Clock, Moment};
use crate::words::credential::AuthMethod;
use crate::words::ids::{SessionId, UserId};
use crate::words::names::{AppName, RealmName, Scope};
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
    /// The app that it was made for.
    pub app: Option<AppName>,
    /// How he logged in.
    pub method: AuthMethod,
    /// Its limits.
    pub limits: SessionLimits,
    /// Where the login came from.
    pub origin: Origin,
}

/// The keeper of sessions.
pub struct Sessions {
    table: ArcSwap<Table>,
    /// Read by births and ends, so that none happens while somebody exchanges the store's content.
    exchange: RwLock<()>,
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    touched: SegQueue<Arc<Session>>,
}

impl Sessions {
    /// A keeper with an empty table.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        let table = ArcSwap::from_pointee(Table::default());
        Self { table, exchange: RwLock::new(()), store, clock, touched: SegQueue::new() }
    }

    /// The present table, for the length of one request: no lock, no count.
    #[must_use]
    pub fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Fills the table from the store; how many sessions there are.
    ///
    /// # Errors
    /// [`StoreError`]: the table is incomplete, nobody may be served with it.
    pub async fn load(&self) -> Result<usize, StoreError> {
        let table = self.read().await?;
        let count = table.len();
        self.table.store(Arc::new(table));
        Ok(count)
    }

    /// The table of what the store holds now.
    async fn read(&self) -> Result<Table, StoreError> {
        let table = Table::default();
        let forget_before = self.clock.now().minus(REASON_KEPT);
        // A million sessions share a handful of realms, scopes and apps: one text for all of them, not one for each.
        let (mut realms, mut scopes, mut apps) = (Vec::new(), Vec::new(), Vec::new());
        self.store
            .load(&mut |batch| {
                for mut record in batch {
                    share(&mut record.realm, &mut realms);
                    share(&mut record.scope, &mut scopes);
                    if let Some(app) = &mut record.app {
                        share(app, &mut apps);
                    }
                    let session = Session::from_record(record);
                    if !session.ended_before(forget_before) {
                        table.insert(Arc::new(session));
                    }
                }
            })
            .await?;
        Ok(table)
    }

    /// Holds births and ends back, for as long as what is given back lives.
    pub(crate) async fn hold(&self) -> Exchange<'_> {
        Exchange { sessions: self, _alone: self.exchange.write().await }
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
            app: new.app,
            method: new.method,
            created: now,
            last_seen: now,
            limits: new.limits,
            origin: new.origin,
            ended: None,
        };
        let _no_exchange = self.exchange.read().await;
        self.store.insert(record.clone()).await?;
        let session = Arc::new(Session::from_record(record));
        self.table.load().insert(Arc::clone(&session));
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
        let _no_exchange = self.exchange.read().await;
        // Where the table was exchanged since the caller looked, the sessions in it are others of the same tokens.
        let table = self.table.load();
        for (token, end) in &ends {
            if let Some(session) = table.find(token) {
                session.end(*end);
            }
        }
        drop(table);
        self.store.end(ends).await?;
        Ok(made)
    }

    /// Live sessions of a user, the longest idle first.
    #[must_use]
    pub fn live_of(&self, user: &UserId) -> Vec<Arc<Session>> {
        let now = self.clock.now();
        let mut live = self.table.load().of_user(user);
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
        let _no_exchange = self.exchange.read().await;
        let table = self.table.load_full();
        let over = table.filtered(|session| session.record_needs_end(now));
        let ends: Vec<_> = over
            .iter()
            .filter_map(|session| session.ended(now).map(|end| (session.token, session.end(end))))
            .collect();
        if !ends.is_empty() {
            self.store.end(ends).await?;
        }
        for session in table.filtered(|session| session.ended_before(forget_before)) {
            table.remove(&session);
        }
        let forgotten = self.store.forget(forget_before).await?;
        Ok((over, forgotten))
    }
}

/// The keeper while nobody is born and nobody ends: the store's content may be exchanged meanwhile.
pub(crate) struct Exchange<'a> {
    sessions: &'a Sessions,
    _alone: RwLockWriteGuard<'a, ()>,
}

impl Exchange<'_> {
    /// The table of what the store holds now. Nobody sees it yet.
    ///
    /// # Errors
    /// [`StoreError`]: the old table is in force, whatever the store holds.
    pub(crate) async fn read(&self) -> Result<Table, StoreError> {
        self.sessions.read().await
    }

    /// Puts `table` in force. What memory knows better than the store goes with it: the activity that waits to be written,
    /// and ends. Gives the ends that the store does not have yet.
    pub(crate) fn replace(&self, table: Table) -> Vec<(TokenHash, Ended)> {
        let before = self.sessions.table.swap(Arc::new(table));
        let table = self.sessions.table.load();
        let mut ends = Vec::new();
        before.filtered(|old| {
            if let Some(session) = table.find(&old.token) {
                self.sessions.touch(&session, old.last_seen());
                if let (Some(end), None) = (old.noted_end(), session.noted_end()) {
                    ends.push((session.token, session.end(end)));
                }
            }
            false
        });
        ends
    }

    /// Notes the ends that [`replace`](Self::replace) gave, and lets births and ends go on.
    ///
    /// # Errors
    /// [`StoreError`]: these sessions are dead in memory, but may live again after a restart.
    pub(crate) async fn finish(self, ends: Vec<(TokenHash, Ended)>) -> Result<(), StoreError> {
        if ends.is_empty() { Ok(()) } else { self.sessions.store.end(ends).await }
    }
}

/// Clients choose the names of apps: whoever has more of them than this has no list searched for each session.
const MOST_SHARED: usize = 64;

/// Puts the equal value that is known already in place of this one.
fn share<T: Clone + PartialEq>(value: &mut T, known: &mut Vec<T>) {
    match known.iter().find(|known| *known == value) {
        Some(equal) => value.clone_from(equal),
        None if known.len() < MOST_SHARED => known.push(value.clone()),
        None => {}
    }
}
