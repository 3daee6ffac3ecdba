//! One change of the directory as statements: which row it replaces, and what is written.
//!
//! Called by `store.rs` (changes to rows, on the caller's time) and `group.rs` (rows to statements). Must never write a row
//! without saying which seal goes out of its table's tally and which comes in.

use auth::{AppName, Change, KeyId, RealmName, RoleName, StoreError, UserId};

use crate::rows::Bound;
use crate::rows::app::AppRow;
use crate::rows::directory::{INITIALISED_KEY, InitialisedRow, RoleRow, UserRow};
use crate::rows::key::KeyRow;
use crate::rows::key_ring::{KEY_RING_KEY, KeyRingRow};
use crate::rows::realm::RealmRow;
use crate::statements;
use crate::tally::Table;

/// One change, ready to be written.
pub(crate) enum ChangeRow {
    PutUser(Box<UserRow>),
    DeleteUser(UserId),
    PutRole(Box<RoleRow>),
    DeleteRole(RoleName),
    PutRealm(Box<RealmRow>),
    DeleteRealm(RealmName),
    PutApp(Box<AppRow>),
    DeleteApp(AppName),
    PutKey(Box<KeyRow>),
    DeleteKey(KeyId),
    Initialise(InitialisedRow),
    PutKeyRing(KeyRingRow),
}

impl ChangeRow {
    /// The row of a change.
    pub(crate) fn new(change: Change) -> Result<Self, StoreError> {
        Ok(match change {
            Change::PutUser(user) => Self::PutUser(Box::new(UserRow::new(user)?)),
            Change::DeleteUser(id) => Self::DeleteUser(id),
            Change::PutRole(role) => Self::PutRole(Box::new(RoleRow::new(role)?)),
            Change::DeleteRole(name) => Self::DeleteRole(name),
            Change::PutRealm(realm) => Self::PutRealm(Box::new(RealmRow::new(realm)?)),
            Change::DeleteRealm(name) => Self::DeleteRealm(name),
            Change::PutApp(app) => Self::PutApp(Box::new(AppRow::new(app)?)),
            Change::DeleteApp(id) => Self::DeleteApp(id),
            Change::PutKey(key) => Self::PutKey(Box::new(KeyRow::new(key)?)),
            Change::DeleteKey(id) => Self::DeleteKey(id),
            Change::Initialise(initialised) => Self::Initialise(InitialisedRow::new(initialised)?),
            Change::PutKeyRing(ring) => Self::PutKeyRing(KeyRingRow::new(&ring)?),
        })
    }

    /// The table that it changes.
    pub(crate) const fn table(&self) -> Table {
        match self {
            Self::PutUser(_) | Self::DeleteUser(_) => Table::Users,
            Self::PutRole(_) | Self::DeleteRole(_) => Table::Roles,
            Self::PutRealm(_) | Self::DeleteRealm(_) => Table::Realms,
            Self::PutApp(_) | Self::DeleteApp(_) => Table::Apps,
            Self::PutKey(_) | Self::DeleteKey(_) => Table::ApiKeys,
            Self::Initialise(_) => Table::Installation,
            Self::PutKeyRing(_) => Table::KeyRing,
        }
    }

    /// The seal of the row that is there before, if one is.
    pub(crate) fn old_seal(&self) -> Bound<'static> {
        match self {
            Self::PutUser(row) => by_id(statements::USER_SEAL, row.id().as_bytes()),
            Self::DeleteUser(id) => by_id(statements::USER_SEAL, id.as_bytes()),
            Self::PutRole(row) => by_name(statements::ROLE_SEAL, row.name().as_str()),
            Self::DeleteRole(name) => by_name(statements::ROLE_SEAL, name.as_str()),
            Self::PutRealm(row) => by_name(statements::REALM_SEAL, row.name().as_str()),
            Self::DeleteRealm(name) => by_name(statements::REALM_SEAL, name.as_str()),
            Self::PutApp(row) => by_name(statements::APP_SEAL, row.id().as_str()),
            Self::DeleteApp(id) => by_name(statements::APP_SEAL, id.as_str()),
            Self::PutKey(row) => by_id(statements::KEY_SEAL, row.id().as_bytes()),
            Self::DeleteKey(id) => by_id(statements::KEY_SEAL, id.as_bytes()),
            Self::Initialise(_) => by_name(statements::INITIALISED_SEAL, INITIALISED_KEY),
            Self::PutKeyRing(_) => by_name(statements::KEY_RING_SEAL, KEY_RING_KEY),
        }
    }

    /// The seal of the row that is there afterwards, if one is.
    pub(crate) fn new_seal(&self) -> Option<i64> {
        match self {
            Self::PutUser(row) => Some(row.seal),
            Self::PutRole(row) => Some(row.seal),
            Self::PutRealm(row) => Some(row.seal),
            Self::PutApp(row) => Some(row.seal),
            Self::PutKey(row) => Some(row.seal),
            Self::Initialise(row) => Some(row.seal),
            Self::PutKeyRing(row) => Some(row.seal),
            Self::DeleteUser(_)
            | Self::DeleteRole(_)
            | Self::DeleteRealm(_)
            | Self::DeleteApp(_)
            | Self::DeleteKey(_) => None,
        }
    }

    /// What writes it.
    pub(crate) fn statement(&self) -> Bound<'static> {
        match self {
            Self::PutUser(row) => row.bind(sqlx::query(statements::PUT_USER)),
            Self::DeleteUser(id) => by_id(statements::DELETE_USER, id.as_bytes()),
            Self::PutRole(row) => row.bind(sqlx::query(statements::PUT_ROLE)),
            Self::DeleteRole(name) => by_name(statements::DELETE_ROLE, name.as_str()),
            Self::PutRealm(row) => row.bind(sqlx::query(statements::PUT_REALM)),
            Self::DeleteRealm(name) => by_name(statements::DELETE_REALM, name.as_str()),
            Self::PutApp(row) => row.bind(sqlx::query(statements::PUT_APP)),
            Self::DeleteApp(id) => by_name(statements::DELETE_APP, id.as_str()),
            Self::PutKey(row) => row.bind(sqlx::query(statements::PUT_KEY)),
            Self::DeleteKey(id) => by_id(statements::DELETE_KEY, id.as_bytes()),
            Self::Initialise(row) => row.bind(sqlx::query(statements::PUT_INITIALISED)),
            Self::PutKeyRing(row) => row.bind(sqlx::query(statements::PUT_KEY_RING)),
        }
    }
}

fn by_id(statement: &'static str, id: &[u8; 16]) -> Bound<'static> {
    sqlx::query(statement).bind(id.to_vec())
}

fn by_name(statement: &'static str, name: &str) -> Bound<'static> {
    sqlx::query(statement).bind(name.to_owned())
}
