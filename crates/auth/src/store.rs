//! What the kernel asks of stored bytes. A store is dumb and honest: it answers `Result<Option<_>>`, keeps hashes,
//! judges nothing. A future that resolved with `Ok` means: on disk.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use crate::words::audit::{AuditEntry, AuditFilter, AuditRecord};
use crate::words::clock::Moment;
use crate::words::ids::{KeyId, UserId};
use crate::words::key_ring::KeyRing;
use crate::words::names::{AppName, RealmName, RoleName};
use crate::words::records::{ApiKey, App, Initialised, KeyUse, RealmRecord, Role, User};
use crate::words::session::{Ended, SessionRecord};
use crate::words::token::TokenHash;

/// A future behind a trait object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The store could not do what it was asked: nothing of it counts as done. Told in the log, never to clients.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Sessions on disk.
pub trait SessionStore: Send + Sync {
    /// Keeps a new session. Durable when resolved.
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>>;
    /// Notes the ends of sessions. The first end of a session stays; unknown ones are passed over. Durable when resolved.
    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>>;
    /// Notes activity. Never moves a session's last activity back.
    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>>;
    /// One session, ended or not.
    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>>;
    /// Every session, ended ones too, in batches; `take` is called on the store's own time.
    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>>;
    /// How many sessions [`load`](Self::load) will give, so that there is room for them; 0 where that is not known.
    fn count(&self) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }
    /// Forgets sessions that ended before `before`; how many.
    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>>;
}

/// One change of the directory.
#[derive(Clone, Debug)]
pub enum Change {
    /// Keeps this user, new or changed.
    PutUser(Box<User>),
    /// Forgets this user.
    DeleteUser(UserId),
    /// Keeps this role, new or changed.
    PutRole(Role),
    /// Forgets this role.
    DeleteRole(RoleName),
    /// Keeps this realm, new or changed.
    PutRealm(Box<RealmRecord>),
    /// Forgets this realm.
    DeleteRealm(RealmName),
    /// Keeps this app, new or changed.
    PutApp(Box<App>),
    /// Forgets this app.
    DeleteApp(AppName),
    /// Keeps this API key. Keys are made and forgotten, never changed.
    PutKey(Box<ApiKey>),
    /// Forgets this API key.
    DeleteKey(KeyId),
    /// Notes that the installation is set up.
    Initialise(Initialised),
    /// Keeps these signing keys in place of those before.
    PutKeyRing(Box<KeyRing>),
}

/// The directory as loaded at the start.
#[derive(Clone, Debug, Default)]
pub struct DirectoryImage {
    /// Every user.
    pub users: Vec<User>,
    /// Every role that is not built in, or that was changed.
    pub roles: Vec<Role>,
    /// Every realm that does not stand in the settings.
    pub realms: Vec<RealmRecord>,
    /// Every app.
    pub apps: Vec<App>,
    /// Every API key.
    pub keys: Vec<ApiKey>,
    /// The last use of each key that was ever used.
    pub key_uses: Vec<(KeyId, KeyUse)>,
    /// Set once the installation was set up.
    pub initialised: Option<Initialised>,
    /// The signing keys, once there are some.
    pub key_ring: Option<KeyRing>,
}

/// The throttle's memory of one key, so that a crash clears no counter (security.md case 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Whose attempts these are: a user of a realm, or an address.
    pub key: Box<str>,
    /// Failures since `since`.
    pub failures: u32,
    /// Start of the window in which they are counted.
    pub since: Moment,
    /// No attempt is looked at before this.
    pub paused_until: Moment,
    /// How many pauses were earned in a row.
    pub pauses: u32,
    /// Addresses from which the user logged in, and when last.
    pub known: Vec<(IpAddr, Moment)>,
}

/// Users, roles, realms, apps, API keys and login attempts on disk.
pub trait DirectoryStore: Send + Sync {
    /// Everything, at the start.
    fn load(&self) -> Pending<'_, Result<DirectoryImage, StoreError>>;
    /// Makes these changes, all or none. Durable when resolved.
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, Result<(), StoreError>>;
    /// Notes uses of API keys. Never moves a key's last use back; keys that are not there are passed over.
    fn note_key_uses(&self, uses: Vec<(KeyId, KeyUse)>) -> Pending<'_, Result<(), StoreError>>;
    /// Keeps the throttle's counters. Durable when resolved.
    fn put_attempts(&self, attempts: Vec<AttemptRecord>) -> Pending<'_, Result<(), StoreError>>;
    /// Every counter, at the start.
    fn load_attempts(&self) -> Pending<'_, Result<Vec<AttemptRecord>, StoreError>>;
    /// Forgets counters whose window and pause ended before `before` and that know no address seen since `known_before`.
    fn forget_attempts(&self, before: Moment, known_before: Moment) -> Pending<'_, Result<u64, StoreError>>;
}

/// The audit log on disk: lines are added at its end, chained, and never changed.
pub trait AuditStore: Send + Sync {
    /// Adds a line. Returns at once, without waiting for the disk.
    ///
    /// The line is on disk no later than anything that the stores are asked for after this call, and in any case soon
    /// ([`crate::limits::AUDIT_DELAY`]). Where lines cannot be written at all, that is what the log tells once they can.
    fn append(&self, entry: AuditEntry);
    /// The lines that fit, those included that were added before this call.
    fn read(&self, filter: AuditFilter) -> Pending<'_, Result<Vec<AuditRecord>, StoreError>>;
    /// Forgets lines older than `before`, the oldest first; how many. The chain stays whole from the first line kept on.
    fn forget_audit(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>>;
}
