//! Operations on API keys. A key belongs to its user: whoever may change him may make, see and take back his keys, and
//! everybody else who was let in here looks after his own.

pub mod create;
pub mod delete;
pub mod read;

#[cfg(test)]
mod tests;

use auth::directory::{Account, Snapshot};
use auth::trust::Authenticated;
use auth::{ApiKey, UserId};

use crate::reach::may_change;

/// Whether the caller may see and take back the keys of `user`.
fn manages(snapshot: &Snapshot, caller: &Authenticated, user: &UserId) -> bool {
    caller.account().user.id == *user || may_change(snapshot, caller, user)
}

/// What a key is, for those who write down who did what. Never the key.
fn detail(key: &ApiKey, owner: Option<&Account>) -> String {
    let owner = match owner {
        Some(account) => format!("{:?} of {:?}", account.user.username.shown(), account.user.realm.as_str()),
        None => "nobody".to_owned(),
    };
    let permissions = match &key.permissions {
        None => "all of the user's".to_owned(),
        Some(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    };
    let expires = key.expires.map_or_else(|| "never".to_owned(), |expires| expires.to_string());
    format!("{:?} for {owner}; user.id={}; permissions={permissions}; expires={expires}", key.name, key.user)
}
