//! The realm itself: looks the user up in the directory as it is given and asks the pool whether the password is his. Called by
//! the kernel. Must never answer before a hash was paid for, or touch the directory's store.

use std::sync::Arc;

use auth::directory::Snapshot;
use auth::{
    Evidence, Password, Pending, Realm, RealmName, Rejection, UserId, UserRecords, Username, Verdict,
    Verified,
};

use crate::pool::HashPool;
use crate::slot::Checked;

/// Users whose passwords the gateway keeps itself.
///
/// | user | costs | verdict |
/// |---|---|---|
/// | unknown, or without a password here | one hash, of nobody's password | `NotMine` |
/// | wrong password | one hash | `Rejected(WrongPassword)` |
/// | not enabled, right password | one hash | `Rejected(Disabled)` |
/// | stored hash that nobody can read | one hash | `Rejected(WrongPassword)` |
/// | right password | one hash; two where the stored one is below the settings | `Verified` |
/// | queue of the pool full | nothing | `Unavailable` |
pub struct NativeRealm {
    name: RealmName,
    hasher: Arc<HashPool>,
}

impl NativeRealm {
    /// The realm called `name`, hashing on `hasher`.
    #[must_use]
    pub fn new(name: RealmName, hasher: Arc<HashPool>) -> Self {
        Self { name, hasher }
    }

    async fn look(&self, username: &Username, password: &Password, directory: &Snapshot) -> Verdict {
        let account = directory.account(&UserId::of(&self.name, username)).cloned();
        let hash = account.as_ref().and_then(|account| account.user.password.clone());
        let is_mine = hash.is_some();
        // A disabled user's hash is not renewed: he learns nothing of it, and it would cost a second hash.
        let enabled = account.as_ref().is_some_and(|account| account.user.enabled);
        let checked = match self.hasher.check(password, hash, enabled).await {
            Ok(checked) => checked,
            Err(unavailability) => return Verdict::Unavailable(unavailability),
        };
        match (checked, account) {
            (Checked::Right { rehashed }, Some(account)) if is_mine && enabled => {
                let username = account.user.username.clone();
                Verdict::Verified(Verified { rehashed, ..Verified::named(username) })
            }
            (Checked::Right { .. }, Some(_)) if is_mine => Verdict::Rejected(Rejection::Disabled),
            (Checked::Wrong, Some(_)) if is_mine => Verdict::Rejected(Rejection::WrongPassword),
            (Checked::Right { .. } | Checked::Wrong, _) => Verdict::NotMine,
        }
    }
}

impl Realm for NativeRealm {
    fn verify<'a>(&'a self, evidence: &'a Evidence, directory: &'a Snapshot) -> Pending<'a, Verdict> {
        let Evidence::Password { username, password } = evidence else {
            return Box::pin(async { Verdict::NotMine });
        };
        Box::pin(self.look(username, password, directory))
    }

    fn users(&self) -> UserRecords {
        UserRecords::WithPassword
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::HashMap;
    use std::task::{Context, Waker};

    use auth::{DirectoryImage, Unavailability};
    use testkit::suites::maker;
    use testkit::suites::realms::evidence;

    use super::*;
    use crate::pool::FULL;
    use crate::settings::HashSettings;

    #[test]
    fn a_full_queue_is_unavailable_at_once_and_for_everybody() {
        let settings = HashSettings { memory_kib: 8, passes: 1, lanes: 1, parallel: 1, queue: 1 };
        let pool = Arc::new(HashPool::without_threads(settings).unwrap());
        let directory = maker::snapshot(DirectoryImage::default(), HashMap::new());
        let realm = NativeRealm::new(RealmName::native(), pool);
        let shown = evidence("nobody", "secret");
        let mut waiting = realm.verify(&shown, &directory);
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let refused = realm.verify(&shown, &directory).as_mut().poll(&mut context);
        assert!(
            matches!(
                refused,
                std::task::Poll::Ready(Verdict::Unavailable(Unavailability(Cow::Borrowed(FULL))))
            ),
            "{refused:?}"
        );
    }
}
