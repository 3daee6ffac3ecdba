//! Lists, revocation by filter and one's own sessions, on a kernel over fake ends.

pub(crate) mod house;
mod list;
mod mine;
mod revoke;
