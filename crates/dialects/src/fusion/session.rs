//! The session endpoints: log in, who am I, log out (contract/fusion.md, Sessions).

use api::sessions::{create, describe as describing, end as ending};
use auth::trust::Permit;
use auth::{AppName, LoginRequest, Origin, Password, SessionToken, Username};
use gateway::{Answer, Refusal, Visit};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::cookie;
use super::dialect::{FusionParts, realm, session};
use super::errors::said;
use super::json;

/// The body of a login. Further keys are ignored; a key given twice is an error.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: Zeroizing<String>,
}

/// `POST /session`, `POST /apps/APP/session`: judged by its body alone.
pub(super) async fn create(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let app = app(visit)?;
    let login: Login = json::read(visit)?;
    let username =
        Username::presented(&login.username).map_err(|_| Refusal::BadRequest("no usable user name"))?;
    let password = Password::presented(login.password).ok_or(Refusal::BadRequest("no usable password"))?;
    let request = LoginRequest {
        realm: realm(visit.request)?,
        username,
        password,
        scope: parts.scope.clone(),
        app,
        limits: parts.limits,
        max_sessions: parts.max_sessions_per_user,
        origin: origin(visit),
        replaces: shown(visit),
    };
    let token =
        cookie::token(&parts.services.kernel.draw()).ok_or(Refusal::Internal("a token of no form"))?;
    create::run(&parts.services, permit, &token, request).await.map_err(said)?;
    let set = parts.cookie.give(&token, visit.request.secure());
    Ok(Answer::empty(201).field("Set-Cookie", set))
}

/// `GET /session`.
pub(super) fn describe(parts: &FusionParts, permit: &Permit) -> Result<Answer, Refusal> {
    let described = describing::run(&parts.services, permit).map_err(said)?;
    let roles: Vec<_> = described.roles.iter().map(|role| json::Role::of(role)).collect();
    Ok(json::answer(200, &json::Described { user: json::User::of(&described.account), roles }))
}

/// `DELETE /session`: 204 whether or not a session was live.
pub(super) async fn end(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    if let Some(Some(token)) = session(visit.request)? {
        ending::run(&parts.services, permit, &token, &parts.scope).await.map_err(said)?;
    }
    let take = parts.cookie.take(visit.request.secure());
    Ok(Answer::empty(204).field("Set-Cookie", take).field("Clear-Site-Data", "\"cache\""))
}

/// The app in the path, where the login is at one. Whether there is such an app is its backend's business: the name is kept
/// for lists, and what could be no name is refused before anybody looks at the password.
fn app(visit: &Visit<'_>) -> Result<Option<AppName>, Refusal> {
    let Some(segment) = visit.below.strip_prefix("/apps/").and_then(|rest| rest.split('/').next()) else {
        return Ok(None);
    };
    let name = String::from_utf8(auth::path::decode(segment.as_bytes()));
    let name = name.ok().and_then(|name| AppName::parse(&name).ok());
    name.map(Some).ok_or(Refusal::BadRequest("no usable app name"))
}

/// Every session cookie that came along, however many and whatever they are worth.
fn shown(visit: &Visit<'_>) -> Vec<SessionToken> {
    const MAX_SHOWN: usize = 8;
    let values = visit.request.cookies(cookie::NAME).take(MAX_SHOWN);
    values.filter_map(|value| SessionToken::from_text(std::str::from_utf8(value).ok()?)).collect()
}

fn origin(visit: &Visit<'_>) -> Origin {
    let agent = visit.request.values("user-agent").next().map(String::from_utf8_lossy);
    Origin::new(visit.request.client(), agent.as_deref())
}
