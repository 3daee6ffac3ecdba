//! What happened, for those who must be able to tell afterwards: one event for every login, failure, throttle, logout,
//! expiry, revocation, denial and change. The kernel tells its witness; it never waits for him and never fails because
//! of him. Events are told before the store is asked to write what they are about, so that a witness who writes to the
//! same store has his line on disk with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::reason::Reason;
use crate::sessions::Session;
use crate::store::StoreError;
use crate::trust::Identity;
use crate::words::audit::AuditEntry;
use crate::words::clock::Moment;
use crate::words::credential::AuthMethod;
use crate::words::ids::{KeyId, SessionId, UserId};
use crate::words::session::EndReason;

/// Somebody who is known, as he was called then: his record may be gone when somebody asks who he was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somebody {
    /// His id.
    pub id: Box<str>,
    /// His name.
    pub name: Box<str>,
    /// The public id of the API key that he came with, if it was one.
    pub key: Option<KeyId>,
    /// The public id of the session that he came with, if it was one.
    pub session: Option<SessionId>,
}

impl From<&Identity> for Somebody {
    fn from(Identity { account, key, session }: &Identity) -> Self {
        Self {
            id: account.id_text.clone(),
            name: Box::from(account.user.username.shown()),
            key: *key,
            session: *session,
        }
    }
}

/// One event. Holds no secret: session tokens, keys and passwords have no way in.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody logged in.
    Login {
        /// His new session.
        session: Arc<Session>,
        /// His name.
        username: Box<str>,
    },
    /// Somebody showed a good password or API key along with a request, for the first time in a while.
    Verified {
        /// Who.
        user: UserId,
        /// His name.
        username: Box<str>,
        /// His realm.
        realm: Box<str>,
        /// The client's address.
        address: IpAddr,
        /// What he showed.
        method: AuthMethod,
        /// The key's public id, if it was one.
        key: Option<KeyId>,
    },
    /// A credential was refused.
    LoginFailed {
        /// The realm as presented.
        realm: Box<str>,
        /// The name as presented.
        username: Box<str>,
        /// The client's address.
        address: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// An address shows more unknown tokens or keys than can be a mistake.
    Guessing {
        /// The client's address.
        address: IpAddr,
        /// What it guesses at.
        what: &'static str,
    },
    /// A session ended.
    SessionEnded {
        /// The session.
        session: Arc<Session>,
        /// Its user's name, where he is still there.
        username: Option<Box<str>>,
        /// Why.
        reason: EndReason,
        /// Who ended it, where it was somebody else than its own user or the clock.
        by: Option<Somebody>,
    },
    /// A known user asked for something that he may not have, or a stranger for something that needs a login.
    Denied {
        /// Who, if he is known.
        user: Option<Somebody>,
        /// What he asked for, in the words of the log.
        action: Box<str>,
        /// The client's address.
        address: IpAddr,
        /// The stable word for why.
        reason_id: &'static str,
    },
    /// The directory was changed.
    DirectoryChanged {
        /// Who did it; `None` for the first start and the settings.
        by: Option<Somebody>,
        /// Where he did it from.
        address: Option<IpAddr>,
        /// The operation: `user.create`, `role.delete` …
        operation: &'static str,
        /// What it was done to: its id.
        subject: Box<str>,
        /// What it is after the change, as far as it is no secret.
        detail: Box<str>,
    },
    /// Somebody did something that changed nothing here, and that others should know of.
    Performed {
        /// Who did it.
        by: Option<Somebody>,
        /// Where he did it from.
        address: IpAddr,
        /// The operation: `realm.test` …
        operation: &'static str,
        /// What it was done to: its id.
        subject: Box<str>,
        /// More about it, as far as it is no secret.
        detail: Box<str>,
    },
    /// Something that an operator did: started, stopped, read settings, restored a backup.
    Operated {
        /// What: `server.start`, `settings.reload` …
        operation: &'static str,
        /// More about it.
        detail: Box<str>,
    },
    /// More failures or denials of one address than are written down one by one.
    Repeated {
        /// The client's address, of IPv6 the network's; `None` for those of more addresses than are counted apart.
        address: Option<IpAddr>,
        /// Of which kind: the event's word.
        kind: &'static str,
        /// How many more.
        count: u64,
    },
}

impl Event {
    /// The same change of the directory, with a reason behind its detail.
    #[must_use]
    pub(crate) fn because(mut self, why: &str) -> Self {
        if let Self::DirectoryChanged { detail, .. } = &mut self {
            *detail = format!("{detail}; because: {why}").into_boxed_str();
        }
        self
    }

    /// The stable word for logs.
    #[must_use]
    pub const fn event_id(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::Verified { .. } => "credential_verified",
            Self::LoginFailed { reason: Reason::TooManyAttempts { .. }, .. } => "login_throttled",
            Self::LoginFailed { .. } => "login_failed",
            Self::Guessing { .. } => "guessing",
            Self::SessionEnded { .. } => "session_ended",
            Self::Denied { .. } => "denied",
            Self::DirectoryChanged { .. } => "directory_changed",
            Self::Performed { .. } => "performed",
            Self::Operated { .. } => "operated",
            Self::Repeated { .. } => "failures_repeated",
        }
    }

    /// That the store could not write what was told before.
    #[must_use]
    pub fn failed(operation: &'static str, error: &StoreError) -> Self {
        Self::Operated { operation, detail: error.0.clone().into_boxed_str() }
    }

    /// Whether it is something that did not work: what an operator looks at first.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::LoginFailed { .. } | Self::Guessing { .. } | Self::Denied { .. } | Self::Repeated { .. }
        )
    }

    /// The address of a failure, whose number strangers decide.
    #[must_use]
    pub fn failing_address(&self) -> Option<IpAddr> {
        match self {
            Self::LoginFailed { address, .. } | Self::Denied { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// The event as a line: its word and what is known of it, in dotted names.
    #[must_use]
    pub fn entry(&self, at: Moment) -> AuditEntry {
        let mut fields = Fields::default();
        match self {
            Self::Login { session, username } => {
                fields.say("user.name", username).say("client.address", session.origin.address);
                fields.session(session).say("method", session.method.as_str());
            }
            Self::Verified { user, username, realm, address, method, key } => {
                fields.may_say("key.id", *key);
                fields.say("user.id", user).say("user.name", username).say("realm.name", realm);
                fields.say("client.address", address).say("method", method.as_str());
            }
            Self::LoginFailed { realm, username, address, reason } => {
                fields.say("user.name", username).say("realm.name", realm);
                fields.say("client.address", address).say("reason", reason.reason_id());
                fields.may_say("detail", reason.detail());
            }
            Self::Guessing { address, what } => {
                fields.say("client.address", address).say("what", what);
            }
            Self::SessionEnded { session, username, reason, by } => {
                fields.may_say("user.name", username.as_deref());
                fields.session(session).say("reason", reason.as_str()).by(by.as_ref());
            }
            Self::Denied { user, action, address, reason_id } => {
                fields.may_say("user.id", user.as_ref().map(|user| &user.id));
                fields.may_say("user.name", user.as_ref().map(|user| &user.name)).say("action", action);
                fields.may_say("key.id", user.as_ref().and_then(|user| user.key));
                fields.may_say("session.id", user.as_ref().and_then(|user| user.session));
                fields.say("client.address", address).say("reason", reason_id);
            }
            Self::DirectoryChanged { by, address, operation, subject, detail } => {
                fields.by(by.as_ref()).may_say("client.address", *address);
                fields.say("operation", operation).say("subject", subject);
                fields.may_say("detail", Some(&**detail).filter(|detail| !detail.is_empty()));
            }
            Self::Performed { by, address, operation, subject, detail } => {
                fields.by(by.as_ref()).say("client.address", address);
                fields.say("operation", operation).say("subject", subject).say("detail", detail);
            }
            Self::Operated { operation, detail } => {
                fields.say("operation", operation);
                fields.may_say("detail", Some(&**detail).filter(|detail| !detail.is_empty()));
            }
            Self::Repeated { address, kind, count } => {
                fields.say("what", kind);
                fields.may_say("client.address", *address).say("count", count);
            }
        }
        AuditEntry { at, event: Cow::Borrowed(self.event_id()), fields: fields.0 }
    }
}

#[derive(Default)]
struct Fields(BTreeMap<Cow<'static, str>, Box<str>>);

impl Fields {
    fn say(&mut self, name: &'static str, value: impl std::fmt::Display) -> &mut Self {
        self.0.insert(Cow::Borrowed(name), value.to_string().into_boxed_str());
        self
    }

    fn may_say(&mut self, name: &'static str, value: Option<impl std::fmt::Display>) -> &mut Self {
        match value {
            Some(value) => self.say(name, value),
            None => self,
        }
    }

    fn by(&mut self, by: Option<&Somebody>) -> &mut Self {
        self.may_say("by", by.map(|by| &by.id)).may_say("by.name", by.map(|by| &by.name));
        self.may_say("by.session", by.and_then(|by| by.session)).may_say("key.id", by.and_then(|by| by.key))
    }

    fn session(&mut self, session: &Session) -> &mut Self {
        self.say("session.id", session.id).say("user.id", session.user).say("realm.name", &session.realm);
        self.say("mount", session.scope.as_str()).may_say("app", session.app.as_ref())
    }
}

/// Takes note of events. Must return at once.
pub trait Witness: Send + Sync {
    /// This happened.
    fn note(&self, event: &Event);
}

/// A witness who forgets.
pub struct Nobody;

impl Witness for Nobody {
    fn note(&self, _: &Event) {}
}

/// Several witnesses, who hear the same.
pub struct Witnesses(pub Vec<Arc<dyn Witness>>);

impl Witness for Witnesses {
    fn note(&self, event: &Event) {
        for witness in &self.0 {
            witness.note(event);
        }
    }
}
