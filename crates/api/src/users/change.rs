//! `user.change`: a user's roles, permissions, password, or whether he may come in. It holds from the next request on.

use std::net::IpAddr;
use std::sync::Arc;

use auth::directory::{Account, Snapshot};
use auth::permission::{Matrix, Method, Permission};
use auth::trust::{Authenticated, Permit};
use auth::{Change, EndReason, PasswordHash, RealmName, Reason, User, UserId};
use zeroize::Zeroizing;

use super::{check_permissions, existing_roles};
use crate::error::Error;
use crate::services::Services;

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

/// Changes a user. Whoever may change only himself may change only his password.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::WeakPassword`], [`Error::Kernel`] ([`Reason::Forbidden`] where it is
/// his own record and not his password; [`Reason::WrongPassword`] where the present one is wrong).
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: UserId,
    mut input: Input,
    client: IpAddr,
) -> Result<Arc<Account>, Error> {
    permit.expect(NAME)?;
    let caller = permit.caller().known().ok_or(Reason::Forbidden)?;
    let account = services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)?;
    let himself = caller.account().user.id == id;
    let more_than_password = input.roles.is_some() || input.permissions.is_some() || input.enabled.is_some();
    if !more_than_password && input.password.is_none() {
        return Ok(account);
    }
    if himself && more_than_password && !administers(&services.kernel.directory().present(), caller) {
        return Err(Reason::Forbidden.into());
    }
    check_permissions(input.permissions.as_deref().unwrap_or_default())?;
    if let Some(names) = &input.roles {
        existing_roles(&services.kernel.directory().present(), names)?;
    }
    let password = match input.password.take() {
        None => None,
        Some(_) if account.user.realm != RealmName::native() => {
            return Err(Error::invalid("password", "users of this realm have their passwords elsewhere"));
        }
        Some(text) => {
            if himself {
                let current = input.current_password.take();
                let current = current.ok_or_else(|| Error::invalid("currentPassword", "is missing"))?;
                services.kernel.confirm(&account, current, client).await.map_err(wrong_current)?;
            }
            Some(services.hash(text).await?)
        }
    };
    let disables = input.enabled == Some(false);
    let ends_sessions = password.is_some() || disables;
    // Before the change: a crash between the two ends sessions for nothing, rather than leaving them alive. And after
    // it: for those who logged in meanwhile.
    if ends_sessions {
        end_sessions(services, caller, &id, disables).await?;
    }
    write(services, id, input, password).await?;
    services.changed(Some(permit), NAME, &account.id_text);
    if ends_sessions {
        end_sessions(services, caller, &id, disables).await?;
    }
    services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)
}

/// A wrong present password is a wrong field of the request: a 401 would say that the session is over.
fn wrong_current(reason: Reason) -> Error {
    match reason {
        Reason::WrongPassword | Reason::UnknownUser | Reason::UserDisabled => {
            Error::invalid("currentPassword", "is wrong")
        }
        other => other.into(),
    }
}

async fn write(
    services: &Services,
    id: UserId,
    input: Input,
    password: Option<PasswordHash>,
) -> Result<(), Error> {
    let now = services.kernel.clock().now();
    let change = services.kernel.directory().change(|snapshot| {
        let before = &snapshot.account(&id).ok_or(Error::NotFound)?.user;
        let mut user = User { updated: now, ..before.clone() };
        if let Some(names) = &input.roles {
            user.roles = existing_roles(snapshot, names)?;
        }
        if let Some(permissions) = input.permissions {
            user.permissions = permissions;
        }
        if let Some(enabled) = input.enabled {
            user.enabled = enabled;
        }
        if let Some(password) = password {
            user.password = Some(password);
            user.password_version += 1;
        }
        Ok::<_, Error>((vec![Change::PutUser(Box::new(user))], ()))
    });
    Ok(change.await?)
}

/// Whether the caller's permission to change users reaches beyond himself: judged by the same permissions, on a user
/// who is nobody.
fn administers(snapshot: &Snapshot, caller: &Authenticated) -> bool {
    let nobody = format!("/users/{}", UserId::from_bytes([0; 16]));
    snapshot.permission(caller.account(), Method::Patch, &nobody, Matrix::Strict).is_some()
}

/// Ends the user's sessions; the one by which he changed his own password stays.
async fn end_sessions(
    services: &Services,
    caller: &Authenticated,
    id: &UserId,
    all: bool,
) -> Result<(), Error> {
    let mut live = services.kernel.sessions().live_of(id);
    if let (false, Some(own)) = (all, caller.session()) {
        live.retain(|session| session.token != own.token);
    }
    services.kernel.end(&live, EndReason::UserChanged).await?;
    Ok(())
}
