//! What happened, for those who must be able to tell afterwards: one event for every login, failure, throttle, logout,
//! expiry, denial and change. The kernel tells its witness; it never waits for him and never fails because of him.

use std::net::IpAddr;
use std::sync::Arc;

use crate::sessions::Session;
use crate::words::session::EndReason;

/// One event. Holds no secret: session tokens and passwords have no way in.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody logged in.
    Login {
        /// His new session.
        session: Arc<Session>,
        /// His name.
        username: Box<str>,
    },
    /// A credential was refused.
    LoginFailed {
        /// The realm as presented.
        realm: Box<str>,
        /// The name as presented.
        username: Box<str>,
        /// The client's address.
        address: IpAddr,
        /// The stable word for why.
        reason_id: &'static str,
    },
    /// A session ended.
    SessionEnded {
        /// The session.
        session: Arc<Session>,
        /// Why.
        reason: EndReason,
    },
    /// A known user asked for something that he may not have, or a stranger for something that needs a login.
    Denied {
        /// The user's id, if he is known.
        user: Option<Box<str>>,
        /// What he asked for, in the words of the log.
        action: Box<str>,
        /// The client's address.
        address: IpAddr,
        /// The stable word for why.
        reason_id: &'static str,
    },
    /// The directory was changed.
    DirectoryChanged {
        /// The user's id who did it; `None` for the first start and the settings.
        by: Option<Box<str>>,
        /// The operation: `user.create`, `role.delete` …
        operation: &'static str,
        /// What it was done to.
        subject: Box<str>,
    },
}

impl Event {
    /// The stable word for logs.
    #[must_use]
    pub const fn event_id(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::LoginFailed { .. } => "login_failed",
            Self::SessionEnded { .. } => "session_ended",
            Self::Denied { .. } => "denied",
            Self::DirectoryChanged { .. } => "directory_changed",
        }
    }
}

/// Takes note of events. Must return at once.
pub trait Witness: Send + Sync {
    /// This happened.
    fn note(&self, event: Event);
}

/// A witness who forgets.
pub struct Nobody;

impl Witness for Nobody {
    fn note(&self, _: Event) {}
}
