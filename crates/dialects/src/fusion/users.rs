//! Users, for administrators and for oneself: `/users`, `/users/ID`.

use std::sync::Arc;

use api::users;
use api::users::MAX_PERMISSIONS;
use auth::directory::Account;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{RealmName, UserId, Username};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::dialect::{DEFAULT_REALM, FusionParts};
use super::entity::{fixed, id, listed, page, precondition, shown, sole};
use super::errors::said;
use super::json;
use super::openapi::forms;
use super::refusals::Strength;

/// A user as a client sends it. What the gateway sets itself may come along, as clients send back what they were given.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewUser {
    #[schemars(schema_with = "forms::username")]
    username: String,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::new_password_or_null")]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::new_password_or_null")]
    password_confirm: Option<Zeroizing<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::role_names")]
    role_names: Vec<String>,
    #[serde(default)]
    #[schemars(with = "Vec<forms::SentPermission>", length(max = MAX_PERMISSIONS))]
    permissions: Vec<Permission>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
    #[serde(default, rename = "strength")]
    _strength: Option<serde_json::Value>,
    #[serde(default, rename = "grantedRoleNames")]
    _granted_role_names: Option<serde_json::Value>,
    #[serde(default, rename = "attributes")]
    _attributes: Option<serde_json::Value>,
    #[serde(default, rename = "lapsed")]
    _lapsed: Option<serde_json::Value>,
}

/// A change of a user. What his realm says of him may come along too, and stays as his realm says it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangedUser {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::new_password_or_null")]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::new_password_or_null")]
    password_confirm: Option<Zeroizing<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::presented_password_or_null")]
    current_password: Option<Zeroizing<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::role_names_or_null")]
    role_names: Option<Vec<String>>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<forms::SentPermission>>", length(max = MAX_PERMISSIONS))]
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
    #[serde(default, rename = "strength")]
    _strength: Option<serde_json::Value>,
    #[serde(default, rename = "grantedRoleNames")]
    _granted_role_names: Option<serde_json::Value>,
    #[serde(default, rename = "attributes")]
    _attributes: Option<serde_json::Value>,
    #[serde(default, rename = "lapsed")]
    _lapsed: Option<serde_json::Value>,
}

/// `GET /users`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let filter =
        users::read::Filter { username: sole(visit, "username")?, realm: sole(visit, "realm")?, page };
    let found = users::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    let id = |account: &Arc<Account>| account.id_text.to_string();
    Ok(listed(visit, filter.page.limit, &found, |account| json::User::of(account), id))
}

/// `POST /users`.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: NewUser = json::read_explained(visit)?;
    let realm = sent.realm_name.unwrap_or_else(|| DEFAULT_REALM.to_owned());
    if sent.id.is_some_and(|id| Some(id) != computed_id(&realm, &sent.username)) {
        return Err(Refusal::invalid("id", "is computed of realm and name, and cannot be chosen"));
    }
    let input = users::create::Input {
        username: sent.username,
        realm,
        password: confirmed(sent.password, sent.password_confirm)?,
        roles: sent.role_names,
        permissions: sent.permissions,
        enabled: sent.enabled.unwrap_or(true),
    };
    let done = users::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(changed(visit, 201, &done.account, done.strength.as_ref()))
}

/// The id that a user of this realm and name has, if there can be one.
fn computed_id(realm: &str, username: &str) -> Option<String> {
    let (realm, username) = (RealmName::parse(realm).ok()?, Username::presented(username).ok()?);
    Some(UserId::of(&realm, &username).to_string())
}

/// `GET /users/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let account = users::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(shown(visit, 200, &json::User::of(&account), account.user.updated))
}

/// `PUT` and `PATCH /users/ID`: what is left out stays as it is. Name and realm make the id, so they cannot change.
pub(super) async fn change(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let id: UserId = id(visit)?;
    let sent: ChangedUser = json::read_explained(visit)?;
    let present =
        parts.services.kernel.directory().present().account(&id).cloned().ok_or(Refusal::NotFound)?;
    fixed("id", sent.id.as_deref(), &present.id_text)?;
    fixed("username", sent.username.as_deref(), present.user.username.shown())?;
    fixed("realmName", sent.realm_name.as_deref(), present.user.realm.as_str())?;
    let input = users::change::Input {
        roles: sent.role_names,
        permissions: sent.permissions,
        enabled: sent.enabled,
        password: confirmed(sent.password, sent.password_confirm)?,
        current_password: sent.current_password,
    };
    let expected = precondition(visit)?;
    let done = users::change::run(&parts.services, permit, id, input, &expected).await.map_err(said)?;
    Ok(changed(visit, 200, &done.account, done.strength.as_ref()))
}

/// `DELETE /users/ID`.
pub(super) async fn delete(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    users::delete::run(&parts.services, permit, id(visit)?, &precondition(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// A user as he is now, and how strong his password is where it was just set: told to the person who chose it, once.
fn changed(visit: &Visit<'_>, status: u16, account: &Account, strength: Option<&api::Strength>) -> Answer {
    let strength =
        strength.map(|strength| Strength { score: strength.score, suggestions: &strength.suggestions });
    let user = json::UserWithStrength { user: json::User::of(account), strength };
    shown(visit, status, &user, account.user.updated)
}

fn confirmed(
    password: Option<Zeroizing<String>>,
    confirm: Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>, Refusal> {
    match (&password, &confirm) {
        (_, None) => Ok(password),
        (Some(password_), Some(confirm)) if **password_ == **confirm => Ok(password),
        _ => Err(Refusal::invalid("passwordConfirm", "is not the password")),
    }
}
