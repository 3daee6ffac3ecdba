//! `token.revoke`: a bearer token is given back, and its session ends.

use auth::trust::Permit;
use auth::{BearerText, Scope};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "token.revoke";

/// Ends the session of this token, if one is live here. Its end is on disk when this resolves.
///
/// # Errors
/// [`Error::Kernel`]: it may still be there after a restart.
pub async fn run(
    services: &Services,
    permit: &Permit,
    token: &BearerText,
    scope: &Scope,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    services.kernel.revoke(token, scope).await?;
    Ok(())
}
