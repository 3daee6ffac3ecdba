//! How clients of other products speak, translated.
//!
//! Purpose: one folder for each dialect: its paths, bodies, errors, cookies and headers, in both directions.
//! Callers: doorward (makes one dialect for each mount), gateway (through the trait `Dialect`).
//! May use: auth, gateway, api
//! Must never: decide anything. Who and whether is `auth`'s, what is done is `api`'s.
//! Read first: `fusion/dialect.rs`, then `fusion/refusals.rs`.

mod basic;
mod form;
mod fusion;
mod ovirt;
mod plain;
mod shown;
mod told;

pub use fusion::{
    CookieSettings, Foreknowledge, Foreknown, Fusion, FusionParts, KeySet, Listed, OwnEndpoints, SameSite,
    SecureWhen, Tokens, TokensParts,
};
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use ovirt::fuzzing;
pub use ovirt::{Ovirt, OvirtParts, Profiles, Sso, SsoParts};
pub use plain::{Plain, PlainParts, Reserved, ReservedParts};
