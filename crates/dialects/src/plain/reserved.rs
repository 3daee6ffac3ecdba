//! What belongs to the gateway on every listener: `/.doorward/`. The health check is always there; with a mount of the
//! dialect `plain` also its sessions, and the administration in the words of the Sessions API, with problem details as
//! errors. Whatever else is below it is nothing, and never a backend's.

use std::sync::Arc;

use api::Services;
use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{Pending, Presented, Scope, SessionCap, SessionLimits};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Door, Refusal, Visit};
use zeroize::Zeroizing;

use super::endpoints::{Endpoint, Operation};
use super::mount::{PlainParts, says};
use super::{cookie, credentials, problems};
use crate::fusion::{Fusion, FusionParts, OwnEndpoints};

/// The path of the session's endpoint, below ours.
const SESSION: &str = "/session";

/// What is below it one of one's own sessions.
const MINE: &str = "/session/mine/";

/// The query parameter by which `GET /session` only looks.
const PEEK: &str = "peek";

/// What the endpoints are made of: the settings that all mounts of the dialect share.
pub struct ReservedParts {
    /// The operations.
    pub services: Services,
    /// Where the sessions count.
    pub scope: Scope,
    /// The limits of the sessions.
    pub limits: SessionLimits,
    /// Live sessions of one user at the most, and what happens to a login beyond that.
    pub cap: Option<SessionCap>,
    /// Which of our endpoints there are.
    pub own: OwnEndpoints,
    /// The one-time token that allows the first start from elsewhere than this machine.
    pub setup_token: Option<Arc<Zeroizing<String>>>,
    /// How the clients show who they are.
    pub plain: PlainParts,
}

/// The dialect of `/.doorward`.
pub struct Reserved {
    health: Arc<dyn Destination>,
    not_for_you: Arc<dyn Destination>,
    serving: Option<Serving>,
}

/// What is there for the clients of mounts.
struct Serving {
    parts: Arc<ReservedParts>,
    /// The operations that have nothing in them of a dialect's cookie.
    operations: Fusion,
}

impl Reserved {
    /// Where it is mounted.
    pub const PATH: &'static str = "/.doorward";

    /// Where proxies ask about requests that they hold. Those who may are answered as the request itself would be
    /// (`gateway/src/forward_auth/stated.rs`) and never come to this dialect.
    pub const ASKED_AT: &'static str = "/.doorward/auth";

    /// The dialect where no mount speaks `plain`.
    #[must_use]
    pub fn new() -> Self {
        Self { health: Arc::new(Health), not_for_you: Arc::new(NotForYou), serving: None }
    }

    /// The dialect where mounts speak `plain`.
    #[must_use]
    pub fn serving(parts: ReservedParts) -> Self {
        let operations = Fusion::new(FusionParts {
            services: parts.services.clone(),
            cookie: parts.plain.cookie.clone(),
            scope: parts.scope.clone(),
            limits: parts.limits,
            cap: parts.cap,
            no_refresh_query: parts.plain.no_refresh_query.clone(),
            realms: Arc::clone(&parts.plain.realms),
            attribute_fields: Vec::new(),
            own: parts.own.clone(),
            basic_challenge: parts.plain.basic_challenge,
            setup_token: parts.setup_token.clone(),
            foreknown: Arc::new(|_, _| None),
        });
        Self { serving: Some(Serving { parts: Arc::new(parts), operations }), ..Self::new() }
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new()
    }
}

impl Serving {
    fn claim(&self, method: Method, below: &str) -> Claim {
        let has_sessions = self.parts.own.0.contains(&"session");
        match (method, below) {
            (Method::Post, "/") => self.operations.claim(method, below),
            // Versions and realms are nobody's business here.
            (_, "/") => Claim::NotAllowed("POST"),
            (Method::Post, SESSION) if has_sessions => self.own(Operation::Create),
            (Method::Get | Method::Head, SESSION) if has_sessions => self.own(Operation::Describe),
            (Method::Delete, SESSION) if has_sessions => self.own(Operation::End),
            (Method::Delete, below) if has_sessions && is_one_of_mine(below) => self.own(Operation::EndMine),
            // A login at an app would give out another dialect's cookie.
            (_, below) if below.starts_with("/apps/") && below.ends_with(SESSION) => Claim::Backend,
            _ => self.operations.claim(method, below),
        }
    }

    fn own(&self, operation: Operation) -> Claim {
        Claim::Own(Arc::new(Endpoint { operation, parts: Arc::clone(&self.parts) }))
    }
}

fn is_asked_at(below: &str) -> bool {
    let whole = Reserved::ASKED_AT.strip_prefix(Reserved::PATH);
    whole.is_some_and(|asked| auth::path::below_mount(below, asked).is_some())
}

fn is_one_of_mine(below: &str) -> bool {
    below.strip_prefix(MINE).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// `/.doorward/health`: that this process answers. Says nothing else.
struct Health;

impl Destination for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    fn door(&self) -> Door {
        Door::Public
    }

    fn is_administration(&self) -> bool {
        false
    }

    fn body_limit(&self) -> usize {
        0
    }

    fn perform<'a>(&'a self, _: Visit<'a>, _: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        Box::pin(async { Ok(Answer::with_body(200, "application/json", b"{\"status\":\"up\"}".to_vec())) })
    }
}

/// `/.doorward/auth`, for whoever is not a trusted proxy.
struct NotForYou;

impl Destination for NotForYou {
    fn name(&self) -> &'static str {
        "forward-auth"
    }

    fn door(&self) -> Door {
        Door::Public
    }

    fn is_administration(&self) -> bool {
        false
    }

    fn body_limit(&self) -> usize {
        0
    }

    fn perform<'a>(&'a self, _: Visit<'a>, _: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        Box::pin(async { Err(Refusal::Unanswerable("only a proxy of trusted_proxies is answered here")) })
    }
}

impl Dialect for Reserved {
    fn name(&self) -> &'static str {
        "reserved"
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        match (below, method) {
            ("/health", Method::Get | Method::Head) => Claim::Own(Arc::clone(&self.health)),
            ("/health", _) => Claim::NotAllowed("GET, HEAD"),
            (below, _) if is_asked_at(below) => Claim::Own(Arc::clone(&self.not_for_you)),
            // There is no backend here: the way answers that nothing is.
            _ => self.serving.as_ref().map_or(Claim::Backend, |serving| serving.claim(method, below)),
        }
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        match &self.serving {
            Some(serving) => credentials::read(&serving.parts.plain, request),
            None => Ok(Presented::default()),
        }
    }

    fn counts_as_activity(&self, request: &Clean<'_>, below: &str) -> bool {
        let peeks = below == SESSION && says(request, PEEK);
        !peeks && self.serving.as_ref().is_some_and(|serving| serving.parts.plain.counts_as_activity(request))
    }

    fn refuse(&self, refusal: &Refusal, _: Option<&Clean<'_>>) -> Answer {
        let basic = self.serving.as_ref().is_some_and(|serving| serving.parts.plain.basic_challenge);
        problems::say(refusal, basic)
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    fn session_cookie(&self) -> &str {
        ""
    }

    /// Also where no mount has sessions here any more: browsers keep their cookies, and one day there may be one again.
    fn cookies_of_the_host(&self) -> &'static [&'static str] {
        cookie::NAMES
    }

    fn identify(&self, _: &Authenticated, _: &mut dyn FnMut(&str, &str)) {}

    fn identity_names(&self) -> Vec<&str> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_mount_of_ours_only_the_health_is_there() {
        let reserved = Reserved::new();
        assert!(matches!(reserved.claim(Method::Get, "/health"), Claim::Own(_)));
        assert!(matches!(reserved.claim(Method::Post, "/health"), Claim::NotAllowed("GET, HEAD")));
        for below in ["/", SESSION, "/users", "/session/mine", "/health/x", "/healthy"] {
            assert!(matches!(reserved.claim(Method::Get, below), Claim::Backend), "{below}");
        }
    }

    #[test]
    fn one_of_my_sessions_is_one_segment() {
        for (below, is) in [
            ("/session/mine/7", true),
            ("/session/mine/", false),
            ("/session/mine", false),
            ("/session/mine/7/x", false),
            ("/sessions/mine/7", false),
        ] {
            assert_eq!(is_one_of_mine(below), is, "{below}");
        }
    }
}
