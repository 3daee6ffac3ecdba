//! Every limit of this room as a named constant, with a test on both sides of it.
//!
//! Called by the rest of the room, and by who publishes the JWK Set. Must never hold a limit of the records themselves: those are
//! in `auth/src/limits.rs`.

use std::time::Duration;

/// How long verifiers may keep the JWK Set before they ask again: its `Cache-Control: max-age`.
pub const KEY_SET_KEPT: Duration = Duration::from_secs(5 * 60);
/// How long a key is published before it signs: longer than [`KEY_SET_KEPT`], so that every verifier has seen it.
pub const PUBLISHED_BEFORE_USE: Duration = Duration::from_secs(10 * 60);
/// How much longer than its tokens live a retired key is published: for verifiers' leeway, and for what is signed with it while
/// the rotation is written to the disk.
pub const PUBLISHED_AFTER_USE: Duration = Duration::from_secs(60);
/// Bytes of an identity token at the most. No backend reads longer header fields, and few read this.
pub const MAX_IDENTITY_TOKEN_BYTES: usize = 16 * 1024;
/// How many bytes of identity tokens are remembered at the most, with what is kept beside each; beyond that the least used ones
/// are signed anew.
pub const MAX_REMEMBERED_BYTES: u64 = 64 * 1024 * 1024;
