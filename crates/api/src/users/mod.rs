//! Operations on users.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;

#[cfg(test)]
mod tests;

use auth::directory::Snapshot;
use auth::limits::MAX_ROLES_PER_USER;
use auth::permission::Permission;
use auth::sessions::Session;
use auth::trust::Permit;
use auth::{EndReason, RealmName, RoleName, User, UserId};

use crate::error::Error;
use crate::services::Services;
use crate::sessions::list::Filter;
use crate::sessions::revoke::end_because;

/// Entries of a user's own at the most.
pub const MAX_PERMISSIONS: usize = 1_024;

/// Role names that exist, each once.
pub(crate) fn existing_roles(snapshot: &Snapshot, names: &[String]) -> Result<Vec<RoleName>, Error> {
    if names.len() > MAX_ROLES_PER_USER {
        return Err(Error::invalid("roleNames", format!("more than {MAX_ROLES_PER_USER} roles")));
    }
    let mut roles: Vec<RoleName> = Vec::with_capacity(names.len());
    for name in names {
        let role =
            snapshot.role(name).ok_or_else(|| Error::invalid("roleNames", format!("no role {name:?}")))?;
        if !roles.contains(&role.role.name) {
            roles.push(role.role.name.clone());
        }
    }
    Ok(roles)
}

/// Whether the passwords of a realm's users are kept here.
fn keeps_passwords(snapshot: &Snapshot, realm: &RealmName) -> bool {
    snapshot.realm(realm.as_str()).is_some_and(|state| state.realm.keeps_passwords())
}

/// What a user is after a change, for those who write down who did what.
fn detail(user: &User, password: bool) -> String {
    let roles: Vec<_> = user.roles.iter().map(RoleName::as_str).collect();
    let own: Vec<_> = user.permissions.iter().map(ToString::to_string).collect();
    let mut detail = format!(
        "{:?} of {:?}; enabled={}; roles={}",
        user.username.shown(),
        user.realm.as_str(),
        user.enabled,
        roles.join(",")
    );
    if !own.is_empty() {
        detail.push_str("; permissions=");
        detail.push_str(&own.join(" "));
    }
    if password {
        detail.push_str("; new password");
    }
    detail
}

/// Ends the sessions of a user who is changed or deleted, but `spared`.
async fn end_sessions(
    services: &Services,
    permit: &Permit,
    id: UserId,
    spared: Option<&Session>,
) -> Result<(), Error> {
    let his = Filter { user: Some(id), ..Filter::default() };
    end_because(services, permit, &his, spared, EndReason::UserChanged).await.map(|_| ())
}

fn check_permissions(permissions: &[Permission]) -> Result<(), Error> {
    if permissions.len() > MAX_PERMISSIONS {
        return Err(Error::invalid("permissions", format!("more than {MAX_PERMISSIONS} entries")));
    }
    Ok(())
}
