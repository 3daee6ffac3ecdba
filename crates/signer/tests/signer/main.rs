//! The signer over a real kernel: what its tokens say, when they are signed anew, and who else takes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bearer;
mod claims;
mod house;
mod memory;
mod others;
