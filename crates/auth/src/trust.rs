//! The trust states: the only place where "it is him" and "he may" are made.
//!
//! ```text
//! Presented ──▶ Authenticated ──▶ Caller ──▶ Authorized<A> ──spend──▶ (A, Permit)
//!              by a live session            by the permissions
//!              or a proven secret           of one snapshot
//! ```
//! The fields are private and there is no other constructor: holding an `Authorized<Forward>` *is* the permission to
//! forward that request, it can be used once, and nothing outside this file can forge one. `tests/forgeries/` shows
//! what does not compile.

use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::{Account, CompiledKey, Snapshot};
use crate::login::Proven;
use crate::permission::{Matrix, Method};
use crate::reason::Reason;
use crate::sessions::{Session, Sessions};
use crate::words::clock::Moment;
use crate::words::credential::AuthMethod;
use crate::words::ids::{KeyId, SessionId};
use crate::words::names::Scope;
use crate::words::token::{KeyText, TokenHash};

/// Somebody who is known: an enabled user of an enabled realm, by a live session or a secret just proven.
pub struct Authenticated {
    account: Arc<Account>,
    session: Option<Arc<Session>>,
    key: Option<Arc<CompiledKey>>,
    method: AuthMethod,
}

impl Authenticated {
    /// By the session of this token, if it is live in this scope.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn by_session(
        sessions: &Sessions,
        snapshot: &Snapshot,
        token: &TokenHash,
        scope: &Scope,
        now: Moment,
    ) -> Result<Self, Reason> {
        let session = sessions.table().find(token).ok_or(Reason::SessionUnknown)?;
        if session.scope != *scope {
            return Err(Reason::SessionUnknown);
        }
        if let Some(ended) = session.ended(now) {
            return Err(ended.reason.into());
        }
        let account = snapshot.account(&session.user).ok_or(Reason::SessionUserGone)?;
        // A user who was deleted and made anew has the same id, and is another.
        if session.created < account.user.created {
            return Err(Reason::SessionUserGone);
        }
        snapshot.in_force(account).map_err(|_| Reason::SessionUserGone)?;
        Ok(Self { account: Arc::clone(account), method: session.method, session: Some(session), key: None })
    }

    /// By a secret that was proven for the account as it is now.
    ///
    /// # Errors
    /// Why the account may not be used.
    pub(crate) fn by_secret(
        snapshot: &Snapshot,
        proven: &Proven,
        method: AuthMethod,
    ) -> Result<Self, Reason> {
        let account = snapshot.account(&proven.account.user.id).ok_or(Reason::UnknownUser)?;
        let realm = snapshot.realm(account.user.realm.as_str()).ok_or(Reason::UnknownRealm)?;
        if !proven.holds_for(account, realm) {
            return Err(Reason::WrongPassword);
        }
        snapshot.in_force(account)?;
        Ok(Self { account: Arc::clone(account), method, session: None, key: None })
    }

    /// By the API key whose text has this hash, if there is one and it still counts.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn by_key(snapshot: &Snapshot, hash: &TokenHash, now: Moment) -> Result<Self, Reason> {
        let key = snapshot.key(hash).ok_or(Reason::UnknownKey)?;
        if key.key.expires.is_some_and(|expires| expires <= now) {
            return Err(Reason::KeyExpired);
        }
        let account = snapshot.account(&key.key.user).ok_or(Reason::UnknownKey)?;
        // As with sessions: a user who was deleted and made anew is another.
        if key.key.created < account.user.created {
            return Err(Reason::UnknownKey);
        }
        snapshot.in_force(account).map_err(|_| Reason::UnknownKey)?;
        let (account, key) = (Arc::clone(account), Some(Arc::clone(key)));
        Ok(Self { account, method: AuthMethod::ApiKey, session: None, key })
    }

    /// The API key of this text and whose it is, where it counts now: for others who ask what it is worth. Proves nothing, and is
    /// no use of it.
    #[must_use]
    pub fn key_in_force(
        snapshot: &Snapshot,
        key: &KeyText,
        now: Moment,
    ) -> Option<(Arc<CompiledKey>, Arc<Account>)> {
        let known = Self::by_key(snapshot, &key.hash(), now).ok()?;
        known.key.map(|key| (key, known.account))
    }

    /// The same caller as he is now, if what he showed still counts.
    ///
    /// # Errors
    /// Why it does not.
    fn again(&self, snapshot: &Snapshot, now: Moment) -> Result<Self, Reason> {
        if let Some(key) = &self.key {
            return Self::by_key(snapshot, &key.key.hash, now);
        }
        if let Some(ended) = self.session.as_ref().and_then(|session| session.ended(now)) {
            return Err(ended.reason.into());
        }
        let present = snapshot.account(&self.account.user.id);
        let account = present.filter(|present| present.user.created == self.account.user.created);
        let account = account.ok_or(Reason::UnknownUser).and_then(|account| {
            snapshot.in_force(account)?;
            // A session of a password that was changed has ended; a password that was sent along is wrong now.
            let same = account.user.password_version == self.account.user.password_version;
            if same || self.session.is_some() { Ok(account) } else { Err(Reason::WrongPassword) }
        });
        let gone = |reason| if self.session.is_some() { Reason::SessionUserGone } else { reason };
        let account = Arc::clone(account.map_err(gone)?);
        Ok(Self { account, session: self.session.clone(), key: None, method: self.method })
    }

    /// Who it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// His session, if he came with one.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The API key that he came with, if it was one.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<CompiledKey>> {
        self.key.as_ref()
    }

    /// Who he is, to be written down once this proof is spent.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            account: Arc::clone(&self.account),
            key: self.key.as_ref().map(|compiled| compiled.key.id),
            session: self.session.as_ref().map(|session| session.id),
        }
    }

    /// How he showed who he is.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        self.method
    }
}

impl Authenticated {
    /// Whether what he came with reaches this: everything but an API key that was made for less does.
    fn reaches(&self, asked: Asked<'_>) -> Result<(), Reason> {
        let Asked { method, path, matrix } = asked;
        let reached = |key: &Arc<CompiledKey>| key.reaches(&self.account, method, path, matrix);
        if self.key.as_ref().is_none_or(reached) { Ok(()) } else { Err(Reason::Forbidden) }
    }
}

/// Who somebody was: for those who write down what happened. It proves nothing.
#[derive(Clone)]
pub struct Identity {
    /// The user.
    pub account: Arc<Account>,
    /// The public id of the API key that he came with, if it was one.
    pub key: Option<KeyId>,
    /// The public id of the session that he came with, if it was one.
    pub session: Option<SessionId>,
}

/// Who asks.
pub enum Caller {
    /// Nobody in particular: the action he asks for needs no login, so nobody looked.
    Anonymous,
    /// Somebody who is known.
    Known(Authenticated),
}

impl Caller {
    /// Whether he may have what is demanded.
    fn meets(&self, snapshot: &Snapshot, demand: Demand<'_>) -> Result<(), Reason> {
        match (demand, self) {
            (Demand::Public, _) => Ok(()),
            (Demand::Login(_) | Demand::Permission(_), Self::Anonymous) => Err(Reason::NoCredentials),
            (Demand::Login(asked), Self::Known(known)) => known.reaches(asked),
            (Demand::Permission(asked), Self::Known(known)) => {
                let Asked { method, path, matrix } = asked;
                snapshot.permission(&known.account, method, path, matrix).ok_or(Reason::Forbidden)?;
                known.reaches(asked)
            }
        }
    }

    /// The one who is known, if he is.
    #[must_use]
    pub fn known(&self) -> Option<&Authenticated> {
        match self {
            Self::Anonymous => None,
            Self::Known(authenticated) => Some(authenticated),
        }
    }
}

/// What an action asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand<'a> {
    /// Nothing: a public door.
    Public,
    /// A login, whatever the user's permissions: one's own session. An API key that may not do all that its user may must
    /// reach it all the same.
    Login(Asked<'a>),
    /// A permission for this method on this path below the mount.
    Permission(Asked<'a>),
}

/// What permissions are judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The method.
    pub method: Method,
    /// The path below the mount, exactly as it will be forwarded or performed.
    pub path: &'a str,
    /// How the one who serves the path reads matrix parameters.
    pub matrix: Matrix,
}

/// Something that can be asked for. Its demand is computed of what will be done, never of anything beside it.
pub trait Action {
    /// Its stable name, for logs and the permission matrix.
    fn name(&self) -> &'static str;
    /// What it asks of its caller.
    fn demand(&self) -> Demand<'_>;
    /// The client's address: told to those who write down who did what.
    fn client(&self) -> IpAddr;
    /// Whether an operation of ours performs it, which waits and changes things, and so is judged again.
    fn is_operation(&self) -> bool {
        false
    }
}

/// The permission to do `A`, once. Contains the very action that was judged.
pub struct Authorized<A> {
    action: A,
    caller: Caller,
}

impl<A: Action> Authorized<A> {
    /// Judges whether `caller` may do `action`, by the directory as it is in `snapshot`.
    ///
    /// # Errors
    /// [`Reason::NoCredentials`] (not known: log in) or [`Reason::Forbidden`] (known: don't).
    pub fn judge(snapshot: &Snapshot, caller: Caller, action: A) -> Result<Self, Reason> {
        caller.meets(snapshot, action.demand())?;
        Ok(Self { action, caller })
    }

    /// What may be done.
    #[must_use]
    pub fn action(&self) -> &A {
        &self.action
    }

    /// Spends the permission: the action, to be done now, and the proof for those who help with it.
    #[must_use]
    pub fn spend(self) -> (A, Permit) {
        let asked = match self.action.demand() {
            Demand::Login(asked) | Demand::Permission(asked) if self.action.is_operation() => Some(Kept {
                method: asked.method,
                path: Box::from(asked.path),
                matrix: asked.matrix,
                is_login: matches!(self.action.demand(), Demand::Login(_)),
            }),
            _ => None,
        };
        let permit =
            Permit { action: self.action.name(), client: self.action.client(), caller: self.caller, asked };
        (self.action, permit)
    }
}

/// Proof that an action was authorized, handed to the operation that performs it.
pub struct Permit {
    action: &'static str,
    client: IpAddr,
    caller: Caller,
    /// What was judged, where an operation performs it.
    asked: Option<Kept>,
}

/// An [`Asked`] that outlives its request's parts.
struct Kept {
    method: Method,
    path: Box<str>,
    matrix: Matrix,
    is_login: bool,
}

impl Kept {
    fn demand(&self) -> Demand<'_> {
        let asked = Asked { method: self.method, path: &self.path, matrix: self.matrix };
        if self.is_login { Demand::Login(asked) } else { Demand::Permission(asked) }
    }
}

impl Permit {
    /// Judges again what this permits, as everything is now: who asks may have been shut out since, or have lost the
    /// permission. Asked whenever something was waited for, and where a change is made.
    ///
    /// # Errors
    /// Why it is permitted no more.
    pub fn again(&self, snapshot: &Snapshot, now: Moment) -> Result<Caller, Reason> {
        let caller = match &self.caller {
            Caller::Anonymous => Caller::Anonymous,
            Caller::Known(known) => Caller::Known(known.again(snapshot, now)?),
        };
        if let Some(asked) = &self.asked {
            caller.meets(snapshot, asked.demand())?;
        }
        Ok(caller)
    }

    /// The permit of the caller as he is now.
    ///
    /// # Errors
    /// As [`again`](Self::again).
    pub fn renewed(self, snapshot: &Snapshot, now: Moment) -> Result<Self, Reason> {
        Ok(Self { caller: self.again(snapshot, now)?, ..self })
    }

    /// The name of the action that was authorized.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Who asked.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The client's address.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// Whether this is the permit for the action called `name`. An operation asks this first: a permit for one thing
    /// is none for another.
    ///
    /// # Errors
    /// [`Reason::Forbidden`] where it is not; that is a mistake in the wiring, and it fails closed.
    pub fn expect(&self, name: &str) -> Result<(), Reason> {
        if self.action == name { Ok(()) } else { Err(Reason::Forbidden) }
    }
}
