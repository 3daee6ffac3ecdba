//! `role.change`: what a role allows. It holds for all who have it from the next request on.

use std::sync::Arc;

use auth::directory::CompiledRole;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, Role};
use uuid::Uuid;

use super::{by_id, check};
use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "role.change";

/// What changes; `None` stays as it is.
#[derive(Default)]
pub struct Input {
    /// What it is for.
    pub description: Option<String>,
    /// All that it allows.
    pub permissions: Option<Vec<Permission>>,
    /// All that a user interface shows for it.
    pub ui_permissions: Option<Vec<String>>,
}

/// Changes a role.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Conflict`] for `admin`, without which nobody could mend anything.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: Uuid,
    input: Input,
) -> Result<Arc<CompiledRole>, Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let change = services.kernel.directory().change(|snapshot| {
        let before = &by_id(snapshot, &id)?.role;
        if before.name.as_str() == "admin" && input.permissions.is_some() {
            return Err(Error::Conflict("what `admin` may do cannot be changed"));
        }
        let role = Role {
            description: input.description.unwrap_or_else(|| before.description.clone()),
            permissions: input.permissions.unwrap_or_else(|| before.permissions.clone()),
            ui_permissions: input.ui_permissions.unwrap_or_else(|| before.ui_permissions.clone()),
            updated: now,
            ..before.clone()
        };
        check(&role.description, &role.permissions, &role.ui_permissions)?;
        let name = role.name.clone();
        Ok((vec![Change::PutRole(role)], name))
    });
    let name = change.await?;
    services.changed(Some(permit), NAME, name.as_str());
    services.kernel.directory().present().role(name.as_str()).cloned().ok_or(Error::NotFound)
}
