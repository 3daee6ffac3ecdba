//! Every way in which a request can fail on its way. The steps say *what*; the dialect of the mount says it to the
//! client; the log says it to the operator.

use std::borrow::Cow;

use auth::Reason;
use auth::path::PathFault;

use crate::h1::{BodyFault, HeadFault};
use crate::upstream::UpstreamFault;

/// Why a request gets no answer of its own. Dialects match on it without a wildcard.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The kernel said no.
    Auth(Reason),
    /// The head has no single reading; the status code is HTTP's own.
    Head {
        /// 400, 408, 414, 431, 501 or 505.
        status: u16,
        /// The stable word for why.
        reason_id: &'static str,
    },
    /// The path has no single reading.
    Path(PathFault),
    /// The request is not of the form that the endpoint takes; what is wrong with it.
    BadRequest(&'static str),
    /// A field of the request's body is wrong.
    Invalid {
        /// Its name, in the dialect's words.
        field: Cow<'static, str>,
        /// What is wrong with it, for the person who sent it.
        why: String,
    },
    /// The password that was to be set is too weak.
    WeakPassword {
        /// Why, for the person who chose it.
        why: String,
        /// How strong it is, from 0 (guessed at once) to 4.
        score: u8,
        /// What would make it stronger.
        suggestions: Vec<String>,
    },
    /// What is there does not allow it; why.
    Conflict(&'static str),
    /// What is there is not, or no longer, what the request's `If-Match` names (RFC 9110 section 13.1.1).
    PreconditionFailed,
    /// Nothing is there.
    NotFound,
    /// A proxy's question ("forward auth") that is not answered; why.
    Unanswerable(&'static str),
    /// The method is not for this endpoint.
    MethodNotAllowed {
        /// The methods that are, for `Allow`.
        allow: &'static str,
    },
    /// A method that this gateway does not know.
    MethodUnknown,
    /// The body's media type is not the endpoint's.
    UnsupportedMediaType,
    /// The body is longer than the endpoint takes.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The backend cannot be reached or does not speak HTTP.
    BadGateway(&'static str),
    /// The backend is too slow.
    GatewayTimeout,
    /// Every connection to the backend is in use.
    Saturated,
    /// Our own mistake. The client learns nothing of it.
    Internal(&'static str),
}

impl Refusal {
    /// A field of the request's body is wrong.
    #[must_use]
    pub fn invalid(field: impl Into<Cow<'static, str>>, why: impl ToString) -> Self {
        Self::Invalid { field: field.into(), why: why.to_string() }
    }

    /// The stable word for logs, audit and metrics.
    #[must_use]
    pub fn reason_id(&self) -> &'static str {
        match self {
            Self::Auth(reason) => reason.reason_id(),
            Self::Head { reason_id, .. } => reason_id,
            Self::Path(_) => "path_ambiguous",
            Self::BadRequest(_) => "bad_request",
            Self::Invalid { .. } => "invalid_field",
            Self::WeakPassword { .. } => "weak_password",
            Self::Conflict(_) => "conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::NotFound => "not_found",
            Self::Unanswerable(_) => "unanswerable",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::MethodUnknown => "method_unknown",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BadGateway(_) => "bad_gateway",
            Self::GatewayTimeout => "gateway_timeout",
            Self::Saturated => "saturated",
            Self::Internal(_) => "internal",
        }
    }

    /// More about it for the operator, where there is more.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Path(fault) => Some(fault.to_string()),
            Self::BadRequest(what)
            | Self::Conflict(what)
            | Self::Unanswerable(what)
            | Self::BadGateway(what)
            | Self::Internal(what) => Some((*what).to_owned()),
            Self::Invalid { field, .. } => Some(field.clone().into_owned()),
            Self::Auth(reason) => reason.detail().map(str::to_owned),
            Self::Head { .. }
            | Self::WeakPassword { .. }
            | Self::PreconditionFailed
            | Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::MethodUnknown
            | Self::UnsupportedMediaType
            | Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::GatewayTimeout
            | Self::Saturated => None,
        }
    }

    /// Whether the connection must end with the answer, because nobody can tell where the next request begins.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Head { .. } | Self::BodyTooLarge | Self::BodyTimeout => true,
            Self::Auth(_)
            | Self::Path(_)
            | Self::BadRequest(_)
            | Self::Invalid { .. }
            | Self::WeakPassword { .. }
            | Self::Conflict(_)
            | Self::PreconditionFailed
            | Self::NotFound
            | Self::Unanswerable(_)
            | Self::MethodNotAllowed { .. }
            | Self::MethodUnknown
            | Self::UnsupportedMediaType
            | Self::BadGateway(_)
            | Self::GatewayTimeout
            | Self::Saturated
            | Self::Internal(_) => false,
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Auth(reason)
    }
}

impl From<HeadFault> for Refusal {
    fn from(fault: HeadFault) -> Self {
        Self::Head { status: fault.status(), reason_id: fault.reason_id() }
    }
}

/// Why the way ended without an answer that was asked for.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client gets to hear this.
    Refused(Refusal),
    /// The client is no longer there.
    Gone,
}

impl<T: Into<Refusal>> From<T> for Stop {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<BodyFault> for Stop {
    fn from(fault: BodyFault) -> Self {
        Self::Refused(match fault {
            BodyFault::TooLarge => Refusal::BodyTooLarge,
            BodyFault::Timeout => Refusal::BodyTimeout,
            BodyFault::Malformed => Refusal::Head { status: 400, reason_id: fault.reason_id() },
            BodyFault::Gone => return Self::Gone,
        })
    }
}

impl From<UpstreamFault> for Stop {
    fn from(fault: UpstreamFault) -> Self {
        Self::Refused(match fault {
            UpstreamFault::Unreachable(_)
            | UpstreamFault::Malformed(_)
            | UpstreamFault::Interim
            | UpstreamFault::Broke => Refusal::BadGateway(fault.reason_id()),
            UpstreamFault::Saturated => Refusal::Saturated,
            UpstreamFault::TooSlow => Refusal::GatewayTimeout,
            UpstreamFault::ClientGone => return Self::Gone,
            UpstreamFault::ClientBody(fault) => return fault.into(),
        })
    }
}
