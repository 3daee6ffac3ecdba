//! The realm `native`: users and passwords of the gateway's own directory, verified with Argon2id.
//!
//! Purpose: one [`Realm`](auth::Realm) over the directory, and the bounded pool of threads that burns the CPU for it.
//! Callers: `doorward` wires both; the administration API hashes new passwords on the same pool.
//! May use: auth
//! Must never: know another realm, a store, HTTP; hash on a worker; let an unknown, a disabled and a wrong login cost
//! different work; keep, print or log a password.
//! Read first: `realm.rs`, then `pool.rs`.

pub mod limits;
mod pool;
mod realm;
mod settings;
mod slot;
mod stored;

pub use pool::{HashPool, Tally};
pub use realm::NativeRealm;
pub use settings::{HashSettings, SettingsFault};
pub use stored::{HashFault, check_hash};
