//! The Sessions API of Lucidworks Fusion and its per-request authentication, as `contract/fusion.md` has it.

mod cookie;
mod dialect;
mod directory;
mod endpoint;
mod errors;
mod json;
mod refusals;
mod session;
mod sessions;
mod setup;

pub use cookie::{CookieSettings, SameSite, SecureWhen};
pub use dialect::{Fusion, FusionParts, OwnEndpoints};
pub use endpoint::Listed;
