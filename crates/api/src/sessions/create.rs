//! `session.create`: a login.

use auth::trust::Permit;
use auth::{LoggedIn, LoginRequest, SessionToken};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "session.create";

/// Logs in. The session is on disk when this resolves; `token` is what the client gets for it.
///
/// # Errors
/// [`Error::Kernel`] with why not.
pub async fn run(
    services: &Services,
    permit: &Permit,
    token: &SessionToken,
    request: LoginRequest,
) -> Result<LoggedIn, Error> {
    permit.expect(NAME)?;
    Ok(services.kernel.login(token, request).await?)
}
