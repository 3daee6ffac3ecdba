//! Sessions as a resource, for administrators: `/sessions`, `/sessions/ID`, `/users/ID/sessions`.

use api::sessions::{list as listing, revoke as revoking};
use auth::trust::Permit;
use auth::{SessionId, UserId};
use gateway::{Answer, Refusal, Visit};

use super::dialect::FusionParts;
use super::directory::{id, page, paged, sole};
use super::errors::said;
use super::json;

/// `GET /sessions`.
pub(super) fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let (after, limit) = page::<SessionId>(visit)?;
    let ended = match sole(visit, "state")?.as_deref() {
        None | Some("live") => false,
        Some("ended") => true,
        Some(_) => return Err(Refusal::BadRequest("state is `live` or `ended`")),
    };
    let user = match sole(visit, "user")? {
        None => None,
        Some(text) => Some(text.parse::<UserId>().map_err(|_| Refusal::BadRequest("user is no id"))?),
    };
    let filter =
        listing::Filter { user, realm: sole(visit, "realm")?, app: sole(visit, "app")?, ended, after, limit };
    let (found, more) = listing::run(&parts.services, permit, &filter).map_err(said)?;
    let now = parts.services.kernel.clock().now();
    let snapshot = parts.services.kernel.directory().present();
    let shown: Vec<_> = found
        .iter()
        .map(|session| {
            json::Session::of(session, snapshot.account(&session.user).map(|account| &**account), now)
        })
        .collect();
    let last = found.last().filter(|_| more).map(|session| session.id.to_string());
    Ok(paged(json::answer(200, &shown), visit, last.as_deref(), limit))
}

/// `GET /sessions/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let session = listing::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    let snapshot = parts.services.kernel.directory().present();
    let account = snapshot.account(&session.user).map(|account| &**account);
    Ok(json::answer(200, &json::Session::of(&session, account, parts.services.kernel.clock().now())))
}

/// `DELETE /sessions/ID`.
pub(super) async fn revoke(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    revoking::run(&parts.services, permit, &id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// `DELETE /users/ID/sessions`.
pub(super) async fn revoke_all(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    revoking::all(&parts.services, permit, &id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}
