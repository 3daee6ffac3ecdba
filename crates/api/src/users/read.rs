//! `user.list` and `user.read`.

use std::sync::Arc;

use auth::directory::Account;
use auth::trust::Permit;
use auth::{UserId, Username};

use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "user.list";
/// The operation's name for one user.
pub const NAME_ONE: &str = "user.read";

/// Which users.
pub struct Filter {
    /// Of this name, in any spelling.
    pub username: Option<String>,
    /// Of this realm.
    pub realm: Option<String>,
    /// Which of them.
    pub page: Page<UserId>,
}

/// Users, in the order of their ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<Account>>, bool), Error> {
    permit.expect(NAME)?;
    let wanted = match filter.username.as_deref().map(Username::presented) {
        None => None,
        Some(Ok(name)) => Some(name),
        // Nobody can have such a name.
        Some(Err(_)) => return Ok((Vec::new(), false)),
    };
    let snapshot = services.kernel.directory().held();
    let found = snapshot.accounts().filter(|account| {
        wanted.as_ref().is_none_or(|name| account.user.username == *name)
            && filter.realm.as_deref().is_none_or(|realm| account.user.realm.as_str() == realm)
    });
    // Who is not on the page is only looked at: to count one reference more of each account writes to memory all over.
    let (found, more) = filter.page.of(found, |account| account.user.id).await;
    Ok((found.into_iter().cloned().collect(), more))
}

/// One user.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &UserId) -> Result<Arc<Account>, Error> {
    permit.expect(NAME_ONE)?;
    services.kernel.directory().present().account(id).cloned().ok_or(Error::NotFound)
}
