//! `key.list` and `key.read`: keys without their texts, which nobody has any more.

use std::sync::Arc;

use auth::directory::CompiledKey;
use auth::trust::Permit;
use auth::{KeyId, Reason, UserId, Username};

use super::manages;
use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "key.list";
/// The operation's name for one key.
pub const NAME_ONE: &str = "key.read";

/// Which keys.
pub struct Filter {
    /// Of this name.
    pub name: Option<String>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Of users of this name, in any spelling.
    pub username: Option<String>,
    /// Of users of this realm.
    pub realm: Option<String>,
    /// Which of them.
    pub page: Page<KeyId>,
}

/// Keys, in the order of their ids; and whether there are more. Of others' keys only those that the caller may take back.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<CompiledKey>>, bool), Error> {
    permit.expect(NAME)?;
    let caller = permit.caller().known().ok_or(Reason::NoCredentials)?;
    let wanted = match filter.username.as_deref().map(Username::presented) {
        None => None,
        Some(Ok(name)) => Some(name),
        // Nobody can have such a name.
        Some(Err(_)) => return Ok((Vec::new(), false)),
    };
    let snapshot = services.kernel.directory().held();
    let of_owner = |user: &UserId| {
        if wanted.is_none() && filter.realm.is_none() {
            return true;
        }
        snapshot.account(user).is_some_and(|account| {
            wanted.as_ref().is_none_or(|name| account.user.username == *name)
                && filter.realm.as_deref().is_none_or(|realm| account.user.realm.as_str() == realm)
        })
    };
    let found = snapshot.keys().filter(|compiled| {
        let key = &compiled.key;
        filter.name.as_deref().is_none_or(|name| key.name == name)
            && filter.user.is_none_or(|user| key.user == user)
            && of_owner(&key.user)
            && manages(&snapshot, caller, &key.user)
    });
    Ok(filter.page.of(found.cloned(), |compiled| compiled.key.id).await)
}

/// One key.
///
/// # Errors
/// [`Error::NotFound`], also for others' keys that are none of the caller's business.
pub fn one(services: &Services, permit: &Permit, id: &KeyId) -> Result<Arc<CompiledKey>, Error> {
    permit.expect(NAME_ONE)?;
    let caller = permit.caller().known().ok_or(Reason::NoCredentials)?;
    let snapshot = services.kernel.directory().present();
    let found = snapshot.key_by_id(id).filter(|compiled| manages(&snapshot, caller, &compiled.key.user));
    found.cloned().ok_or(Error::NotFound)
}
