//! `token.create`: a login for a bearer token.

use std::net::IpAddr;
use std::sync::Arc;

use auth::directory::Account;
use auth::trust::Permit;
use auth::{
    BearerClaims, BearerText, LoggedIn, LoginRequest, Presented, PresentedPassword, RealmChoice, Reason,
    Scope, SessionId, Username,
};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "token.create";

/// Logs in; `write` writes the token, once it is known what for. Its session is on disk when this resolves.
///
/// # Errors
/// [`Error::Kernel`] with why not.
pub async fn run(
    services: &Services,
    permit: &Permit,
    request: LoginRequest,
    write: impl FnOnce(&Arc<Account>, SessionId) -> Result<BearerText, Reason>,
) -> Result<(LoggedIn, BearerText), Error> {
    permit.expect(NAME)?;
    Ok(services.kernel.login_for_token(request, write).await?)
}

/// Refuses somebody who shows a password that nobody can have. No realm is asked, and it is told of as any login that fails.
pub async fn refuse(
    services: &Services,
    permit: &Permit,
    realm: RealmChoice,
    username: Username,
    client: IpAddr,
) -> Error {
    if let Err(reason) = permit.expect(NAME) {
        return reason.into();
    }
    let shown = PresentedPassword { realm, username, password: None };
    let presented = Presented { password: Some(shown), ..Presented::default() };
    // Whatever the scope: no session was shown.
    let known = services.kernel.authenticate(presented, &Scope::new(""), client, false).await;
    known.err().unwrap_or(Reason::WrongPassword).into()
}

/// As [`run`], for a token that others can verify: a signed JWT (RFC 7519) that lives no longer than its session may.
///
/// # Errors
/// [`Error::Kernel`] with why not, [`Error::Unsigned`].
pub async fn signed(
    services: &Services,
    permit: &Permit,
    request: LoginRequest,
) -> Result<(LoggedIn, BearerText), Error> {
    let (kernel, life) = (&services.kernel, request.limits.max_lifetime);
    let mut unsigned = None;
    let write = |account: &Arc<Account>, session| {
        let now = kernel.clock().now();
        let subject = account.user.id;
        let claims = BearerClaims { subject, session, expires: now.plus(life), unique: *kernel.draw() };
        let token = services.signatory.bearer_token(&kernel.directory().present(), &claims, now);
        token.map_err(|fault| {
            unsigned = Some(fault);
            Reason::StoreFailed
        })
    };
    let made = run(services, permit, request, write).await;
    unsigned.map_or(made, |fault| Err(Error::Unsigned(fault)))
}
