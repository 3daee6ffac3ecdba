//! `role.create`.

use std::sync::Arc;

use auth::directory::CompiledRole;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, Role, RoleName};

use super::{check, detail, id_of};
use crate::error::Error;
use crate::services::{Judged, Services};

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
    let change = services.change(Some(permit), NAME, |snapshot| {
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
        let (subject, detail) = (id_of(name.as_str()).to_string(), detail(&role));
        Ok(Judged { changes: vec![Change::PutRole(role)], subject, detail, answer: () })
    });
    change.await?;
    services.kernel.directory().present().role(name.as_str()).cloned().ok_or(Error::NotFound)
}
