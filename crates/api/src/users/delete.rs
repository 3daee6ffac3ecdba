//! `user.delete`.

use std::collections::HashSet;

use auth::directory::Snapshot;
use auth::trust::Permit;
use auth::{Change, UserId};

use super::end_sessions;
use crate::error::Error;
use crate::precondition::Precondition;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "user.delete";

/// Deletes a user: none of his credentials counts from the next request on, and his sessions end.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`]; [`Error::Conflict`] where he would delete himself.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: UserId,
    expected: &Precondition,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    if permit.caller().known().is_some_and(|known| known.account().user.id == id) {
        return Err(Error::Conflict("nobody can delete himself"));
    }
    let before = services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)?;
    expected.check(before.user.updated)?;
    // Before the change, and after it: see `change.rs`.
    end_sessions(services, permit, id, None).await?;
    let change = services.change(Some(permit), NAME, |snapshot| {
        let account = snapshot.account(&id).ok_or(Error::NotFound)?;
        expected.check(account.user.updated)?;
        Ok(Judged {
            changes: deletion(snapshot, &id),
            subject: id.to_string(),
            detail: format!("{:?} of {:?}", account.user.username.shown(), account.user.realm.as_str()),
            answer: (),
        })
    });
    change.await?;
    end_sessions(services, permit, id, None).await
}

/// What it takes to delete a user: nothing that stands for him stays.
pub(crate) fn deletion(snapshot: &Snapshot, id: &UserId) -> Vec<Change> {
    deletion_of(snapshot, &HashSet::from([*id]))
}

/// As [`deletion`], for several at once.
pub(crate) fn deletion_of(snapshot: &Snapshot, ids: &HashSet<UserId>) -> Vec<Change> {
    let keys = snapshot.keys().filter(|compiled| ids.contains(&compiled.key.user));
    let keys = keys.map(|compiled| Change::DeleteKey(compiled.key.id));
    keys.chain(ids.iter().map(|id| Change::DeleteUser(*id))).collect()
}
