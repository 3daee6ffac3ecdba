//! `app.change`.

use std::sync::Arc;

use auth::trust::Permit;
use auth::{App, AppName, Change};

use super::check;
use crate::error::Error;
use crate::precondition::{Precondition, next_version};
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "app.change";

/// What changes; `None` stays as it is.
#[derive(Default)]
pub struct Input {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// All that its owners keep with it: a JSON object.
    pub properties: Option<String>,
}

/// Changes an app.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: &AppName,
    input: Input,
    expected: &Precondition,
) -> Result<Arc<App>, Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let before = &**snapshot.app(id.as_str()).ok_or(Error::NotFound)?;
        expected.check(before.updated)?;
        let mut app = App { updated: next_version(before.updated, now), ..before.clone() };
        if let Some(name) = input.name {
            app.name = name;
        }
        if let Some(description) = input.description {
            app.description = description;
        }
        if let Some(properties) = input.properties {
            app.properties = properties.into_boxed_str();
        }
        check(&app)?;
        let (subject, detail) = (id.to_string(), app.name.clone());
        Ok(Judged { changes: vec![Change::PutApp(Box::new(app))], subject, detail, answer: () })
    });
    change.await?;
    services.kernel.directory().present().app(id.as_str()).cloned().ok_or(Error::NotFound)
}
