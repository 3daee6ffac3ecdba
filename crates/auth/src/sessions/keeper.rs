//! The keeper of sessions: every birth and end goes through here, so that memory and store agree.
//!
//! Order of events, and why:
//! * birth: store first, table second, answer last: an acknowledged login is on disk;
//! * end: table first, store second, answer last: from the answer on, and even before, no request passes;
//! * touch: table at once, store in batches: a crash costs at most one interval of touch;
//! * exchange (a restore): births and ends wait, the store is exchanged, its new table is read beside the old one, then both
//!   change places in one step. Requests never wait and never see half a table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use crossbeam_queue::SegQueue;
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::owed::{MAX_END_BATCH, Owed, Writing};
use super::session::Session;
use super::table::{MOST_IN_STEP, Table};
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
    /// When his record was made: no session is older than its user.
    pub user_created: Moment,
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
    /// Whether its clients must repeat the token.
    pub is_guarded: bool,
    /// The session that it is begun with: it is no younger than that one, and lives no longer.
    pub parent: Option<Arc<Session>>,
}

/// The keeper of sessions.
pub struct Sessions {
    table: ArcSwap<Table>,
    /// Read by births and ends, so that none happens while somebody exchanges the store's content.
    exchange: RwLock<()>,
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    touched: SegQueue<Arc<Session>>,
    /// Ends that hold in memory and that the store has not taken yet.
    owed: Owed,
}

impl Sessions {
    /// A keeper with an empty table.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        let table = ArcSwap::from_pointee(Table::default());
        let (touched, owed) = (SegQueue::new(), Owed::default());
        Self { table, exchange: RwLock::new(()), store, clock, touched, owed }
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
        // A table that grows copies itself each time.
        let table = Table::with_capacity(usize::try_from(self.store.count().await?).unwrap_or(0));
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

    /// A session that nobody knows of yet, to be [opened](Self::open).
    #[must_use]
    pub fn prepare(&self, new: NewSession) -> Arc<Session> {
        let now = self.clock.now().max(new.user_created);
        let parent = new.parent.as_deref();
        let longest = parent.map_or(Duration::MAX, |parent| parent.limits.max_lifetime);
        let limits = SessionLimits { max_lifetime: new.limits.max_lifetime.min(longest), ..new.limits };
        Arc::new(Session::from_record(SessionRecord {
            token: new.token,
            id: new.id,
            user: new.user,
            realm: new.realm,
            scope: new.scope,
            app: new.app,
            method: new.method,
            created: parent.map_or(now, |parent| parent.created),
            last_seen: now,
            limits,
            origin: new.origin,
            is_guarded: new.is_guarded,
            parent: parent.map(|parent| Box::new(parent.id)),
            ended: None,
        }))
    }

    /// Makes a prepared session count. It is on disk when this resolves.
    ///
    /// # Errors
    /// [`StoreError`]: there is no session.
    pub async fn open(&self, session: &Arc<Session>) -> Result<(), StoreError> {
        let _no_exchange = self.exchange.read().await;
        self.store.insert(session.record()).await?;
        self.table.load().insert(Arc::clone(session));
        Ok(())
    }

    /// Notes activity on a session that was just found live.
    pub(crate) fn touch(&self, session: &Arc<Session>, now: Moment) {
        if session.touch(now) {
            self.touched.push(Arc::clone(session));
        }
    }

    /// Ends these sessions: in memory at once (of many, [`MOST_IN_STEP`] at a time, with the thread given to others in
    /// between), on disk when this resolves. Sessions that have ended before keep their reason. Calls `tell` with each
    /// session that this call ended, or was the first to find timed out, and why, before the store hears of it; gives back
    /// how many were live.
    ///
    /// # Errors
    /// [`StoreError`]: the sessions are dead in memory, but may live again after a restart; say so, never "done". Their ends
    /// are written with the next ones, of whatever sessions, or of none.
    pub async fn end(
        &self,
        sessions: &[Arc<Session>],
        reason: EndReason,
        mut tell: impl FnMut(&Arc<Session>, EndReason),
    ) -> Result<usize, StoreError> {
        if sessions.is_empty() && self.owed.is_nothing_late() {
            return Ok(0);
        }
        let now = self.clock.now();
        let meant = Ended { at: now, reason };
        let mut writing = self.owed.begin(Vec::new());
        let mut made = 0;
        for (place, step) in sessions.chunks(MOST_IN_STEP).enumerate() {
            if place > 0 {
                tokio::task::yield_now().await;
            }
            let ends = step.iter().map(|session| (session.token, session.ended(now).unwrap_or(meant)));
            // Owed before they hold: whoever finds one of these sessions dead can see to it that this is on disk.
            for (session, (_, end)) in step.iter().zip(writing.add(ends)) {
                let (counted, was_live) = session.end_first(*end);
                if was_live {
                    tell(session, counted.reason);
                }
                // Of a session that has timed out, only that is written down.
                made += usize::from(was_live && counted == meant);
                *end = counted;
            }
        }
        let _no_exchange = self.exchange.read().await;
        // Where the table was exchanged since the caller looked, the sessions in it are others of the same tokens.
        for (place, step) in writing.ends.chunks(MOST_IN_STEP).enumerate() {
            if place > 0 {
                tokio::task::yield_now().await;
            }
            let table = self.table.load();
            for (token, end) in step {
                if let Some(session) = table.find(token) {
                    session.end(*end);
                }
            }
        }
        self.write(writing).await?;
        Ok(made)
    }

    /// Sees to it that every end that holds in memory is on disk when this resolves, whoever is still writing it: for those who
    /// looked for live sessions and say "done" of them all, also of those that they did not find.
    ///
    /// # Errors
    /// [`StoreError`]: as [`end`](Self::end).
    pub async fn settle(&self) -> Result<(), StoreError> {
        let _no_exchange = self.exchange.read().await;
        self.write(self.owed.all()).await
    }

    async fn write(&self, writing: Writing<'_>) -> Result<(), StoreError> {
        for batch in writing.ends.chunks(MAX_END_BATCH) {
            self.store.end(batch.to_vec()).await?;
        }
        writing.done();
        Ok(())
    }

    /// The live sessions that were begun with one of these. Each user's are walked through once, and the thread is given to others
    /// in between.
    pub(crate) async fn children_of(&self, sessions: &[Arc<Session>]) -> Vec<Arc<Session>> {
        let mut parents: HashMap<UserId, HashSet<SessionId>> = HashMap::new();
        for session in sessions.iter().filter(|session| session.may_have_children()) {
            parents.entry(session.user).or_default().insert(session.id);
        }
        let mut children = Vec::new();
        for (place, (user, ids)) in parents.iter().enumerate() {
            if place % MOST_IN_STEP == MOST_IN_STEP - 1 {
                tokio::task::yield_now().await;
            }
            let now = self.clock.now();
            let is_child = |one: &Arc<Session>| {
                one.parent.as_deref().is_some_and(|parent| ids.contains(parent)) && one.ended(now).is_none()
            };
            children.extend(self.table.load().of_user(user).into_iter().filter(is_child));
        }
        children
    }

    /// Live sessions of a user, the longest idle first.
    #[must_use]
    pub fn live_of(&self, user: &UserId) -> Vec<Arc<Session>> {
        let now = self.clock.now();
        let mut live = self.table.load().of_user(user);
        live.retain(|session| session.ended(now).is_none());
        // The moments are read once: they go on while somebody sorts.
        live.sort_by_cached_key(|session| session.last_seen());
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
    /// Calls `tell` with each that timed out and that nobody told of yet, before the store hears of it.
    ///
    /// # Errors
    /// [`StoreError`]: the next sweep tries again.
    pub async fn sweep(
        &self,
        mut tell: impl FnMut(&Arc<Session>, EndReason),
    ) -> Result<(usize, u64), StoreError> {
        let now = self.clock.now();
        let forget_before = now.minus(REASON_KEPT);
        let _no_exchange = self.exchange.read().await;
        let table = self.table.load_full();
        let over = table.filtered(|session| session.record_needs_end(now));
        // No more at once than are written at once: whoever is told has lines to write, and no room for a million.
        for batch in over.chunks(MAX_END_BATCH) {
            let ends = batch.iter().filter_map(|session| {
                let (end, first) = session.end_first(session.ended(now)?);
                if first {
                    tell(session, end.reason);
                }
                Some((session.token, end))
            });
            self.write(self.owed.begin(ends.collect())).await?;
        }
        // What is late is written even where nothing timed out.
        self.write(self.owed.begin(Vec::new())).await?;
        for session in table.filtered(|session| session.ended_before(forget_before)) {
            table.remove(&session.token);
        }
        let forgotten = self.store.forget(forget_before).await?;
        Ok((over.len(), forgotten))
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
        self.sessions.write(self.sessions.owed.begin(ends)).await
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
