//! `user.create`: a new user of a realm.

use std::sync::Arc;

use auth::directory::Account;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, RealmName, User, UserId, Username};
use zeroize::Zeroizing;

use super::{check_permissions, detail, existing_roles, keeps_passwords};
use crate::error::Error;
use crate::password::Strength;
use crate::precondition::next_version;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "user.create";

/// A new user.
pub struct Input {
    /// His name.
    pub username: String,
    /// His realm.
    pub realm: String,
    /// His password; a user of the native realm needs one to log in.
    pub password: Option<Zeroizing<String>>,
    /// His roles.
    pub roles: Vec<String>,
    /// Permissions of his own.
    pub permissions: Vec<Permission>,
    /// Whether he may come in.
    pub enabled: bool,
}

/// What was made.
pub struct Created {
    /// The user.
    pub account: Arc<Account>,
    /// How strong his password is, where he has one.
    pub strength: Option<Strength>,
}

/// Makes a user. He can log in from the moment this resolves.
///
/// # Errors
/// [`Error::Invalid`], [`Error::WeakPassword`], [`Error::Conflict`] where the name is taken (in any spelling).
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Created, Error> {
    permit.expect(NAME)?;
    create(services, Some(permit), input).await
}

pub(crate) async fn create(
    services: &Services,
    permit: Option<&Permit>,
    input: Input,
) -> Result<Created, Error> {
    let username = Username::chosen(&input.username).map_err(|fault| Error::invalid("username", fault))?;
    let realm = RealmName::parse(&input.realm).map_err(|fault| Error::invalid("realmName", fault))?;
    check_permissions(&input.permissions)?;
    let (password, strength) = match input.password {
        Some(_) if !keeps_passwords(&services.kernel.directory().present(), &realm) => {
            return Err(Error::invalid("password", "users of this realm have their passwords elsewhere"));
        }
        Some(text) => {
            let (hash, strength) = services.hash(text, &[username.shown(), realm.as_str()]).await?;
            (Some(hash), Some(strength))
        }
        None => (None, None),
    };
    let id = UserId::of(&realm, &username);
    // Whoever had this name before him was another: his sessions are older than this user.
    let now = services
        .kernel
        .sessions()
        .table()
        .of_user(&id)
        .iter()
        .fold(services.kernel.clock().now(), |now, session| next_version(session.created, now));
    let change = services.change(permit, NAME, |snapshot| {
        if snapshot.realm(realm.as_str()).is_none() {
            return Err(Error::invalid("realmName", "no such realm"));
        }
        if snapshot.account(&id).is_some() {
            return Err(Error::Conflict("a user of this name exists"));
        }
        let user = User {
            id,
            realm: realm.clone(),
            username: username.clone(),
            roles: existing_roles(snapshot, &input.roles)?,
            permissions: input.permissions,
            enabled: input.enabled,
            password,
            vouched: auth::Vouched::default(),
            password_version: services.first_password_version(),
            created: now,
            updated: now,
        };
        let detail = detail(&user, user.password.is_some());
        let changes = vec![Change::PutUser(Box::new(user))];
        Ok(Judged { changes, subject: id.to_string(), detail, answer: () })
    });
    change.await?;
    let account = services.kernel.directory().present().account(&id).cloned().ok_or(Error::NotFound)?;
    Ok(Created { account, strength })
}
