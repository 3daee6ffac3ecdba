//! Users, roles and sessions as JSON, with this dialect's names.

use auth::directory::{Account, CompiledRole};
use auth::permission::Permission;
use auth::sessions::Session as LiveSession;
use auth::{Attribute, Moment, SessionId};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::openapi::forms;
use super::refusals::{JSON, Strength};

/// An answer with this body.
pub(crate) fn answer(status: u16, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(body) => Answer::with_body(status, JSON, body),
        Err(_) => Answer::empty(500),
    }
}

/// An answer with this body, which is JSON already.
pub(super) fn written(status: u16, body: Vec<u8>) -> Answer {
    Answer::with_body(status, JSON, body)
}

/// Reads a JSON body.
///
/// # Errors
/// 415 for JSON under another media type; 400 for what is no JSON object, or not of the form that is asked for.
pub(crate) fn read<T: DeserializeOwned>(visit: &Visit<'_>) -> Result<T, Refusal> {
    read_or(visit, |_| Refusal::BadRequest("the body is not the JSON that is expected"))
}

/// As [`read`], and tells an administrator what is wrong with his body.
pub(super) fn read_explained<T: DeserializeOwned>(visit: &Visit<'_>) -> Result<T, Refusal> {
    read_or(visit, |error| Refusal::invalid("body", error))
}

fn read_or<T: DeserializeOwned>(
    visit: &Visit<'_>,
    wrong: impl FnOnce(serde_json::Error) -> Refusal,
) -> Result<T, Refusal> {
    let mut types = visit.request.values("content-type");
    let is_json = match (types.next(), types.next()) {
        (Some(value), None) => {
            let essence = value.split(|&b| b == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
        }
        _ => false,
    };
    if !is_json {
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(&visit.body).is_ok();
        return Err(if json {
            Refusal::UnsupportedMediaType
        } else {
            Refusal::BadRequest("the body is no JSON")
        });
    }
    // A list of the values in the order of our fields is no body of ours, though serde would read it as one.
    if visit.body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::BadRequest("the body is no JSON object"));
    }
    serde_json::from_slice(&visit.body).map_err(wrong)
}

/// The text of a JSON object that was sent, for operations that keep it.
///
/// # Errors
/// 400 naming `field` where it is no object.
pub(super) fn sent_object(field: &'static str, sent: Option<Value>) -> Result<Option<String>, Refusal> {
    match sent {
        None => Ok(None),
        Some(sent @ Value::Object(_)) => Ok(Some(sent.to_string())),
        Some(_) => Err(Refusal::invalid(field, "is no JSON object")),
    }
}

/// A JSON object that was kept as text.
pub(super) fn kept_object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
}

fn stamp<S: Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

/// What a realm says of a user, as an object.
fn named<S: Serializer>(attributes: &&[Attribute], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|attribute| (&attribute.name, &attribute.value)))
}

/// A user.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User<'a> {
    #[schemars(schema_with = "forms::id")]
    id: &'a str,
    username: &'a str,
    realm_name: &'a str,
    role_names: Vec<&'a str>,
    /// Roles that his realm gave him for his groups, when it last vouched for him.
    granted_role_names: Vec<&'a str>,
    #[schemars(with = "Vec<forms::Permission>")]
    permissions: &'a [Permission],
    /// What else his realm said of him then.
    #[serde(serialize_with = "named")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    attributes: &'a [Attribute],
    enabled: bool,
    /// His realm would let him in no more, or could not be asked for too long.
    lapsed: bool,
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    created_at: Moment,
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    updated_at: Moment,
}

impl<'a> User<'a> {
    pub(crate) fn of(account: &'a Account) -> Self {
        let user = &account.user;
        Self {
            id: &account.id_text,
            username: user.username.shown(),
            realm_name: user.realm.as_str(),
            role_names: user.roles.iter().map(auth::RoleName::as_str).collect(),
            granted_role_names: user.vouched.roles.iter().map(auth::RoleName::as_str).collect(),
            permissions: &user.permissions,
            attributes: &user.vouched.attributes,
            enabled: user.enabled,
            lapsed: user.vouched.lapsed,
            created_at: user.created,
            updated_at: user.updated,
        }
    }
}

/// A user whose password was just set, with what zxcvbn says of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserWithStrength<'a> {
    #[serde(flatten)]
    pub(super) user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strength: Option<Strength<'a>>,
}

/// A role.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role<'a> {
    #[schemars(schema_with = "forms::id")]
    id: String,
    name: &'a str,
    desc: &'a str,
    #[schemars(with = "Vec<forms::Permission>")]
    permissions: &'a [Permission],
    ui_permissions: &'a [String],
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    created_at: Moment,
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    updated_at: Moment,
}

impl<'a> Role<'a> {
    pub(crate) fn of(compiled: &'a CompiledRole) -> Self {
        let role = &compiled.role;
        Self {
            id: api::roles::id_of(role.name.as_str()).to_string(),
            name: role.name.as_str(),
            desc: &role.description,
            permissions: &role.permissions,
            ui_permissions: &role.ui_permissions,
            created_at: role.created,
            updated_at: role.updated,
        }
    }
}

/// The answer to "who am I".
#[derive(Serialize, JsonSchema)]
pub(crate) struct Described<'a> {
    pub(crate) user: User<'a>,
    pub(crate) roles: Vec<Role<'a>>,
    /// The session that was shown, where the client only looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session<'a>>,
}

/// A session, without its token.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session<'a> {
    #[schemars(schema_with = "forms::id")]
    id: String,
    #[schemars(schema_with = "forms::id")]
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    realm_name: &'a str,
    mount: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    method: &'a str,
    address: String,
    user_agent: Option<&'a str>,
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    created_at: Moment,
    #[serde(serialize_with = "stamp")]
    #[schemars(schema_with = "forms::moment")]
    last_seen_at: Moment,
    /// Whether it is the one that asks; among one's own only.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<bool>,
    /// Whole seconds; 0 for a session that has ended.
    idle_seconds_left: u64,
    max_seconds_left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "forms::moment")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'a str>,
}

impl<'a> Session<'a> {
    /// One of the caller's, of which `current` is the one that asks.
    pub(super) fn one_of_mine(
        session: &'a LiveSession,
        account: Option<&'a Account>,
        now: Moment,
        current: Option<SessionId>,
    ) -> Self {
        Self { current: Some(current == Some(session.id)), ..Self::of(session, account, now) }
    }

    pub(crate) fn of(session: &'a LiveSession, account: Option<&'a Account>, now: Moment) -> Self {
        let ended = session.ended(now);
        let left = |deadline: Moment| if ended.is_some() { 0 } else { deadline.since(now).as_secs() };
        Self {
            id: session.id.to_string(),
            user_id: session.user.to_string(),
            username: account.map(|account| account.user.username.shown()),
            realm_name: session.realm.as_str(),
            mount: session.scope.as_str(),
            app: session.app.as_ref().map(auth::AppName::as_str),
            method: session.method.as_str(),
            address: session.origin.address.to_string(),
            user_agent: session.origin.user_agent.as_deref(),
            created_at: session.created,
            last_seen_at: session.last_seen(),
            current: None,
            idle_seconds_left: left(session.last_seen().plus(session.limits.idle_timeout)),
            max_seconds_left: left(session.created.plus(session.limits.max_lifetime)),
            ended_at: ended.map(|ended| ended.at.to_string()),
            end_reason: ended.map(|ended| ended.reason.as_str()),
        }
    }
}
