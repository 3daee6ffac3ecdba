//! Every limit of this room as a named constant. Used inside the room, and by the settings' checks; each has a test on
//! both sides of it. Must never hold anything that is not a limit.

use std::time::Duration;

/// Servers in `host` at the most.
pub const MAX_SERVERS: usize = 16;
/// Bytes of one host's name or address at the most (RFC 1035 section 2.3.4).
pub const MAX_HOST_BYTES: usize = 253;
/// The least that `connectTimeout` and `timeout` can be.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(10);
/// The most that `connectTimeout` and `timeout` can be.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections that are bound as users, and so binds at a time, of one realm at the most.
pub const MAX_POOL: usize = 256;
/// The longest that a login waits for a connection.
pub const MAX_POOL_WAIT: Duration = Duration::from_secs(10);
/// Logins that may wait for a connection, for each connection of the pool; one more is told `Unavailable` at once.
pub const WAITING_PER_CONNECTION: usize = 64;
/// The least that `recheck` can be, but for 0, which is never.
pub const MIN_RECHECK: Duration = Duration::from_secs(1);
/// The most that `recheck` can be.
pub const MAX_RECHECK: Duration = Duration::from_secs(24 * 60 * 60);
/// The most that `staleness` can be.
pub const MAX_STALENESS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Bytes of a DN or of a template for one, in the settings, at the most.
pub const MAX_DN_BYTES: usize = 1_024;
/// Bytes of a filter in the settings at the most.
pub const MAX_FILTER_BYTES: usize = 2_048;
/// How deep parentheses in a filter of the settings can be nested. ldap3 reads filters by recursion, without a limit.
pub const MAX_FILTER_DEPTH: usize = 16;
/// Bytes of an attribute's name in the settings at the most.
pub const MAX_ATTRIBUTE_NAME_BYTES: usize = 128;
/// Bytes of the service account's password at the most.
pub const MAX_SECRET_BYTES: usize = 1_024;
/// Rows of `groups.roleMapping` at the most.
pub const MAX_MAPPED_GROUPS: usize = 1_024;
/// Bytes of a group's name in `groups.roleMapping` at the most; a DN has [`MAX_DN_BYTES`].
pub const MAX_GROUP_NAME_BYTES: usize = 256;
/// Groups of one user at the most. More is `Unavailable`: a role that is left out silently is a riddle.
pub const MAX_GROUPS: usize = 4_096;
/// How many levels of groups within groups are walked up at the most.
pub const MAX_GROUP_LEVELS: usize = 16;
/// Users who are looked at again with one search at the most.
pub const MAX_RECHECKED_AT_ONCE: usize = 64;
/// Bytes of a server's words in our logs and rehearsals at the most; the rest is cut.
pub const MAX_DIAGNOSTIC_BYTES: usize = 512;
