//! The kernel as its callers see it: a directory, sessions, a realm and a throttle, over a store in memory, with a hand
//! on the clock. The one integration binary of this room.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code; clippy sees only the `#[test]` functions as such"
)]

mod aliases;
mod assertions;
mod caps;
mod chain;
mod children;
mod courses;
mod crowds;
mod directory;
mod ends;
mod ephemeral;
mod events;
mod exchange;
mod first_logins;
mod forgeries;
mod generations;
mod grants;
mod house;
mod keys;
mod logins;
mod model;
mod oracle;
mod owed;
mod races;
mod realms;
mod rechecks;
mod revocation;
mod sessions;
mod several;
mod throttle;
mod untold;
