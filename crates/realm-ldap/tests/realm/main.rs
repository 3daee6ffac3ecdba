//! The realm against real directories: OpenLDAP's slapd and a Samba AD domain controller, started by the tests.
//!
//! One binary, so that it is linked once. Must never look at the realm's insides: what it did is read in the servers' logs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "all of it is test code that waits for real servers; clippy sees only the `#[test]` functions as such"
)]

mod death;
mod groups;
mod hostile;
mod house;
mod identity;
mod injection;
mod login;
mod look;
mod play;
mod samba;
mod spoilers;
mod storm;
mod transport;
