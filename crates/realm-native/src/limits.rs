//! Every limit of this room as a named constant. Used inside the room, and by the settings' checks; each has a test on
//! both sides of it. Must never hold anything that is not a limit.

use std::time::Duration;

/// Argon2's own floor for the memory of one hash with one lane, in KiB (RFC 9106 section 3.1). The floor for people's
/// settings, 19 MiB (security.md row 63), is the settings room's business; tests go down to this.
pub const MIN_MEMORY_KIB: u32 = 8;
/// Most memory that one hash may ask for, in the settings or in a stored hash, in KiB: 256 MiB. A slot holds that much.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Most passes over the memory.
pub const MAX_PASSES: u32 = 64;
/// Most lanes. They are computed one after the other, so they cost nobody anything; imported hashes have up to 4.
pub const MAX_LANES: u32 = 16;
/// Most work in one hash, in KiB times passes: 27 times the default, half a second. Beyond it a stored hash would be a
/// way to keep the pool busy with one login.
pub const MAX_WORK: u64 = 1024 * 1024;
/// Most hashes at a time.
pub const MAX_PARALLEL: usize = 256;
/// Most logins that may wait for a slot.
pub const MAX_QUEUE: usize = 65_536;
/// How long the last in a full queue waits, about, where the settings do not say how long the queue is.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// An unused slot wipes and gives back its memory after this long: the idle gateway has 30 MB for everything.
pub const MEMORY_KEPT: Duration = Duration::from_secs(10);
/// Longest stored hash that is read at all, in bytes of its PHC string.
pub const MAX_STORED_BYTES: usize = 512;
/// Shortest output of a stored hash, in bytes: 128 bits.
pub const MIN_OUTPUT_BYTES: usize = 16;
/// Output of the hashes made here, in bytes.
pub const OUTPUT_BYTES: usize = 32;
/// Salt of the hashes made here, in bytes (RFC 9106 section 3.1 recommends 16; security.md row 64 asks for 4).
pub const SALT_BYTES: usize = 16;
