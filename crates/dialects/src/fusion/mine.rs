//! One's own sessions: `/session/mine`, `/session/mine/ID`. For everybody who is known, whatever his permissions.

use api::Page;
use api::sessions::mine;
use auth::SessionId;
use auth::trust::Permit;
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::dialect::FusionParts;
use super::entity::{id_at, listed, page};
use super::errors::said;
use super::json;
use super::openapi::forms;
use super::session::without_cookie;
use super::sessions::Ended;

/// What ending one's own sessions takes beside a session that is not recent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(default)]
    #[schemars(schema_with = "forms::presented_password_or_null")]
    current_password: Option<Zeroizing<String>>,
}

/// `GET /session/mine`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Page { after, limit } = page(visit)?;
    let found = mine::run(&parts.services, permit, after, limit).await.map_err(said)?;
    let account = permit.caller().known().map(|known| &**known.account());
    let now = parts.services.kernel.clock().now();
    let current = current(permit);
    Ok(listed(
        visit,
        limit,
        &found,
        |session| json::Session::one_of_mine(session, account, now, current),
        |session| session.id.to_string(),
    ))
}

/// `DELETE /session/mine/ID`. Of the one that asks, the cookie goes too.
pub(super) async fn end(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let id = id_at(visit, 3)?;
    mine::end(&parts.services, permit, &id, proof(visit)?).await.map_err(said)?;
    let answer = Answer::empty(204);
    Ok(if current(permit) == Some(id) { without_cookie(parts, visit, answer) } else { answer })
}

/// `DELETE /session/mine`: all but the one that asks.
pub(super) async fn end_others(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let ended = mine::end_others(&parts.services, permit, proof(visit)?).await.map_err(said)?;
    Ok(json::answer(200, &Ended { ended }))
}

fn current(permit: &Permit) -> Option<SessionId> {
    permit.caller().known()?.session().map(|session| session.id)
}

/// The present password, where one came along. A request without a body has none.
pub(crate) fn proof(visit: &Visit<'_>) -> Result<Option<Zeroizing<String>>, Refusal> {
    if visit.body.is_empty() {
        return Ok(None);
    }
    Ok(json::read_explained::<Proof>(visit)?.current_password)
}
