//! HTTP/1.1 as this gateway speaks it: strict parsers, the chunked coding, and the client's connection.
//!
//! Used by the way (towards clients) and by `upstream` (towards backends). Start reading at [`Client`]. Must
//! never know a session, a realm or a route, and never repair a message: what has two readings is refused.

mod body;
pub(crate) mod chunked;
pub(crate) mod client;
#[cfg(test)]
mod differential_tests;
mod fault;
mod field;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(feature = "fuzzing"), expect(unreachable_pub, reason = "public for `fuzz/` only"))]
pub(crate) mod fuzzing;
mod host;
pub(crate) mod io;
mod request;
mod response;
pub(crate) mod timer;

pub(crate) use body::RequestBody;
pub(crate) use client::{Client, Limits, Reuse};
pub(crate) use fault::{BodyFault, Gone, HeadFault};
pub use field::known_fields;
pub(crate) use field::{FieldRef, Known, is_field_value, is_token, members, trim};
pub(crate) use framing::Framing;
pub(crate) use host::is_host;
pub(crate) use io::Io;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use request::take_request;
pub(crate) use request::{Absolute, RequestHead, is_target, path_of, query_of};
pub(crate) use response::{ResponseHead, take_response};

/// The longest head, request or status line and the last empty line included. Must stay below 64 KiB: spans
/// are 16 bits.
pub(crate) const MAX_HEAD: usize = 32 * 1024;

/// The longest request target.
pub(crate) const MAX_TARGET: usize = 8 * 1024;

/// The most fields of a head or a trailer section.
pub(crate) const MAX_FIELDS: usize = 100;

/// The most members of Connection, over all its lines. Each is compared with every field, and nobody has a use for more
/// than a few.
pub(crate) const MAX_CONNECTION_MEMBERS: usize = 32;

/// The longest method name; the longest registered one has 17 letters.
pub(crate) const MAX_METHOD: usize = 32;
