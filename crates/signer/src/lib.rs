//! Signs what others verify: identity tokens for backends, bearer tokens for clients; keeps the rules of the keys for both.
//!
//! Purpose: keys for ES256 and EdDSA, compact JWTs (RFC 7515, 7519), the JWK Set (RFC 7517), rotation, and the memory of
//!   identity tokens that makes signing cost nothing per request.
//! Callers: `doorward` makes the [`Signer`]; the other rooms know it as [`auth::Signatory`].
//! May use: auth
//! Must never: verify a token or decide by one; keep a key of its own beside those of the directory's snapshot; know HTTP.
//! Read first: `signer.rs`, then `rotation.rs`.

mod claims;
mod jwk;
mod jwt;
mod keys;
pub mod limits;
mod remembered;
mod rotation;
mod signer;

pub use signer::Signer;
