//! Who is who and who may what: an immutable snapshot in memory, swapped whole, and the one place where it is changed.

mod keeper;
mod snapshot;

pub use keeper::{ChangeError, Directory};
pub use snapshot::{Account, CompiledKey, CompiledRole, RealmState, Snapshot};
