//! The dialect of a mount: every path below it is the backend's. Which credentials a request shows, how the backend is told
//! who it is.

use std::sync::Arc;

use auth::permission::{Matrix, Method};
use auth::trust::Authenticated;
use auth::{Presented, RealmName};
use gateway::{Answer, Claim, Clean, Dialect, Refusal};

use super::{cookie, credentials, problems};
use crate::fusion::CookieSettings;
use crate::told;

/// What a dialect is made of: the mount's settings.
#[derive(Clone)]
pub struct PlainParts {
    /// The session cookie. Its path is `/` whatever stands here.
    pub cookie: CookieSettings,
    /// The query parameter by which a request says that it is no activity.
    pub no_refresh_query: Option<Box<str>>,
    /// The realms that are asked where none is named, in their order.
    pub realms: Arc<[RealmName]>,
    /// The header fields that tell the backend what the user's realm says of him: the attribute's name, the field's name.
    pub attribute_fields: Vec<(Box<str>, Box<str>)>,
    /// Whether a 401 asks for Basic.
    pub basic_challenge: bool,
}

impl PlainParts {
    /// Whether a request does not say of itself that it is no activity.
    pub(super) fn counts_as_activity(&self, request: &Clean<'_>) -> bool {
        let flag = self.no_refresh_query.as_deref();
        !flag.is_some_and(|flag| says(request, flag))
    }
}

/// Whether this flag is set in the query.
pub(super) fn says(request: &Clean<'_>, flag: &str) -> bool {
    request.query_values(flag).any(|value| value == b"true")
}

/// The dialect of one mount.
pub struct Plain {
    parts: PlainParts,
}

impl Plain {
    /// The scope of all mounts of this dialect, unless the settings name another one: the cookie is one for the whole host.
    pub const SCOPE: &'static str = "plain";

    /// The dialect of a mount.
    #[must_use]
    pub fn new(parts: PlainParts) -> Self {
        Self { parts }
    }
}

impl Dialect for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn claim(&self, _: Method, _: &str) -> Claim {
        Claim::Backend
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        credentials::read(&self.parts, request)
    }

    fn counts_as_activity(&self, request: &Clean<'_>, _: &str) -> bool {
        self.parts.counts_as_activity(request)
    }

    fn refuse(&self, refusal: &Refusal, _: Option<&Clean<'_>>) -> Answer {
        problems::say(refusal, self.parts.basic_challenge)
    }

    fn matrix(&self) -> Matrix {
        Matrix::Strict
    }

    fn session_cookie(&self) -> &str {
        ""
    }

    fn cookies_of_the_host(&self) -> &'static [&'static str] {
        cookie::NAMES
    }

    fn identify(&self, known: &Authenticated, field: &mut dyn FnMut(&str, &str)) {
        told::forwarded(known, &self.parts.attribute_fields, field);
    }

    fn identity_names(&self) -> Vec<&str> {
        told::identity_names(told::FORWARDED_NAMES, &self.parts.attribute_fields)
    }
}
