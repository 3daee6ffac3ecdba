//! What can be wrong with a written permission, as sentences for the administrator who wrote it.
//!
//! Called by everything in this module that reads; shown by the administration API (400), the command line and `check`.
//! Must never quote more than [`MAX_QUOTE`] characters of the input, nor control characters as they are.

use thiserror::Error;

use super::{MAX_EXCEPTIONS, MAX_PARAM_VALUES, MAX_PERMISSION_TEXT};
use crate::path::PathFault;

/// Most characters of the input that an error repeats.
const MAX_QUOTE: usize = 120;

/// Why an entry cannot be understood. The quoted parts are shortened and escaped already.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// The text form is longer than [`MAX_PERMISSION_TEXT`].
    #[error("a permission is at most {MAX_PERMISSION_TEXT} bytes long")]
    TooLong,
    /// The text has no `:` after the methods.
    #[error("a permission is written METHODS:/path, such as GET,POST:/collections/*; `{0}` is not")]
    NoMethodsBeforePath(String),
    /// No method is named.
    #[error("a permission needs at least one method, or `*` for all")]
    NoMethods,
    /// A method that is none of ours.
    #[error("`{0}` is not a method; it may be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` for all")]
    UnknownMethod(String),
    /// `*` together with others.
    #[error("`*` means every method, so it stands alone")]
    StarAmongMethods,
    /// The path pattern is wrong.
    #[error("in the path `{pattern}`: {fault}")]
    Pattern {
        /// The path, as it was written.
        pattern: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// An exception is wrong.
    #[error("in the exception `{pattern}`: {fault}")]
    Exception {
        /// The exception, as it was written.
        pattern: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// Values for a placeholder that the path does not have.
    #[error("`{name}` has values, but `{pattern}` has no placeholder of that name")]
    UnknownParam {
        /// The name that has values.
        name: String,
        /// The path.
        pattern: String,
    },
    /// An empty list of values, which some would read as "none" and some as "any".
    #[error("`{name}` lists no value; leave it out to allow any, or remove the permission to allow none")]
    NoValues {
        /// The placeholder.
        name: String,
    },
    /// Values for one placeholder in two places.
    #[error("`{name}` is given values twice")]
    RepeatedParam {
        /// The placeholder.
        name: String,
    },
    /// A value that is not one segment of a path.
    #[error("the value `{value}` of `{name}`: {fault}")]
    Value {
        /// The placeholder.
        name: String,
        /// The value, as it was written.
        value: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// More than [`MAX_PARAM_VALUES`].
    #[error("a permission lists at most {MAX_PARAM_VALUES} values")]
    TooManyValues,
    /// More than [`MAX_EXCEPTIONS`].
    #[error("a permission has at most {MAX_EXCEPTIONS} exceptions")]
    TooManyExceptions,
    /// Something in the third part of the text that is neither values nor an exception.
    #[error(
        "`{0}` is neither name=value,value nor !/path (a path that contains a colon can only be written in the JSON form)"
    )]
    UnknownItem(String),
    /// A JSON form that cannot be read.
    #[error("{0}")]
    Json(String),
}

/// What is wrong with a path pattern, or with a value for one of its segments.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternFault {
    /// Longer than a pattern may be.
    #[error("it is longer than {} bytes", super::pattern::MAX_PATTERN)]
    TooLong,
    /// A literal part that no request could ever have, because the path would be refused.
    #[error("{0}, so no request can match")]
    Path(#[from] PathFault),
    /// `a*`: `*` is a whole segment.
    #[error("`{0}` mixes `*` with other characters; `*` stands for one whole segment and `**` for the rest")]
    StarInside(String),
    /// `**` is not at the end.
    #[error("`**` stands for the rest of the path, so nothing can follow it")]
    RestNotLast,
    /// Braces that are not one `{name}`.
    #[error(
        "`{0}` is not a placeholder; one is a whole segment, such as {{collection}}, named with letters, digits, `_` or `-`"
    )]
    Placeholder(String),
    /// The same name twice.
    #[error("the placeholder `{0}` occurs twice")]
    RepeatedPlaceholder(String),
    /// A placeholder in an exception.
    #[error("an exception has no placeholders; write `*`")]
    PlaceholderInException,
    /// A `#` that is not `#ID`.
    #[error("`{0}` contains a `#`; only the whole segment #ID (the caller's own user id) may")]
    Hash(String),
    /// A value that is empty or contains a `/`.
    #[error("a value is exactly one segment of the path")]
    NotOneSegment,
}

/// A part of the input as an error may show it.
pub(super) fn quote(text: &str) -> String {
    let mut characters = text.chars();
    let mut quoted: String = characters.by_ref().take(MAX_QUOTE).flat_map(char::escape_debug).collect();
    if characters.next().is_some() {
        quoted.push('…');
    }
    quoted
}
