//! What a session is, as it is stored. The rules about it are in `sessions/`.

use std::net::IpAddr;
use std::time::Duration;

use super::clock::Moment;
use super::credential::AuthMethod;
use super::ids::{SessionId, UserId};
use super::names::{AppName, RealmName, Scope};
use super::token::TokenHash;

/// How long a session may idle and how long it may live, fixed when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    /// Ends this long after the last activity.
    pub idle_timeout: Duration,
    /// Ends this long after the login, active or not.
    pub max_lifetime: Duration,
}

/// Where a session came from: told to people in lists, never used to decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The client's address (behind a trusted proxy: the one that the proxy reports).
    pub address: IpAddr,
    /// The client's `User-Agent`, cut to [`crate::limits::MAX_USER_AGENT_BYTES`].
    pub user_agent: Option<Box<str>>,
}

impl Origin {
    /// An origin with the user agent cut to its limit.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|text| {
            let mut end = text.len().min(crate::limits::MAX_USER_AGENT_BYTES);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            Box::from(&text[..end])
        });
        Self { address, user_agent }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum EndReason {
    /// The client logged out.
    Logout,
    /// No activity for too long.
    Idle,
    /// Older than its maximum, active or not.
    Maximum,
    /// Ended by the user from another session, or by an administrator.
    Revoked,
    /// The user's password changed, or the user was disabled or deleted.
    UserChanged,
    /// The same client logged in again.
    Replaced,
    /// The user had more sessions than his cap allows.
    Evicted,
    /// It was one more than the user's cap allows, and the newest is the one that goes.
    Refused,
}

impl EndReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::Idle,
        Self::Maximum,
        Self::Revoked,
        Self::UserChanged,
        Self::Replaced,
        Self::Evicted,
        Self::Refused,
    ];

    /// The stable word for logs, lists and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Idle => "idle",
            Self::Maximum => "maximum",
            Self::Revoked => "revoked",
            Self::UserChanged => "user_changed",
            Self::Replaced => "replaced",
            Self::Evicted => "evicted",
            Self::Refused => "refused",
        }
    }

    /// From the word a store kept.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// That a session ended, when and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: EndReason,
}

/// A session as stores keep it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    /// Hash of the token; the key.
    pub token: TokenHash,
    /// The public id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The realm that vouched for him.
    pub realm: RealmName,
    /// Where it counts.
    pub scope: Scope,
    /// The app that it was made for: told to people in lists, never used to decide.
    pub app: Option<AppName>,
    /// How he logged in.
    pub method: AuthMethod,
    /// When he logged in.
    pub created: Moment,
    /// The last activity that was written down.
    pub last_seen: Moment,
    /// Its limits.
    pub limits: SessionLimits,
    /// Where the login came from.
    pub origin: Origin,
    /// Whether its clients must say the token a second time, where no page of another site can.
    pub is_guarded: bool,
    /// The session that was shown as a bearer token when this one was begun, and that this one ends with.
    pub parent: Option<Box<SessionId>>,
    /// Its end, once it has one.
    pub ended: Option<Ended>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_word() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::parse("logged_out"), None);
    }

    #[test]
    fn user_agents_are_cut_on_a_character() {
        let long = "ä".repeat(200);
        let origin = Origin::new(IpAddr::from([127, 0, 0, 1]), Some(&long));
        assert_eq!(origin.user_agent.unwrap().len(), crate::limits::MAX_USER_AGENT_BYTES);
        let odd = format!("x{long}");
        let origin = Origin::new(IpAddr::from([127, 0, 0, 1]), Some(&odd));
        assert_eq!(origin.user_agent.unwrap().len(), crate::limits::MAX_USER_AGENT_BYTES - 1);
    }
}
