//! The mount itself: what anybody may know, and the first start (contract/fusion.md, Status and first start).

use api::setup::{initialise as starting, status as telling};
use auth::trust::Permit;
use auth::{Moment, Reason};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::dialect::FusionParts;
use super::errors::said;
use super::json;
use super::openapi::forms;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    version: &'static str,
    enabled_realms: Vec<Realm>,
    init_meta: Option<Initialised>,
    #[schemars(schema_with = "forms::moment")]
    start_time: String,
    status: Health,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EnabledRealm")]
struct Realm {
    name: String,
    realm_type: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Initialised {
    version: String,
    #[schemars(schema_with = "forms::moment")]
    initialized_at: String,
}

#[derive(Serialize, JsonSchema)]
struct Health {
    state: &'static str,
}

/// `GET` of the mount.
pub(super) fn status(parts: &FusionParts, permit: &Permit) -> Result<Answer, Refusal> {
    let told = telling::run(&parts.services, permit).map_err(said)?;
    let print = |moment: Moment| moment.to_string();
    Ok(json::answer(
        200,
        &Status {
            version: told.version,
            enabled_realms: told
                .realms
                .into_iter()
                .map(|(name, realm_type)| Realm { name, realm_type })
                .collect(),
            init_meta: told
                .initialised
                .map(|done| Initialised { version: done.version, initialized_at: print(done.at) }),
            start_time: print(told.started),
            status: Health { state: "up" },
        },
    ))
}

/// The body of a first start.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FirstStart {
    #[schemars(schema_with = "forms::new_password")]
    password: Zeroizing<String>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    setup_token: Option<Zeroizing<String>>,
}

/// `POST` to the mount: sets `admin`'s password, once, from this machine or with the one-time set-up token.
pub(super) async fn initialise(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let body: FirstStart = json::read(visit)?;
    let knows_token = match (&parts.setup_token, &body.setup_token) {
        (Some(token), Some(shown)) => token.as_bytes().ct_eq(shown.as_bytes()).into(),
        _ => false,
    };
    if !visit.request.is_local() && !knows_token {
        return Err(Reason::Forbidden.into());
    }
    starting::run(&parts.services, permit, body.password).await.map_err(said)?;
    Ok(Answer::empty(201))
}
