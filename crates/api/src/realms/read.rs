//! `realm.list` and `realm.read`.

use auth::trust::Permit;
use uuid::Uuid;

use super::{Described, by_id, id_of};
use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "realm.list";
/// The operation's name for one realm.
pub const NAME_ONE: &str = "realm.read";

/// Which realms.
pub struct Filter {
    /// Of this name.
    pub name: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// Which of them.
    pub page: Page<Uuid>,
}

/// Realms, in the order of their ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Described>, bool), Error> {
    permit.expect(NAME)?;
    let snapshot = services.kernel.directory().held();
    let found = snapshot.realms().filter(|state| {
        filter.name.as_deref().is_none_or(|name| state.record.name.as_str() == name)
            && filter.kind.as_deref().is_none_or(|kind| &*state.record.kind == kind)
    });
    let (found, more) = filter.page.of(found, |state| id_of(state.record.name.as_str())).await;
    Ok((found.into_iter().map(|state| Described::of(services, state)).collect(), more))
}

/// One realm.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &Uuid) -> Result<Described, Error> {
    permit.expect(NAME_ONE)?;
    by_id(&services.kernel.directory().present(), id).map(|state| Described::of(services, state))
}
