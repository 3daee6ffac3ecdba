//! What the tokens say (RFC 7519, section 4; OpenID Connect Core, section 2, for `auth_time` and `amr`).
//!
//! Called by `signer.rs`. Must never hold a credential, and must never claim what the gateway does not know.

use auth::{AuthMethod, Moment, RealmName, RoleName, SessionId, UserId};
use serde::{Serialize, Serializer};

/// An identity token's claims.
#[derive(Serialize)]
pub(crate) struct IdentityClaims<'a> {
    pub(crate) iss: &'a str,
    /// The user's id.
    pub(crate) sub: &'a str,
    pub(crate) aud: &'a str,
    pub(crate) iat: Seconds,
    pub(crate) exp: Seconds,
    /// The user's name as it is shown.
    pub(crate) name: &'a str,
    pub(crate) realm: &'a RealmName,
    /// The roles that count for him.
    pub(crate) roles: &'a [RoleName],
    /// The session's public id, where he came with a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<Text<SessionId>>,
    /// When he logged in, where he came with a session: else he proves who he is with each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<Seconds>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    pub(crate) amr: &'static [&'static str],
}

/// A bearer token's claims: those that RFC 9068, section 2.2 asks for, and the session.
#[derive(Serialize)]
pub(crate) struct BearerTokenClaims<'a> {
    pub(crate) iss: &'a str,
    pub(crate) sub: Text<UserId>,
    /// The client is the user: he got it for his own password (RFC 9068, section 2.2).
    pub(crate) client_id: Text<UserId>,
    pub(crate) aud: &'a str,
    pub(crate) iat: Seconds,
    pub(crate) exp: Seconds,
    pub(crate) sid: Text<SessionId>,
    pub(crate) jti: String,
}

/// A moment of the wall clock as a `NumericDate` (RFC 7519, section 2), in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seconds(u64);

impl Seconds {
    /// The second that `moment` is in.
    pub(crate) const fn of(moment: Moment) -> Self {
        Self(moment.as_millis() / 1_000)
    }

    /// Its beginning.
    pub(crate) const fn start(self) -> Moment {
        Moment::from_millis(self.0.saturating_mul(1_000))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// An id in its one spelling.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What RFC 8176, section 2 calls this way of authentication; nothing where it has no word for it.
pub(crate) const fn amr(method: AuthMethod) -> &'static [&'static str] {
    match method {
        AuthMethod::Password | AuthMethod::Basic | AuthMethod::Token => &["pwd"],
        // "Proof-of-possession of a software-secured key".
        AuthMethod::ApiKey => &["swk"],
        // Somebody in front of the gateway knows how it was; the gateway does not.
        AuthMethod::Header => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rfc_7519_times_are_whole_seconds() {
        let seconds = Seconds::of(Moment::from_millis(1_748_441_115_999));
        assert_eq!(serde_json::to_string(&seconds).unwrap(), "1748441115");
        assert_eq!(seconds.start(), Moment::from_millis(1_748_441_115_000));
        assert_eq!(
            Seconds::of(Moment::default().plus(Duration::MAX)).start().plus(Duration::MAX).as_millis(),
            u64::MAX
        );
    }

    #[test]
    fn rfc_8176_words() {
        assert_eq!(amr(AuthMethod::Password), ["pwd"]);
        assert_eq!(amr(AuthMethod::Basic), ["pwd"]);
        assert_eq!(amr(AuthMethod::Token), ["pwd"], "it was got for a password");
        assert_eq!(amr(AuthMethod::ApiKey), ["swk"]);
        assert!(amr(AuthMethod::Header).is_empty());
    }
}
