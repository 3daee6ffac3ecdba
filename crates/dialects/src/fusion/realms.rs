//! Realms: `/realm-configs`, `/realm-configs/ID` (contract/fusion.md, Users, realms, roles), and `/realm-configs/ID/test`. What is
//! a secret in a realm's config is in no answer.

use api::realms;
use auth::trust::Permit;
use auth::{RehearsedStep, RoleName};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::dialect::FusionParts;
use super::entity::{fixed, id, listed, page, precondition, shown, sole};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// A realm as a client sends it. What the gateway sets itself may come along, as clients send back what they were given.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SentRealm {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::name_or_null")]
    name: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    realm_type: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::role_names_or_null")]
    role_names: Option<Vec<String>>,
    #[serde(default)]
    #[schemars(schema_with = "forms::object_or_null")]
    config: Option<Value>,
    #[serde(default, rename = "readOnly")]
    _read_only: Option<bool>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
}

/// A realm as it is shown.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Realm<'a> {
    #[schemars(schema_with = "forms::id")]
    id: String,
    name: &'a str,
    enabled: bool,
    realm_type: &'a str,
    role_names: Vec<&'a str>,
    #[schemars(schema_with = "forms::object")]
    config: Value,
    /// It stands in the settings file, where alone it can be changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[schemars(schema_with = "forms::moment")]
    created_at: String,
    #[schemars(schema_with = "forms::moment")]
    updated_at: String,
}

impl<'a> Realm<'a> {
    fn of(described: &'a realms::Described) -> Self {
        let record = &described.record;
        Self {
            id: realms::id_of(record.name.as_str()).to_string(),
            name: record.name.as_str(),
            enabled: record.enabled,
            realm_type: &record.kind,
            role_names: record.roles.iter().map(RoleName::as_str).collect(),
            config: json::kept_object(&record.config),
            read_only: described.in_settings,
            created_at: record.created.to_string(),
            updated_at: record.updated.to_string(),
        }
    }
}

/// Whose login is to be played through.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RealmTest {
    #[schemars(schema_with = "forms::presented_username")]
    username: String,
    #[serde(default)]
    #[schemars(schema_with = "forms::password_to_try")]
    password: Option<Zeroizing<String>>,
}

/// How the steps of a login went.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RealmTested")]
pub(super) struct Tested<'a> {
    steps: Vec<Step<'a>>,
    /// Whether all of them went well.
    good: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RealmTestStep")]
pub(super) struct Step<'a> {
    /// What was done.
    what: &'a str,
    /// How long it took.
    #[schemars(range(min = 0))]
    milliseconds: f64,
    good: bool,
    /// What the server said, or what came of it.
    said: &'a str,
}

impl<'a> Step<'a> {
    fn of(step: &'a RehearsedStep) -> Self {
        // No more digits than a person can use.
        let milliseconds = (step.took.as_secs_f64() * 1e6).round() / 1e3;
        Self { what: &step.what, milliseconds, good: step.is_good, said: &step.said }
    }
}

/// `GET /realm-configs`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let filter = realms::read::Filter { name: sole(visit, "name")?, kind: sole(visit, "realmType")?, page };
    let found = realms::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    Ok(listed(visit, filter.page.limit, &found, Realm::of, |realm| Realm::of(realm).id))
}

/// `POST /realm-configs`.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: SentRealm = json::read_explained(visit)?;
    let name = sent.name.ok_or_else(|| Refusal::invalid("name", "is missing"))?;
    if let Some(id) = &sent.id {
        fixed("id", Some(id), &realms::id_of(&name).to_string())?;
    }
    let input = realms::create::Input {
        name,
        kind: sent.realm_type.ok_or_else(|| Refusal::invalid("realmType", "is missing"))?,
        enabled: sent.enabled.unwrap_or(true),
        roles: sent.role_names.unwrap_or_default(),
        config: json::sent_object("config", sent.config)?.unwrap_or_else(|| "{}".to_owned()),
    };
    let made = realms::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(shown(visit, 201, &Realm::of(&made), made.record.updated))
}

/// `GET /realm-configs/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let found = realms::read::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    Ok(shown(visit, 200, &Realm::of(&found), found.record.updated))
}

/// `PUT` and `PATCH /realm-configs/ID`: what is left out stays as it is. The name makes the id, and the type says what the
/// config means, so they cannot change.
pub(super) async fn change(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let id: Uuid = id(visit)?;
    let sent: SentRealm = json::read_explained(visit)?;
    fixed("id", sent.id.as_deref(), &id.to_string())?;
    if sent.name.as_deref().is_some_and(|name| realms::id_of(name) != id) {
        return Err(Refusal::invalid("name", "cannot be changed"));
    }
    let input = realms::change::Input {
        kind: sent.realm_type,
        enabled: sent.enabled,
        roles: sent.role_names,
        config: json::sent_object("config", sent.config)?,
    };
    let expected = precondition(visit)?;
    let done = realms::change::run(&parts.services, permit, id, input, &expected).await.map_err(said)?;
    Ok(shown(visit, 200, &Realm::of(&done), done.record.updated))
}

/// `DELETE /realm-configs/ID`, `?deleteUsers=true`.
pub(super) async fn delete(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let users = match sole(visit, "deleteUsers")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::BadRequest("deleteUsers is true or false")),
    };
    let (id, expected) = (id(visit)?, precondition(visit)?);
    realms::delete::run(&parts.services, permit, id, users, &expected).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// `POST /realm-configs/ID/test`: nobody comes in by it, and nothing is changed.
pub(super) async fn test(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let id: Uuid = id(visit)?;
    let sent: RealmTest = json::read_explained(visit)?;
    let input = realms::rehearse::Input { username: sent.username, password: sent.password };
    let done = realms::rehearse::run(&parts.services, permit, id, input).await.map_err(said)?;
    let steps = done.steps.iter().map(Step::of).collect();
    Ok(json::answer(200, &Tested { steps, good: done.is_good }))
}
