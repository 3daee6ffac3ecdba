//! Operations on bearer tokens: each is of a session, and ends with it.

pub mod create;
pub mod introspect;
pub mod revoke;

#[cfg(test)]
pub(crate) mod tests;
