//! What the checker drives: anything that makes, takes and ends credentials.
//!
//! Implemented by tests. An implementation must never try an operation again, or answer of itself: what it could not get an
//! answer to is [`Told::Lost`].

use std::sync::Arc;

use auth::Pending;

/// Who and what there is in a system, by number. User n belongs to realm n modulo `realms` and to role n modulo `roles`.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Users. All exist at first, enabled, granted, with password 1.
    pub users: usize,
    /// Realms, on at first. The one who administers comes from another.
    pub realms: usize,
    /// Roles, each of which allows [`Door::Guarded`] at first.
    pub roles: usize,
    /// Apps.
    pub apps: usize,
}

impl Shape {
    /// The realm of this user.
    #[must_use]
    pub fn realm(&self, user: usize) -> usize {
        user % self.realms
    }

    /// The role that this user has while it is granted to him.
    #[must_use]
    pub fn role(&self, user: usize) -> usize {
        user % self.roles
    }
}

/// What a client shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Credential {
    /// A session's token.
    Session(String),
    /// A user's name and his password of this number.
    Basic(usize, u32),
    /// An API key's text.
    Key(String),
}

/// What a client wants to use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Door {
    /// Something that every user may have.
    Open,
    /// Something that a user may have while his role is granted to him and allows it.
    Guarded,
}

/// Something that a client asks of a system.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Logs a user in with his password of this number, for an app.
    LogIn {
        /// The user.
        user: usize,
        /// The number of the password.
        password: u32,
        /// The app.
        app: usize,
    },
    /// Asks for something.
    Use {
        /// What is shown.
        credential: Arc<Credential>,
        /// What for.
        door: Door,
    },
    /// Ends a session by its token.
    LogOut {
        /// Its token.
        session: Arc<Credential>,
    },
    /// Ends a user's session by its public id.
    EndSession {
        /// The user.
        user: usize,
        /// Its token.
        session: Arc<Credential>,
    },
    /// Ends all sessions of a user.
    EndUser {
        /// The user.
        user: usize,
    },
    /// Ends all sessions of a realm.
    EndRealm {
        /// The realm.
        realm: usize,
    },
    /// Ends all sessions of an app.
    EndApp {
        /// The app.
        app: usize,
    },
    /// Lets a user in, or not.
    SetEnabled {
        /// The user.
        user: usize,
        /// Whether it is let in from now on.
        enabled: bool,
    },
    /// Gives a user his password of this number.
    SetPassword {
        /// The user.
        user: usize,
        /// The number of the password.
        password: u32,
    },
    /// Grants a user his role, or takes it away.
    SetGranted {
        /// The user.
        user: usize,
        /// Whether he has it from now on.
        granted: bool,
    },
    /// Deletes a user.
    Delete {
        /// The user.
        user: usize,
    },
    /// Makes a deleted user anew, enabled and granted, with his password of this number.
    Create {
        /// The user.
        user: usize,
        /// The number of the password.
        password: u32,
    },
    /// Makes an API key of a user.
    MakeKey {
        /// The user.
        user: usize,
    },
    /// Takes an API key back.
    RevokeKey {
        /// Its text.
        key: Arc<Credential>,
    },
    /// Lets a role allow [`Door::Guarded`], or not.
    SetRole {
        /// The role.
        role: usize,
        /// Whether it does from now on.
        allows: bool,
    },
    /// Switches a realm on or off.
    SetRealm {
        /// The realm.
        realm: usize,
        /// Whether it is let in from now on.
        enabled: bool,
    },
    /// The system dies in the middle of whatever it does, and is started again.
    Restart,
}

/// What a system answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// It is done, or let in.
    Done,
    /// It is done, and this is what was made: a session's token, a key's text.
    Made(String),
    /// Nobody is known by this (401).
    Unknown,
    /// Known, but may not (403).
    Forbidden,
    /// Not now (429, 503): nothing was said about the credential.
    Busy,
    /// No answer: it may have happened, may happen yet, or never.
    Lost,
}

/// Something that makes, takes and ends credentials.
pub trait System: Send + Sync {
    /// Does one thing, once.
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told>;
}
