//! Why an operation did nothing. Every operation's errors are of these kinds; dialects say them.

use std::borrow::Cow;

use auth::permission::PermissionError;
use auth::{Reason, SignFault};

use crate::password::Weakness;

/// Why an operation did nothing.
#[derive(Clone, Debug)]
pub enum Error {
    /// A field of the input is wrong; which one and why, for the person who sent it.
    Invalid {
        /// The field's name in the operation's input; of what is in a realm's config, its dotted name (`config.host`).
        field: Cow<'static, str>,
        /// What is wrong with it.
        why: String,
    },
    /// The password that was to be set is too weak.
    WeakPassword(Weakness),
    /// There is no such thing.
    NotFound,
    /// There is one already, or it is in a state that does not allow it; why.
    Conflict(&'static str),
    /// The thing was changed since the caller saw it.
    PreconditionFailed,
    /// The kernel said no.
    Kernel(Reason),
    /// What it was to give cannot be signed. Our own mistake.
    Unsigned(SignFault),
}

impl Error {
    /// A field is wrong.
    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, why: impl ToString) -> Self {
        Self::Invalid { field: field.into(), why: why.to_string() }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::Kernel(reason)
    }
}

impl From<PermissionError> for Error {
    fn from(error: PermissionError) -> Self {
        Self::invalid("permissions", error)
    }
}
