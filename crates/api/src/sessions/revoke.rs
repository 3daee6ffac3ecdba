//! `session.revoke` and `user.revoke`: an administrator ends somebody's session, or all of them.

use auth::trust::Permit;
use auth::{EndReason, SessionId, UserId};

use crate::error::Error;
use crate::services::Services;

/// The operation's name for one session.
pub const NAME: &str = "session.revoke";
/// The operation's name for all sessions of a user.
pub const NAME_ALL: &str = "user.revoke";

/// Ends a session. From the answer on no request of it passes, whatever happens to this process.
///
/// # Errors
/// [`Error::NotFound`] where no live session has this id; [`Error::Kernel`] where its end could not be written.
pub async fn run(services: &Services, permit: &Permit, id: &SessionId) -> Result<(), Error> {
    permit.expect(NAME)?;
    let session = services.kernel.sessions().table().by_id(id).ok_or(Error::NotFound)?;
    if services.kernel.end(&[session], EndReason::Revoked).await? == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// Ends all sessions of a user; how many.
///
/// # Errors
/// [`Error::NotFound`] where there is no such user; [`Error::Kernel`] where their ends could not be written.
pub async fn all(services: &Services, permit: &Permit, user: &UserId) -> Result<usize, Error> {
    permit.expect(NAME_ALL)?;
    services.kernel.directory().present().account(user).ok_or(Error::NotFound)?;
    let live = services.kernel.sessions().live_of(user);
    Ok(services.kernel.end(&live, EndReason::Revoked).await?)
}
