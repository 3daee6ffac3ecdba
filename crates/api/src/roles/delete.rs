//! `role.delete`.

use auth::permission::builtin;
use auth::trust::Permit;
use auth::{Change, User};
use uuid::Uuid;

use super::by_id;
use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "role.delete";

/// Deletes a role and takes it from everybody who has it, in one change.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] for a role that came with the gateway.
pub async fn run(services: &Services, permit: &Permit, id: Uuid) -> Result<(), Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let change = services.kernel.directory().change(|snapshot| {
        let name = by_id(snapshot, &id)?.role.name.clone();
        if builtin::builtin(name.as_str()).is_some() {
            return Err(Error::Conflict("this role came with the gateway"));
        }
        let mut changes = vec![Change::DeleteRole(name.clone())];
        for account in snapshot.accounts().filter(|account| account.user.roles.contains(&name)) {
            let mut user = User { updated: now, ..account.user.clone() };
            user.roles.retain(|role| *role != name);
            changes.push(Change::PutUser(Box::new(user)));
        }
        Ok((changes, name))
    });
    let name = change.await?;
    services.changed(Some(permit), NAME, name.as_str());
    Ok(())
}
