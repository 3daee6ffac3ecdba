//! The kernel as its callers see it: a directory, sessions, a realm and a throttle, over a store in memory, with a hand
//! on the clock. The one integration binary of this room.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code; clippy sees only the `#[test]` functions as such"
)]

mod caps;
mod directory;
mod ends;
mod events;
mod exchange;
mod forgeries;
mod house;
mod keys;
mod logins;
mod model;
mod oracle;
mod owed;
mod races;
mod realms;
mod revocation;
mod sessions;
mod throttle;
