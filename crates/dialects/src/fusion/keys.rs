//! API keys: `/api-keys`, `/api-keys/ID` (contract/fusion.md, Tokens and keys). A key's text is in one answer, the one that
//! makes it, and in no other.

use api::keys;
use api::keys::create::{Input, MAX_NAME_CHARACTERS, MAX_PERMISSIONS, Owner};
use auth::KeyUse;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{ApiKey, Moment, UserId};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dialect::{DEFAULT_REALM, FusionParts};
use super::entity::{id, listed, page, precondition, shown, sole};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// A key as a client asks for it. What is missing or null is the same.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewKey {
    #[serde(default)]
    #[schemars(length(max = MAX_NAME_CHARACTERS))]
    name: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::id_or_null")]
    user_id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<forms::SentPermission>>", length(max = MAX_PERMISSIONS))]
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    expires_at: Option<String>,
    /// Of whoever makes it, where his login is not recent.
    #[serde(default)]
    #[schemars(schema_with = "forms::presented_password_or_null")]
    current_password: Option<Zeroizing<String>>,
}

/// A key, without its text.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key<'a> {
    #[schemars(schema_with = "forms::id")]
    id: String,
    name: &'a str,
    #[schemars(schema_with = "forms::id")]
    user_id: String,
    /// `null`: all that the user may.
    #[schemars(with = "Option<Vec<forms::Permission>>")]
    permissions: Option<&'a [Permission]>,
    /// `null`: never.
    #[schemars(schema_with = "forms::moment_or_null")]
    expires_at: Option<String>,
    #[schemars(schema_with = "forms::moment")]
    created_at: String,
    /// Since the gateway was started. `null`: not since then.
    #[schemars(schema_with = "forms::moment_or_null")]
    last_used_at: Option<String>,
    /// The address that it was last used from.
    last_used_from: Option<String>,
}

impl<'a> Key<'a> {
    fn of(key: &'a ApiKey, last: Option<KeyUse>) -> Self {
        Self {
            id: key.id.to_string(),
            name: &key.name,
            user_id: key.user.to_string(),
            permissions: key.permissions.as_deref(),
            expires_at: key.expires.map(|expires| expires.to_string()),
            created_at: key.created.to_string(),
            last_used_at: last.map(|last| last.at.to_string()),
            last_used_from: last.map(|last| last.address.to_string()),
        }
    }
}

/// A key that was just made, and its text: shown once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeKey")]
pub(super) struct Made<'a> {
    #[serde(flatten)]
    record: Key<'a>,
    key: &'a str,
}

/// `GET /api-keys`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let user = match sole(visit, "user")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Refusal::BadRequest("user is no id"))?),
    };
    let (username, realm) = (sole(visit, "username")?, sole(visit, "realm")?);
    let filter = keys::read::Filter { name: sole(visit, "name")?, user, username, realm, page };
    let found = keys::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    Ok(listed(
        visit,
        filter.page.limit,
        &found,
        |compiled| Key::of(&compiled.key, compiled.last_use()),
        |compiled| compiled.key.id.to_string(),
    ))
}

/// `POST /api-keys`.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: NewKey = json::read_explained(visit)?;
    let input = Input {
        owner: owner(sent.user_id, sent.username, sent.realm_name)?,
        name: sent.name.unwrap_or_default(),
        permissions: sent.permissions,
        expires: sent.expires_at.as_deref().map(moment).transpose()?,
        current_password: sent.current_password,
    };
    let made = keys::create::run(&parts.services, permit, input).await.map_err(said)?;
    let body = Made { record: Key::of(&made.key, None), key: made.text.expose() };
    Ok(shown(visit, 201, &body, made.key.created))
}

/// `GET /api-keys/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let found = keys::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(shown(visit, 200, &Key::of(&found.key, found.last_use()), found.key.created))
}

/// `DELETE /api-keys/ID`: the very next request with it is a 401.
pub(super) async fn delete(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    keys::delete::run(&parts.services, permit, id(visit)?, &precondition(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// For whom a new key stands: named by id, by name and realm, or not at all.
fn owner(id: Option<String>, username: Option<String>, realm: Option<String>) -> Result<Owner, Refusal> {
    match (id, username, realm) {
        (None, None, None) => Ok(Owner::Caller),
        (Some(id), None, None) => match id.parse::<UserId>() {
            Ok(id) => Ok(Owner::Id(id)),
            Err(fault) => Err(Refusal::invalid("userId", fault)),
        },
        (None, Some(username), realm) => {
            Ok(Owner::Named { username, realm: realm.unwrap_or_else(|| DEFAULT_REALM.to_owned()) })
        }
        (None, None, Some(_)) => Err(Refusal::invalid("realmName", "names nobody without a username")),
        (Some(_), _, _) => {
            Err(Refusal::invalid("userId", "names the user alone, without username or realmName"))
        }
    }
}

fn moment(text: &str) -> Result<Moment, Refusal> {
    text.parse().map_err(|fault| Refusal::invalid("expiresAt", fault))
}
