//! `role.list` and `role.read`.

use std::sync::Arc;

use auth::directory::CompiledRole;
use auth::trust::Permit;
use uuid::Uuid;

use super::{by_id, id_of};
use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "role.list";
/// The operation's name for one role.
pub const NAME_ONE: &str = "role.read";

/// Which roles.
pub struct Filter {
    /// Of this name.
    pub name: Option<String>,
    /// Which of them.
    pub page: Page<Uuid>,
}

/// Roles, in the order of their ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<CompiledRole>>, bool), Error> {
    permit.expect(NAME)?;
    let snapshot = services.kernel.directory().held();
    let found = snapshot
        .roles()
        .filter(|role| filter.name.as_deref().is_none_or(|name| role.role.name.as_str() == name));
    Ok(filter.page.of(found.cloned(), |role| id_of(role.role.name.as_str())).await)
}

/// One role.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &Uuid) -> Result<Arc<CompiledRole>, Error> {
    permit.expect(NAME_ONE)?;
    by_id(&services.kernel.directory().present(), id).cloned()
}
