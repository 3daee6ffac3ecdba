//! Operations on users.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;

use auth::RoleName;
use auth::directory::Snapshot;
use auth::limits::MAX_ROLES_PER_USER;
use auth::permission::Permission;

use crate::error::Error;

/// Role names that exist, each once.
fn existing_roles(snapshot: &Snapshot, names: &[String]) -> Result<Vec<RoleName>, Error> {
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

fn check_permissions(permissions: &[Permission]) -> Result<(), Error> {
    const MAX_PERMISSIONS: usize = 1_024;
    if permissions.len() > MAX_PERMISSIONS {
        return Err(Error::invalid("permissions", format!("more than {MAX_PERMISSIONS} entries")));
    }
    Ok(())
}
