//! `user.create`: a new user of a realm.

use std::sync::Arc;

use auth::directory::Account;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, RealmName, User, UserId, Username};
use zeroize::Zeroizing;

use super::{check_permissions, existing_roles};
use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "user.create";

/// A new user.
pub struct Input {
    /// His name.
    pub username: String,
    /// His realm.
    pub realm: String,
    /// His password; a user of the native realm needs one to log in.
    pub password: Option<Zeroizing<String>>,
    /// His roles.
    pub roles: Vec<String>,
    /// Permissions of his own.
    pub permissions: Vec<Permission>,
    /// Whether he may come in.
    pub enabled: bool,
}

/// Makes a user. He can log in from the moment this resolves.
///
/// # Errors
/// [`Error::Invalid`], [`Error::WeakPassword`], [`Error::Conflict`] where the name is taken (in any spelling).
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Arc<Account>, Error> {
    permit.expect(NAME)?;
    create(services, Some(permit), input).await
}

pub(crate) async fn create(
    services: &Services,
    permit: Option<&Permit>,
    input: Input,
) -> Result<Arc<Account>, Error> {
    let username = Username::chosen(&input.username).map_err(|fault| Error::invalid("username", fault))?;
    let realm = RealmName::parse(&input.realm).map_err(|fault| Error::invalid("realmName", fault))?;
    check_permissions(&input.permissions)?;
    let password = match input.password {
        Some(_) if realm != RealmName::native() => {
            return Err(Error::invalid("password", "users of this realm have their passwords elsewhere"));
        }
        Some(text) => Some(services.hash(text).await?),
        None => None,
    };
    let id = UserId::of(&realm, &username);
    let now = services.kernel.clock().now();
    let change = services.kernel.directory().change(|snapshot| {
        if snapshot.realm(realm.as_str()).is_none() {
            return Err(Error::invalid("realmName", "no such realm"));
        }
        if snapshot.account(&id).is_some() {
            return Err(Error::Conflict("a user of this name exists"));
        }
        let user = User {
            id,
            realm: realm.clone(),
            username: username.clone(),
            roles: existing_roles(snapshot, &input.roles)?,
            permissions: input.permissions,
            enabled: input.enabled,
            password,
            password_version: 1,
            created: now,
            updated: now,
        };
        Ok((vec![Change::PutUser(Box::new(user))], ()))
    });
    change.await?;
    services.changed(permit, NAME, &id.to_string());
    services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)
}
