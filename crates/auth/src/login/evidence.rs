//! Remembers that a Basic credential was verified, so that the next request does not cost an Argon2 hash.
//!
//! It keeps evidence (this secret belongs to this user, as he is now), never a verdict: whether he is enabled and may
//! do what he asks is judged on every request. Any change of the user makes a new account, and what was proven of the
//! old one no longer counts. The secrets are kept as HMACs under a key that dies with the process.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use quick_cache::sync::Cache;
use sha2::Sha256;

use crate::directory::{Account, RealmState};
use crate::limits::{EVIDENCE_KEPT, MAX_EVIDENCE};
use crate::words::clock::Moment;
use crate::words::credential::Password;
use crate::words::ids::UserId;
use crate::words::names::Username;
use crate::words::records::RealmRecord;

/// That somebody showed the secret of this account. Made by the realm chain and by this memory only.
#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) account: Arc<Account>,
    /// The realm that vouched, as it was then.
    pub(crate) realm: Arc<RealmRecord>,
}

impl Proven {
    /// Whether what was proven is proven of `present`: the same user with the same password, of a realm that still asks the
    /// same source. A costlier hash, other roles or other permissions change nothing; a user who was deleted and made anew
    /// is another.
    pub(crate) fn holds_for(&self, present: &Account, realm: &RealmState) -> bool {
        let proven = &self.account.user;
        realm.is_source_of(&self.realm)
            && proven.id == present.user.id
            && proven.password_version == present.user.password_version
            && proven.created == present.user.created
    }
}

#[derive(Clone)]
struct Entry {
    proven: Proven,
    since: Moment,
    /// Which password of his it was.
    secret: Digest,
}

type Digest = [u8; 32];

/// The memory of verified credentials: bounded, short-lived.
pub struct Remembered {
    key: Hmac<Sha256>,
    entries: Cache<Digest, Entry>,
    /// The password that each user was let in with last: where it is another, his realm has changed it, and none before counts.
    secrets: Cache<UserId, Digest>,
}

impl Remembered {
    /// An empty memory under this key, which nobody else may know.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: keyed(key), entries: Cache::new(MAX_EVIDENCE), secrets: Cache::new(MAX_EVIDENCE) }
    }

    /// What is remembered of this credential, if it is still true of what `present` gives: the account and the realm that the
    /// directory has now. Realms know some users by several names, so the account is asked for by its id. A realm that looks at
    /// its users again is asked again as often.
    pub(crate) fn recall<'p>(
        &self,
        realm: &str,
        username: &Username,
        password: &Password,
        present: impl FnOnce(&UserId) -> Option<(&'p Arc<Account>, &'p RealmState)>,
        now: Moment,
    ) -> Option<Proven> {
        let digest = self.digest(realm, username, password);
        let entry = self.entries.get(&digest)?;
        let counts = |(account, realm): (&Arc<Account>, &RealmState)| {
            let kept =
                realm.realm.recheck().map_or(EVIDENCE_KEPT, |recheck| recheck.interval().min(EVIDENCE_KEPT));
            Arc::ptr_eq(account, &entry.proven.account)
                && realm.is_source_of(&entry.proven.realm)
                && now < entry.since.plus(kept)
        };
        let user = &entry.proven.account.user.id;
        if self.secrets.get(user).is_none_or(|last| last == entry.secret) && present(user).is_some_and(counts)
        {
            return Some(entry.proven);
        }
        self.entries.remove(&digest);
        None
    }

    /// Remembers that this credential proved `proven`.
    pub(crate) fn remember(
        &self,
        realm: &str,
        username: &Username,
        password: &Password,
        proven: &Proven,
        now: Moment,
    ) {
        let secret = self.secret(&proven.account.user.id, password);
        let entry = Entry { proven: proven.clone(), since: now, secret };
        self.entries.insert(self.digest(realm, username, password), entry);
    }

    /// Notes that this user was let in with this password: what is remembered of others of his counts no more.
    pub(crate) fn note_secret(&self, user: &UserId, password: &Password) {
        let secret = self.secret(user, password);
        if self.secrets.get(user) != Some(secret) {
            self.secrets.insert(*user, secret);
        }
    }

    fn secret(&self, user: &UserId, password: &Password) -> Digest {
        let mut mac = self.key.clone();
        // No length that stands before other messages: these are of users, not of names.
        mac.update(&u64::MAX.to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(password.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn digest(&self, realm: &str, username: &Username, password: &Password) -> Digest {
        let mut mac = self.key.clone();
        // Lengths first: no two different triples make the same message.
        for part in [realm, username.canonical()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(password.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

#[cfg(test)]
mod tests;
