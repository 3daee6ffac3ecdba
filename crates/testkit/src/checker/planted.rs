//! Systems that are broken on purpose: each wraps one that is whole and makes one mistake that such products have made. The
//! checker must find every one of them, or its silence means nothing.
//!
//! Called by the tests of the checker. Must never make a second mistake: what is found must be what was planted.
#![allow(clippy::disallowed_methods, reason = "a cache that is stale for a while counts real time")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth::Pending;

use super::system::{Credential, Door, Operation, System, Told};

/// A lock that no panic of another thread spoils.
fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers for a while that a credential was let in (Oathkeeper's cached verdict).
pub struct StaleCache {
    inner: Arc<dyn System>,
    kept: Duration,
    verdicts: Mutex<HashMap<(Arc<Credential>, Door), Instant>>,
}

impl StaleCache {
    /// With verdicts that are kept for this long.
    #[must_use]
    pub fn over(inner: Arc<dyn System>, kept: Duration) -> Self {
        Self { inner, kept, verdicts: Mutex::default() }
    }
}

impl System for StaleCache {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            let Operation::Use { credential, door } = operation else {
                return self.inner.perform(operation).await;
            };
            let key = (Arc::clone(credential), *door);
            let fresh = open(&self.verdicts).get(&key).is_some_and(|at| at.elapsed() < self.kept);
            if fresh {
                return Told::Done;
            }
            let told = self.inner.perform(operation).await;
            if told == Told::Done {
                open(&self.verdicts).insert(key, Instant::now());
            }
            told
        })
    }
}

/// Lets each session through once more after its end (Jetty CVE-2023-41900).
pub struct OneMoreRequest {
    inner: Arc<dyn System>,
    seen: Mutex<HashSet<Arc<Credential>>>,
}

impl OneMoreRequest {
    /// Over this system.
    #[must_use]
    pub fn over(inner: Arc<dyn System>) -> Self {
        Self { inner, seen: Mutex::default() }
    }
}

impl System for OneMoreRequest {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            let told = self.inner.perform(operation).await;
            let Operation::Use { credential, .. } = operation else { return told };
            if !matches!(**credential, Credential::Session(_)) {
                return told;
            }
            let mut seen = open(&self.seen);
            match told {
                Told::Done => {
                    seen.insert(Arc::clone(credential));
                    told
                }
                Told::Unknown if seen.remove(credential) => Told::Done,
                _ => told,
            }
        })
    }
}

/// Forgets the last end before a restart: that session lives again.
pub struct RevivedAfterRestart {
    inner: Arc<dyn System>,
    ends: Mutex<Ends>,
}

#[derive(Default)]
struct Ends {
    last: Option<Arc<Credential>>,
    revived: HashSet<Arc<Credential>>,
}

impl RevivedAfterRestart {
    /// Over this system.
    #[must_use]
    pub fn over(inner: Arc<dyn System>) -> Self {
        Self { inner, ends: Mutex::default() }
    }
}

impl System for RevivedAfterRestart {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            let told = self.inner.perform(operation).await;
            let mut ends = open(&self.ends);
            match (operation, &told) {
                (Operation::LogOut { session } | Operation::EndSession { session, .. }, Told::Done) => {
                    ends.last = Some(Arc::clone(session));
                }
                (Operation::Restart, _) => {
                    let last = ends.last.take();
                    ends.revived.extend(last);
                }
                (Operation::Use { credential, .. }, Told::Unknown) if ends.revived.contains(credential) => {
                    return Told::Done;
                }
                _ => {}
            }
            told
        })
    }
}

/// Remembers that a name and a password were right, and forgets to forget it when the password changes.
pub struct SurvivingEvidence {
    inner: Arc<dyn System>,
    kept: Mutex<Evidence>,
}

#[derive(Default)]
struct Evidence {
    proven: HashSet<(usize, u32)>,
    /// Of these users nothing counts: that much is looked at.
    out: HashSet<usize>,
}

impl SurvivingEvidence {
    /// Over this system.
    #[must_use]
    pub fn over(inner: Arc<dyn System>) -> Self {
        Self { inner, kept: Mutex::default() }
    }
}

impl System for SurvivingEvidence {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            let told = self.inner.perform(operation).await;
            let mut kept = open(&self.kept);
            match operation {
                Operation::Use { credential, .. } => {
                    if let Credential::Basic(user, password) = **credential {
                        match told {
                            Told::Done => {
                                kept.proven.insert((user, password));
                            }
                            Told::Unknown
                                if kept.proven.contains(&(user, password)) && !kept.out.contains(&user) =>
                            {
                                return Told::Done;
                            }
                            _ => {}
                        }
                    }
                }
                Operation::SetEnabled { user, enabled: false } | Operation::Delete { user } => {
                    kept.out.insert(*user);
                    kept.proven.retain(|(own, _)| own != user);
                }
                Operation::SetEnabled { user, enabled: true } | Operation::Create { user, .. } => {
                    kept.out.remove(user);
                }
                Operation::SetRealm { .. } | Operation::Restart => kept.proven.clear(),
                _ => {}
            }
            told
        })
    }
}

/// Looks at a key and not at its user: it is good while he is shut out.
pub struct KeyOutlives {
    inner: Arc<dyn System>,
    out: Mutex<HashSet<usize>>,
    keys: Mutex<HashMap<Arc<Credential>, usize>>,
}

impl KeyOutlives {
    /// Over this system.
    #[must_use]
    pub fn over(inner: Arc<dyn System>) -> Self {
        Self { inner, out: Mutex::default(), keys: Mutex::default() }
    }
}

impl System for KeyOutlives {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            let told = self.inner.perform(operation).await;
            match operation {
                Operation::MakeKey { user } => {
                    if let Told::Made(text) = &told {
                        open(&self.keys).insert(Arc::new(Credential::Key(text.clone())), *user);
                    }
                }
                Operation::RevokeKey { key } => {
                    open(&self.keys).remove(key);
                }
                Operation::Delete { user } => open(&self.keys).retain(|_, own| own != user),
                Operation::SetEnabled { user, enabled: false } => {
                    open(&self.out).insert(*user);
                }
                Operation::SetEnabled { user, .. } | Operation::Create { user, .. } => {
                    open(&self.out).remove(user);
                }
                Operation::Use { credential, .. } if told == Told::Unknown => {
                    let user = open(&self.keys).get(credential).copied();
                    if user.is_some_and(|user| open(&self.out).contains(&user)) {
                        return Told::Done;
                    }
                }
                _ => {}
            }
            told
        })
    }
}
