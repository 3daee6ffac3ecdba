//! `role.create`.

use std::sync::Arc;

use auth::directory::CompiledRole;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, Role, RoleName};

use super::check;
use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "role.create";

/// A new role.
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// What a user interface shows for it.
    pub ui_permissions: Vec<String>,
}

/// Makes a role.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Conflict`] where the name is taken.
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Arc<CompiledRole>, Error> {
    permit.expect(NAME)?;
    let name = RoleName::parse(&input.name).map_err(|fault| Error::invalid("name", fault))?;
    check(&input.description, &input.permissions, &input.ui_permissions)?;
    let now = services.kernel.clock().now();
    let change = services.kernel.directory().change(|snapshot| {
        if snapshot.role(name.as_str()).is_some() {
            return Err(Error::Conflict("a role of this name exists"));
        }
        let role = Role {
            name: name.clone(),
            description: input.description,
            permissions: input.permissions,
            ui_permissions: input.ui_permissions,
            created: now,
            updated: now,
        };
        Ok((vec![Change::PutRole(role)], ()))
    });
    change.await?;
    services.changed(Some(permit), NAME, name.as_str());
    services.kernel.directory().present().role(name.as_str()).cloned().ok_or(Error::NotFound)
}
