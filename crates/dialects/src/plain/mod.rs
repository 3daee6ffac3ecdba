//! The gateway's own dialect, for backends without a history (contract/config.md, Settings): `mount` is a mount's, where
//! everything is the backend's; `reserved` is `/.doorward`, where its clients log in and out. Errors are problem details
//! (RFC 9457). `wire.rs` makes both.

mod cookie;
mod credentials;
mod endpoints;
mod mount;
mod problems;
mod reserved;

pub use mount::{Plain, PlainParts};
pub use reserved::{Reserved, ReservedParts};
