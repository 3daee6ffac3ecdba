//! The directory's records: users and roles, as stores keep them.

use super::clock::Moment;
use super::credential::PasswordHash;
use super::ids::UserId;
use super::names::{RealmName, RoleName, Username};
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

/// That the installation was set up, when and by which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The version of the gateway that was set up.
    pub version: String,
    /// When.
    pub at: Moment,
}
