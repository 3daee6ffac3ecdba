//! What is at the root of the gateway, beside the mounts: bearer tokens below `/oauth2` (contract/fusion.md, Tokens and keys), and
//! the public keys that they are verified with. Each is a mount of its own without a backend, made by `wire.rs`; clients speak
//! there as below the mount whose sessions the tokens are of. What is about the keys is below `/.doorward` too, where it is there
//! whatever the mounts speak.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::{Services, signing_keys};
use auth::path::below_mount;
use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{Pending, Presented, SigningAlgorithm};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Door, Refusal, Visit};

use super::dialect::{Fusion, FusionParts};
use super::endpoint::Listed;
use super::errors::said;
use super::refusals::{self, JSON};
use super::tokens_endpoints::{Endpoint, MAX_FORM_BYTES, PLACES, Place, TokenOperation};
use crate::plain::Reserved;

/// What the endpoints of tokens are made of.
pub struct TokensParts {
    /// The settings of the mount whose sessions the tokens are of.
    pub fusion: FusionParts,
    /// How will be signed with keys that are made by a rotation.
    pub algorithm: SigningAlgorithm,
}

/// The dialect of `/oauth2`, and of what is there of it below `/.doorward`.
pub struct Tokens {
    fusion: Fusion,
    /// Whether sessions count here by their cookie: where browsers send it.
    has_cookies: bool,
    /// Those that there are here.
    endpoints: HashMap<TokenOperation, Arc<dyn Destination>>,
}

impl Tokens {
    /// Where it is mounted.
    pub const PATH: &'static str = "/oauth2";

    /// Where the endpoints of the keys are mounted, on every listener.
    pub const KEYS_PATH: &'static str = "/.doorward/oauth2";

    /// The dialect of [`PATH`](Self::PATH). A token is a login: it is given where the mount has logins of ours.
    #[must_use]
    pub fn new(parts: TokensParts) -> Self {
        let has_logins = parts.fusion.own.has("session");
        Self::with(parts, true, |operation| has_logins || operation != TokenOperation::Give)
    }

    /// The dialect of [`KEYS_PATH`](Self::KEYS_PATH). The mount's cookies do not come here, and one that comes all the same is another's.
    #[must_use]
    pub fn of_keys(parts: TokensParts) -> Self {
        Self::with(parts, false, TokenOperation::is_of_keys)
    }

    fn with(parts: TokensParts, has_cookies: bool, has: impl Fn(TokenOperation) -> bool) -> Self {
        let (fusion, algorithm) = (Fusion::new(parts.fusion), parts.algorithm);
        let parts = fusion.parts();
        let operations = PLACES.iter().flat_map(|place| place.operations).map(|(_, operation)| *operation);
        let made = operations.filter(|operation| has(*operation)).map(|operation| {
            let endpoint = Endpoint { operation, parts: Arc::clone(parts), algorithm };
            (operation, Arc::new(endpoint) as Arc<dyn Destination>)
        });
        let endpoints = made.collect();
        Self { fusion, has_cookies, endpoints }
    }

    /// Every endpoint of tokens and keys; their paths are whole, without the first slash.
    pub fn endpoints() -> impl Iterator<Item = Listed> {
        let rows = PLACES.iter().flat_map(|place| {
            place.operations.iter().map(|(method, operation)| Listed {
                method: *method,
                path: place.path,
                operation: operation.name(),
                door: operation.door(),
            })
        });
        let published = Listed {
            method: Method::Get,
            path: KeySet::PATH.trim_start_matches('/'),
            operation: signing_keys::read::NAME_PUBLISHED,
            door: Door::Public,
        };
        rows.chain([published, Listed { method: Method::Head, ..published }])
    }
}

impl Dialect for Tokens {
    fn name(&self) -> &'static str {
        self.fusion.name()
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        let is_here = |place: &&Place| {
            place.operations.iter().any(|(_, operation)| self.endpoints.contains_key(operation))
        };
        let Some(place) = PLACES.iter().find(|place| place.is_at(below)).filter(is_here) else {
            // There is no backend here: the way answers that nothing is.
            return Claim::Backend;
        };
        let found = place.operations.iter().find(|(own, _)| *own == method);
        let endpoint = found.and_then(|(_, operation)| self.endpoints.get(operation));
        endpoint.map_or(Claim::NotAllowed(place.allow), |endpoint| Claim::Own(Arc::clone(endpoint)))
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        let presented = self.fusion.present(request)?;
        Ok(if self.has_cookies { presented } else { Presented { session: None, ..presented } })
    }

    fn credential_parameters(&self) -> &'static [&'static str] {
        self.fusion.credential_parameters()
    }

    fn counts_as_activity(&self, request: &Clean<'_>, below: &str) -> bool {
        self.fusion.counts_as_activity(request, below)
    }

    fn refuse(&self, refusal: &Refusal, request: Option<&Clean<'_>>) -> Answer {
        self.fusion.refuse(refusal, request)
    }

    /// Permissions are of whole paths here, as of a mount at `/`; a key's are the same wherever it is administered.
    fn judged_path<'p>(&self, request: &'p Clean<'_>, _: &'p str) -> &'p str {
        let path = request.path();
        below_mount(path, Reserved::PATH).unwrap_or(path)
    }

    fn matrix(&self) -> Matrix {
        self.fusion.matrix()
    }

    fn session_cookie(&self) -> &str {
        if self.has_cookies { self.fusion.session_cookie() } else { "" }
    }

    fn identify(&self, _: &Authenticated, _: &mut dyn FnMut(&str, &str)) {}

    fn identity_names(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// The dialect of the place where everybody finds the public keys (RFC 8414 section 2, `jwks_uri`).
pub struct KeySet(Arc<dyn Destination>);

impl KeySet {
    /// Where it is mounted.
    pub const PATH: &'static str = "/.well-known/jwks.json";

    /// The keys of these services, which everybody may keep for so long.
    #[must_use]
    pub fn new(services: Services, kept: Duration) -> Self {
        Self(Arc::new(Publish { services, kept }))
    }
}

impl Dialect for KeySet {
    fn name(&self) -> &'static str {
        "fusion"
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        match (method, below) {
            (Method::Get | Method::Head, "/") => Claim::Own(Arc::clone(&self.0)),
            (_, "/") => Claim::NotAllowed("GET, HEAD"),
            _ => Claim::Backend,
        }
    }

    fn present(&self, _: &Clean<'_>) -> Result<Presented, Refusal> {
        Ok(Presented::default())
    }

    fn counts_as_activity(&self, _: &Clean<'_>, _: &str) -> bool {
        false
    }

    fn refuse(&self, refusal: &Refusal, request: Option<&Clean<'_>>) -> Answer {
        refusals::say(refusal, request, false)
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    /// None: nobody has a session here, and an application's own cookies are its own.
    fn session_cookie(&self) -> &str {
        ""
    }

    fn identify(&self, _: &Authenticated, _: &mut dyn FnMut(&str, &str)) {}

    fn identity_names(&self) -> Vec<&str> {
        Vec::new()
    }
}

struct Publish {
    services: Services,
    kept: Duration,
}

impl Destination for Publish {
    fn name(&self) -> &'static str {
        signing_keys::read::NAME_PUBLISHED
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

    fn perform<'a>(&'a self, _: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        Box::pin(async move {
            let keys = signing_keys::read::published(&self.services, &permit).map_err(said)?;
            Ok(Answer::with_body(200, JSON, keys.as_bytes().to_vec()).kept_by_everybody(self.kept))
        })
    }
}
