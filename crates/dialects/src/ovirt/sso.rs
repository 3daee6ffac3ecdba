//! The engine's single sign-on, as far as clients of the API use it: `…/sso/oauth/token` gives a token for a password,
//! `…/sso/oauth/revoke` and `…/services/sso-logout` take it back (contract/ovirt.md, SSO tokens). Each is a mount of its own,
//! made by `wire.rs` beside the mount whose sessions the tokens are of.

use std::sync::Arc;

use api::tokens::revoke::Revoked;
use api::{Error, Services, tokens};
use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{
    BearerText, LoginRequest, Password, Pending, Presented, Reason, Scope, SessionCap, SessionLimits,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::{Answer, Claim, Clean, Destination, Dialect, Door, Refusal, Visit};
use serde::Serialize;
use zeroize::Zeroizing;

use super::dialect::{Profiles, origin};
use super::refusals::{self, Terms};
use crate::form::Form;
use crate::told;

/// The scope of every token here, and the one that clients ask for.
const SCOPE: &str = "ovirt-app-api";

/// The longest form, in bytes: a name and a password with every byte escaped.
const MAX_FORM_BYTES: usize = 8 * 1024;

/// What the endpoints are made of: the settings of the mount whose sessions the tokens are of.
pub struct SsoParts {
    /// The operations.
    pub services: Services,
    /// Where its sessions count.
    pub scope: Scope,
    /// The limits of its sessions.
    pub limits: SessionLimits,
    /// Live sessions of one user at the most, and what happens to a login beyond that.
    pub cap: Option<SessionCap>,
    /// The realms of the profiles.
    pub profiles: Profiles,
}

/// The dialect of one of the endpoints.
pub struct Sso {
    parts: Arc<SsoParts>,
    endpoint: Arc<dyn Destination>,
}

impl Sso {
    /// Below a mount's parent: where tokens are given.
    pub const TOKEN: &'static str = "/sso/oauth/token";
    /// Below a mount's parent: where they are taken back.
    pub const REVOKE: [&'static str; 2] = ["/sso/oauth/revoke", "/services/sso-logout"];

    /// Gives tokens.
    #[must_use]
    pub fn giving(parts: &Arc<SsoParts>) -> Self {
        Self::of(parts, Operation::Give)
    }

    /// Takes tokens back.
    #[must_use]
    pub fn taking(parts: &Arc<SsoParts>) -> Self {
        Self::of(parts, Operation::Take)
    }

    fn of(parts: &Arc<SsoParts>, operation: Operation) -> Self {
        let endpoint = Arc::new(Endpoint { operation, parts: Arc::clone(parts) });
        Self { parts: Arc::clone(parts), endpoint }
    }
}

impl Dialect for Sso {
    fn name(&self) -> &'static str {
        "ovirt"
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        match (method, below) {
            (Method::Post, "/") => Claim::Own(Arc::clone(&self.endpoint)),
            (_, "/") => Claim::NotAllowed("POST"),
            // There is no backend here: the way answers that nothing is.
            _ => Claim::Backend,
        }
    }

    fn present(&self, _: &Clean<'_>) -> Result<Presented, Refusal> {
        Ok(Presented::default())
    }

    fn counts_as_activity(&self, _: &Clean<'_>, _: &str) -> bool {
        false
    }

    fn refuse(&self, refusal: &Refusal, _: Option<&Clean<'_>>) -> Answer {
        let terms = Terms { challenge: "", most_sessions: self.parts.cap.map_or(0, |cap| cap.most) };
        let fault = refusals::fault(refusal, terms);
        // Who is not let in hears it with a 400, as the engine says it.
        let (status, error_code) = match (refusal, fault.status) {
            (Refusal::Auth(_), 401 | 403) => (400, "access_denied"),
            (Refusal::Auth(Reason::TooManyAttempts { .. }), status) => (status, "access_denied"),
            (_, status @ 400..=499) => (status, "invalid_request"),
            (_, status) => (status, "server_error"),
        };
        let answer = json(status, &Failed { error_code, error: &fault.detail });
        match refusal {
            Refusal::Auth(Reason::TooManyAttempts { retry_after }) => {
                answer.field("Retry-After", told::seconds(*retry_after))
            }
            Refusal::MethodNotAllowed { allow } => answer.field("Allow", *allow),
            _ => answer,
        }
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    fn session_cookie(&self) -> &str {
        // No cookie counts here. The engine's own pages below this path have theirs.
        ""
    }

    fn identify(&self, _: &Authenticated, _: &mut dyn FnMut(&str, &str)) {}

    fn identity_names(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// A token, for who gets it.
#[derive(Serialize)]
struct Given<'a> {
    access_token: &'a str,
    scope: &'static str,
    /// Milliseconds since 1970, as a text.
    exp: String,
    token_type: &'static str,
}

/// Why there is none.
#[derive(Serialize)]
struct Failed<'a> {
    error_code: &'a str,
    error: &'a str,
}

fn json(status: u16, body: &impl Serialize) -> Answer {
    // None of these has anything in it that JSON cannot say.
    Answer::with_body(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

fn refused(error_code: &str, error: &str) -> Answer {
    json(400, &Failed { error_code, error })
}

/// What a client asks for: a token, or that one is taken back.
#[derive(Clone, Copy)]
enum Operation {
    Give,
    Take,
}

struct Endpoint {
    operation: Operation,
    parts: Arc<SsoParts>,
}

impl Destination for Endpoint {
    fn name(&self) -> &'static str {
        match self.operation {
            Operation::Give => tokens::create::NAME,
            Operation::Take => tokens::revoke::NAME,
        }
    }

    fn door(&self) -> Door {
        Door::Public
    }

    fn is_administration(&self) -> bool {
        false
    }

    fn body_limit(&self) -> usize {
        MAX_FORM_BYTES
    }

    fn perform<'a>(&'a self, visit: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        match self.operation {
            Operation::Give => Box::pin(give(&self.parts, visit, permit)),
            Operation::Take => Box::pin(take(&self.parts, visit, permit)),
        }
    }
}

async fn give(parts: &SsoParts, visit: Visit<'_>, permit: Permit) -> Result<Answer, Refusal> {
    let form = Form::of(&visit)?;
    match form.value("grant_type") {
        Some("password") => {}
        Some(_) => return Ok(refused("unsupported_grant_type", "The grant type is not password.")),
        None => return Ok(refused("invalid_request", "The form has no grant_type.")),
    }
    let scopes = form.value("scope").unwrap_or(SCOPE);
    if !scopes.split(' ').any(|scope| scope == SCOPE) {
        return Ok(refused("invalid_scope", "The scope is not ovirt-app-api."));
    }
    let (Some(login), Some(password)) = (form.value("username"), form.value("password")) else {
        return Ok(refused("invalid_request", "The form has no username or no password."));
    };
    let (realm, username) = parts.profiles.split(login).map_err(Reason::MalformedCredentials)?;
    let Some(password) = Password::presented(Zeroizing::new(password.to_owned())) else {
        let client = origin(visit.request).address;
        return Err(said(tokens::create::refuse(&parts.services, &permit, realm, username, client).await));
    };
    let request = LoginRequest {
        realm,
        username,
        password,
        scope: parts.scope.clone(),
        app: None,
        app_must_exist: false,
        limits: parts.limits,
        cap: parts.cap,
        origin: origin(visit.request),
        replaces: Vec::new(),
    };
    let kernel = &parts.services.kernel;
    let write = |_: &_, _| Ok(BearerText::new(URL_SAFE_NO_PAD.encode(*kernel.draw::<32>())));
    let made = tokens::create::run(&parts.services, &permit, request, write).await;
    let (_, token) = made.map_err(said)?;
    let exp = kernel.clock().wall().plus(parts.limits.max_lifetime).as_millis().to_string();
    Ok(json(200, &Given { access_token: token.expose(), scope: SCOPE, exp, token_type: "bearer" }))
}

/// Whoever has a token may give it back; one that is none is not there any more either (RFC 7009 section 2.2).
async fn take(parts: &SsoParts, visit: Visit<'_>, permit: Permit) -> Result<Answer, Refusal> {
    let form = Form::of(&visit)?;
    let Some(token) = form.value("token").filter(|token| !token.is_empty()) else {
        return Ok(refused("invalid_request", "The form has no token."));
    };
    let token = BearerText::new(token.to_owned());
    match tokens::revoke::run(&parts.services, &permit, &token, &parts.scope).await.map_err(said)? {
        Revoked::Done => Ok(Answer::with_body(200, "application/json", b"{}".to_vec())),
        Revoked::IsKey => Ok(refused(told::UNSUPPORTED_TOKEN_TYPE, "An API key is not taken back here.")),
    }
}

/// An operation's error as a refusal.
fn said(error: Error) -> Refusal {
    match error {
        Error::Kernel(reason) => Refusal::Auth(reason),
        _ => Refusal::Internal("an operation on tokens said what it cannot say"),
    }
}
