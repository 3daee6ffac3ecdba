//! A store that keeps everything in memory and forgets it with the process: the fake for other rooms' tests.
//!
//! Called by tests. Must behave as every store must (it passes all suites), and must never be slower or surer than a
//! store could be: [`MemoryStore::refuse`] makes it fail like a full disk.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth::{
    ApiKey, App, AppName, AttemptRecord, AuditEntry, AuditFilter, AuditHash, AuditRecord, AuditStore, Change,
    DirectoryImage, DirectoryStore, Ended, Initialised, KeyId, KeyRing, KeyUse, Moment, Pending, RealmName,
    RealmRecord, Role, RoleName, SessionRecord, SessionStore, StoreError, TokenHash, User, UserId,
};

/// Sessions per batch of `load`; small, so that tests see more than one.
const BATCH: usize = 64;

/// A session, directory and audit store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<TokenHash, SessionRecord>,
    directory: Directory,
    attempts: BTreeMap<Box<str>, AttemptRecord>,
    audit: Log,
    refusal: Option<String>,
}

/// An audit log: its lines, and the newest one's place, which stays when they are forgotten.
#[derive(Debug, Default, Clone)]
struct Log {
    lines: VecDeque<AuditRecord>,
    newest: Option<(u64, AuditHash)>,
}

#[derive(Debug, Default, Clone)]
struct Directory {
    users: BTreeMap<UserId, User>,
    roles: BTreeMap<RoleName, Role>,
    realms: BTreeMap<RealmName, RealmRecord>,
    apps: BTreeMap<AppName, App>,
    keys: BTreeMap<KeyId, ApiKey>,
    key_uses: BTreeMap<KeyId, KeyUse>,
    initialised: Option<Initialised>,
    key_ring: Option<KeyRing>,
}

impl MemoryStore {
    /// From now on everything is refused with this text, as a disk does that is full; `None` ends it. What was kept
    /// before stays.
    pub fn refuse(&self, text: Option<&str>) {
        self.lock().refusal = text.map(str::to_owned);
    }

    /// How many sessions are kept, ended ones too.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Another store with what this one keeps now: a backup.
    #[must_use]
    pub fn copy(&self) -> Self {
        let kept = self.lock();
        let (sessions, directory, attempts, audit) =
            (kept.sessions.clone(), kept.directory.clone(), kept.attempts.clone(), kept.audit.clone());
        Self { kept: Mutex::new(Kept { sessions, directory, attempts, audit, refusal: None }) }
    }

    /// Keeps what `backup` keeps instead, and nothing else: a restore that knows no rules but one, that no line of the audit
    /// log is taken away.
    pub fn restore(&self, backup: &Self) {
        let copy = backup.copy();
        let mut kept = self.lock();
        let audit = std::mem::take(&mut kept.audit);
        *kept = std::mem::take(&mut *copy.lock());
        if audit.newest.is_some() {
            kept.audit = audit;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Kept) -> Result<T, StoreError> + Send + 'a,
    ) -> Pending<'a, Result<T, StoreError>> {
        Box::pin(async move {
            let mut kept = self.lock();
            match &kept.refusal {
                Some(text) => Err(StoreError(text.clone())),
                None => work(&mut kept),
            }
        })
    }
}

impl SessionStore for MemoryStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            if kept.sessions.values().any(|other| other.token == session.token || other.id == session.id) {
                return Err(StoreError("a session with this token or id exists".to_owned()));
            }
            kept.sessions.insert(session.token, session);
            Ok(())
        })
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            for (token, ended) in ends {
                if let Some(session) = kept.sessions.get_mut(&token) {
                    session.ended.get_or_insert(ended);
                }
            }
            Ok(())
        })
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            for (token, at) in touches {
                if let Some(session) = kept.sessions.get_mut(&token)
                    && session.ended.is_none()
                {
                    session.last_seen = session.last_seen.max(at);
                }
            }
            Ok(())
        })
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        self.with(move |kept| Ok(kept.sessions.get(&token).cloned()))
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        self.with(move |kept| {
            let all: Vec<SessionRecord> = kept.sessions.values().cloned().collect();
            for batch in all.chunks(BATCH) {
                take(batch.to_vec());
            }
            Ok(())
        })
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.with(move |kept| {
            let count = kept.sessions.len();
            kept.sessions.retain(|_, session| session.ended.is_none_or(|ended| ended.at >= before));
            Ok((count - kept.sessions.len()) as u64)
        })
    }
}

impl DirectoryStore for MemoryStore {
    fn load(&self) -> Pending<'_, Result<DirectoryImage, StoreError>> {
        self.with(|kept| {
            Ok(DirectoryImage {
                users: kept.directory.users.values().cloned().collect(),
                roles: kept.directory.roles.values().cloned().collect(),
                realms: kept.directory.realms.values().cloned().collect(),
                apps: kept.directory.apps.values().cloned().collect(),
                keys: kept.directory.keys.values().cloned().collect(),
                key_uses: kept.directory.key_uses.iter().map(|(id, used)| (*id, *used)).collect(),
                initialised: kept.directory.initialised.clone(),
                key_ring: kept.directory.key_ring.clone(),
            })
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            let mut changed = kept.directory.clone();
            for change in changes {
                changed.make(change)?;
            }
            kept.directory = changed;
            Ok(())
        })
    }

    fn note_key_uses(&self, uses: Vec<(KeyId, KeyUse)>) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            for (id, used) in uses.into_iter().filter(|(id, _)| kept.directory.keys.contains_key(id)) {
                let last = kept.directory.key_uses.entry(id).or_insert(used);
                if last.at < used.at {
                    *last = used;
                }
            }
            Ok(())
        })
    }

    fn put_attempts(&self, attempts: Vec<AttemptRecord>) -> Pending<'_, Result<(), StoreError>> {
        self.with(move |kept| {
            kept.attempts.extend(attempts.into_iter().map(|record| (record.key.clone(), record)));
            Ok(())
        })
    }

    fn load_attempts(&self) -> Pending<'_, Result<Vec<AttemptRecord>, StoreError>> {
        self.with(|kept| Ok(kept.attempts.values().cloned().collect()))
    }

    fn forget_attempts(&self, before: Moment, known_before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.with(move |kept| {
            let count = kept.attempts.len();
            kept.attempts.retain(|_, record| {
                record.since >= before
                    || record.paused_until >= before
                    || record.known.iter().any(|(_, seen)| *seen >= known_before)
            });
            Ok((count - kept.attempts.len()) as u64)
        })
    }
}

impl AuditStore for MemoryStore {
    fn append(&self, entry: AuditEntry) {
        self.lock().audit.append(entry);
    }

    fn read(&self, filter: AuditFilter) -> Pending<'_, Result<Vec<AuditRecord>, StoreError>> {
        self.with(move |kept| {
            let lines = kept.audit.lines.iter();
            Ok(if filter.oldest_first {
                lines.filter(|line| fits(&filter, line)).take(filter.limit).cloned().collect()
            } else {
                lines.rev().filter(|line| fits(&filter, line)).take(filter.limit).cloned().collect()
            })
        })
    }

    fn forget_audit(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.with(move |kept| {
            let old = kept.audit.lines.iter().take_while(|line| line.entry.at < before).count();
            kept.audit.lines.drain(..old);
            Ok(old as u64)
        })
    }
}

fn fits(filter: &AuditFilter, line: &AuditRecord) -> bool {
    let entry = &line.entry;
    let is_beyond = |after| if filter.oldest_first { line.sequence > after } else { line.sequence < after };
    filter.after.is_none_or(is_beyond)
        && filter.since.is_none_or(|since| entry.at >= since)
        && filter.until.is_none_or(|until| entry.at < until)
        && filter.event.as_ref().is_none_or(|event| *event == entry.event)
        && filter
            .fields
            .iter()
            .all(|(name, value)| entry.fields.get(*name).is_some_and(|found| **found == **value))
}

impl Log {
    fn append(&mut self, entry: AuditEntry) {
        let (last, before) = self.newest.unwrap_or((0, AuditHash::GENESIS));
        let sequence = last + 1;
        let hash = before.followed_by(sequence, &entry);
        self.newest = Some((sequence, hash));
        self.lines.push_back(AuditRecord { sequence, entry, hash });
    }
}

impl Directory {
    fn make(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::PutUser(user) => self.put_user(*user)?,
            Change::DeleteUser(id) => {
                self.users.remove(&id);
            }
            Change::PutRole(role) => {
                self.roles.insert(role.name.clone(), role);
            }
            Change::DeleteRole(name) => {
                self.roles.remove(&name);
            }
            Change::PutRealm(realm) => {
                self.realms.insert(realm.name.clone(), *realm);
            }
            Change::DeleteRealm(name) => {
                self.realms.remove(&name);
            }
            Change::PutApp(app) => {
                self.apps.insert(app.id.clone(), *app);
            }
            Change::DeleteApp(id) => {
                self.apps.remove(&id);
            }
            Change::PutKey(key) => self.put_key(*key)?,
            Change::DeleteKey(id) => {
                self.keys.remove(&id);
                self.key_uses.remove(&id);
            }
            Change::Initialise(initialised) => {
                self.initialised = Some(initialised);
            }
            Change::PutKeyRing(ring) => {
                self.key_ring = Some(*ring);
            }
        }
        Ok(())
    }

    fn put_user(&mut self, user: User) -> Result<(), StoreError> {
        let taken = self
            .users
            .values()
            .any(|other| other.id != user.id && other.realm == user.realm && other.username == user.username);
        if taken {
            return Err(StoreError("another user of this realm has this name".to_owned()));
        }
        self.users.insert(user.id, user);
        Ok(())
    }

    fn put_key(&mut self, key: ApiKey) -> Result<(), StoreError> {
        if self.keys.values().any(|other| other.id == key.id || other.hash == key.hash) {
            return Err(StoreError("an API key with this id or hash exists".to_owned()));
        }
        self.keys.insert(key.id, key);
        Ok(())
    }
}
