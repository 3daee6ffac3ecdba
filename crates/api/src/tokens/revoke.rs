//! `token.revoke`: a bearer token is given back, and its session ends. An API key is taken back by its id (`keys/delete.rs`).

use auth::trust::Permit;
use auth::{BearerText, KeyText, Scope};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "token.revoke";

/// What became of a token that was to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is worth nothing here.
    Done,
    /// It has the form of an API key. Nobody looked whether it is one, and it is not said: it is worth what it was.
    IsKey,
}

/// Ends the session of this token, if one is live here. Its end is on disk when this resolves.
///
/// # Errors
/// [`Error::Kernel`]: it may still be there after a restart.
pub async fn run(
    services: &Services,
    permit: &Permit,
    token: &BearerText,
    scope: &Scope,
) -> Result<Revoked, Error> {
    permit.expect(NAME)?;
    if KeyText::presented(token.expose()).is_some() {
        return Ok(Revoked::IsKey);
    }
    services.kernel.revoke(token, scope).await?;
    Ok(Revoked::Done)
}
