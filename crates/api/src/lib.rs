//! The operations: what can be done to sessions, users, roles and the installation, whatever dialect asks for it.
//!
//! Purpose: one operation, one file: its input, what it checks, what it does.
//! Callers: dialects (every endpoint of ours ends in one operation), doorward (the first start).
//! May use: auth
//! Must never: know HTTP, JSON, a status code or a dialect's word.
//! Read first: `services.rs`, then `sessions/create.rs`.

pub mod apps;
pub mod audit;
mod error;
pub mod explain;
pub mod keys;
mod page;
mod password;
mod precondition;
mod reach;
pub mod realms;
mod reproof;
pub mod roles;
mod services;
pub mod sessions;
pub mod setup;
pub mod signing_keys;
pub mod tokens;
pub mod users;

pub use error::Error;
pub use page::Page;
pub use password::{PasswordJudge, PasswordPolicy, Strength, Weakness, WeaknessKind};
pub use precondition::Precondition;
pub use reproof::RECENT_LOGIN;
pub use services::Services;
