//! How far the caller's permissions reach: whether he administers others, or looks after himself only. Judged by the same
//! permissions as everything else; there is no second mechanism.

use auth::UserId;
use auth::directory::Snapshot;
use auth::permission::{Matrix, Method};
use auth::trust::Authenticated;

/// Whether the caller's permission to change users reaches beyond himself: judged on a user who is nobody.
pub(crate) fn administers(snapshot: &Snapshot, caller: &Authenticated) -> bool {
    may_change(snapshot, caller, &UserId::from_bytes([0; 16]))
}

/// Whether the caller may change this user, by what both are in `snapshot`; nobody may who is not let in there. An API key that
/// does not reach that far makes its user one who may not, either.
pub(crate) fn may_change(snapshot: &Snapshot, caller: &Authenticated, user: &UserId) -> bool {
    let path = format!("/users/{user}");
    let caller_now = snapshot.account(&caller.account().user.id);
    let caller_now = caller_now.filter(|account| snapshot.in_force(account).is_ok());
    caller_now.is_some_and(|account| {
        snapshot.permission(account, Method::Patch, &path, Matrix::Strict).is_some()
            && caller.key().is_none_or(|key| key.reaches(account, Method::Patch, &path, Matrix::Strict))
    })
}
