//! `session.end`: a logout.

use auth::trust::Permit;
use auth::{Scope, SessionToken};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "session.end";

/// Ends the session of this token, if one is live here. Its end is on disk when this resolves.
///
/// # Errors
/// [`Error::Kernel`]: it may still be there after a restart.
pub async fn run(
    services: &Services,
    permit: &Permit,
    token: &SessionToken,
    scope: &Scope,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    services.kernel.logout(token, scope).await?;
    Ok(())
}
