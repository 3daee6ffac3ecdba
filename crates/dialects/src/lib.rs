//! How clients of other products speak, translated.
//!
//! Purpose: one folder for each dialect: its paths, bodies, errors, cookies and headers, in both directions.
//! Callers: doorward (makes one dialect for each mount), gateway (through the trait `Dialect`).
//! May use: auth, gateway, api
//! Must never: decide anything. Who and whether is `auth`'s, what is done is `api`'s.
//! Read first: `fusion/dialect.rs`, then `fusion/refusals.rs`.

mod basic;
mod fusion;
mod plain;

pub use fusion::{
    CookieSettings, Foreknowledge, Foreknown, Fusion, FusionParts, Listed, OwnEndpoints, SameSite, SecureWhen,
};
pub use plain::Reserved;
