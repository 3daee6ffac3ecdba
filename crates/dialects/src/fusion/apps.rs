//! Apps: `/apps`, `/apps/ID` (contract/fusion.md, Users, realms, roles). Their sessions are made in `session.rs`.

use api::apps;
use api::apps::MAX_DESCRIPTION;
use auth::limits::MAX_NAME_BYTES;
use auth::trust::Permit;
use auth::{App as Record, AppName};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dialect::FusionParts;
use super::entity::{fixed, listed, page, precondition, shown, sole};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// An app as a client sends it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SentApp {
    #[serde(default)]
    #[schemars(schema_with = "forms::name_or_null")]
    id: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1, max = MAX_NAME_BYTES))]
    name: Option<String>,
    #[serde(default)]
    #[schemars(length(max = MAX_DESCRIPTION))]
    description: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::object_or_null")]
    properties: Option<Value>,
    #[serde(default, rename = "createdAt")]
    _created_at: Option<String>,
    #[serde(default, rename = "updatedAt")]
    _updated_at: Option<String>,
}

/// An app as it is shown.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct App<'a> {
    #[schemars(schema_with = "forms::name")]
    id: &'a str,
    name: &'a str,
    description: &'a str,
    #[schemars(schema_with = "forms::object")]
    properties: Value,
    #[schemars(schema_with = "forms::moment")]
    created_at: String,
    #[schemars(schema_with = "forms::moment")]
    updated_at: String,
}

impl<'a> App<'a> {
    fn of(app: &'a Record) -> Self {
        Self {
            id: app.id.as_str(),
            name: &app.name,
            description: &app.description,
            properties: json::kept_object(&app.properties),
            created_at: app.created.to_string(),
            updated_at: app.updated.to_string(),
        }
    }
}

/// `GET /apps`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let filter = apps::read::Filter { name: sole(visit, "name")?, page };
    let found = apps::read::run(&parts.services, permit, &filter).await.map_err(said)?;
    Ok(listed(visit, filter.page.limit, &found, |app| App::of(app), |app| segment(&app.id)))
}

/// `POST /apps`.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let sent: SentApp = json::read_explained(visit)?;
    let input = apps::create::Input {
        id: sent.id,
        name: sent.name,
        description: sent.description.unwrap_or_default(),
        properties: json::sent_object("properties", sent.properties)?.unwrap_or_else(|| "{}".to_owned()),
    };
    let app = apps::create::run(&parts.services, permit, input).await.map_err(said)?;
    Ok(shown(visit, 201, &App::of(&app), app.updated))
}

/// `GET /apps/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let app = apps::read::one(&parts.services, permit, &id(visit.below)?).map_err(said)?;
    Ok(shown(visit, 200, &App::of(&app), app.updated))
}

/// `PUT` and `PATCH /apps/ID`: what is left out stays as it is.
pub(super) async fn change(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let id = id(visit.below)?;
    let sent: SentApp = json::read_explained(visit)?;
    fixed("id", sent.id.as_deref(), id.as_str())?;
    let input = apps::change::Input {
        name: sent.name,
        description: sent.description,
        properties: json::sent_object("properties", sent.properties)?,
    };
    let expected = precondition(visit)?;
    let app = apps::change::run(&parts.services, permit, &id, input, &expected).await.map_err(said)?;
    Ok(shown(visit, 200, &App::of(&app), app.updated))
}

/// `DELETE /apps/ID`: no session is made for it any more; those that were live on.
pub(super) async fn delete(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let (id, expected) = (id(visit.below)?, precondition(visit)?);
    apps::delete::run(&parts.services, permit, &id, &expected).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// The app in a path below the mount: its second segment, decoded. What is no name of an app names nothing, and neither does
/// another spelling of one: permissions are judged on the path as it is written.
fn id(below: &str) -> Result<AppName, Refusal> {
    let written = below.split('/').nth(2).ok_or(Refusal::NotFound)?;
    let name = String::from_utf8(auth::path::decode(written.as_bytes())).map_err(|_| Refusal::NotFound)?;
    let id = AppName::parse(&name).map_err(|_| Refusal::NotFound)?;
    if segment(&id) == written { Ok(id) } else { Err(Refusal::NotFound) }
}

/// The name as a path's segment, and as a query's value: blanks and what is beyond ASCII are escaped (RFC 3986 section 2.1),
/// the rest of what names hold stands as it is.
fn segment(id: &AppName) -> String {
    let mut written = String::with_capacity(id.as_str().len());
    for byte in id.as_str().bytes() {
        match byte {
            0x21..0x7f => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_1_an_app_has_one_spelling_in_a_path() {
        let read = |path: &str| id(path).ok().map(|id| id.as_str().to_owned());
        for (path, name) in
            [("/apps/demo", "demo"), ("/apps/a.b_c-d@e", "a.b_c-d@e"), ("/apps/%C3%84rzte%20Co", "Ärzte Co")]
        {
            assert_eq!(read(path).as_deref(), Some(name), "{path}");
            // The path that came is in this form already, where there is only one for a request's path.
            assert_eq!(auth::path::normalise(path.as_bytes()).unwrap(), path);
        }
        for path in [
            "/apps",
            "/apps/",
            "/apps/a%40b",
            "/apps/%64emo",
            "/apps/%c3%84",
            "/apps/a;b",
            "/apps/a+b",
            "/apps/%FF",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
