//! The session endpoints: log in, who am I, log out (contract/fusion.md, Sessions).

use api::sessions::{create, describe as describing, end as ending};
use auth::trust::Permit;
use auth::{AppName, LoginRequest, Origin, Password, SessionToken, Username};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::cookie;
use super::dialect::{FusionParts, peeks, realm, session};
use super::errors::said;
use super::json;
use super::openapi::forms;

/// The body of a login. Further keys are ignored; a key given twice is an error.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Login {
    #[schemars(schema_with = "forms::presented_username")]
    username: String,
    #[schemars(schema_with = "forms::presented_password")]
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
        realm: realm(parts, visit.request)?,
        username,
        password,
        scope: parts.scope.clone(),
        app,
        app_must_exist: parts.own.has("apps"),
        limits: parts.limits,
        cap: parts.cap,
        origin: origin(visit),
        replaces: shown(visit),
    };
    let token =
        cookie::token(&parts.services.kernel.draw()).ok_or(Refusal::Internal("a token of no form"))?;
    create::run(&parts.services, permit, &token, request).await.map_err(said)?;
    let set = parts.cookie.give(&token, visit.request.secure());
    Ok(Answer::empty(201).field("Set-Cookie", set))
}

/// `GET /session`; with `peek=true` also how long the session has left, which the request does not change then.
pub(super) fn describe(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let described = describing::run(&parts.services, permit).map_err(said)?;
    let roles: Vec<_> = described.roles.iter().map(|role| json::Role::of(role)).collect();
    let account = &described.account;
    let now = parts.services.kernel.clock().now();
    let session = described.session.as_ref().filter(|_| peeks(visit.request));
    let session = session.map(|session| json::Session::of(session, Some(account), now));
    Ok(json::answer(200, &json::Described { user: json::User::of(account), roles, session }))
}

/// `DELETE /session`: 204 whether or not a session was live.
pub(super) async fn end(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    if let Some(Some(token)) = session(visit.request)? {
        ending::run(&parts.services, permit, &token, &parts.scope).await.map_err(said)?;
    }
    Ok(without_cookie(parts, visit, Answer::empty(204)))
}

/// An answer to a client whose session is no more.
pub(super) fn without_cookie(parts: &FusionParts, visit: &Visit<'_>, answer: Answer) -> Answer {
    let take = parts.cookie.take(visit.request.secure());
    answer.field("Set-Cookie", take).field("Clear-Site-Data", "\"cache\"")
}

/// The app in the path, where the login is at one. What could be no name is refused before anybody looks at the password;
/// whether there is such an app is said only to those who have the right one.
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

pub(super) fn origin(visit: &Visit<'_>) -> Origin {
    let agent = visit.request.values("user-agent").next().map(String::from_utf8_lossy);
    Origin::new(visit.request.client(), agent.as_deref())
}
