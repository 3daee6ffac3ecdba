//! The dialect: which paths are ours, which credentials a request shows, how the backend is told who it is.

use std::collections::HashMap;
use std::sync::Arc;

use api::Services;
use auth::permission::{Matrix, Method};
use auth::trust::Authenticated;
use auth::{BearerText, Presented, Reason, Scope, SessionLimits, SessionToken};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Refusal};
use zeroize::Zeroizing;

use super::cookie::{self, CookieSettings};
use super::endpoint::{self, Endpoint, Listed, Operation};
use super::refusals;
use crate::basic::{self, Scheme};

/// The realm where none is named.
pub(super) const DEFAULT_REALM: &str = "native";

/// Which of our endpoints this mount answers; the others are the backend's.
#[derive(Clone, Debug)]
pub struct OwnEndpoints(pub Vec<&'static str>);

impl OwnEndpoints {
    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// What a dialect is made of: the mount's settings and the operations.
pub struct FusionParts {
    /// The operations.
    pub services: Services,
    /// The session cookie.
    pub cookie: CookieSettings,
    /// Where its sessions count.
    pub scope: Scope,
    /// The limits of its sessions.
    pub limits: SessionLimits,
    /// Live sessions of one user at the most.
    pub max_sessions_per_user: Option<usize>,
    /// Which of our endpoints it answers.
    pub own: OwnEndpoints,
    /// Whether a 401 asks for Basic.
    pub basic_challenge: bool,
    /// The one-time token that allows the first start from elsewhere than this machine.
    pub setup_token: Option<Arc<Zeroizing<String>>>,
}

/// The dialect of one mount.
pub struct Fusion {
    parts: Arc<FusionParts>,
    endpoints: HashMap<Operation, Arc<dyn Destination>>,
}

impl Fusion {
    /// The dialect of a mount.
    #[must_use]
    pub fn new(parts: FusionParts) -> Self {
        let parts = Arc::new(parts);
        let endpoints = Operation::ALL
            .into_iter()
            .map(|operation| {
                let endpoint: Arc<dyn Destination> =
                    Arc::new(Endpoint { operation, parts: Arc::clone(&parts) });
                (operation, endpoint)
            })
            .collect();
        Self { parts, endpoints }
    }

    /// Every endpoint of ours: the picture of permissions is drawn of it, so that none is forgotten.
    pub fn endpoints() -> impl Iterator<Item = Listed> {
        endpoint::listed()
    }

    fn own(&self, operation: Operation) -> Claim {
        self.endpoints.get(&operation).map_or(Claim::Backend, |own| Claim::Own(Arc::clone(own)))
    }
}

impl Dialect for Fusion {
    fn name(&self) -> &'static str {
        "fusion"
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        let path = below.strip_prefix('/').unwrap_or(below);
        let first = path.split('/').next().unwrap_or_default();
        // The mount itself is ours whatever the settings say; below it, what they say.
        if !path.is_empty() && !self.parts.own.has(first) {
            return Claim::Backend;
        }
        match Operation::at(method, path) {
            Ok(operation) => self.own(operation),
            Err(Some(allow)) => Claim::NotAllowed(allow),
            // Ours, and nothing is there.
            Err(None) => self.own(Operation::Nothing),
        }
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        let mut presented = Presented { session: session(request)?, ..Presented::default() };
        let mut authorizations = request.values("authorization");
        let first = authorizations.next();
        if authorizations.next().is_some() {
            return Err(Refusal::BadRequest("two Authorization fields"));
        }
        match first.map(basic::read) {
            Some(Scheme::Basic(Ok(shown))) => {
                presented.password = Some(auth::PresentedPassword {
                    realm: realm(request)?,
                    username: shown.username,
                    password: shown.password,
                });
            }
            // A live session decides alone; without one, what cannot be read is a wrong password.
            Some(Scheme::Basic(Err(_))) if presented.session.is_some() => {}
            Some(Scheme::Basic(Err(what))) => return Err(Reason::MalformedCredentials(what).into()),
            Some(Scheme::Bearer(token)) => presented.bearer = Some(BearerText::new(token.to_owned())),
            Some(Scheme::Other) | None => {}
        }
        if presented.bearer.is_none() {
            presented.bearer = api_key(request);
        }
        Ok(presented)
    }

    fn counts_as_activity(&self, request: &Clean<'_>) -> bool {
        request.query().is_none() || !request.query_values("_noSessionRefresh").any(|value| value == b"true")
    }

    fn refuse(&self, refusal: &Refusal, request: Option<&Clean<'_>>) -> Answer {
        refusals::say(refusal, request, self.parts.basic_challenge)
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    fn session_cookie(&self) -> &str {
        cookie::NAME
    }

    fn identify(&self, known: &Authenticated, field: &mut dyn FnMut(&str, &str)) {
        let account = known.account();
        field("fusion-user-id", &account.id_text);
        field("fusion-user-name", account.user.username.shown());
        field("X-Forwarded-User", account.user.username.shown());
    }

    fn identity_names(&self) -> &'static [&'static str] {
        &[
            "fusion-user-id",
            "fusion-user-name",
            "fusion-user-realm",
            "fusion-user-roles",
            "fusion-user-groups",
            "fusion-user",
            "fusion-realm",
            "fusion-roles",
        ]
    }
}

/// The session cookie that a request shows. An empty one is none; two with different values are refused.
pub(super) fn session(request: &Clean<'_>) -> Result<Option<Option<SessionToken>>, Refusal> {
    let mut shown: Option<&[u8]> = None;
    for value in request.cookies(cookie::NAME).filter(|value| !value.is_empty()) {
        if shown.is_some_and(|shown| shown != value) {
            return Err(Reason::ConflictingCookies.into());
        }
        shown = Some(value);
    }
    Ok(shown.map(|value| std::str::from_utf8(value).ok().and_then(SessionToken::from_text)))
}

/// The realm that a request names, or the default.
pub(super) fn realm(request: &Clean<'_>) -> Result<Box<str>, Refusal> {
    if request.query().is_none() {
        return Ok(Box::from(DEFAULT_REALM));
    }
    let mut named: Option<Vec<u8>> = None;
    for value in request.query_values("realmName") {
        if named.as_ref().is_some_and(|named| *named != value) {
            return Err(Refusal::BadRequest("realmName is given twice"));
        }
        named = Some(value);
    }
    // A name that is no text is the name of no realm.
    Ok(named.map_or(Box::from(DEFAULT_REALM), |name| {
        String::from_utf8(name).unwrap_or_default().into_boxed_str()
    }))
}

fn api_key(request: &Clean<'_>) -> Option<BearerText> {
    let header = request.values("x-api-key").next().or_else(|| request.values("apikey").next());
    if let Some(value) = header {
        return Some(BearerText::new(String::from_utf8_lossy(value).into_owned()));
    }
    request.query()?;
    let key = request.query_values("apiKey").next()?;
    Some(BearerText::new(String::from_utf8_lossy(&key).into_owned()))
}
