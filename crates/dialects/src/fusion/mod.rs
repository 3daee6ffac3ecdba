//! The Sessions API of Lucidworks Fusion and its per-request authentication, as `contract/fusion.md` has it.

mod apps;
mod audit;
mod cookie;
mod dialect;
mod endpoint;
mod entity;
mod errors;
mod explain;
mod json;
mod keys;
mod mine;
// Its own folder beside this one: nothing lies deeper than a room's folders.
#[path = "../fusion_openapi/mod.rs"]
mod openapi;
mod realms;
mod refusals;
mod roles;
mod session;
mod sessions;
mod setup;
mod users;

pub use cookie::{CookieSettings, SameSite, SecureWhen};
pub use dialect::{Fusion, FusionParts, OwnEndpoints};
pub use endpoint::Listed;
pub use explain::{Foreknowledge, Foreknown};
