//! The operations: what can be done to sessions, users, roles and the installation, whatever dialect asks for it.
//!
//! Purpose: one operation, one file: its input, what it checks, what it does.
//! Callers: dialects (every endpoint of ours ends in one operation), doorward (the first start).
//! May use: auth
//! Must never: know HTTP, JSON, a status code or a dialect's word.
//! Read first: `services.rs`, then `sessions/create.rs`.

mod error;
mod password;
pub mod roles;
mod services;
pub mod sessions;
pub mod setup;
pub mod users;

pub use error::Error;
pub use password::Weakness;
pub use services::Services;
