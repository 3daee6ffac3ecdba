//! Realms as rows.
//!
//! Called by `change.rs` (records to rows) and `reader.rs` (rows to records). Must never look into a realm's `config`, which
//! may hold a secret of its directory.

use auth::{RealmName, RealmRecord, StoreError};
use sqlx::sqlite::SqliteRow;

use super::{Bound, Reading, json, millis};
use crate::seal::Seal;

/// A realm's row to be written.
pub(crate) struct RealmRow {
    realm: Box<RealmRecord>,
    roles: String,
    created: i64,
    updated: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

/// Texts: name, kind, roles, config. Numbers: enabled, created, updated.
fn realm_seal(texts: [&str; 4], numbers: [i64; 3]) -> i64 {
    let seal = texts.into_iter().fold(Seal::of("realms"), Seal::text);
    numbers.into_iter().fold(seal, Seal::number).finish()
}

impl RealmRow {
    pub(crate) fn new(realm: Box<RealmRecord>) -> Result<Self, StoreError> {
        let mut row = Self {
            roles: json(&realm.roles)?,
            created: millis(realm.created, "the start of a realm")?,
            updated: millis(realm.updated, "the change of a realm")?,
            seal: 0,
            realm,
        };
        let texts = [row.realm.name.as_str(), &row.realm.kind, &row.roles, &row.realm.config];
        row.seal = realm_seal(texts, [i64::from(row.realm.enabled), row.created, row.updated]);
        Ok(row)
    }

    /// The key.
    pub(crate) fn name(&self) -> &RealmName {
        &self.realm.name
    }

    /// Binds the columns in the order of `statements::PUT_REALM`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.realm.name.as_str().to_owned())
            .bind(self.realm.kind.to_string())
            .bind(i64::from(self.realm.enabled))
            .bind(self.roles.clone())
            .bind(self.realm.config.to_string())
            .bind(self.created)
            .bind(self.updated)
            .bind(self.seal)
    }
}

/// A realm of a row of `statements::REALMS`, with the row's seal.
pub(crate) fn read_realm(row: &SqliteRow) -> Result<(RealmRecord, i64), StoreError> {
    let mut reading = Reading { table: "realms", key: "?".to_owned(), row };
    let name: &str = reading.column("name")?;
    reading.key = format!("{name:?}");
    let (kind, config): (&str, &str) = (reading.column("kind")?, reading.column("config")?);
    let enabled: i64 = reading.column("enabled")?;
    let numbers = [enabled, reading.column("created")?, reading.column("updated")?];
    let seal = reading.sealed_with(realm_seal([name, kind, reading.column("roles")?, config], numbers))?;
    let realm = RealmRecord {
        name: RealmName::parse(name).map_err(|fault| reading.fault(&format!("name: {fault}")))?,
        kind: Box::from(kind),
        enabled: enabled != 0,
        roles: reading.role_names("roles")?,
        config: Box::from(config),
        created: reading.moment("created")?,
        updated: reading.moment("updated")?,
    };
    Ok((realm, seal))
}
