//! Roles, for administrators: `/roles`, `/roles/ID`.

use std::sync::Arc;

use api::roles;
use api::roles::{MAX_DESCRIPTION, MAX_ENTRIES};
use auth::directory::CompiledRole;
use auth::permission::Permission;
use auth::trust::Permit;
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::dialect::FusionParts;
use super::entity::{fixed, id, listed, page, precondition, shown, sole};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// A role as a client sends it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SentRole {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    #[schemars(length(max = MAX_DESCRIPTION))]
    desc: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<forms::SentPermission>>", length(max = MAX_ENTRIES))]
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    #[schemars(length(max = MAX_ENTRIES))]
    ui_permissions: Option<Vec<String>>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
}

/// `GET /roles`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let filter = roles::read::Filter { name: sole(visit, "name")?, page };
    let found = roles::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    let id = |role: &Arc<CompiledRole>| roles::id_of(role.role.name.as_str()).to_string();
    Ok(listed(visit, filter.page.limit, &found, |role| json::Role::of(role), id))
}

/// `POST /roles`.
pub(super) async fn create(
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
    Ok(shown(visit, 201, &json::Role::of(&role), role.role.updated))
}

/// `GET /roles/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let role = roles::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(shown(visit, 200, &json::Role::of(&role), role.role.updated))
}

/// `PUT` and `PATCH /roles/ID`: what is left out stays as it is.
pub(super) async fn change(
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
        return Err(Refusal::invalid("name", "cannot be changed"));
    }
    let input = roles::change::Input {
        description: sent.desc,
        permissions: sent.permissions,
        ui_permissions: sent.ui_permissions,
    };
    let role =
        roles::change::run(&parts.services, permit, id, input, &precondition(visit)?).await.map_err(said)?;
    Ok(shown(visit, 200, &json::Role::of(&role), role.role.updated))
}

/// `DELETE /roles/ID`.
pub(super) async fn delete(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    roles::delete::run(&parts.services, permit, id(visit)?, &precondition(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}
