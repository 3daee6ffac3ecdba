//! Users and roles, for administrators: `/users`, `/users/ID`, `/roles`, `/roles/ID`.

use std::str::FromStr;

use api::{roles, users};
use auth::UserId;
use auth::permission::Permission;
use auth::trust::Permit;
use gateway::{Answer, Refusal, Visit};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::dialect::{DEFAULT_REALM, FusionParts};
use super::errors::said;
use super::json;

/// Entries of a page where the client asks for no other number.
const PAGE: usize = 100;
/// Entries of a page at the most.
const MAX_PAGE: usize = 1_000;

/// A user as a client sends it. What the gateway sets itself may come along, as clients send back what they were given.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUser {
    username: String,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    password_confirm: Option<Zeroizing<String>>,
    #[serde(default)]
    role_names: Vec<String>,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default)]
    enabled: Option<bool>,
}

/// A change of a user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedUser {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    password_confirm: Option<Zeroizing<String>>,
    #[serde(default)]
    current_password: Option<Zeroizing<String>>,
    #[serde(default)]
    role_names: Option<Vec<String>>,
    #[serde(default)]
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
}

/// A role as a client sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SentRole {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    desc: Option<String>,
    #[serde(default)]
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    ui_permissions: Option<Vec<String>>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
}

/// `GET /users`.
pub(super) fn list_users(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let (after, limit) = page::<UserId>(visit)?;
    let filter = users::read::Filter {
        username: sole(visit, "username")?,
        realm: sole(visit, "realm")?,
        after,
        limit,
    };
    let (found, more) = users::read::run(&parts.services, permit, &filter).map_err(said)?;
    let shown: Vec<_> = found.iter().map(|account| json::User::of(account)).collect();
    let last = found.last().filter(|_| more).map(|account| &*account.id_text);
    Ok(paged(json::answer(200, &shown), visit, last, limit))
}

/// `POST /users`.
pub(super) async fn create_user(
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
    let account = users::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(json::answer(201, &json::User::of(&account)))
}

/// `GET /users/ID`.
pub(super) fn read_user(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let account = users::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(json::answer(200, &json::User::of(&account)))
}

/// `PUT` and `PATCH /users/ID`: what is left out stays as it is. Name and realm make the id, so they cannot change.
pub(super) async fn change_user(
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
    let client = visit.request.client();
    let account = users::change::run(&parts.services, permit, id, input, client).await.map_err(said)?;
    Ok(json::answer(200, &json::User::of(&account)))
}

/// `DELETE /users/ID`.
pub(super) async fn delete_user(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    users::delete::run(&parts.services, permit, id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// `GET /roles`.
pub(super) fn list_roles(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let (after, limit) = page::<Uuid>(visit)?;
    let filter = roles::read::Filter { name: sole(visit, "name")?, after, limit };
    let (found, more) = roles::read::run(&parts.services, permit, &filter).map_err(said)?;
    let shown: Vec<_> = found.iter().map(|role| json::Role::of(role)).collect();
    let last = found.last().filter(|_| more).map(|role| roles::id_of(role.role.name.as_str()).to_string());
    Ok(paged(json::answer(200, &shown), visit, last.as_deref(), limit))
}

/// `POST /roles`.
pub(super) async fn create_role(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: SentRole = json::read_explained(visit)?;
    let input = roles::create::Input {
        name: sent.name.unwrap_or_default(),
        description: sent.desc.unwrap_or_default(),
        permissions: sent.permissions.unwrap_or_default(),
        ui_permissions: sent.ui_permissions.unwrap_or_default(),
    };
    let role = roles::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(json::answer(201, &json::Role::of(&role)))
}

/// `GET /roles/ID`.
pub(super) fn read_role(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let role = roles::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(json::answer(200, &json::Role::of(&role)))
}

/// `PUT` and `PATCH /roles/ID`: what is left out stays as it is.
pub(super) async fn change_role(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let id: Uuid = id(visit)?;
    let sent: SentRole = json::read_explained(visit)?;
    fixed("id", sent.id.as_deref(), &id.to_string())?;
    if let Some(name) = &sent.name
        && roles::id_of(name) != id
    {
        return Err(Refusal::Invalid { field: "name", why: "cannot be changed".to_owned() });
    }
    let input = roles::change::Input {
        description: sent.desc,
        permissions: sent.permissions,
        ui_permissions: sent.ui_permissions,
    };
    let role = roles::change::run(&parts.services, permit, id, input).await.map_err(said)?;
    Ok(json::answer(200, &json::Role::of(&role)))
}

/// `DELETE /roles/ID`.
pub(super) async fn delete_role(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    roles::delete::run(&parts.services, permit, id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

fn confirmed(
    password: Option<Zeroizing<String>>,
    confirm: Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>, Refusal> {
    match (&password, &confirm) {
        (_, None) => Ok(password),
        (Some(password_), Some(confirm)) if **password_ == **confirm => Ok(password),
        _ => Err(Refusal::Invalid { field: "passwordConfirm", why: "is not the password".to_owned() }),
    }
}

fn fixed(field: &'static str, sent: Option<&str>, present: &str) -> Result<(), Refusal> {
    match sent {
        Some(sent) if sent != present => Err(Refusal::Invalid { field, why: "cannot be changed".to_owned() }),
        _ => Ok(()),
    }
}

/// The id in the path: its second segment below the mount. What is no id names nothing, and neither does another spelling
/// of one: permissions are judged on the path as it is written.
pub(super) fn id<T: FromStr + ToString>(visit: &Visit<'_>) -> Result<T, Refusal> {
    let written = visit.below.split('/').nth(2).ok_or(Refusal::NotFound)?;
    let id: T = written.parse().map_err(|_| Refusal::NotFound)?;
    if id.to_string() == written { Ok(id) } else { Err(Refusal::NotFound) }
}

/// A query parameter that may be given once.
pub(super) fn sole(visit: &Visit<'_>, name: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = visit.request.query_values(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => String::from_utf8(value)
            .map(Some)
            .map_err(|_| Refusal::BadRequest("a query parameter is not UTF-8")),
        (Some(_), Some(_)) => Err(Refusal::BadRequest("a query parameter is given twice")),
    }
}

/// The page that is asked for: after which id, and how many entries.
pub(super) fn page<T: FromStr>(visit: &Visit<'_>) -> Result<(Option<T>, usize), Refusal> {
    let after = match sole(visit, "after")? {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| Refusal::BadRequest("after is no id"))?),
    };
    let limit = match sole(visit, "limit")? {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(limit) if (1..=MAX_PAGE).contains(&limit) => limit,
            _ => return Err(Refusal::BadRequest("limit is a number from 1 to 1000")),
        },
    };
    Ok((after, limit))
}

/// Adds the way to the next page, where there is one (RFC 8288).
pub(super) fn paged(answer: Answer, visit: &Visit<'_>, last: Option<&str>, limit: usize) -> Answer {
    let Some(last) = last else { return answer };
    let path = visit.request.path();
    let others: String = visit
        .request
        .query()
        .unwrap_or_default()
        .split(|&b| b == b'&')
        .filter(|piece| !piece.is_empty() && !piece.starts_with(b"after=") && !piece.starts_with(b"limit="))
        .filter_map(|piece| std::str::from_utf8(piece).ok())
        .map(|piece| format!("{piece}&"))
        .collect();
    answer.field("Link", format!("<{path}?{others}limit={limit}&after={last}>; rel=\"next\""))
}
