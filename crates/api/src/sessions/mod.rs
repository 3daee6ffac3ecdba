//! Operations on sessions.

pub mod create;
pub mod describe;
pub mod end;
pub mod list;
pub mod mine;
pub mod revoke;
pub(crate) mod search;

#[cfg(test)]
pub(crate) mod tests;
