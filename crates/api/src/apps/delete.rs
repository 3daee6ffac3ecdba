//! `app.delete`.

use auth::trust::Permit;
use auth::{AppName, Change};

use crate::error::Error;
use crate::precondition::Precondition;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "app.delete";

/// Deletes an app. No session is made for it any more; those that were live on, as an app decides nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: &AppName,
    expected: &Precondition,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    let change = services.change(Some(permit), NAME, |snapshot| {
        let app = snapshot.app(id.as_str()).ok_or(Error::NotFound)?;
        expected.check(app.updated)?;
        let detail = app.name.clone();
        Ok(Judged {
            changes: vec![Change::DeleteApp(id.clone())],
            subject: id.to_string(),
            detail,
            answer: (),
        })
    });
    change.await
}
