//! `role.change`: what a role allows. It holds for all who have it from the next request on.

use std::sync::Arc;

use auth::directory::CompiledRole;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, Role};
use uuid::Uuid;

use super::{by_id, check, detail, id_of};
use crate::error::Error;
use crate::precondition::{Precondition, next_version};
use crate::services::{Judged, Services};

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
/// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`]; [`Error::Conflict`] for `admin`, without which nobody could mend anything.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: Uuid,
    input: Input,
    expected: &Precondition,
) -> Result<Arc<CompiledRole>, Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let before = &by_id(snapshot, &id)?.role;
        expected.check(before.updated)?;
        if before.name.as_str() == "admin" && input.permissions.is_some() {
            return Err(Error::Conflict("what `admin` may do cannot be changed"));
        }
        let role = Role {
            description: input.description.unwrap_or_else(|| before.description.clone()),
            permissions: input.permissions.unwrap_or_else(|| before.permissions.clone()),
            ui_permissions: input.ui_permissions.unwrap_or_else(|| before.ui_permissions.clone()),
            updated: next_version(before.updated, now),
            ..before.clone()
        };
        check(&role.description, &role.permissions, &role.ui_permissions)?;
        let name = role.name.clone();
        let (subject, detail) = (id_of(name.as_str()).to_string(), detail(&role));
        Ok(Judged { changes: vec![Change::PutRole(role)], subject, detail, answer: name })
    });
    let name = change.await?;
    services.kernel.directory().present().role(name.as_str()).cloned().ok_or(Error::NotFound)
}
