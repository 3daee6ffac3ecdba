//! API keys as rows.
//!
//! Called by `change.rs` (records to rows) and `reader.rs` (rows to records). Must never take a key whose permissions are
//! absent (all that its user may) for one whose list is empty (nothing), nor the other way round.

use auth::permission::Permission;
use auth::{ApiKey, KeyId, KeyUse, Moment, StoreError, TokenHash, UserId};
use sqlx::sqlite::SqliteRow;

use super::{Bound, Reading, hexadecimal, json, millis};
use crate::seal::Seal;

/// An API key's row to be written.
pub(crate) struct KeyRow {
    key: Box<ApiKey>,
    permissions: Option<String>,
    expires: Option<i64>,
    created: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

struct Fields<'a> {
    /// Id, hash, user.
    fixed: [&'a [u8]; 3],
    name: &'a str,
    permissions: Option<&'a str>,
    expires: Option<i64>,
    created: i64,
}

fn key_seal(fields: &Fields<'_>) -> i64 {
    let seal = fields.fixed.into_iter().fold(Seal::of("api_keys"), Seal::bytes);
    let seal = seal.text(fields.name).optional_text(fields.permissions);
    seal.optional_number(fields.expires).number(fields.created).finish()
}

impl KeyRow {
    pub(crate) fn new(key: Box<ApiKey>) -> Result<Self, StoreError> {
        let permissions = key.permissions.as_deref().map(json).transpose()?;
        let expires = key.expires.map(|moment| millis(moment, "the end of an API key")).transpose()?;
        let created = millis(key.created, "the start of an API key")?;
        let seal = key_seal(&Fields {
            fixed: [key.id.as_bytes(), key.hash.as_bytes(), key.user.as_bytes()],
            name: &key.name,
            permissions: permissions.as_deref(),
            expires,
            created,
        });
        Ok(Self { key, permissions, expires, created, seal })
    }

    /// The key's key.
    pub(crate) fn id(&self) -> KeyId {
        self.key.id
    }

    /// Binds the columns in the order of `statements::PUT_KEY`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.key.id.as_bytes().to_vec())
            .bind(self.key.hash.as_bytes().to_vec())
            .bind(self.key.name.clone())
            .bind(self.key.user.as_bytes().to_vec())
            .bind(self.permissions.clone())
            .bind(self.expires)
            .bind(self.created)
            .bind(self.seal)
    }
}

/// That a key was used, to be noted in its row.
pub(crate) struct KeyUseRow {
    pub(crate) id: KeyId,
    pub(crate) at: i64,
    from: String,
    seal: i64,
}

fn use_seal(id: &[u8], at: i64, from: &str) -> i64 {
    Seal::of("used").bytes(id).number(at).text(from).finish()
}

impl KeyUseRow {
    pub(crate) fn new(id: KeyId, used: KeyUse) -> Result<Self, StoreError> {
        let (at, from) = (millis(used.at, "the use of an API key")?, used.address.to_string());
        let seal = use_seal(id.as_bytes(), at, &from);
        Ok(Self { id, at, from, seal })
    }

    /// Binds the columns in the order of `statements::NOTE_KEY_USES`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query.bind(self.id.as_bytes().to_vec()).bind(self.at).bind(self.from.clone()).bind(self.seal)
    }
}

/// The last use of the key of a row of `statements::KEYS`.
fn read_use(reading: &Reading<'_>, id: &[u8]) -> Result<Option<KeyUse>, StoreError> {
    let (at, from): (Option<i64>, Option<&str>) = (reading.column("used_at")?, reading.column("used_from")?);
    let seal: Option<i64> = reading.column("used_seal")?;
    match (at, from) {
        (None, None) if seal.is_none() => Ok(None),
        (Some(at), Some(from)) if seal == Some(use_seal(id, at, from)) => {
            let address = from.parse().map_err(|_| reading.fault("used_from is no address"))?;
            Ok(Some(KeyUse { at: reading.moment("used_at")?, address }))
        }
        _ => Err(reading.fault("the checksum of its last use is wrong")),
    }
}

/// An API key of a row of `statements::KEYS`, with its last use, and the row's seal.
pub(crate) fn read_key(row: &SqliteRow) -> Result<((ApiKey, Option<KeyUse>), i64), StoreError> {
    let mut reading = Reading { table: "api_keys", key: "?".to_owned(), row };
    let id: &[u8] = reading.column("id")?;
    reading.key = match <[u8; 16]>::try_from(id) {
        Ok(bytes) => KeyId::from_bytes(bytes).to_string(),
        Err(_) => hexadecimal(id),
    };
    let (hash, user): (&[u8], &[u8]) = (reading.column("hash")?, reading.column("user_id")?);
    let name: &str = reading.column("name")?;
    let permissions: Option<&str> = reading.column("permissions")?;
    let (expires, created) = (reading.column("expires")?, reading.column("created")?);
    let seal = reading.sealed_with(key_seal(&Fields {
        fixed: [id, hash, user],
        name,
        permissions,
        expires,
        created,
    }))?;
    let key = ApiKey {
        id: KeyId::from_bytes(id.try_into().map_err(|_| reading.fault("id: not 16 bytes"))?),
        hash: TokenHash::from_bytes(hash.try_into().map_err(|_| reading.fault("hash: not 32 bytes"))?),
        name: name.to_owned(),
        user: UserId::from_bytes(user.try_into().map_err(|_| reading.fault("user_id: not 16 bytes"))?),
        permissions: match permissions {
            Some(_) => Some(reading.json::<Vec<Permission>>("permissions")?),
            None => None,
        },
        expires: expires
            .map(|millis| u64::try_from(millis).map(Moment::from_millis))
            .transpose()
            .map_err(|_| reading.fault("expires is negative"))?,
        created: reading.moment("created")?,
    };
    Ok(((key, read_use(&reading, id)?), seal))
}
