//! `role.delete`.

use auth::permission::builtin;
use auth::trust::Permit;
use auth::{Change, RealmRecord, User};
use uuid::Uuid;

use super::by_id;
use crate::error::Error;
use crate::precondition::{Precondition, next_version};
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "role.delete";

/// Deletes a role and takes it from every user who has it and every realm whose users inherit it, in one change.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`]; [`Error::Conflict`] for a role that came with the gateway.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: Uuid,
    expected: &Precondition,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let role = &by_id(snapshot, &id)?.role;
        expected.check(role.updated)?;
        let name = role.name.clone();
        if builtin::builtin(name.as_str()).is_some() {
            return Err(Error::Conflict("this role came with the gateway"));
        }
        let mut changes = vec![Change::DeleteRole(name.clone())];
        for account in snapshot.accounts().filter(|account| account.user.roles.contains(&name)) {
            let updated = next_version(account.user.updated, now);
            let mut user = User { updated, ..account.user.clone() };
            user.roles.retain(|role| *role != name);
            changes.push(Change::PutUser(Box::new(user)));
        }
        let users = changes.len() - 1;
        // A role of the same name that somebody makes later is another: nobody inherits it unasked. Those realms that stand in
        // the settings name their roles there; those of the store behind them may come back.
        for state in snapshot.stored_realms().filter(|state| state.record.roles.contains(&name)) {
            let updated = next_version(state.record.updated, now);
            let mut realm = RealmRecord { updated, ..state.record.clone() };
            realm.roles.retain(|role| *role != name);
            changes.push(Change::PutRealm(Box::new(realm)));
        }
        let detail = format!("{name}; taken from {users} users and {} realms", changes.len() - 1 - users);
        Ok(Judged { changes, subject: id.to_string(), detail, answer: () })
    });
    change.await
}
