//! `user.delete`.

use auth::trust::Permit;
use auth::{Change, EndReason, UserId};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "user.delete";

/// Deletes a user: none of his credentials counts from the next request on, and his sessions end.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] where he would delete himself.
pub async fn run(services: &Services, permit: &Permit, id: UserId) -> Result<(), Error> {
    permit.expect(NAME)?;
    if permit.caller().known().is_some_and(|known| known.account().user.id == id) {
        return Err(Error::Conflict("nobody can delete himself"));
    }
    services.kernel.directory().present().account(&id).ok_or(Error::NotFound)?;
    // Before the change, and after it: see `change.rs`.
    end_sessions(services, &id).await?;
    let change = services.kernel.directory().change(|snapshot| {
        snapshot.account(&id).ok_or(Error::NotFound)?;
        Ok::<_, Error>((vec![Change::DeleteUser(id)], ()))
    });
    change.await?;
    services.changed(Some(permit), NAME, &id.to_string());
    end_sessions(services, &id).await
}

async fn end_sessions(services: &Services, id: &UserId) -> Result<(), Error> {
    let live = services.kernel.sessions().live_of(id);
    services.kernel.end(&live, EndReason::UserChanged).await?;
    Ok(())
}
