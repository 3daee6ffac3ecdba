//! Why a backend gave no usable answer.
//!
//! Made by `exchange`, turned into answers by the way. Never contains what the backend sent.

use std::fmt;

use crate::h1::{BodyFault, HeadFault};

/// Why no connection could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// The name has no address.
    Name,
    /// Every address refused the connection.
    Refused,
    /// No address answered within the connect time-out.
    Timeout,
    /// The TLS handshake failed, or the certificate is not for this backend.
    Tls,
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamFault {
    /// No connection could be made.
    Unreachable(Unreachable),
    /// The backend has as many connections of this worker as it may have.
    Saturated,
    /// No answer within the time-out, or the backend stopped taking the request.
    TooSlow,
    /// The answer's head is malformed.
    Malformed(HeadFault),
    /// The backend switched protocols unasked, or sent too many interim answers.
    Interim,
    /// The connection ended before the answer's head was complete.
    Broke,
    /// The client went away; nobody is left to answer.
    ClientGone,
    /// The client's body could not be read to its end.
    ClientBody(BodyFault),
}

impl UpstreamFault {
    /// The stable name for logs.
    pub(crate) const fn reason_id(self) -> &'static str {
        match self {
            Self::Unreachable(Unreachable::Name) => "backend_name_unknown",
            Self::Unreachable(Unreachable::Refused) => "backend_refused",
            Self::Unreachable(Unreachable::Timeout) => "backend_connect_timeout",
            Self::Unreachable(Unreachable::Tls) => "backend_tls_failed",
            Self::Saturated => "backend_saturated",
            Self::TooSlow => "backend_timeout",
            Self::Malformed(_) => "backend_answer_malformed",
            Self::Interim => "backend_answer_unexpected",
            Self::Broke => "backend_closed_early",
            Self::ClientGone => "client_gone",
            Self::ClientBody(fault) => fault.reason_id(),
        }
    }
}

impl fmt::Display for UpstreamFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason_id())?;
        match self {
            Self::Malformed(fault) => write!(formatter, " ({fault})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for UpstreamFault {}
