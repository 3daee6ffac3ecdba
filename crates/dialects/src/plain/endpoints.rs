//! The session endpoints at `/.doorward/session`: log in, who am I, log out. Made by `reserved`.

use std::sync::Arc;

use api::sessions::{create, describe, end, mine};
use auth::trust::Permit;
use auth::{LoginRequest, Origin, Password, Pending, RealmChoice, SessionId, Username};
use gateway::{Answer, Clean, Destination, Door, Refusal, Visit};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::reserved::ReservedParts;
use super::{cookie, credentials};
use crate::fusion::{Described, RoleShown, SessionShown, UserShown, answer, id_at, proof, read, said};

/// The longest body of a login or a proof, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The number of the segment below `/.doorward` that is the id of one of one's own sessions.
const MINE_ID: usize = 3;

/// An operation that has something of our cookie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Describe,
    End,
    EndMine,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => create::NAME,
            Self::Describe => describe::NAME,
            Self::End => end::NAME,
            Self::EndMine => mine::NAME_END,
        }
    }
}

/// One of them.
pub(super) struct Endpoint {
    pub(super) operation: Operation,
    pub(super) parts: Arc<ReservedParts>,
}

impl Destination for Endpoint {
    fn name(&self) -> &'static str {
        self.operation.name()
    }

    fn door(&self) -> Door {
        match self.operation {
            Operation::Create | Operation::End => Door::Public,
            Operation::Describe | Operation::EndMine => Door::Login,
        }
    }

    fn is_administration(&self) -> bool {
        false
    }

    fn body_limit(&self) -> usize {
        MAX_BODY
    }

    fn perform<'a>(&'a self, visit: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        let parts = &*self.parts;
        Box::pin(async move {
            match self.operation {
                Operation::Create => log_in(parts, &permit, &visit).await,
                Operation::Describe => who_am_i(parts, &permit),
                Operation::End => log_out(parts, &permit, &visit).await,
                Operation::EndMine => end_mine(parts, &permit, &visit).await,
            }
        })
    }
}

/// The body of a login. What it says beside this is a mistake: a realm under another name would be another realm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: Zeroizing<String>,
    #[serde(default)]
    realm: Option<Box<str>>,
}

/// `POST /session`: judged by its body alone.
async fn log_in(parts: &ReservedParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let login: Login = read(visit)?;
    let username =
        Username::presented(&login.username).map_err(|_| Refusal::BadRequest("no usable user name"))?;
    let password = Password::presented(login.password).ok_or(Refusal::BadRequest("no usable password"))?;
    let chain = || RealmChoice::Chain(Arc::clone(&parts.plain.realms));
    let request = LoginRequest {
        realm: login.realm.map_or_else(chain, RealmChoice::Named),
        username,
        password,
        scope: parts.scope.clone(),
        app: None,
        app_must_exist: false,
        limits: parts.limits,
        cap: parts.cap,
        origin: origin(visit.request),
        replaces: credentials::all_sessions(&parts.plain, visit.request),
    };
    let kernel = &parts.services.kernel;
    let token = cookie::token(&kernel.draw()).ok_or(Refusal::Internal("a token of no form"))?;
    let done = create::run(&parts.services, permit, &token, request).await.map_err(said)?;
    let snapshot = kernel.directory().present();
    let account = snapshot.account(&done.session.user).map(|account| &**account);
    let shown = SessionShown::of(&done.session, account, kernel.clock().now());
    let set = cookie::give(&parts.plain.cookie, &token, visit.request.secure());
    Ok(answer(201, &shown).field("Set-Cookie", set))
}

/// `GET /session`: the caller, his roles, and how long his session has left, if he came with one.
fn who_am_i(parts: &ReservedParts, permit: &Permit) -> Result<Answer, Refusal> {
    let described = describe::run(&parts.services, permit).map_err(said)?;
    let account = &described.account;
    let now = parts.services.kernel.clock().now();
    let session = described.session.as_ref();
    Ok(answer(
        200,
        &Described {
            user: UserShown::of(account),
            roles: described.roles.iter().map(|role| RoleShown::of(role)).collect(),
            session: session.map(|session| SessionShown::of(session, Some(account), now)),
        },
    ))
}

/// `DELETE /session`: 204 whether or not a session was live.
async fn log_out(parts: &ReservedParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    if let Some(Some(token)) = credentials::session(&parts.plain, visit.request)? {
        end::run(&parts.services, permit, &token, &parts.scope).await.map_err(said)?;
    }
    Ok(without_cookie(parts, visit.request, Answer::empty(204)))
}

/// `DELETE /session/mine/ID`. Of the one that asks, the cookie goes too.
async fn end_mine(parts: &ReservedParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let id: SessionId = id_at(visit, MINE_ID)?;
    let current = permit.caller().known().and_then(|known| known.session()).map(|session| session.id);
    mine::end(&parts.services, permit, &id, proof(visit)?).await.map_err(said)?;
    let answer = Answer::empty(204);
    Ok(if current == Some(id) { without_cookie(parts, visit.request, answer) } else { answer })
}

/// An answer to a client whose session is no more.
fn without_cookie(parts: &ReservedParts, request: &Clean<'_>, answer: Answer) -> Answer {
    let take = cookie::take(&parts.plain.cookie, request.secure());
    answer.field("Set-Cookie", take).field("Clear-Site-Data", "\"cache\"")
}

fn origin(request: &Clean<'_>) -> Origin {
    let agent = request.values("user-agent").next().map(String::from_utf8_lossy);
    Origin::new(request.client(), agent.as_deref())
}
