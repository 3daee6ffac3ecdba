//! The endpoints of `/oauth2`: tokens for passwords, their revocation (RFC 7009) and introspection (RFC 7662), and the keys that
//! they are signed with. The table is the whole surface; made by `tokens.rs`.

use std::sync::Arc;

use api::signing_keys::{read as listing, rotate, withdraw};
use api::tokens::revoke::{self, Revoked};
use api::tokens::{create, introspect};
use auth::permission::{Method, Permission};
use auth::trust::Permit;
use auth::{BearerText, KeyRing, KeyState, LoginRequest, Pending, Reason, SigningAlgorithm, SigningKey};
use gateway::{Answer, Clean, Destination, Door, Refusal, Visit};
use schemars::JsonSchema;
use serde::Serialize;

use super::dialect::{FusionParts, authorization, realm};
use super::endpoint::ANY;
use super::errors::said;
use super::json;
use super::openapi::forms;
use super::session::origin;
use crate::basic::{Basic, Scheme};
use crate::form::Form;
use crate::told;

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
    WithdrawKey,
}

impl TokenOperation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Give => create::NAME,
            Self::Revoke => revoke::NAME,
            Self::Introspect => introspect::NAME,
            Self::ListKeys => listing::NAME,
            Self::RotateKeys => rotate::NAME,
            Self::WithdrawKey => withdraw::NAME,
        }
    }

    /// Who has a password or a token shows it to these endpoints themselves.
    pub(super) fn door(self) -> Door {
        match self {
            Self::Give | Self::Revoke => Door::Public,
            Self::Introspect | Self::ListKeys | Self::RotateKeys | Self::WithdrawKey => Door::Permission,
        }
    }

    /// Whether it is about the keys, and so the administration's. Backends ask what a token is worth; they are no administrators.
    pub(super) fn is_of_keys(self) -> bool {
        matches!(self, Self::ListKeys | Self::RotateKeys | Self::WithdrawKey)
    }
}

/// A path of ours, and what is done there.
pub(super) struct Place {
    /// Whole, without its first slash; [`ANY`] is any one segment.
    pub(super) path: &'static str,
    /// The methods of `operations`, as `Allow` says them.
    pub(super) allow: &'static str,
    pub(super) operations: &'static [(Method, TokenOperation)],
}

impl Place {
    /// Whether it is at this path below the mount.
    pub(super) fn is_at(&self, below: &str) -> bool {
        let Some(own) = self.path.strip_prefix("oauth2") else { return false };
        match own.strip_suffix(ANY) {
            Some(before) => below.strip_prefix(before).is_some_and(|id| !id.is_empty() && !id.contains('/')),
            None => own == below,
        }
    }
}

/// The first that fits counts.
pub(super) const PLACES: [Place; 6] = {
    use Method::{Delete, Get, Head, Post};
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
        Place { path: "oauth2/keys/ID", allow: "DELETE", operations: &[(Delete, Do::WithdrawKey)] },
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
        self.operation.is_of_keys()
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
                TokenOperation::WithdrawKey => withdraw_key(self, &permit, &visit).await,
            }
        })
    }
}

/// A token, for who gets it (RFC 6749 section 5.1).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GivenToken")]
pub(super) struct Given<'a> {
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
    let realm = realm(parts, visit.request)?;
    let Some(password) = password else {
        let client = origin(visit).address;
        return Err(said(create::refuse(&parts.services, permit, realm, username, client).await));
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

/// Why a token is not taken back here (RFC 7009 section 2.2.1), in its words and in ours.
#[derive(Serialize, JsonSchema)]
pub(super) struct Untaken {
    code: &'static str,
    error: &'static str,
    message: &'static str,
}

const NO_KEYS: Untaken = Untaken {
    code: "unsupported-token-type",
    error: told::UNSUPPORTED_TOKEN_TYPE,
    message: "an API key is not taken back here: whoever may, deletes it at /api-keys below the mount",
};

/// `POST /oauth2/revoke`: whoever has a token may give it back; one that is none is not there any more either (RFC 7009 section
/// 2.2). Whether there is such a key nobody learns here.
async fn take_back(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let token = named(visit)?;
    let revoked = revoke::run(&parts.services, permit, &token, &parts.scope).await.map_err(said)?;
    Ok(match revoked {
        Revoked::Done => Answer::empty(200),
        Revoked::IsKey => json::answer(400, &NO_KEYS),
    })
}

/// What a token is worth (RFC 7662 section 2.2). Of one that is worth nothing, not even why.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenWorth")]
pub(super) struct Told<'a> {
    active: bool,
    #[serde(flatten)]
    live: Option<Live<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LiveToken")]
pub(super) struct Live<'a> {
    token_type: &'static str,
    #[schemars(schema_with = "forms::id")]
    sub: &'a str,
    username: &'a str,
    realm: &'a str,
    /// Of a token; keys have no session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "forms::id")]
    sid: Option<String>,
    iat: u64,
    /// Of a key that ends some day, and of every token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    exp: Option<u64>,
    /// Of a key that was made for less than its user may: what it may do of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<forms::Permission>")]
    permissions: Option<&'a [Permission]>,
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
        sid: live.session.map(|session| session.to_string()),
        iat: live.issued.as_millis() / 1_000,
        exp: live.expires.map(|expires| expires.as_millis() / 1_000),
        permissions: live.key.as_ref().and_then(|key| key.key.permissions.as_deref()),
    });
    Ok(json::answer(200, &Told { active: live.is_some(), live }))
}

/// A key, without its private half.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SigningKey")]
pub(super) struct Key<'a> {
    /// What a token's `kid` calls it.
    #[schemars(schema_with = "forms::thumbprint")]
    id: &'a str,
    algorithm: &'static str,
    /// `current`, `next` or `retired`.
    state: &'static str,
    #[schemars(schema_with = "forms::moment")]
    created_at: String,
    /// Until when a retired one is published.
    #[schemars(schema_with = "forms::moment_or_null")]
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

/// `DELETE /oauth2/keys/ID`.
async fn withdraw_key(endpoint: &Endpoint, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let id = visit.below.rsplit('/').next().unwrap_or_default();
    let ring = withdraw::run(&endpoint.parts.services, permit, id, endpoint.algorithm).await.map_err(said)?;
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
            assert!(place.path.strip_suffix(ANY).is_none_or(|before| before.ends_with('/')));
        }
        let first = |below: &str| PLACES.iter().find(|place| place.is_at(below)).map(|place| place.path);
        assert_eq!(first("/keys/rotate"), Some("oauth2/keys/rotate"));
        assert_eq!(first("/keys/A-_9"), Some("oauth2/keys/ID"));
        let found = |below: &str| PLACES.iter().any(|place| place.is_at(below));
        assert!(found("/keys/rotate"));
        for below in [
            "",
            "/",
            "/keys/",
            "/keys//",
            "/keys/a/",
            "/keys/a/b",
            "/keysa",
            "/Token",
            "/token/x",
            "token",
            "/oauth2/token",
        ] {
            assert!(!found(below), "{below}");
        }
    }

    #[test]
    fn of_a_token_that_is_worth_nothing_nothing_is_told() {
        let told = serde_json::to_string(&Told { active: false, live: None }).unwrap();
        assert_eq!(told, "{\"active\":false}");
    }
}
