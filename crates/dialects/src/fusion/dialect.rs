//! The dialect: which paths are ours, which credentials a request shows, how the backend is told who it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use api::Services;
use api::explain::Place;
use auth::permission::{Matrix, Method};
use auth::trust::Authenticated;
use auth::{
    BearerText, KeyText, Presented, RealmChoice, RealmName, Reason, Scope, SessionCap, SessionLimits,
    SessionToken,
};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Refusal};
use zeroize::Zeroizing;

use super::cookie::{self, CookieSettings};
use super::endpoint::{self, Endpoint, Listed, Operation};
use super::explain::{self, Foreknowledge};
use super::{openapi, refusals};
use crate::basic::{self, Scheme};
use crate::{shown, told};

/// The realm where none is named.
pub(super) const DEFAULT_REALM: &str = "native";

/// The fields that tell a backend who it is, and those by which it could be told wrongly.
const IDENTITY_NAMES: [&str; 8] = [
    "fusion-user-id",
    "fusion-user-name",
    "fusion-user-realm",
    "fusion-user-roles",
    "fusion-user-groups",
    "fusion-user",
    "fusion-realm",
    "fusion-roles",
];

/// The query parameter by which `GET /session` only looks.
const PEEK: &str = "peek";

/// The query parameter that names the realm of the credentials.
pub(super) const REALM_PARAMETER: &str = "realmName";

/// The query parameter that carries an API key.
pub(super) const API_KEY_PARAMETER: &str = "apiKey";

/// The first segment of the paths below which there are logins too.
const LOGINS_ELSEWHERE: &str = "apps";

/// Which of our endpoints this mount answers; the others are the backend's.
#[derive(Clone, Debug)]
pub struct OwnEndpoints(pub Vec<&'static str>);

impl OwnEndpoints {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    pub(super) fn whose(&self, method: Method, below: &str) -> Whose {
        let path = below.strip_prefix('/').unwrap_or(below);
        let first = path.split('/').next().unwrap_or_default();
        // The mount itself is ours whatever the settings say; below it, what they say. A login is one wherever it is.
        let mine = path.is_empty() || self.has(first);
        if !mine && first != LOGINS_ELSEWHERE {
            return Whose::Backend;
        }
        match Operation::at(method, path) {
            Ok(Operation::CreateSession) if self.has("session") => Whose::Ours(Operation::CreateSession),
            Ok(Operation::CreateSession) => Whose::Backend,
            _ if !mine => Whose::Backend,
            Ok(operation) => Whose::Ours(operation),
            Err(Some(allow)) => Whose::NotAllowed(allow),
            // Ours, and nothing is there.
            Err(None) => Whose::Ours(Operation::Nothing),
        }
    }
}

/// Whose a request below the mount is.
pub(super) enum Whose {
    Ours(Operation),
    /// Ours, but not with this method; the methods that are.
    NotAllowed(&'static str),
    Backend,
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
    /// Live sessions of one user at the most, and what happens to a login beyond that.
    pub cap: Option<SessionCap>,
    /// The query parameter by which a request says that it is no activity.
    pub no_refresh_query: Option<Box<str>>,
    /// The realms that are asked where none is named, in their order.
    pub realms: Arc<[RealmName]>,
    /// The header fields that tell the backend what the user's realm says of him: the attribute's name, the field's name.
    pub attribute_fields: Vec<(Box<str>, Box<str>)>,
    /// Which of our endpoints it answers.
    pub own: OwnEndpoints,
    /// Whether a 401 asks for Basic.
    pub basic_challenge: bool,
    /// The one-time token that allows the first start from elsewhere than this machine.
    pub setup_token: Option<Arc<Zeroizing<String>>>,
    /// What the settings alone say of a request, for those who have it explained.
    pub foreknown: Foreknowledge,
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
            .iter()
            .map(|&operation| {
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

    /// The OpenAPI 3.1 document of every endpoint of ours, for a mount at this path.
    #[must_use]
    pub fn description(mount: &str) -> serde_json::Value {
        openapi::document(mount)
    }

    /// What is at a path below a mount that answers `own` itself: for those who have it explained.
    #[must_use]
    pub fn place(own: &OwnEndpoints, foreknown: &Foreknowledge, method: Method, below: &str) -> Place {
        explain::place(own, foreknown, method, below)
    }

    pub(super) fn parts(&self) -> &Arc<FusionParts> {
        &self.parts
    }

    /// Whether a path below the mount is `GET /session`'s, and ours.
    fn is_who_am_i(&self, below: &str) -> bool {
        below == "/session" && self.parts.own.has("session")
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
        match self.parts.own.whose(method, below) {
            Whose::Ours(operation) => self.own(operation),
            Whose::NotAllowed(allow) => Claim::NotAllowed(allow),
            Whose::Backend => Claim::Backend,
        }
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        let mut presented = Presented { session: session(request)?, ..Presented::default() };
        match authorization(request)? {
            Some(Scheme::Basic(Ok(shown))) => {
                presented.password = Some(auth::PresentedPassword {
                    realm: realm(&self.parts, request)?,
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
        presented.key = api_key(request)?;
        Ok(presented)
    }

    fn credential_parameters(&self) -> &'static [&'static str] {
        &[API_KEY_PARAMETER]
    }

    fn counts_as_activity(&self, request: &Clean<'_>, below: &str) -> bool {
        let flag = self.parts.no_refresh_query.as_deref();
        request.query().is_none()
            || !(flag.is_some_and(|flag| says(request, flag)) || self.is_who_am_i(below) && peeks(request))
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
        field("fusion-user-realm", account.user.realm.as_str());
        field("X-Forwarded-User", account.user.username.shown());
        told::attributes(account, &self.parts.attribute_fields, field);
    }

    fn identity_names(&self) -> Vec<&str> {
        told::identity_names(IDENTITY_NAMES, &self.parts.attribute_fields)
    }
}

/// What a request says in its `Authorization`, if it has one.
pub(super) fn authorization<'r>(request: &'r Clean<'_>) -> Result<Option<Scheme<'r>>, Refusal> {
    let mut fields = request.values("authorization");
    let first = fields.next();
    match fields.next() {
        None => Ok(first.map(basic::read)),
        Some(_) => Err(Refusal::BadRequest("two Authorization fields")),
    }
}

/// Whether a request for who it is only looks.
pub(super) fn peeks(request: &Clean<'_>) -> bool {
    says(request, PEEK)
}

/// Whether this flag is set in the query.
fn says(request: &Clean<'_>, flag: &str) -> bool {
    request.query_values(flag).any(|value| value == b"true")
}

/// The session cookie that a request shows. An empty one is none; two with different values are refused.
pub(super) fn session(request: &Clean<'_>) -> Result<Option<Option<SessionToken>>, Refusal> {
    Ok(shown::token(shown::sole(request.cookies(cookie::NAME))?))
}

/// The realm that a request names, or those that the mount asks.
pub(super) fn realm(parts: &FusionParts, request: &Clean<'_>) -> Result<RealmChoice, Refusal> {
    let chain = || RealmChoice::Chain(Arc::clone(&parts.realms));
    Ok(named_realm(request)?.map_or_else(chain, RealmChoice::Named))
}

/// The realm that a request names.
pub(super) fn named_realm(request: &Clean<'_>) -> Result<Option<Box<str>>, Refusal> {
    if request.query().is_none() {
        return Ok(None);
    }
    let mut named: Option<Vec<u8>> = None;
    for value in request.query_values(REALM_PARAMETER) {
        if named.as_ref().is_some_and(|named| *named != value) {
            return Err(Refusal::BadRequest("realmName is given twice"));
        }
        named = Some(value);
    }
    // A name that is no text is the name of no realm.
    Ok(named.map(|name| String::from_utf8(name).unwrap_or_default().into_boxed_str()))
}

/// The API key that a request shows, in a field or in the query. An empty one is none; two with different texts are refused.
fn api_key(request: &Clean<'_>) -> Result<Option<Option<KeyText>>, Refusal> {
    let fields = request.values("x-api-key").chain(request.values("apikey")).map(Cow::Borrowed);
    let query = request.query().map(|_| request.query_values(API_KEY_PARAMETER).map(Cow::Owned));
    let mut shown: Option<Cow<'_, [u8]>> = None;
    for value in fields.chain(query.into_iter().flatten()).filter(|value| !value.is_empty()) {
        if shown.as_ref().is_some_and(|shown| *shown != value) {
            return Err(Refusal::BadRequest("two different API keys"));
        }
        shown = Some(value);
    }
    Ok(shown.map(|value| std::str::from_utf8(&value).ok().and_then(KeyText::presented)))
}
