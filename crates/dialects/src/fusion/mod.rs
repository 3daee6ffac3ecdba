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
mod tokens;
mod tokens_endpoints;
mod users;

pub use cookie::{CookieSettings, SameSite, SecureWhen};
pub use dialect::{Fusion, FusionParts, OwnEndpoints};
pub use endpoint::Listed;
pub use explain::{Foreknowledge, Foreknown};
pub use tokens::{KeySet, Tokens, TokensParts};

// What `plain` says in the same words.
pub(crate) use entity::id_at;
pub(crate) use errors::said;
pub(crate) use json::{
    Described, Role as RoleShown, Session as SessionShown, User as UserShown, answer, read,
};
pub(crate) use mine::proof;
