//! The request's way, and everything that touches HTTP.
//!
//! Purpose: listeners and worker threads, the way that every request walks, HTTP/1.1 on both sides, the pool of
//!   connections to the backends.
//! Callers: doorward (starts it), api and dialects (through `Dialect` and `Destination`).
//! May use: auth
//! Must never: know a realm, a store, an operation of the API or a dialect by name, or decide who or whether.
//! Read first: `way.rs`, then `house.rs`.

mod answer;
mod cookies;
mod dialect;
mod forward_auth;
mod h1;
mod house;
mod identity;
mod identity_token;
mod journal;
mod limits;
mod query;
mod refusal;
mod serve;
mod session_cookies;
mod upstream;
mod way;

/// The parsers for `fuzz/`.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::forward_auth::fuzzing::*;
    pub use crate::h1::fuzzing::*;
}

pub use answer::{Answer, phrase};
pub use dialect::{Claim, Destination, Dialect, Door, Visit};
pub use h1::known_fields;
pub use house::{Backends, House, HouseParts, Mount, NoRefresh, Route};
pub use identity_token::{IdentityToken, RouteIdentity};
pub use journal::{Journal, RequestLine};
pub use limits::DRAIN_TIME;
pub use refusal::Refusal;
pub use serve::{Endpoint, Served, bind_error, serve};
pub use way::Settled;
pub use way::clean::Clean;
