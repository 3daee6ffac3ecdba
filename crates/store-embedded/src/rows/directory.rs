//! Users, roles and the note of the setup as rows.
//!
//! Called by `change.rs` (records to rows) and `reader.rs` (rows to records). Must never read a user or role that it cannot
//! read whole: half a permission list is another permission list.

use auth::permission::Permission;
use auth::{
    Attribute, Initialised, PasswordHash, RealmName, Role, RoleName, StoreError, User, UserId, Username,
    Vouched,
};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use super::{Bound, Reading, hexadecimal, json, millis};
use crate::seal::Seal;

/// The key of the one row of the table `installation`.
pub(crate) const INITIALISED_KEY: &str = "initialised";

/// A user's row to be written.
pub(crate) struct UserRow {
    user: Box<User>,
    roles: String,
    permissions: String,
    vouched: String,
    password_version: i64,
    created: i64,
    updated: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

/// A role's row to be written.
pub(crate) struct RoleRow {
    role: Role,
    permissions: String,
    ui_permissions: String,
    created: i64,
    updated: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

/// The note of the setup, to be written.
pub(crate) struct InitialisedRow {
    version: String,
    at: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

struct UserFields<'a> {
    id: &'a [u8],
    texts: [&'a str; 6],
    numbers: [i64; 4],
    password: Option<&'a str>,
}

fn user_seal(fields: &UserFields<'_>) -> i64 {
    let mut seal = Seal::of("users").bytes(fields.id);
    for text in fields.texts {
        seal = seal.text(text);
    }
    for number in fields.numbers {
        seal = seal.number(number);
    }
    seal.optional_text(fields.password).finish()
}

fn role_seal(texts: [&str; 4], numbers: [i64; 2]) -> i64 {
    let seal = texts.into_iter().fold(Seal::of("roles"), Seal::text);
    numbers.into_iter().fold(seal, Seal::number).finish()
}

fn initialised_seal(version: &str, at: i64) -> i64 {
    Seal::of("installation").text(version).number(at).finish()
}

impl UserRow {
    pub(crate) fn new(user: Box<User>) -> Result<Self, StoreError> {
        let mut row = Self {
            roles: json(&user.roles)?,
            permissions: json(&user.permissions)?,
            vouched: vouched_json(&user.vouched)?,
            password_version: i64::try_from(user.password_version)
                .map_err(|_| StoreError("a user's password version is too large to be stored".to_owned()))?,
            created: millis(user.created, "the start of a user")?,
            updated: millis(user.updated, "the change of a user")?,
            seal: 0,
            user,
        };
        row.seal = user_seal(&UserFields {
            id: row.user.id.as_bytes(),
            texts: [
                row.user.realm.as_str(),
                row.user.username.shown(),
                row.user.username.canonical(),
                &row.roles,
                &row.permissions,
                &row.vouched,
            ],
            numbers: [i64::from(row.user.enabled), row.password_version, row.created, row.updated],
            password: row.user.password.as_ref().map(PasswordHash::expose),
        });
        Ok(row)
    }

    /// The key.
    pub(crate) fn id(&self) -> UserId {
        self.user.id
    }

    /// Binds the columns in the order of `statements::PUT_USER`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.user.id.as_bytes().to_vec())
            .bind(self.user.realm.as_str().to_owned())
            .bind(self.user.username.shown().to_owned())
            .bind(self.user.username.canonical().to_owned())
            .bind(self.roles.clone())
            .bind(self.permissions.clone())
            .bind(self.vouched.clone())
            .bind(i64::from(self.user.enabled))
            .bind(self.user.password.as_ref().map(|password| password.expose().to_owned()))
            .bind(self.password_version)
            .bind(self.created)
            .bind(self.updated)
            .bind(self.seal)
    }
}

impl RoleRow {
    pub(crate) fn new(role: Role) -> Result<Self, StoreError> {
        let mut row = Self {
            permissions: json(&role.permissions)?,
            ui_permissions: json(&role.ui_permissions)?,
            created: millis(role.created, "the start of a role")?,
            updated: millis(role.updated, "the change of a role")?,
            seal: 0,
            role,
        };
        let texts = [row.role.name.as_str(), &row.role.description, &row.permissions, &row.ui_permissions];
        row.seal = role_seal(texts, [row.created, row.updated]);
        Ok(row)
    }

    /// The key.
    pub(crate) fn name(&self) -> &RoleName {
        &self.role.name
    }

    /// Binds the columns in the order of `statements::PUT_ROLE`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.role.name.as_str().to_owned())
            .bind(self.role.description.clone())
            .bind(self.permissions.clone())
            .bind(self.ui_permissions.clone())
            .bind(self.created)
            .bind(self.updated)
            .bind(self.seal)
    }
}

impl InitialisedRow {
    pub(crate) fn new(initialised: Initialised) -> Result<Self, StoreError> {
        let at = millis(initialised.at, "the setup")?;
        Ok(Self { seal: initialised_seal(&initialised.version, at), version: initialised.version, at })
    }

    /// Binds the columns in the order of `statements::PUT_INITIALISED`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query.bind(INITIALISED_KEY).bind(self.version.clone()).bind(self.at).bind(self.seal)
    }
}

/// A user of a row of `statements::USERS`, with the row's seal.
pub(crate) fn read_user(row: &SqliteRow) -> Result<(User, i64), StoreError> {
    let mut reading = Reading { table: "users", key: "?".to_owned(), row };
    let id: &[u8] = reading.column("id")?;
    reading.key = match <[u8; 16]>::try_from(id) {
        Ok(bytes) => UserId::from_bytes(bytes).to_string(),
        Err(_) => hexadecimal(id),
    };
    let bytes = id.try_into().map_err(|_| reading.fault("id: not 16 bytes"))?;
    let realm: &str = reading.column("realm")?;
    let shown: &str = reading.column("username")?;
    let canonical: &str = reading.column("canonical")?;
    let password: Option<&str> = reading.column("password")?;
    let enabled: i64 = reading.column("enabled")?;
    let password_version: i64 = reading.column("password_version")?;
    let seal = reading.sealed_with(user_seal(&UserFields {
        id,
        texts: [
            realm,
            shown,
            canonical,
            reading.column("roles")?,
            reading.column("permissions")?,
            reading.column("vouched")?,
        ],
        numbers: [enabled, password_version, reading.column("created")?, reading.column("updated")?],
        password,
    }))?;
    let username =
        Username::presented(shown).map_err(|fault| reading.fault(&format!("username: {fault}")))?;
    if username.canonical() != canonical {
        return Err(reading.fault("canonical: this version compares the name in another form"));
    }
    let user = User {
        id: UserId::from_bytes(bytes),
        realm: RealmName::parse(realm).map_err(|fault| reading.fault(&format!("realm: {fault}")))?,
        username,
        roles: reading.role_names("roles")?,
        permissions: reading.json::<Vec<Permission>>("permissions")?,
        vouched: read_vouched(&reading)?,
        enabled: enabled != 0,
        password: password.map(PasswordHash::from_phc),
        password_version: password_version
            .try_into()
            .map_err(|_| reading.fault("password_version is negative"))?,
        created: reading.moment("created")?,
        updated: reading.moment("updated")?,
    };
    Ok((user, seal))
}

/// What a realm said of a user, as JSON: texts only, as the file outlives this version's types.
#[derive(Serialize, Deserialize)]
struct VouchedJson {
    roles: Vec<String>,
    attributes: Vec<(String, String)>,
    lapsed: bool,
}

fn vouched_json(vouched: &Vouched) -> Result<String, StoreError> {
    json(&VouchedJson {
        roles: vouched.roles.iter().map(ToString::to_string).collect(),
        attributes: vouched
            .attributes
            .iter()
            .map(|one| (one.name.to_string(), one.value.to_string()))
            .collect(),
        lapsed: vouched.lapsed,
    })
}

fn read_vouched(reading: &Reading<'_>) -> Result<Vouched, StoreError> {
    let VouchedJson { roles, attributes, lapsed } = reading.json("vouched")?;
    let role =
        |name: &String| RoleName::parse(name).map_err(|fault| reading.fault(&format!("vouched: {fault}")));
    let attribute = |(name, value): (String, String)| Attribute { name: name.into(), value: value.into() };
    Ok(Vouched {
        roles: roles.iter().map(role).collect::<Result<_, _>>()?,
        attributes: attributes.into_iter().map(attribute).collect(),
        lapsed,
    })
}

/// A role of a row of `statements::ROLES`, with the row's seal.
pub(crate) fn read_role(row: &SqliteRow) -> Result<(Role, i64), StoreError> {
    let mut reading = Reading { table: "roles", key: "?".to_owned(), row };
    let name: &str = reading.column("name")?;
    reading.key = format!("{name:?}");
    let description: &str = reading.column("description")?;
    let texts = [name, description, reading.column("permissions")?, reading.column("ui_permissions")?];
    let seal =
        reading.sealed_with(role_seal(texts, [reading.column("created")?, reading.column("updated")?]))?;
    let role = Role {
        name: RoleName::parse(name).map_err(|fault| reading.fault(&format!("name: {fault}")))?,
        description: description.to_owned(),
        permissions: reading.json::<Vec<Permission>>("permissions")?,
        ui_permissions: reading.json("ui_permissions")?,
        created: reading.moment("created")?,
        updated: reading.moment("updated")?,
    };
    Ok((role, seal))
}

/// The note of the setup of a row of `statements::INITIALISED`, with the row's seal.
pub(crate) fn read_initialised(row: &SqliteRow) -> Result<(Initialised, i64), StoreError> {
    let reading = Reading { table: "installation", key: INITIALISED_KEY.to_owned(), row };
    let version: &str = reading.column("version")?;
    let seal = reading.sealed_with(initialised_seal(version, reading.column("at")?))?;
    Ok((Initialised { version: version.to_owned(), at: reading.moment("at")? }, seal))
}
