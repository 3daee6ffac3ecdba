//! `user.change`: a user's roles, permissions, password, or whether he may come in. It holds from the next request on.

use std::sync::Arc;

use auth::directory::Account;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, PasswordHash, Reason, User, UserId};
use zeroize::Zeroizing;

use super::{check_permissions, detail, end_sessions, existing_roles, keeps_passwords};
use crate::error::Error;
use crate::password::Strength;
use crate::precondition::{Precondition, next_version};
use crate::reach::administers;
use crate::reproof;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "user.change";

/// What changes; `None` stays as it is.
#[derive(Default)]
pub struct Input {
    /// All his roles.
    pub roles: Option<Vec<String>>,
    /// All permissions of his own.
    pub permissions: Option<Vec<Permission>>,
    /// Whether he may come in.
    pub enabled: Option<bool>,
    /// His new password.
    pub password: Option<Zeroizing<String>>,
    /// His present password: who changes his own must know it.
    pub current_password: Option<Zeroizing<String>>,
}

/// What became of him.
pub struct Changed {
    /// The user as he is now.
    pub account: Arc<Account>,
    /// How strong his password is, where it was set.
    pub strength: Option<Strength>,
}

/// Changes a user. Whoever may change only himself may change only his password.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`] (also where the present password is wrong),
/// [`Error::WeakPassword`], [`Error::Kernel`] ([`Reason::Forbidden`] where it is his own record and not his password).
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: UserId,
    mut input: Input,
    expected: &Precondition,
) -> Result<Changed, Error> {
    permit.expect(NAME)?;
    let caller = permit.caller().known().ok_or(Reason::Forbidden)?;
    let account = services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)?;
    let himself = caller.account().user.id == id;
    let more_than_password = input.roles.is_some() || input.permissions.is_some() || input.enabled.is_some();
    if !more_than_password && input.password.is_none() {
        return Ok(Changed { account, strength: None });
    }
    // Judged again where nobody else can change him; but not after his sessions have ended for nothing.
    expected.check(account.user.updated)?;
    if himself && more_than_password && !administers(&services.kernel.directory().present(), caller) {
        return Err(Reason::Forbidden.into());
    }
    check_permissions(input.permissions.as_deref().unwrap_or_default())?;
    if let Some(names) = &input.roles {
        existing_roles(&services.kernel.directory().present(), names)?;
    }
    let (password, strength) = match input.password.take() {
        None => (None, None),
        Some(_) if !keeps_passwords(&services.kernel.directory().present(), &account.user.realm) => {
            return Err(Error::invalid("password", "users of this realm have their passwords elsewhere"));
        }
        Some(text) => {
            if himself {
                let current = input.current_password.take();
                let current = current.ok_or_else(|| Error::invalid("currentPassword", "is missing"))?;
                reproof::confirm(services, permit, &account, current).await?;
            }
            let context = [account.user.username.shown(), account.user.realm.as_str()];
            let (hash, strength) = services.hash(text, &context).await?;
            (Some(hash), Some(strength))
        }
    };
    let disables = input.enabled == Some(false);
    let ends_sessions = password.is_some() || disables;
    // The session by which he changed his own password stays.
    let spared = caller.session().filter(|_| !disables).map(|session| &**session);
    // Before the change: a crash between the two ends sessions for nothing, rather than leaving them alive. And after
    // it: for those who logged in meanwhile.
    if ends_sessions {
        end_sessions(services, permit, id, spared).await?;
    }
    write(services, permit, id, input, password, expected).await?;
    if ends_sessions {
        end_sessions(services, permit, id, spared).await?;
    }
    let account = services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)?;
    Ok(Changed { account, strength })
}

async fn write(
    services: &Services,
    permit: &Permit,
    id: UserId,
    input: Input,
    password: Option<PasswordHash>,
    expected: &Precondition,
) -> Result<(), Error> {
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let before = &snapshot.account(&id).ok_or(Error::NotFound)?.user;
        expected.check(before.updated)?;
        let mut user = User { updated: next_version(before.updated, now), ..before.clone() };
        if let Some(names) = &input.roles {
            user.roles = existing_roles(snapshot, names)?;
        }
        if let Some(permissions) = input.permissions {
            user.permissions = permissions;
        }
        if let Some(enabled) = input.enabled {
            user.enabled = enabled;
        }
        let new_password = password.is_some();
        if let Some(password) = password {
            user.password = Some(password);
            user.password_version += 1;
        }
        let detail = detail(&user, new_password);
        let changes = vec![Change::PutUser(Box::new(user))];
        Ok(Judged { changes, subject: id.to_string(), detail, answer: () })
    });
    change.await
}
