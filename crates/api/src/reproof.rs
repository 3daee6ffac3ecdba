//! Proof that the caller is still who he was: for what nobody may do with a session that somebody left open (ASVS 7.5.1).
//!
//! Called by the operations that change how a user is known, or end his sessions in his name. Must never take a session for
//! a proof because it was used lately: activity is what its thief makes, too.

use std::time::Duration;

use auth::directory::Account;
use auth::trust::{Authenticated, Permit};
use auth::{AuthMethod, Reason};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::services::Services;

/// A session younger than this is proof enough of who holds it; an older one needs the password beside it.
pub const RECENT_LOGIN: Duration = Duration::from_secs(5 * 60);

/// Sees to it that the caller proved recently who he is: by a login less than [`RECENT_LOGIN`] ago, by a password on this very
/// request, or by `current`, his present password.
///
/// # Errors
/// [`Error::Kernel`] with [`Reason::NotRecent`] where he did not; as [`confirm`] where `current` was needed and is wrong.
pub(crate) async fn recent(
    services: &Services,
    permit: &Permit,
    known: &Authenticated,
    current: Option<Zeroizing<String>>,
) -> Result<(), Error> {
    let recent = match known.session() {
        Some(session) => services.kernel.clock().now().since(session.created) < RECENT_LOGIN,
        // The password came with this very request.
        None => known.method() == AuthMethod::Basic,
    };
    if recent {
        return Ok(());
    }
    confirm(services, permit, known.account(), current.ok_or(Reason::NotRecent)?).await
}

/// Sees to it that `current` is this user's present password, under the throttle of logins.
///
/// # Errors
/// [`Error::Invalid`] where it is not; [`Error::Kernel`] where nobody could say, or after too many wrong ones.
pub(crate) async fn confirm(
    services: &Services,
    permit: &Permit,
    account: &Account,
    current: Zeroizing<String>,
) -> Result<(), Error> {
    services.kernel.confirm(account, current, permit.client()).await.map_err(wrong)
}

/// A wrong present password is a wrong field of the request: a 401 would say that the session is over.
fn wrong(reason: Reason) -> Error {
    match reason {
        Reason::WrongPassword | Reason::UnknownUser | Reason::UserDisabled => {
            Error::invalid("currentPassword", "is wrong")
        }
        other => other.into(),
    }
}
