//! `token.introspect`: what a bearer token is worth, for backends that were shown one (RFC 7662).

use std::sync::Arc;

use auth::directory::{Account, CompiledKey};
use auth::trust::{Authenticated, Permit};
use auth::{BearerText, KeyText, Moment, Scope, SessionId};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "token.introspect";

/// A token that counts: one of a session, or an API key, which every mount takes as one.
pub struct Live {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The public id of its session; a key has none.
    pub session: Option<SessionId>,
    /// The key, if it is one: it may be for less than its user may.
    pub key: Option<Arc<CompiledKey>>,
    /// When it was given, by the wall clock.
    pub issued: Moment,
    /// When it ends at the latest, by the wall clock; `None` where nothing says so. It may end before that.
    pub expires: Option<Moment>,
}

/// What this token is; `None` where it does not count here now, whatever the reason. Being told of is no activity of its session and
/// no use of a key.
///
/// # Errors
/// [`Error::Kernel`].
pub fn run(
    services: &Services,
    permit: &Permit,
    token: &BearerText,
    scope: &Scope,
) -> Result<Option<Live>, Error> {
    permit.expect(NAME)?;
    let clock = services.kernel.clock();
    let (now, wall) = (clock.now(), clock.wall());
    let begun = |created: Moment| wall.minus(now.since(created));
    let ends = |expires: Moment| wall.plus(expires.since(now));
    // No other token has the form of a key.
    if let Some(key) = KeyText::presented(token.expose()) {
        let known = Authenticated::key_in_force(&services.kernel.directory().present(), &key, now);
        return Ok(known.map(|(key, account)| Live {
            account,
            session: None,
            issued: begun(key.key.created),
            expires: key.key.expires.map(ends),
            key: Some(key),
        }));
    }
    let Some((session, account)) = services.kernel.introspect(token, scope) else { return Ok(None) };
    Ok(Some(Live {
        account,
        session: Some(session.id),
        key: None,
        issued: begun(session.created),
        expires: Some(ends(session.created.plus(session.limits.max_lifetime))),
    }))
}
