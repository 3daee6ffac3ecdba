//! Why a server could not be asked: for the log, without secrets.
//!
//! Made by `transport.rs`, `relay.rs` and `connection.rs`, judged by `network.rs`. Must never hold what was sent, or blame a
//! server for what somebody made of his own entry.

use std::fmt;

use ldap3::LdapError;

use super::untold::Cause;

/// Why one server could not be asked, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    kind: FaultKind,
    why: String,
}

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// No connection came about.
    NotReached,
    /// The connection ended before the answer came.
    Broken,
    /// The answer did not come in time.
    TooLate,
    /// The answer to this search did not come in time, though the server answers others.
    Slow,
    /// The server said what no server says.
    Improper,
    /// It said more than anybody wants to hear.
    TooLarge,
    /// The server answered that it cannot answer now.
    Declined,
}

impl Fault {
    /// A fault of this kind.
    pub(crate) fn new(kind: FaultKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// Whether the connection ended: the server may have closed it while nobody used it, and another may do.
    /// So may one that another's answer ended, which was too large.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.kind, FaultKind::Broken | FaultKind::TooLarge)
    }

    /// The same, where the server answered others meanwhile what this is about.
    pub(crate) fn though_others_were_answered(self) -> Self {
        match self.kind {
            FaultKind::TooLate => Self { kind: FaultKind::Slow, ..self },
            _ => self,
        }
    }

    /// Whether the server is to be left alone for a while. Too large can be the entry of somebody who made it so, and what is
    /// asked of somebody's many groups can take long: that must not keep others out.
    pub(crate) fn is_of_server(&self) -> bool {
        self.cause() == Cause::Server
    }

    /// Whose fault it is.
    pub(crate) fn cause(&self) -> Cause {
        match self.kind {
            FaultKind::TooLarge => Cause::Excess,
            FaultKind::Slow => Cause::User,
            FaultKind::NotReached
            | FaultKind::Broken
            | FaultKind::TooLate
            | FaultKind::Improper
            | FaultKind::Declined => Cause::Server,
        }
    }

    /// Before anything was asked.
    pub(crate) fn of_connecting(error: &LdapError) -> Self {
        Self::new(FaultKind::NotReached, words(error))
    }

    /// In the middle of an operation.
    pub(crate) fn of_operation(error: &LdapError) -> Self {
        Self::new(FaultKind::Broken, words(error))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The crate's words, where they say something; they hold no request.
fn words(error: &LdapError) -> String {
    match error {
        LdapError::Io { source } => source.to_string(),
        LdapError::ResultRecv { .. } | LdapError::OpSend { .. } | LdapError::EndOfStream => {
            "the connection ended before the answer came".to_owned()
        }
        other => other.to_string(),
    }
}
