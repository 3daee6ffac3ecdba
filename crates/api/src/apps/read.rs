//! `app.list` and `app.read`.

use std::sync::Arc;

use auth::trust::Permit;
use auth::{App, AppName};

use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "app.list";
/// The operation's name for one app.
pub const NAME_ONE: &str = "app.read";

/// Which apps.
pub struct Filter {
    /// That people call so.
    pub name: Option<String>,
    /// Which of them.
    pub page: Page<AppName>,
}

/// Apps, in the order of their ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<App>>, bool), Error> {
    permit.expect(NAME)?;
    let snapshot = services.kernel.directory().held();
    let found = snapshot.apps().filter(|app| filter.name.as_deref().is_none_or(|name| app.name == name));
    Ok(filter.page.of(found.cloned(), |app| app.id.clone()).await)
}

/// One app.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &AppName) -> Result<Arc<App>, Error> {
    permit.expect(NAME_ONE)?;
    services.kernel.directory().present().app(id.as_str()).cloned().ok_or(Error::NotFound)
}
