//! A store that keeps everything in memory and forgets it with the process: the fake for other rooms' tests.
//!
//! Called by tests. Must behave as every store must (it passes both suites), and must never be slower or surer than a
//! store could be: [`MemoryStore::refuse`] makes it fail like a full disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth::{
    AttemptRecord, Change, DirectoryImage, DirectoryStore, Ended, Initialised, Moment, Pending, Role,
    RoleName, SessionRecord, SessionStore, StoreError, TokenHash, User, UserId,
};

/// Sessions per batch of `load`; small, so that tests see more than one.
const BATCH: usize = 64;

/// A session and directory store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<TokenHash, SessionRecord>,
    directory: Directory,
    attempts: BTreeMap<Box<str>, AttemptRecord>,
    refusal: Option<String>,
}

#[derive(Debug, Default, Clone)]
struct Directory {
    users: BTreeMap<UserId, User>,
    roles: BTreeMap<RoleName, Role>,
    initialised: Option<Initialised>,
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
        let (sessions, directory, attempts) =
            (kept.sessions.clone(), kept.directory.clone(), kept.attempts.clone());
        Self { kept: Mutex::new(Kept { sessions, directory, attempts, refusal: None }) }
    }

    /// Keeps what `backup` keeps instead, and nothing else: a restore that knows no rules.
    pub fn restore(&self, backup: &Self) {
        let copy = backup.copy();
        *self.lock() = std::mem::take(&mut *copy.lock());
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
                initialised: kept.directory.initialised.clone(),
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

impl Directory {
    fn make(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::PutUser(user) => {
                let taken = self.users.values().any(|other| {
                    other.id != user.id && other.realm == user.realm && other.username == user.username
                });
                if taken {
                    return Err(StoreError("another user of this realm has this name".to_owned()));
                }
                self.users.insert(user.id, *user);
            }
            Change::DeleteUser(id) => {
                self.users.remove(&id);
            }
            Change::PutRole(role) => {
                self.roles.insert(role.name.clone(), role);
            }
            Change::DeleteRole(name) => {
                self.roles.remove(&name);
            }
            Change::Initialise(initialised) => {
                self.initialised = Some(initialised);
            }
        }
        Ok(())
    }
}
