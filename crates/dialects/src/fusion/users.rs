//! Users, for administrators and for oneself: `/users`, `/users/ID`.

use api::users;
use api::users::MAX_PERMISSIONS;
use auth::UserId;
use auth::directory::Account;
use auth::permission::Permission;
use auth::trust::Permit;
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::dialect::{DEFAULT_REALM, FusionParts};
use super::entity::{fixed, id, page, paged, precondition, shown, sole};
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
}

/// A change of a user.
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
}

/// `GET /users`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page::<UserId>(visit)?;
    let limit = page.limit;
    let filter =
        users::read::Filter { username: sole(visit, "username")?, realm: sole(visit, "realm")?, page };
    let (found, more) = users::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    let list: Vec<_> = found.iter().map(|account| json::User::of(account)).collect();
    let last = found.last().filter(|_| more).map(|account| &*account.id_text);
    Ok(paged(json::answer(200, &list), visit, last, limit))
}

/// `POST /users`.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: NewUser = json::read_explained(visit)?;
    let input = users::create::Input {
        username: sent.username,
        realm: sent.realm_name.unwrap_or_else(|| DEFAULT_REALM.to_owned()),
        password: confirmed(sent.password, sent.password_confirm)?,
        roles: sent.role_names,
        permissions: sent.permissions,
        enabled: sent.enabled.unwrap_or(true),
    };
    let done = users::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(changed(visit, 201, &done.account, done.strength.as_ref()))
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
