//! The directory's records: users, roles, realms, apps and API keys, as stores keep them.

use std::fmt;
use std::net::IpAddr;

use super::clock::Moment;
use super::credential::PasswordHash;
use super::ids::{KeyId, UserId};
use super::names::{AppName, RealmName, RoleName, Username};
use super::token::TokenHash;
use crate::permission::Permission;

/// A user of a realm.
#[derive(Clone, Debug)]
pub struct User {
    /// Computed of realm and name.
    pub id: UserId,
    /// Whose user he is.
    pub realm: RealmName,
    /// His name.
    pub username: Username,
    /// Roles given to him directly.
    pub roles: Vec<RoleName>,
    /// What his realm last said of him, where it is a realm that says more than yes or no.
    pub vouched: Vouched,
    /// Permissions of his own; one for the same path pattern replaces the roles'.
    pub permissions: Vec<Permission>,
    /// A user who is not enabled answers 401 everywhere, from the next request on.
    pub enabled: bool,
    /// His password's hash, where the realm keeps passwords here.
    pub password: Option<PasswordHash>,
    /// Rises with every change of the password: evidence gathered before it is void.
    pub password_version: u64,
    /// When the record was made.
    pub created: Moment,
    /// When it was last changed.
    pub updated: Moment,
}

/// What a realm last said of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouched {
    /// The roles that his groups stand for. They add to those given to him directly.
    pub roles: Vec<RoleName>,
    /// What else there is to know of him.
    pub attributes: Vec<Attribute>,
    /// It would not let him in any more, or could not be asked for too long: he is like one who is not enabled, until it lets
    /// him in again.
    pub lapsed: bool,
}

/// Something that a realm says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What it is called here: `mail`, `displayName` …
    pub name: Box<str>,
    /// What it is.
    pub value: Box<str>,
}

/// A role: a named set of permissions.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name; the key.
    pub name: RoleName,
    /// What it is for, in a person's words.
    pub description: String,
    /// What it allows. Permissions of several roles add up.
    pub permissions: Vec<Permission>,
    /// What a user interface shows for it; kept and given back, never judged.
    pub ui_permissions: Vec<String>,
    /// When it was made.
    pub created: Moment,
    /// When it was last changed.
    pub updated: Moment,
}

/// A realm: who vouches for users, and on what terms.
#[derive(Clone, PartialEq, Eq)]
pub struct RealmRecord {
    /// Its name; the key.
    pub name: RealmName,
    /// Its type's word: `native`, `ldap` …
    pub kind: Box<str>,
    /// A realm that is not enabled lets nobody in, from the next request on.
    pub enabled: bool,
    /// The roles that every user of the realm inherits.
    pub roles: Vec<RoleName>,
    /// What its type needs to know: a JSON object, which only the realm's maker reads.
    pub config: Box<str>,
    /// When it was made.
    pub created: Moment,
    /// When it was last changed.
    pub updated: Moment,
}

impl fmt::Debug for RealmRecord {
    /// Without the config, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, enabled, roles, config: _, created, updated } = self;
        f.debug_struct("RealmRecord")
            .field("name", name)
            .field("kind", kind)
            .field("enabled", enabled)
            .field("roles", roles)
            .field("created", created)
            .field("updated", updated)
            .finish_non_exhaustive()
    }
}

/// An app: a name under which sessions are made and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The key: what stands in paths.
    pub id: AppName,
    /// What people call it.
    pub name: String,
    /// What it is for, in a person's words.
    pub description: String,
    /// Whatever its owners keep with it: a JSON object, kept and given back, never judged.
    pub properties: Box<str>,
    /// When it was made.
    pub created: Moment,
    /// When it was last changed.
    pub updated: Moment,
}

/// An API key: a secret that stands for a user, for as long and for as much as it says.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The public id.
    pub id: KeyId,
    /// Hash of the key's text, which was shown once and is kept nowhere.
    pub hash: TokenHash,
    /// What it is for, in a person's words.
    pub name: String,
    /// For whom it stands.
    pub user: UserId,
    /// What it may do of what its user may; `None`: all of it.
    pub permissions: Option<Vec<Permission>>,
    /// When it stops counting; `None`: when it is taken back.
    pub expires: Option<Moment>,
    /// When it was made.
    pub created: Moment,
}

/// That an API key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// When, in house time, to [`KEY_USE_RESOLUTION`](crate::limits::KEY_USE_RESOLUTION).
    pub at: Moment,
    /// From where.
    pub address: IpAddr,
}

/// That the installation was set up, when and by which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The version of the gateway that was set up.
    pub version: String,
    /// When.
    pub at: Moment,
}
