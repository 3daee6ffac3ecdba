//! What belongs to the gateway on every listener: `/.doorward/`. Its errors are problem details (RFC 9457).
//!
//! So far it holds the health check and nothing else; whatever else is below it is nothing, and never a backend's.

use std::sync::Arc;

use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{Pending, Presented, Reason};
use gateway::{Answer, Claim, Clean, Destination, Dialect, Door, Refusal, Visit};

/// The dialect of `/.doorward`.
pub struct Reserved {
    health: Arc<dyn Destination>,
}

impl Reserved {
    /// Where it is mounted.
    pub const PATH: &'static str = "/.doorward";

    /// The dialect.
    #[must_use]
    pub fn new() -> Self {
        Self { health: Arc::new(Health) }
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new()
    }
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

impl Dialect for Reserved {
    fn name(&self) -> &'static str {
        "reserved"
    }

    fn claim(&self, method: Method, below: &str) -> Claim {
        match (below, method) {
            ("/health", Method::Get | Method::Head) => Claim::Own(Arc::clone(&self.health)),
            ("/health", _) => Claim::NotAllowed("GET, HEAD"),
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
        let status = match refusal {
            Refusal::Auth(Reason::Forbidden | Reason::CrossSite) => 403,
            Refusal::Auth(_) => 401,
            Refusal::Head { status, .. } => *status,
            Refusal::Path(_)
            | Refusal::BadRequest(_)
            | Refusal::Invalid { .. }
            | Refusal::WeakPassword { .. } => 400,
            Refusal::NotFound => 404,
            Refusal::MethodNotAllowed { .. } => 405,
            Refusal::BodyTimeout => 408,
            Refusal::Conflict(_) => 409,
            Refusal::PreconditionFailed => 412,
            Refusal::BodyTooLarge => 413,
            Refusal::UnsupportedMediaType => 415,
            Refusal::MethodUnknown => 501,
            Refusal::BadGateway(_) => 502,
            Refusal::Saturated => 503,
            Refusal::GatewayTimeout => 504,
            Refusal::Internal(_) => 500,
        };
        let body = format!("{{\"status\":{status},\"title\":\"{}\"}}", refusal.reason_id());
        let answer = Answer::with_body(status, "application/problem+json", body.into_bytes());
        match refusal {
            Refusal::MethodNotAllowed { allow } => answer.field("Allow", *allow),
            _ => answer,
        }
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    fn session_cookie(&self) -> &str {
        "__Host-doorward"
    }

    fn identify(&self, _: &Authenticated, _: &mut dyn FnMut(&str, &str)) {}

    fn identity_names(&self) -> &'static [&'static str] {
        &[]
    }
}
