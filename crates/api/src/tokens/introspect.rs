//! `token.introspect`: what a bearer token is worth, for backends that were shown one (RFC 7662).

use std::sync::Arc;

use auth::directory::Account;
use auth::trust::Permit;
use auth::{BearerText, Moment, Scope, SessionId};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "token.introspect";

/// A token that counts.
pub struct Live {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The public id of its session.
    pub session: SessionId,
    /// When it was given, by the wall clock.
    pub issued: Moment,
    /// When it ends at the latest, by the wall clock. It may end before that.
    pub expires: Moment,
}

/// What this token is; `None` where it does not count here now, whatever the reason. Its session does not live longer for it.
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
    let Some((session, account)) = services.kernel.introspect(token, scope) else { return Ok(None) };
    let clock = services.kernel.clock();
    let (now, wall) = (clock.now(), clock.wall());
    let expires = session.created.plus(session.limits.max_lifetime);
    Ok(Some(Live {
        account,
        session: session.id,
        issued: wall.minus(now.since(session.created)),
        expires: wall.plus(expires.since(now)),
    }))
}
