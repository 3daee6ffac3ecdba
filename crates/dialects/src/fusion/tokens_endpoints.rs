//! The endpoints of `/oauth2`: tokens for passwords, their revocation (RFC 7009) and introspection (RFC 7662), and the keys that
//! they are signed with. The table is the whole surface; made by `tokens.rs`.

use std::sync::Arc;

use api::signing_keys::{read as listing, rotate};
use api::tokens::{create, introspect, revoke};
use auth::permission::Method;
use auth::trust::Permit;
use auth::{BearerText, KeyRing, KeyState, LoginRequest, Pending, Reason, SigningAlgorithm, SigningKey};
use gateway::{Answer, Clean, Destination, Door, Refusal, Visit};
use serde::Serialize;

use super::dialect::{FusionParts, authorization, realm};
use super::errors::said;
use super::json;
use super::session::origin;
use crate::basic::{Basic, Scheme};
use crate::form::Form;

/// The longest form, in bytes: a token, with room for what RFC 7009 lets clients say beside it.
pub(super) const MAX_FORM_BYTES: usize = 8 * 1024;

/// An operation on tokens or keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TokenOperation {
    Give,
    Revoke,
    Introspect,
    ListKeys,
    RotateKeys,
}

impl TokenOperation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Give => create::NAME,
            Self::Revoke => revoke::NAME,
            Self::Introspect => introspect::NAME,
            Self::ListKeys => listing::NAME,
            Self::RotateKeys => rotate::NAME,
        }
    }

    /// Who has a password or a token shows it to these endpoints themselves.
    pub(super) fn door(self) -> Door {
        match self {
            Self::Give | Self::Revoke => Door::Public,
            Self::Introspect | Self::ListKeys | Self::RotateKeys => Door::Permission,
        }
    }
}

/// A path of ours, and what is done there.
pub(super) struct Place {
    /// Whole, without its first slash.
    pub(super) path: &'static str,
    /// The methods of `operations`, as `Allow` says them.
    pub(super) allow: &'static str,
    pub(super) operations: &'static [(Method, TokenOperation)],
}

impl Place {
    /// Whether it is at this path below the mount.
    pub(super) fn is_at(&self, below: &str) -> bool {
        self.path.strip_prefix("oauth2") == Some(below)
    }
}

pub(super) const PLACES: [Place; 5] = {
    use Method::{Get, Head, Post};
    use TokenOperation as Do;
    [
        Place { path: "oauth2/token", allow: "POST", operations: &[(Post, Do::Give)] },
        Place { path: "oauth2/revoke", allow: "POST", operations: &[(Post, Do::Revoke)] },
        Place { path: "oauth2/introspect", allow: "POST", operations: &[(Post, Do::Introspect)] },
        Place {
            path: "oauth2/keys",
            allow: "GET, HEAD",
            operations: &[(Get, Do::ListKeys), (Head, Do::ListKeys)],
        },
        Place { path: "oauth2/keys/rotate", allow: "POST", operations: &[(Post, Do::RotateKeys)] },
    ]
};

/// One operation.
pub(super) struct Endpoint {
    pub(super) operation: TokenOperation,
    pub(super) parts: Arc<FusionParts>,
    pub(super) algorithm: SigningAlgorithm,
}

impl Destination for Endpoint {
    fn name(&self) -> &'static str {
        self.operation.name()
    }

    fn door(&self) -> Door {
        self.operation.door()
    }

    fn is_administration(&self) -> bool {
        // Backends ask what a token is worth; they are no administrators.
        matches!(self.operation, TokenOperation::ListKeys | TokenOperation::RotateKeys)
    }

    fn body_limit(&self) -> usize {
        MAX_FORM_BYTES
    }

    fn perform<'a>(&'a self, visit: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        let parts = &*self.parts;
        Box::pin(async move {
            match self.operation {
                TokenOperation::Give => give(parts, &permit, &visit).await,
                TokenOperation::Revoke => take_back(parts, &permit, &visit).await,
                TokenOperation::Introspect => tell(parts, &permit, &visit),
                TokenOperation::ListKeys => list(parts, &permit),
                TokenOperation::RotateKeys => rotate_keys(self, &permit, &visit).await,
            }
        })
    }
}

/// A token, for who gets it (RFC 6749 section 5.1).
#[derive(Serialize)]
struct Given<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
}

/// `POST /oauth2/token`: a login by Basic whose session is shown with a token.
async fn give(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Basic { username, password } = match authorization(visit.request)? {
        Some(Scheme::Basic(read)) => read.map_err(Reason::MalformedCredentials)?,
        Some(Scheme::Bearer(_) | Scheme::Other) | None => return Err(Reason::NoCredentials.into()),
    };
    // Some clients say in the body what they ask for: that which they get (RFC 6749 section 4.4.2).
    if !visit.body.is_empty() && Form::of(visit)?.value("grant_type") != Some("client_credentials") {
        return Err(Refusal::BadRequest("grant_type is not client_credentials"));
    }
    let request = LoginRequest {
        realm: realm(parts, visit.request)?,
        username,
        password: password.ok_or(Reason::WrongPassword)?,
        scope: parts.scope.clone(),
        app: None,
        app_must_exist: false,
        limits: parts.limits,
        cap: parts.cap,
        origin: origin(visit),
        replaces: Vec::new(),
    };
    let (_, token) = create::signed(&parts.services, permit, request).await.map_err(said)?;
    let expires_in = parts.limits.max_lifetime.as_secs();
    Ok(json::answer(200, &Given { access_token: token.expose(), token_type: "Bearer", expires_in }))
}

/// The token that a form names. What else RFC 7009 and RFC 7662 let clients say of it is not needed to find it.
fn named(visit: &Visit<'_>) -> Result<BearerText, Refusal> {
    let form = Form::of(visit)?;
    let token = form.value("token").filter(|token| !token.is_empty());
    token.map(|token| BearerText::new(token.to_owned())).ok_or(Refusal::BadRequest("no token"))
}

/// `POST /oauth2/revoke`: whoever has a token may give it back; one that is none is not there any more either (RFC 7009 section
/// 2.2).
async fn take_back(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let token = named(visit)?;
    revoke::run(&parts.services, permit, &token, &parts.scope).await.map_err(said)?;
    Ok(Answer::empty(200))
}

/// What a token is worth (RFC 7662 section 2.2). Of one that is worth nothing, not even why.
#[derive(Serialize)]
struct Told<'a> {
    active: bool,
    #[serde(flatten)]
    live: Option<Live<'a>>,
}

#[derive(Serialize)]
struct Live<'a> {
    token_type: &'static str,
    sub: &'a str,
    username: &'a str,
    realm: &'a str,
    sid: String,
    iat: u64,
    exp: u64,
}

/// `POST /oauth2/introspect`.
fn tell(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let token = named(visit)?;
    let live = introspect::run(&parts.services, permit, &token, &parts.scope).map_err(said)?;
    let live = live.as_ref().map(|live| Live {
        token_type: "Bearer",
        sub: &live.account.id_text,
        username: live.account.user.username.shown(),
        realm: live.account.user.realm.as_str(),
        sid: live.session.to_string(),
        iat: live.issued.as_millis() / 1_000,
        exp: live.expires.as_millis() / 1_000,
    });
    Ok(json::answer(200, &Told { active: live.is_some(), live }))
}

/// A key, without its private half.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    /// What a token's `kid` calls it.
    id: &'a str,
    algorithm: &'static str,
    /// `current`, `next` or `retired`.
    state: &'static str,
    created_at: String,
    /// Until when a retired one is published.
    retired_until: Option<String>,
}

impl<'a> Key<'a> {
    fn of(key: &'a SigningKey) -> Self {
        let (state, retired_until) = match key.state {
            KeyState::Current => ("current", None),
            KeyState::Next => ("next", None),
            KeyState::Retired { until } => ("retired", Some(until.to_string())),
        };
        let algorithm = key.public.algorithm().as_str();
        Self { id: &key.id, algorithm, state, created_at: key.created.to_string(), retired_until }
    }
}

fn listed(ring: Option<&KeyRing>) -> Answer {
    let keys: Vec<_> = ring.map_or(&[][..], KeyRing::keys).iter().map(Key::of).collect();
    json::answer(200, &keys)
}

/// `GET /oauth2/keys`.
fn list(parts: &FusionParts, permit: &Permit) -> Result<Answer, Refusal> {
    let ring = listing::run(&parts.services, permit).map_err(said)?;
    Ok(listed(ring.as_deref()))
}

/// `POST /oauth2/keys/rotate`; with `force=true` also where some verifiers may not know the next key yet.
async fn rotate_keys(endpoint: &Endpoint, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let parts = &endpoint.parts;
    let terms = rotate::Terms { algorithm: endpoint.algorithm, longest_life: parts.limits.max_lifetime };
    let ring = rotate::run(&parts.services, permit, terms, is_forced(visit.request)?).await.map_err(said)?;
    Ok(listed(Some(&ring)))
}

/// Whether the rotation is forced. What is neither yes nor no is refused: it is not the kind of thing to guess at.
fn is_forced(request: &Clean<'_>) -> Result<bool, Refusal> {
    let mut forced = false;
    for value in request.query_values("force") {
        forced = match &*value {
            b"true" => true,
            b"false" => false,
            _ => return Err(Refusal::BadRequest("force is neither true nor false")),
        };
    }
    Ok(forced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_says_its_methods() {
        for place in &PLACES {
            let methods: Vec<_> = place.operations.iter().map(|(method, _)| method.as_str()).collect();
            assert_eq!(place.allow, methods.join(", "), "{}", place.path);
            assert!(place.is_at(place.path.trim_start_matches("oauth2")), "{}", place.path);
        }
        let found = |below: &str| PLACES.iter().any(|place| place.is_at(below));
        assert!(found("/keys/rotate"));
        for below in ["", "/", "/keys/", "/Token", "/token/x", "token", "/oauth2/token"] {
            assert!(!found(below), "{below}");
        }
    }

    #[test]
    fn of_a_token_that_is_worth_nothing_nothing_is_told() {
        let told = serde_json::to_string(&Told { active: false, live: None }).unwrap();
        assert_eq!(told, "{\"active\":false}");
    }
}
