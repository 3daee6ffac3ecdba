//! Why somebody may or may not, for administrators: `POST /explain`.

use std::sync::Arc;

use api::explain::{self as explaining, Explained, Place};
use auth::directory::Account;
use auth::permission::{Matrix, Method};
use auth::trust::Permit;
use auth::{KeyId, UserId};
use gateway::{Answer, Door, Refusal, Visit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialect::{DEFAULT_REALM, FusionParts, OwnEndpoints, Whose};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// What the settings alone say of a request to one mount, whoever sends it.
pub enum Foreknown {
    /// It is open to everybody, by this rule, unless it is for one of our endpoints.
    Public(String),
    /// It is for another mount, with a longer path: this one.
    OtherMount(String),
}

/// Says what the settings alone say of a method and a path below the mount; `None`: nothing.
pub type Foreknowledge = Arc<dyn Fn(Method, &str) -> Option<Foreknown> + Send + Sync>;

/// Who would ask, and for what.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    #[serde(default)]
    #[schemars(schema_with = "forms::id_or_null")]
    user_id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    realm_name: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "forms::id_or_null")]
    key_id: Option<String>,
    #[serde(default)]
    #[schemars(required)]
    method: Option<String>,
    #[serde(default)]
    #[schemars(required)]
    path: Option<String>,
}

/// The answer. What does not apply is there all the same, as `null` or empty: one shape for all answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Explanation")]
pub(super) struct Told<'a> {
    allowed: bool,
    decided_by: Option<Decision<'a>>,
    why: Option<&'a str>,
    grant: Option<&'a str>,
    near_misses: Vec<Nearly<'a>>,
    user: Who<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Decision<'a> {
    source: String,
    permission: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NearMiss")]
pub(super) struct Nearly<'a> {
    source: String,
    permission: &'a str,
    why: &'a [String],
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Asker")]
pub(super) struct Who<'a> {
    #[schemars(schema_with = "forms::id")]
    id: &'a str,
    username: &'a str,
    realm_name: &'a str,
    enabled: bool,
}

impl<'a> Told<'a> {
    fn of(account: &'a Account, explained: &'a Explained) -> Self {
        let decided_by = explained.decided_by.as_ref();
        let nearly = explained.near_misses.iter();
        let user = &account.user;
        Self {
            allowed: explained.allowed,
            decided_by: decided_by
                .map(|by| Decision { source: by.source.to_string(), permission: by.permission.as_deref() }),
            why: explained.why.as_deref(),
            grant: explained.grant.as_deref(),
            near_misses: nearly
                .map(|miss| Nearly {
                    source: miss.source.to_string(),
                    permission: &miss.permission,
                    why: &miss.why,
                })
                .collect(),
            user: Who {
                id: &account.id_text,
                username: user.username.shown(),
                realm_name: user.realm.as_str(),
                enabled: user.enabled,
            },
        }
    }
}

/// `POST /explain`.
pub(super) fn explain(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let question: Question = json::read_explained(visit)?;
    let missing = |field: &'static str| move || Refusal::invalid(field, "is missing");
    if question.username.is_none() && question.realm_name.is_some() {
        return Err(Refusal::invalid("realmName", "names nobody without a username"));
    }
    let input = explaining::Input {
        user: question.user_id.map(|id| id.parse::<UserId>()).transpose().map_err(no_id("userId"))?,
        username: question.username,
        realm: question.realm_name.unwrap_or_else(|| DEFAULT_REALM.to_owned()),
        key: question.key_id.map(|id| id.parse::<KeyId>()).transpose().map_err(no_id("keyId"))?,
        method: question.method.ok_or_else(missing("method"))?,
        path: question.path.ok_or_else(missing("path"))?,
    };
    let place = |method: Method, below: &str| place(&parts.own, &parts.foreknown, method, below);
    let (account, explained) =
        explaining::run(&parts.services, permit, &input, Matrix::Strict, place).map_err(said)?;
    Ok(json::answer(200, &Told::of(&account, &explained)))
}

fn no_id(field: &'static str) -> impl Fn(auth::IdFault) -> Refusal {
    move |fault| Refusal::invalid(field, fault.to_string())
}

/// What is at a path below the mount, in the order in which a request is routed.
pub(super) fn place(own: &OwnEndpoints, foreknown: &Foreknowledge, method: Method, below: &str) -> Place {
    let foreknown = foreknown(method, below);
    if let Some(Foreknown::OtherMount(path)) = foreknown {
        return Place::OtherMount(path);
    }
    match own.whose(method, below) {
        Whose::NotAllowed(allow) => Place::NotAllowed(allow),
        Whose::Ours(operation) if operation.is_nothing() => Place::Nothing,
        Whose::Ours(operation) => match operation.door() {
            Door::Public => Place::Public(None),
            Door::Login => Place::Login,
            Door::Permission => Place::Permission,
        },
        Whose::Backend => match foreknown {
            Some(Foreknown::Public(rule)) => Place::Public(Some(rule)),
            _ => Place::Permission,
        },
    }
}
