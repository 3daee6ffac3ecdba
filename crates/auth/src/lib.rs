//! The kernel: who it is, and whether he may.
//!
//! Purpose: the words everybody shares (ids, tokens, sessions, roles, permissions, reasons, the clock), the trust
//!   states, the realm chain, the session rules and table, the throttle, permission matching.
//! Callers: every room.
//! May use: (no room)
//! Must never: know HTTP, files, sockets, or any realm, store or dialect by name.
//! Read first: `trust.rs`, then `kernel.rs`.

mod audit;
mod breath;
pub mod directory;
mod kernel;
pub mod limits;
pub mod login;
pub mod path;
pub mod permission;
mod realm;
mod reason;
pub mod sessions;
mod signing;
mod store;
pub mod trust;
mod witness;
mod words;

pub use audit::Ledger;
pub use breath::{breathe, breathing};
pub use kernel::{
    Admitted, AtCap, Course, Kernel, KernelParts, LoggedIn, LoginRequest, Opening, Presented,
    PresentedPassword, RealmChoice, SessionCap,
};
pub use realm::{
    PasswordHasher, Realm, RealmFault, RealmMaker, Recheck, Rehearsal, RehearsedStep, Rejection, Standing,
    Unavailability, Unmakeable, UserRecords, Verdict, Verified,
};
pub use reason::Reason;
pub use signing::{Audience, AudienceFault, BearerClaims, Rotation, RotationFault, SignFault, Signatory};
pub use store::{
    AttemptRecord, AuditStore, Change, DirectoryImage, DirectoryStore, Pending, SessionStore, StoreError,
};
pub use witness::{Event, Nobody, Somebody, Witness, Witnesses};
pub use words::audit::{AuditEntry, AuditFilter, AuditHash, AuditRecord};
pub use words::clock::{Clock, Moment, MomentFault};
pub use words::credential::{Asserted, AuthMethod, BearerText, Evidence, Password, PasswordHash};
pub use words::ids::{IdFault, KeyId, SessionId, UserId};
pub use words::key_ring::{
    KeyRing, KeyRingFault, KeyState, PrivateKey, PublicKey, SigningAlgorithm, SigningKey,
};
pub use words::names::{AppName, NameFault, RealmName, RoleName, Scope, Username};
pub use words::records::{ApiKey, App, Attribute, Initialised, KeyUse, RealmRecord, Role, User, Vouched};
pub use words::session::{EndReason, Ended, Origin, SessionLimits, SessionRecord};
pub use words::token::{KeyText, SessionToken, TokenHash};
