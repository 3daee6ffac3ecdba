//! Looking again at users whom a realm vouched for: who is disabled, deleted or loses a group there loses his sessions or the role
//! here, without a login in between. Called from time to time by the binary's housekeeping. Must never ask a realm that does not
//! answer again and again, never end a session because it could not ask, unless for longer than the realm's staleness, and never
//! leave others alone because of one user of whom nobody can tell, or who cannot be written.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Kernel;
use super::prove::{learnt, refusal};
use crate::directory::{RealmState, Snapshot};
use crate::limits::{EVIDENCE_KEPT, MAX_RECHECKED_AT_ONCE, MAX_USERS_IN_CHANGE};
use crate::realm::{Recheck, Standing, Unavailability, UserRecords};
use crate::reason::Reason;
use crate::store::Change;
use crate::witness::Event;
use crate::words::clock::Moment;
use crate::words::ids::UserId;
use crate::words::names::{RealmName, Username};
use crate::words::records::{User, Vouched};
use crate::words::session::EndReason;

/// Records of ephemeral users stay at least so long after somebody was vouched for: what is remembered of him lasts less.
const EPHEMERAL_KEPT: Duration = EVIDENCE_KEPT.saturating_mul(2);

/// When whom was vouched for last, as far as this process knows.
#[derive(Default)]
pub(super) struct Rechecks(Mutex<Vouches>);

#[derive(Default)]
struct Vouches {
    of: HashMap<UserId, Vouch>,
    /// The realms that did not answer when they were asked last.
    silent: HashSet<RealmName>,
    /// How often anybody was vouched for.
    turns: u64,
}

#[derive(Clone, Copy)]
struct Vouch {
    last: Moment,
    /// Which of all vouches it was; 0: nobody was asked about him since this process began, so he is due.
    turn: u64,
}

impl Rechecks {
    /// This user was vouched for just now. Gives whether housekeeping may have thought him gone until now.
    pub(super) fn vouched(&self, user: UserId, now: Moment) -> bool {
        let mut vouches = self.lock();
        vouches.turns += 1;
        let vouch = Vouch { last: now, turn: vouches.turns };
        let before = vouches.of.insert(user, vouch);
        before.is_none_or(|before| before.last < now.minus(EPHEMERAL_KEPT))
    }

    fn lock(&self) -> MutexGuard<'_, Vouches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of `users` who are to be looked at, and those whom nobody vouched for in all of `staleness`. Whoever is met for the
    /// first time is due, and counts as vouched for until now.
    fn due(&self, users: &HashSet<UserId>, recheck: &dyn Recheck, now: Moment) -> (Vec<UserId>, Vec<UserId>) {
        let mut vouches = self.lock();
        let (mut due, mut stale) = (Vec::new(), Vec::new());
        for &user in users {
            let vouch = vouches.of.entry(user).or_insert(Vouch { last: now, turn: 0 });
            let age = now.since(vouch.last);
            if age >= recheck.staleness() {
                stale.push(user);
            }
            if vouch.turn == 0 || age >= recheck.interval() {
                due.push(user);
            }
        }
        (due, stale)
    }

    fn was_vouched_since(&self, user: &UserId, moment: Moment) -> bool {
        self.lock().of.get(user).is_some_and(|vouch| vouch.last >= moment)
    }

    /// How often anybody was vouched for until now.
    fn turn(&self) -> u64 {
        self.lock().turns
    }

    /// Whether he was vouched for after this turn: what was asked before it counts no more.
    fn was_vouched_after(&self, user: &UserId, turn: u64) -> bool {
        self.lock().of.get(user).is_some_and(|vouch| vouch.turn > turn)
    }

    fn is_empty(&self) -> bool {
        self.lock().of.is_empty()
    }

    /// Forgets those of whom nobody will ask again.
    fn keep(&self, in_use: impl Fn(&UserId) -> bool, before: Moment) {
        self.lock().of.retain(|user, vouch| vouch.last >= before || in_use(user));
    }
}

impl Kernel {
    /// Looks again at the users of realms that can tell: those who have a live session or an API key, and whose turn it is.
    /// Gives how soon it should be called again; `None` where no realm can tell.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: somebody who is out has lost his sessions, but the disk does not know yet, and his API keys
    /// still count; the next call tries again.
    pub async fn recheck(&self) -> Result<Option<Duration>, Reason> {
        let snapshot = self.parts.directory.held();
        let can_tell = |state: &&RealmState| state.record.enabled && state.realm.recheck().is_some();
        let realms: Vec<_> = snapshot.realms().filter(can_tell).collect();
        let soonest = realms.iter().filter_map(|state| Some(state.realm.recheck()?.interval())).min();
        let in_use = if realms.is_empty() { HashMap::new() } else { self.in_use(&snapshot) };
        let mut failed = None;
        for state in realms {
            if let (Some(users), Some(recheck)) = (in_use.get(&state.record.name), state.realm.recheck()) {
                failed = self.recheck_realm(&snapshot, state, recheck, users).await.err().or(failed);
            }
        }
        failed.map_or(Ok(soonest), Err)
    }

    /// The users who have a live session or an API key, by their realms.
    fn in_use(&self, snapshot: &Snapshot) -> HashMap<RealmName, HashSet<UserId>> {
        let now = self.parts.clock.now();
        let mut in_use: HashMap<RealmName, HashSet<UserId>> = HashMap::new();
        let mut note = |realm: &RealmName, user: UserId| match in_use.get_mut(realm) {
            Some(users) => {
                users.insert(user);
            }
            None => {
                in_use.insert(realm.clone(), HashSet::from([user]));
            }
        };
        self.parts.sessions.table().filtered(|session| {
            if session.ended(now).is_none() {
                note(&session.realm, session.user);
            }
            false
        });
        for compiled in snapshot.keys() {
            if let Some(account) = snapshot.account(&compiled.key.user) {
                note(&account.user.realm, account.user.id);
            }
        }
        in_use
    }

    async fn recheck_realm(
        &self,
        snapshot: &Snapshot,
        state: &RealmState,
        recheck: &dyn Recheck,
        users: &HashSet<UserId>,
    ) -> Result<(), Reason> {
        let began = self.rechecks.turn();
        let (due, mut untold_for_long) = self.rechecks.due(users, recheck, self.parts.clock.now());
        let named = |id: &UserId| Some((*id, snapshot.account(id)?.user.username.clone()));
        let due: Vec<_> = due.iter().filter_map(named).collect();
        let mut told: HashSet<UserId> = HashSet::new();
        let mut failed = None;
        for batch in due.chunks(MAX_RECHECKED_AT_ONCE) {
            let names: Vec<Username> = batch.iter().map(|(_, name)| name.clone()).collect();
            let asked = self.rechecks.turn();
            let answer = recheck.look(&names).await;
            self.note_answer(&state.record.name, answer.as_ref().err());
            let answer = answer.ok();
            // An answer that leaves somebody out is of nobody knows whom. Else nobody answers: neither would the next be told of.
            let Some(standings) = answer.filter(|standings| standings.len() == batch.len()) else { break };
            for ((id, name), standing) in batch.iter().zip(standings) {
                if !matches!(standing, Standing::Untold(_)) {
                    told.insert(*id);
                    failed = self.take_standing(state, id, name, standing, asked).await.err().or(failed);
                }
            }
        }
        // Whom it could tell nothing of for too long is let in no more.
        untold_for_long.retain(|id| !told.contains(id));
        failed = self.lapse_stale(state, &untold_for_long, began).await.err().or(failed);
        failed.map_or(Ok(()), Err)
    }

    /// Tells when a realm stops to answer, and when it answers again.
    fn note_answer(&self, realm: &RealmName, silence: Option<&Unavailability>) {
        let is_news = match silence {
            Some(_) => self.rechecks.lock().silent.insert(realm.clone()),
            None => self.rechecks.lock().silent.remove(realm),
        };
        if !is_news {
            return;
        }
        let (operation, detail) = match silence {
            Some(Unavailability(why)) => ("realm.silent", format!("{:?}: {why}", realm.as_str())),
            None => ("realm.answers", format!("{:?}", realm.as_str())),
        };
        self.parts.witness.note(&Event::Operated { operation, detail: detail.into_boxed_str() });
    }

    /// What a realm says of a user comes into force, unless he was vouched for after `asked`, the turn in which it was asked.
    async fn take_standing(
        &self,
        state: &RealmState,
        id: &UserId,
        name: &Username,
        standing: Standing,
        asked: u64,
    ) -> Result<(), Reason> {
        match standing {
            Standing::Good(verified) if verified.username.canonical() == name.canonical() => {
                let still = |snapshot: &Snapshot| {
                    let account = snapshot.account(id).ok_or(Reason::UnknownUser)?;
                    let counts = is_as_asked(snapshot, state) && !self.rechecks.was_vouched_after(id, asked);
                    if counts { Ok(Arc::clone(account)) } else { Err(Reason::UnknownRealm) }
                };
                match self.take_over(id, &verified, still).await {
                    Ok(()) => {
                        self.rechecks.vouched(*id, self.parts.clock.now());
                    }
                    // He, or the realm, is not what was asked about any more.
                    Err(Reason::UnknownUser | Reason::UnknownRealm) => {}
                    Err(reason) => return Err(reason),
                }
                Ok(())
            }
            Standing::Untold(_) => Ok(()),
            Standing::Good(_) | Standing::Out(_) | Standing::Gone => {
                let why = match standing {
                    Standing::Out(rejection) => Reason::from(rejection).reason_id(),
                    Standing::Good(_) => "he has another name",
                    _ => "he is gone",
                };
                self.lapse(state, &[*id], asked, why).await?;
                // He is looked at again, as he may have an API key and come back.
                self.rechecks.vouched(*id, self.parts.clock.now());
                Ok(())
            }
        }
    }

    async fn lapse_stale(&self, state: &RealmState, stale: &[UserId], began: u64) -> Result<(), Reason> {
        let mut failed = None;
        for batch in stale.chunks(MAX_USERS_IN_CHANGE) {
            failed = self.lapse(state, batch, began, "nobody could tell for too long").await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// These users are let in no more until their realm vouches for them again, and their sessions end; but for those who were
    /// vouched for after the turn `asked`. Where it cannot be written, their sessions end all the same.
    async fn lapse(&self, state: &RealmState, users: &[UserId], asked: u64, why: &str) -> Result<(), Reason> {
        let now = self.parts.clock.now();
        let realm = &state.record.name;
        let mut out = Vec::new();
        let change = self.parts.directory.change(|snapshot| {
            let is_out = |id: &&UserId| !self.rechecks.was_vouched_after(id, asked);
            if is_as_asked(snapshot, state) {
                out.extend(users.iter().filter(is_out));
            }
            let vouched_for =
                |id: &UserId| snapshot.account(id).filter(|account| !account.user.vouched.lapsed);
            let lapsed = |user: &User| {
                let vouched = Vouched { lapsed: true, ..user.vouched.clone() };
                User { vouched, updated: now, ..user.clone() }
            };
            let changed: Vec<User> =
                out.iter().filter_map(vouched_for).map(|account| lapsed(&account.user)).collect();
            let event = match &changed[..] {
                [one] => learnt("user.lapse", one, &one.vouched).because(why),
                several => many("user.lapse", realm, several).because(why),
            };
            Ok((changed.into_iter().map(|user| Change::PutUser(Box::new(user))).collect(), event, ()))
        });
        let changed = change.await.map_err(refusal);
        let table = self.parts.sessions.table();
        let mut sessions: Vec<_> = out.iter().flat_map(|id| table.of_user(id)).collect();
        drop(table);
        sessions.retain(|session| session.ended(now).is_none());
        let ended = self.end(&sessions, EndReason::UserChanged, None).await;
        changed.and(ended.map(|_| ()))
    }

    /// Forgets the records of ephemeral users who have neither a session nor an API key left; how many. Called from time to
    /// time by the binary's housekeeping.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: the next call tries again.
    pub async fn forget_ephemeral(&self) -> Result<usize, Reason> {
        let snapshot = self.parts.directory.held();
        let is_ephemeral = |state: &RealmState| state.realm.users() == UserRecords::Ephemeral;
        let realms: Vec<_> = snapshot.realms().filter(|state| is_ephemeral(state)).collect();
        if realms.is_empty() && self.rechecks.is_empty() {
            return Ok(0);
        }
        let in_use = self.in_use(&snapshot);
        let before = self.parts.clock.now().minus(EPHEMERAL_KEPT);
        let is_in_use = |id: &UserId| in_use.values().any(|users| users.contains(id));
        self.rechecks.keep(is_in_use, before);
        let mut forgotten = 0;
        for state in realms {
            let name = &state.record.name;
            let goes = |user: &User| {
                user.realm == *name
                    && user.updated < before
                    && !is_in_use(&user.id)
                    && !self.rechecks.was_vouched_since(&user.id, before)
            };
            let ids: Vec<_> =
                snapshot.accounts().filter(|account| goes(&account.user)).map(|a| a.user.id).collect();
            for batch in ids.chunks(MAX_USERS_IN_CHANGE) {
                forgotten += self.forget_users(name, batch, before).await?;
            }
        }
        Ok(forgotten)
    }

    async fn forget_users(
        &self,
        realm: &RealmName,
        users: &[UserId],
        before: Moment,
    ) -> Result<usize, Reason> {
        let change = self.parts.directory.change(|snapshot| {
            // Who logs in at this moment is vouched for before he is looked for; and somebody may have changed him, or made him
            // an API key, since he was found.
            let keyed: HashSet<UserId> = snapshot.keys().map(|compiled| compiled.key.user).collect();
            let goes = |user: &User| {
                user.updated < before
                    && !keyed.contains(&user.id)
                    && !self.rechecks.was_vouched_since(&user.id, before)
            };
            let found = users.iter().filter_map(|id| snapshot.account(id));
            let users: Vec<User> =
                found.map(|account| &account.user).filter(|user| goes(user)).cloned().collect();
            let event = many("user.forget", realm, &users);
            let changes: Vec<_> = users.iter().map(|user| Change::DeleteUser(user.id)).collect();
            Ok((changes, event, users.len()))
        });
        change.await.map_err(refusal)
    }
}

/// Whether a realm is still the one that was asked: what another said does not count.
fn is_as_asked(snapshot: &Snapshot, asked: &RealmState) -> bool {
    snapshot.realm(asked.record.name.as_str()).is_some_and(|present| present.is_source_of(&asked.record))
}

/// That something happened to several users of a realm at once.
fn many(operation: &'static str, realm: &RealmName, users: &[User]) -> Event {
    let names: Vec<_> = users.iter().map(|user| format!("{:?}", user.username.shown())).collect();
    Event::DirectoryChanged {
        by: None,
        address: None,
        operation,
        subject: Box::from(realm.as_str()),
        detail: names.join(", ").into_boxed_str(),
    }
}
