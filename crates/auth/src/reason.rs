//! Why somebody was not let in: rich inside, for the log; the dialects say a terse answer for each outside.

use std::borrow::Cow;
use std::time::Duration;

use crate::realm::Rejection;
use crate::words::session::EndReason;

/// Every way in which the kernel says no. Dialects match on it without a wildcard, so that a new one gets its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No credentials were shown where some are needed.
    NoCredentials,
    /// Credentials that cannot be read; what is wrong with them.
    MalformedCredentials(&'static str),
    /// Two session cookies with different values: never "first wins".
    ConflictingCookies,
    /// A token that names no session here: never given out, forgotten, or of another scope.
    SessionUnknown,
    /// The session idled too long.
    SessionIdle,
    /// The session is older than its maximum.
    SessionTooOld,
    /// The session was ended on purpose.
    SessionEnded(EndReason),
    /// The session's user is disabled or gone.
    SessionUserGone,
    /// No such realm.
    UnknownRealm,
    /// The realm is switched off.
    RealmDisabled,
    /// The realm could not be asked; never counted as an attempt.
    RealmUnavailable(Cow<'static, str>),
    /// No such user.
    UnknownUser,
    /// The wrong password.
    WrongPassword,
    /// The right password of a user who is not enabled.
    UserDisabled,
    /// His realm says that his account was for a time that is over.
    AccountExpired,
    /// His realm says that his account is locked.
    AccountLocked,
    /// His realm says that his password is too old.
    PasswordExpired,
    /// His realm wants him to choose another password first.
    MustChangePassword,
    /// His realm does not let him in at this time, or from here.
    LoginNotAllowed,
    /// Too many failures before; when the next attempt is looked at.
    TooManyAttempts {
        /// Wait this long; more than zero.
        retry_after: Duration,
    },
    /// A bearer token that nobody vouches for.
    InvalidToken,
    /// An API key that names none: never given out, taken back, or of a user who is out.
    UnknownKey,
    /// An API key that has stopped counting.
    KeyExpired,
    /// The user has as many sessions as he may, and the newest is the one that is refused.
    TooManySessions,
    /// No such app.
    UnknownApp,
    /// The session is too old for what was asked: show the password again.
    NotRecent,
    /// The session asks its clients to say its token a second time, and this one did not.
    NotRepeated,
    /// Known, but no permission covers the request.
    Forbidden,
    /// A page of another site tried to use the client's cookie for a change.
    CrossSite,
    /// The store could not write; what was asked for is not done.
    StoreFailed,
}

impl Reason {
    /// More about it for the operator, where there is more.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::MalformedCredentials(what) => Some(what),
            Self::RealmUnavailable(what) => Some(what),
            _ => None,
        }
    }

    /// The stable word for logs, audit and metrics.
    #[must_use]
    pub const fn reason_id(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::MalformedCredentials(_) => "malformed_credentials",
            Self::ConflictingCookies => "conflicting_cookies",
            Self::SessionUnknown => "session_unknown",
            Self::SessionIdle => "session_idle",
            Self::SessionTooOld => "session_too_old",
            Self::SessionEnded(_) => "session_ended",
            Self::SessionUserGone => "session_user_gone",
            Self::UnknownRealm => "unknown_realm",
            Self::RealmDisabled => "realm_disabled",
            Self::RealmUnavailable(_) => "realm_unavailable",
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::UserDisabled => "user_disabled",
            Self::AccountExpired => "account_expired",
            Self::AccountLocked => "account_locked",
            Self::PasswordExpired => "password_expired",
            Self::MustChangePassword => "password_must_change",
            Self::LoginNotAllowed => "login_not_allowed",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::InvalidToken => "invalid_token",
            Self::UnknownKey => "unknown_key",
            Self::KeyExpired => "key_expired",
            Self::TooManySessions => "too_many_sessions",
            Self::UnknownApp => "unknown_app",
            Self::NotRecent => "not_recent",
            Self::NotRepeated => "not_repeated",
            Self::Forbidden => "forbidden",
            Self::CrossSite => "cross_site",
            Self::StoreFailed => "store_failed",
        }
    }
}

impl From<Rejection> for Reason {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::WrongPassword => Self::WrongPassword,
            Rejection::Disabled => Self::UserDisabled,
            Rejection::Expired => Self::AccountExpired,
            Rejection::Locked => Self::AccountLocked,
            Rejection::PasswordExpired => Self::PasswordExpired,
            Rejection::MustChangePassword => Self::MustChangePassword,
            Rejection::NotAllowed => Self::LoginNotAllowed,
        }
    }
}

impl From<EndReason> for Reason {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Idle => Self::SessionIdle,
            EndReason::Maximum => Self::SessionTooOld,
            EndReason::Logout
            | EndReason::Revoked
            | EndReason::UserChanged
            | EndReason::Replaced
            | EndReason::Evicted
            | EndReason::Refused => Self::SessionEnded(reason),
        }
    }
}
