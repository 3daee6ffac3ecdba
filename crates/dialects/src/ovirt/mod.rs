//! The authentication sessions of the oVirt / Red Hat Virtualization REST API, as `contract/ovirt.md` has them: the `dialect`
//! below the mount, and the endpoints beside it where clients get tokens (`sso`). `wire.rs` makes both.

mod accept;
mod cookie;
mod dialect;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod prefer;
mod refusals;
mod sso;

pub use dialect::{Ovirt, OvirtParts, Profiles};
pub use sso::{Sso, SsoParts};
