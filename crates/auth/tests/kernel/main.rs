//! The kernel as its callers see it: a directory, sessions, a realm and a throttle, over a store in memory, with a hand
//! on the clock. The one integration binary of this room.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code; clippy sees only the `#[test]` functions as such"
)]

mod directory;
mod exchange;
mod forgeries;
mod house;
mod logins;
mod model;
mod races;
mod sessions;
mod throttle;
