//! The realm `native` as the kernel uses it: over a real directory and a real pool, with cheap hashes. The one
//! integration binary of this room.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code; clippy sees only the `#[test]` functions as such"
)]

mod house;
mod kernel;
mod realm;
