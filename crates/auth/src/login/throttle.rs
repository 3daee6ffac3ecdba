//! The throttle: how many wrong secrets are looked at, for one user and from one client address.
//!
//! A ticket is taken *before* a secret is looked at and counts as a failure until it is settled, so a thousand parallel
//! attempts cost no more looks than the limit (security.md case 14). Who comes while others' looks would fill the limit
//! waits until they are settled: twenty good logins of one user at a time are twenty logins. At the limit a pause begins:
//! the window, doubled for each pause earned in a row, one hour at the most. A success clears the user's count.
//!
//! An address from which the user logged in before has a count of its own: strangers who guess at a user's password
//! lock out strangers, not him (security.md row 47).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::limits::{MAX_KNOWN_ADDRESSES, MAX_PAUSE, MAX_THROTTLED_KEYS, MAX_WAITING_LOGINS};
use crate::store::AttemptRecord;
use crate::words::clock::{Clock, Moment};
use crate::words::names::Username;

/// Told to those for whom there is no room: in a full table, or among those who wait.
const SHORTLY: Duration = Duration::from_secs(1);
/// How long an address is remembered as one of the user's.
pub(crate) const ADDRESS_KNOWN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A quiet day forgets how many pauses were earned in a row.
const PAUSES_FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// The throttle's settings (contract/config.md, `[login]`).
#[derive(Clone, Copy, Debug)]
pub struct ThrottleLimits {
    /// Failures of one user of one realm within the window before a pause.
    pub attempts_per_user: u32,
    /// Failures from one client address within the window before a pause.
    pub attempts_per_address: u32,
    /// The window in which failures are counted, and the length of the first pause.
    pub window: Duration,
}

struct Counter {
    record: AttemptRecord,
    in_flight: u32,
}

/// The throttle.
pub struct Throttle {
    limits: arc_swap::ArcSwap<ThrottleLimits>,
    clock: Arc<dyn Clock>,
    table: Mutex<Table>,
    /// Told whenever a ticket is settled.
    settled: Notify,
    waiting: AtomicUsize,
}

struct Table {
    counters: HashMap<Box<str>, Counter>,
    /// Most counters; [`MAX_THROTTLED_KEYS`] but in tests.
    room: usize,
    /// When it was last looked through for counters that can go. A full table is not looked through for every login.
    swept: Moment,
}

/// Why there is no ticket now.
enum Refusal {
    /// Others' looks would fill the limit; their ends will tell.
    Busy,
    /// Come back after this.
    Wait(Duration),
}

/// There were too many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paused;

/// How a look at a secret ended.
pub(crate) enum Outcome {
    Success,
    Failure,
    /// It is not known yet, or nobody could look: it counts neither way.
    Void,
}

/// The right to one look at a secret. Dropped unsettled (the client left meanwhile) it counts as a failure.
pub(crate) struct Ticket<'a> {
    throttle: &'a Throttle,
    user: Box<str>,
    counted: Box<str>,
    address: IpAddr,
    waited: bool,
    settled: bool,
}

impl Throttle {
    /// A throttle that remembers `attempts` from before.
    #[must_use]
    pub fn new(limits: ThrottleLimits, clock: Arc<dyn Clock>, attempts: Vec<AttemptRecord>) -> Self {
        Self::with_room(limits, clock, attempts, MAX_THROTTLED_KEYS)
    }

    fn with_room(
        limits: ThrottleLimits,
        clock: Arc<dyn Clock>,
        attempts: Vec<AttemptRecord>,
        room: usize,
    ) -> Self {
        let counters = attempts.into_iter().map(Counter::of).collect();
        Self {
            limits: arc_swap::ArcSwap::from_pointee(limits),
            clock,
            table: Mutex::new(Table { counters, room, swept: Moment::default() }),
            settled: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Puts newly read settings in force; counts stay.
    pub fn replace_limits(&self, limits: ThrottleLimits) {
        self.limits.store(Arc::new(limits));
    }

    /// Puts counters in the place of all that are counted; looks that are being taken stay counted.
    pub(crate) fn replace_counters(&self, attempts: Vec<AttemptRecord>) {
        let now = self.clock.now();
        let mut table = self.lock();
        let before = std::mem::take(&mut table.counters);
        table.counters.extend(attempts.into_iter().map(Counter::of));
        for (key, old) in before.into_iter().filter(|(_, old)| old.in_flight > 0) {
            table.counter(&key, now).in_flight = old.in_flight;
        }
        drop(table);
        self.settled.notify_waiters();
    }

    /// Asks for one look at a secret of `username` in `realm`, for a client at `address`. Waits while the looks that
    /// others take would fill the limit.
    ///
    /// # Errors
    /// How long to wait, where there were too many failures.
    pub(crate) async fn admit(
        &self,
        realm: &str,
        username: &Username,
        address: IpAddr,
    ) -> Result<Ticket<'_>, Duration> {
        let mut place = None;
        loop {
            // Listening starts before the question, so that no settling in between is missed.
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            match self.try_admit(realm, username, client_of(address)) {
                Ok(mut ticket) => {
                    ticket.waited = place.is_some();
                    return Ok(ticket);
                }
                Err(Refusal::Wait(span)) => return Err(span),
                Err(Refusal::Busy) if place.is_none() => {
                    place = Some(Place::take(&self.waiting).ok_or(SHORTLY)?);
                }
                Err(Refusal::Busy) => {}
            }
            settled.await;
        }
    }

    fn try_admit(&self, realm: &str, username: &Username, address: IpAddr) -> Result<Ticket<'_>, Refusal> {
        let now = self.clock.now();
        let limits = **self.limits.load();
        let user = user_key(realm, username);
        let by_address = address_key(address);
        let mut table = self.lock();
        let counted = table.counted(&user, address, now);
        // Nobody gets a counter before he gets a look: refused attempts cannot fill the table.
        let mut new = 0;
        for (key, limit) in [(&by_address, limits.attempts_per_address), (&counted, limits.attempts_per_user)]
        {
            match table.counters.get_mut(key) {
                Some(counter) => counter.may_look(limit, now, &limits)?,
                None if limit == 0 => return Err(Refusal::Wait(limits.window.max(SHORTLY))),
                None => new += 1,
            }
        }
        table.make_room(new, now, &limits)?;
        for key in [&counted, &by_address] {
            table.counter(key, now).in_flight += 1;
        }
        Ok(Ticket { throttle: self, user, counted, address, waited: false, settled: false })
    }

    /// Counts a look for `found` as well, whom the name that was typed is another name of: somebody with five names is not
    /// guessed at five times as often. The address has its count by the ticket. Gives what must be on disk.
    ///
    /// # Errors
    /// [`Paused`]: it is too late for him, and what the look found out is not to be told. That is looked at and counted at once,
    /// so that parallel looks by all of his names find out no more than the limit.
    pub(crate) fn count_found(
        &self,
        realm: &str,
        found: &Username,
        address: IpAddr,
        outcome: &Outcome,
    ) -> Result<Vec<AttemptRecord>, Paused> {
        let now = self.clock.now();
        let limits = **self.limits.load();
        let (user, address) = (user_key(realm, found), client_of(address));
        let mut table = self.lock();
        let counted = table.counted(&user, address, now);
        if let Some(counter) = table.counters.get_mut(&counted)
            && let Err(Refusal::Wait(_)) = counter.may_look(limits.attempts_per_user, now, &limits)
        {
            return Err(Paused);
        }
        if matches!(outcome, Outcome::Void) {
            return Ok(Vec::new());
        }
        let new = usize::from(!table.counters.contains_key(&counted));
        table.make_room(new, now, &limits).map_err(|_| Paused)?;
        let counter = table.counter(&counted, now);
        if matches!(outcome, Outcome::Failure) {
            counter.fail(limits.attempts_per_user, now, &limits);
            return Ok(vec![counter.record.clone()]);
        }
        Ok(table.clear(&user, &counted, address, now))
    }

    /// Notes that `username`, whom `realm` does not know, logged in from `address` with a realm that was asked after it: he
    /// will be asked for here again. Gives what must be on disk, where that is news.
    pub(crate) fn note_passed(
        &self,
        realm: &str,
        username: &Username,
        address: IpAddr,
    ) -> Option<AttemptRecord> {
        let now = self.clock.now();
        let limits = **self.limits.load();
        let user = user_key(realm, username);
        let mut table = self.lock();
        let new = usize::from(!table.counters.contains_key(&user));
        table.make_room(new, now, &limits).ok()?;
        let counter = table.counter(&user, now);
        counter.remember_address(client_of(address), now).then(|| counter.record.clone())
    }

    /// Forgets the counters that free nobody and lock nobody out. Gives the two moments before which the store may
    /// forget: windows and pauses that ended, and addresses last seen.
    pub(crate) fn forget_idle(&self) -> (Moment, Moment) {
        let now = self.clock.now();
        let limits = **self.limits.load();
        self.lock().sweep(now, &limits);
        (now.minus(PAUSES_FORGOTTEN.max(limits.window)), now.minus(ADDRESS_KNOWN))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING_LOGINS).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticket<'_> {
    /// Whether it was waited for: what others found out meanwhile may make the look needless.
    pub(crate) fn waited(&self) -> bool {
        self.waited
    }

    /// Settles the ticket; gives the counters that must be on disk before the client is answered.
    pub(crate) fn settle(mut self, outcome: &Outcome) -> Vec<AttemptRecord> {
        self.settled = true;
        self.count(outcome)
    }

    fn count(&self, outcome: &Outcome) -> Vec<AttemptRecord> {
        let now = self.throttle.clock.now();
        let limits = **self.throttle.limits.load();
        let by_address = address_key(self.address);
        let mut changed = Vec::new();
        let mut table = self.throttle.lock();
        for (key, limit) in
            [(&self.counted, limits.attempts_per_user), (&by_address, limits.attempts_per_address)]
        {
            let Some(counter) = table.counters.get_mut(key) else {
                continue;
            };
            counter.in_flight = counter.in_flight.saturating_sub(1);
            if matches!(outcome, Outcome::Failure) {
                counter.fail(limit, now, &limits);
                changed.push(counter.record.clone());
            }
        }
        if matches!(outcome, Outcome::Success) {
            changed.extend(table.clear(&self.user, &self.counted, self.address, now));
        }
        drop(table);
        self.throttle.settled.notify_waiters();
        changed
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.count(&Outcome::Failure);
        }
    }
}

impl Counter {
    /// A counter of before, with its key.
    fn of(record: AttemptRecord) -> (Box<str>, Self) {
        (record.key.clone(), Self { record, in_flight: 0 })
    }

    fn may_look(&mut self, limit: u32, now: Moment, limits: &ThrottleLimits) -> Result<(), Refusal> {
        if self.record.paused_until > now {
            return Err(Refusal::Wait(self.record.paused_until.since(now)));
        }
        if now.since(self.record.since) >= limits.window {
            self.record.failures = 0;
            self.record.since = now;
        }
        if now.since(self.record.paused_until) >= PAUSES_FORGOTTEN {
            self.record.pauses = 0;
        }
        if self.record.failures >= limit {
            // Only where the settings were made stricter since: nobody's end would tell.
            return Err(Refusal::Wait(self.record.since.plus(limits.window).since(now).max(SHORTLY)));
        }
        if self.record.failures.saturating_add(self.in_flight) >= limit { Err(Refusal::Busy) } else { Ok(()) }
    }

    fn fail(&mut self, limit: u32, now: Moment, limits: &ThrottleLimits) {
        self.record.failures = self.record.failures.saturating_add(1);
        if self.record.failures < limit {
            return;
        }
        let pause = limits.window.saturating_mul(1u32.checked_shl(self.record.pauses).unwrap_or(u32::MAX));
        self.record.paused_until = now.plus(pause.min(MAX_PAUSE.max(limits.window)));
        self.record.pauses = self.record.pauses.saturating_add(1);
        self.record.failures = 0;
        self.record.since = now;
    }

    /// Notes that the user logged in from here; true where that is news worth writing down.
    fn remember_address(&mut self, address: IpAddr, now: Moment) -> bool {
        let known = &mut self.record.known;
        if let Some((_, seen)) = known.iter_mut().find(|(known, _)| *known == address) {
            let stale = now.since(*seen) > PAUSES_FORGOTTEN;
            if stale {
                *seen = now;
            }
            return stale;
        }
        if known.len() >= MAX_KNOWN_ADDRESSES
            && let Some(oldest) = known.iter().enumerate().min_by_key(|(_, (_, seen))| *seen).map(|(i, _)| i)
        {
            known.swap_remove(oldest);
        }
        known.push((address, now));
        true
    }

    /// Whether forgetting it would free nobody and lock nobody out.
    fn is_idle(&self, now: Moment, limits: &ThrottleLimits) -> bool {
        self.in_flight == 0
            && self.record.paused_until <= now
            && now.since(self.record.since) >= limits.window
            && now.since(self.record.paused_until) >= PAUSES_FORGOTTEN
            && self.record.known.iter().all(|(_, seen)| now.since(*seen) >= ADDRESS_KNOWN)
    }
}

impl Table {
    /// The key by which this user is counted from here: where he is known, he has a counter of his own.
    fn counted(&self, user: &str, address: IpAddr, now: Moment) -> Box<str> {
        let is_known = self.counters.get(user).is_some_and(|counter| {
            counter.record.known.iter().any(|(a, seen)| *a == address && now.since(*seen) < ADDRESS_KNOWN)
        });
        if is_known { format!("{user} at {address}").into_boxed_str() } else { Box::from(user) }
    }

    /// He logged in from here: his failures are forgotten, and the address is not. Gives what changed.
    fn clear(&mut self, user: &str, counted: &str, address: IpAddr, now: Moment) -> Vec<AttemptRecord> {
        let mut changed = Vec::new();
        if let Some(counter) = self.counters.get_mut(counted)
            && (counter.record.failures > 0 || counter.record.pauses > 0)
        {
            counter.record.failures = 0;
            counter.record.pauses = 0;
            changed.push(counter.record.clone());
        }
        if let Some(counter) = self.counters.get_mut(user)
            && counter.remember_address(address, now)
        {
            changed.retain(|record| record.key != counter.record.key);
            changed.push(counter.record.clone());
        }
        changed
    }

    /// The counter of `key`, new if there was none.
    fn counter(&mut self, key: &str, now: Moment) -> &mut Counter {
        self.counters.entry(Box::from(key)).or_insert_with(|| {
            let record = AttemptRecord {
                key: Box::from(key),
                failures: 0,
                since: now,
                paused_until: Moment::default(),
                pauses: 0,
                known: Vec::new(),
            };
            Counter { record, in_flight: 0 }
        })
    }

    /// Room for `new` counters. A full table throttles those it does not know; it never forgets one who is paused
    /// (security.md case 15).
    fn make_room(&mut self, new: usize, now: Moment, limits: &ThrottleLimits) -> Result<(), Refusal> {
        let is_full = |table: &Self| new > 0 && table.counters.len() + new > table.room;
        if is_full(self) && now.since(self.swept) >= SHORTLY {
            self.sweep(now, limits);
        }
        if is_full(self) { Err(Refusal::Wait(SHORTLY)) } else { Ok(()) }
    }

    fn sweep(&mut self, now: Moment, limits: &ThrottleLimits) {
        self.counters.retain(|_, counter| !counter.is_idle(now, limits));
        self.swept = now;
    }
}

fn user_key(realm: &str, username: &Username) -> Box<str> {
    format!("user {}:{realm}/{}", realm.len(), username.canonical()).into_boxed_str()
}

fn address_key(client: IpAddr) -> Box<str> {
    format!("address {client}").into_boxed_str()
}

/// The address by which a client is counted. One household or host has a /64 of IPv6: the whole of it is one client.
pub(crate) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
