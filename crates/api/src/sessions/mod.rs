//! Operations on sessions.

pub mod create;
pub mod describe;
pub mod end;
pub mod list;
pub mod revoke;
