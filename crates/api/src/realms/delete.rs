//! `realm.delete`.

use std::collections::HashSet;

use auth::directory::{RealmState, Snapshot};
use auth::trust::Permit;
use auth::{Change, RealmName, RealmRecord, UserId};
use uuid::Uuid;

use super::{IN_SETTINGS, by_id, end_sessions, is_own};
use crate::error::Error;
use crate::precondition::{Precondition, next_version};
use crate::services::{Judged, Services};
use crate::users::delete::deletion_of;

/// The operation's name.
pub const NAME: &str = "realm.delete";

/// Users who are deleted in one change at the most, so that others' changes and requests get their turn.
pub const MOST_USERS_AT_ONCE: usize = 256;

/// Deletes a realm; with `users`, its users, their keys and their sessions go with it. Where there are many of them the realm is
/// switched off first, so that nobody comes in meanwhile; if the call ends half way it stays so, and can be made again.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`]; [`Error::Conflict`] for a realm of the settings, for `native`, for the
/// caller's own, and for one that has users where they are not to be deleted.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: Uuid,
    users: bool,
    expected: &Precondition,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    let name = {
        let snapshot = services.kernel.directory().present();
        let state = by_id(&snapshot, &id)?;
        expected.check(state.record.updated)?;
        may_go(permit, state)?;
        if !users && users_of(&snapshot, &state.record.name).next().is_some() {
            return Err(Error::Conflict(HAS_USERS));
        }
        state.record.name.clone()
    };
    // Before the change, and after it: see `change.rs`.
    end_sessions(services, permit, &name).await?;
    let mut expected = expected;
    while !delete_some(services, permit, &id, users, expected).await? {
        // The first change made another version of it.
        expected = &Precondition::None;
        tokio::task::yield_now().await;
    }
    end_sessions(services, permit, &name).await
}

const HAS_USERS: &str = "this realm has users; deleteUsers=true deletes them with it";

fn may_go(permit: &Permit, state: &RealmState) -> Result<(), Error> {
    let RealmState { record, in_settings, .. } = state;
    if *in_settings {
        return Err(Error::Conflict(IN_SETTINGS));
    }
    if record.name == RealmName::native() {
        return Err(Error::Conflict("the realm `native` is always there; it can be switched off"));
    }
    if is_own(permit, &record.name) {
        return Err(Error::Conflict("nobody can delete the realm that he comes from"));
    }
    Ok(())
}

fn users_of<'a>(snapshot: &'a Snapshot, name: &'a RealmName) -> impl Iterator<Item = (UserId, &'a str)> {
    let accounts = snapshot.accounts().filter(|account| account.user.realm == *name);
    accounts.map(|account| (account.user.id, account.user.username.shown()))
}

/// Deletes some users and, with the last of them, the realm; whether it is gone.
async fn delete_some(
    services: &Services,
    permit: &Permit,
    id: &Uuid,
    users: bool,
    expected: &Precondition,
) -> Result<bool, Error> {
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let state = by_id(snapshot, id)?;
        let before = &state.record;
        expected.check(before.updated)?;
        may_go(permit, state)?;
        let (ids, names): (HashSet<_>, Vec<_>) =
            users_of(snapshot, &before.name).take(MOST_USERS_AT_ONCE).unzip();
        if !users && !ids.is_empty() {
            return Err(Error::Conflict(HAS_USERS));
        }
        let mut changes = deletion_of(snapshot, &ids);
        let is_last = users_of(snapshot, &before.name).nth(MOST_USERS_AT_ONCE).is_none();
        if is_last {
            changes.push(Change::DeleteRealm(before.name.clone()));
        } else if before.enabled {
            let updated = next_version(before.updated, now);
            let off = RealmRecord { enabled: false, updated, ..before.clone() };
            changes.push(Change::PutRealm(Box::new(off)));
        }
        let what = if is_last { "deleted" } else { "switched off to be deleted" };
        let detail = format!("{}; {what}; deleted users={}", before.name, names.join(","));
        Ok(Judged { changes, subject: id.to_string(), detail, answer: is_last })
    });
    change.await
}
