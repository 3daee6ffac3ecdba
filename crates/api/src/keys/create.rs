//! `key.create`: a secret that stands for a user, shown once.

use auth::directory::Snapshot;
use auth::limits::MAX_KEYS_PER_USER;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{ApiKey, Change, KeyId, KeyText, Moment, RealmName, Reason, UserId, Username};
use zeroize::Zeroizing;

use super::{detail, manages};
use crate::error::Error;
use crate::reproof;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "key.create";

/// Longest name of a key, in characters.
pub const MAX_NAME_CHARACTERS: usize = 128;
/// Permissions of a key at the most.
pub const MAX_PERMISSIONS: usize = 1_024;

/// A new key.
pub struct Input {
    /// What it is for.
    pub name: String,
    /// For whom it stands.
    pub owner: Owner,
    /// What it may do of what its user may; `None`: all of it, nothing listed: nothing.
    pub permissions: Option<Vec<Permission>>,
    /// When it stops counting; `None`: when it is taken back.
    pub expires: Option<Moment>,
    /// The caller's present password, where he gave it: without a recent login he must.
    pub current_password: Option<Zeroizing<String>>,
}

/// For whom a new key stands.
pub enum Owner {
    /// The one who makes it.
    Caller,
    /// The user with this id.
    Id(UserId),
    /// The user of this name.
    Named {
        /// His name, in any spelling.
        username: String,
        /// His realm.
        realm: String,
    },
}

/// What was made.
pub struct Created {
    /// The record.
    pub key: ApiKey,
    /// The key itself: for the answer, and nowhere else.
    pub text: KeyText,
}

/// Makes a key. It counts from the moment this resolves. A key never makes a key: whoever found one must not be able to
/// make another that outlives it. Neither does a session that somebody left open (ASVS 7.5.1): a key outlives that, too.
///
/// # Errors
/// [`Error::Invalid`], also where the present password is wrong; [`Error::Conflict`] where the user has [`MAX_KEYS_PER_USER`]
/// keys; [`Error::Kernel`] with [`Reason::Forbidden`] where the caller came with a key, or may not change the user for whom it
/// would stand, and with [`Reason::NotRecent`] where his login is not recent and no password is given.
pub async fn run(services: &Services, permit: &Permit, mut input: Input) -> Result<Created, Error> {
    permit.expect(NAME)?;
    let caller = permit.caller().known().ok_or(Reason::NoCredentials)?;
    if caller.key().is_some() {
        return Err(Reason::Forbidden.into());
    }
    let owner = match &input.owner {
        Owner::Caller => caller.account().user.id,
        Owner::Id(id) => *id,
        Owner::Named { username, realm } => of_name(username, realm)?,
    };
    let now = services.kernel.clock().now();
    check(&input, now)?;
    if !manages(&services.kernel.directory().present(), caller, &owner) {
        return Err(Reason::Forbidden.into());
    }
    reproof::recent(services, permit, caller, input.current_password.take()).await?;
    let text = KeyText::from_random(&services.kernel.draw());
    let key = ApiKey {
        id: KeyId::from_random(*services.kernel.draw()),
        hash: text.hash(),
        name: input.name,
        user: owner,
        permissions: input.permissions,
        expires: input.expires,
        created: now,
    };
    let change = services.change(Some(permit), NAME, |snapshot| {
        // As it is now, and before the user is looked for: who may not make keys for others does not learn which others there are.
        if !manages(snapshot, caller, &owner) {
            return Err(Reason::Forbidden.into());
        }
        let account = snapshot.account(&owner).ok_or_else(|| no_user(&input.owner))?;
        if keys_of(snapshot, &owner) >= MAX_KEYS_PER_USER {
            return Err(Error::Conflict("this user has as many API keys as a user may have"));
        }
        // No key is older than its user: it would be that of one who had his name before.
        let key = ApiKey { created: now.max(account.user.created), ..key };
        Ok(Judged {
            changes: vec![Change::PutKey(Box::new(key.clone()))],
            subject: key.id.to_string(),
            detail: detail(&key, Some(account)),
            answer: key,
        })
    });
    let key = change.await?;
    Ok(Created { key, text })
}

fn keys_of(snapshot: &Snapshot, user: &UserId) -> usize {
    snapshot.keys().filter(|compiled| compiled.key.user == *user).count()
}

/// The id of a user of this name, whether or not there is one.
fn of_name(username: &str, realm: &str) -> Result<UserId, Error> {
    let username = Username::presented(username).map_err(|fault| Error::invalid("username", fault))?;
    let realm = RealmName::parse(realm).map_err(|fault| Error::invalid("realmName", fault))?;
    Ok(UserId::of(&realm, &username))
}

fn no_user(owner: &Owner) -> Error {
    match owner {
        Owner::Caller | Owner::Id(_) => Error::invalid("userId", "no such user"),
        Owner::Named { .. } => Error::invalid("username", "no such user in this realm"),
    }
}

fn check(input: &Input, now: Moment) -> Result<(), Error> {
    let name = &input.name;
    if name.trim().is_empty() {
        return Err(Error::invalid("name", "is missing: say what the key is for"));
    }
    if name.chars().count() > MAX_NAME_CHARACTERS {
        return Err(Error::invalid("name", format!("longer than {MAX_NAME_CHARACTERS} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "has a control character in it"));
    }
    if input.permissions.as_ref().is_some_and(|list| list.len() > MAX_PERMISSIONS) {
        return Err(Error::invalid("permissions", format!("more than {MAX_PERMISSIONS} entries")));
    }
    if input.expires.is_some_and(|expires| expires <= now) {
        return Err(Error::invalid("expiresAt", "is not in the future"));
    }
    Ok(())
}
