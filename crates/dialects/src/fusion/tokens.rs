//! What is at the root of the gateway, beside the mounts: bearer tokens below `/oauth2` (contract/fusion.md, Tokens and keys), and
//! the public keys that they are verified with. Each is a mount of its own without a backend, made by `wire.rs`; clients speak
//! there as below the mount whose sessions the tokens are of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::{Services, signing_keys};
use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{Pending, Presented, SigningAlgorithm};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Door, Refusal, Visit};

use super::cookie;
use super::dialect::{Fusion, FusionParts};
use super::endpoint::Listed;
use super::errors::said;
use super::refusals::{self, JSON};
use super::tokens_endpoints::{Endpoint, MAX_FORM_BYTES, PLACES, TokenOperation};

/// What the endpoints of tokens are made of.
pub struct TokensParts {
    /// The settings of the mount whose sessions the tokens are of.
    pub fusion: FusionParts,
    /// How will be signed with keys that are made by a rotation.
    pub algorithm: SigningAlgorithm,
}

/// The dialect of `/oauth2`.
pub struct Tokens {
    fusion: Fusion,
    endpoints: HashMap<TokenOperation, Arc<dyn Destination>>,
}

impl Tokens {
    /// Where it is mounted.
    pub const PATH: &'static str = "/oauth2";

    /// The dialect of these parts.
    #[must_use]
    pub fn new(parts: TokensParts) -> Self {
        let (fusion, algorithm) = (Fusion::new(parts.fusion), parts.algorithm);
        let parts = fusion.parts();
        let made = PLACES.iter().flat_map(|place| place.operations).map(|(_, operation)| {
            let endpoint = Endpoint { operation: *operation, parts: Arc::clone(parts), algorithm };
            (*operation, Arc::new(endpoint) as Arc<dyn Destination>)
        });
        let endpoints = made.collect();
        Self { fusion, endpoints }
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
        let Some(place) = PLACES.iter().find(|place| place.is_at(below)) else {
            // There is no backend here: the way answers that nothing is.
            return Claim::Backend;
        };
        let found = place.operations.iter().find(|(own, _)| *own == method);
        let endpoint = found.and_then(|(_, operation)| self.endpoints.get(operation));
        endpoint.map_or(Claim::NotAllowed(place.allow), |endpoint| Claim::Own(Arc::clone(endpoint)))
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        self.fusion.present(request)
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

    /// Permissions are of whole paths here, as of a mount at `/`.
    fn judged_path<'p>(&self, request: &'p Clean<'_>, _: &'p str) -> &'p str {
        request.path()
    }

    fn matrix(&self) -> Matrix {
        self.fusion.matrix()
    }

    fn session_cookie(&self) -> &str {
        self.fusion.session_cookie()
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

    fn session_cookie(&self) -> &str {
        cookie::NAME
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
