//! Every limit of the settings as a named constant. The readers in `sections/` and `import/` use them; each has a test
//! on both sides of it. This file must never hold a default: those stand beside the setting.

use std::time::Duration;

/// Longest settings file, in bytes.
pub const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// Longest content of `{ file = … }` or `{ env = … }`, in bytes.
pub const MAX_REFERENCE_BYTES: usize = 256 * 1024;
/// Longest certificate or key file, in bytes.
pub const MAX_PEM_BYTES: usize = 1024 * 1024;
/// Deepest nesting of tables and lists in a settings file.
pub const MAX_DEPTH: usize = 32;
/// How many mistakes are reported at once; further ones are announced, not listed.
pub const MAX_MISTAKES: usize = 100;

/// Listeners.
pub const MAX_LISTENERS: usize = 64;
/// Worker threads.
pub const MAX_WORKERS: u64 = 256;
/// Networks in `trusted_proxies`; each request from a proxy is compared with all of them.
pub const MAX_TRUSTED_PROXIES: usize = 256;
/// Mounts.
pub const MAX_MOUNTS: usize = 64;
/// Routes of one mount; they are tried one after the other.
pub const MAX_ROUTES: usize = 256;
/// Backends to balance over, of one mount or route.
pub const MAX_UPSTREAMS: usize = 64;
/// Realms.
pub const MAX_REALMS: usize = 64;
/// Roles that a realm gives to all its users.
pub const MAX_ROLES: usize = 256;
/// Longest path of a mount, in bytes.
pub const MAX_PATH_BYTES: usize = 1_024;

/// Failures per user before throttling, at the most: NIST SP 800-63B-4 section 3.2.2 allows 100 in a row.
pub const MAX_ATTEMPTS_PER_USER: u64 = 100;
/// Failures per client address before throttling, at the most: many people may share one address.
pub const MAX_ATTEMPTS_PER_ADDRESS: u64 = 1_000_000;
/// Shortest and longest window in which failures are counted.
pub const WINDOW: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
/// Least memory of one Argon2id hash, in bytes: ASVS 5.0 11.4.2 and appendix C ask for 19 MiB where t = 2 and p = 1.
pub const MIN_HASH_MEMORY: u64 = 19 * 1024 * 1024;
/// Most memory of one Argon2id hash, in bytes.
pub const MAX_HASH_MEMORY: u64 = 256 * 1024 * 1024;
/// Most hashes at a time.
pub const MAX_HASH_PARALLEL: u64 = 256;

/// Fewest characters of a password that can be asked for: NIST SP 800-63B-4 section 3.1.1.2 allows no less, and that little
/// only together with another factor.
pub const LEAST_PASSWORD_LENGTH: u64 = auth::limits::MIN_PASSWORD_POINTS as u64;
/// Most characters of a password that can be asked for: section 3.1.1.2 wants passwords of at least that many to be taken.
pub const MOST_PASSWORD_LENGTH: u64 = 64;

/// Shortest and longest time that audit lines stay in the store.
pub const AUDIT_KEEP: (Duration, Duration) =
    (Duration::from_secs(24 * 60 * 60), Duration::from_secs(3_650 * 24 * 60 * 60));

/// Shortest idle or maximum time of a session.
pub const MIN_SESSION_TIME: Duration = Duration::from_secs(1);
/// Longest life of a session: NIST SP 800-63B-4 section 2.1.3 asks for a limit of 30 days at the most. A longer one
/// would be no limit.
pub const MAX_SESSION_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Largest cap on the sessions of one user.
pub const MAX_SESSIONS_PER_USER: u64 = 1_000_000;
/// Entries of `no_refresh`; each request is compared with all of them.
pub const MAX_NO_REFRESH: usize = 64;
/// Entries of `attribute_headers` of one mount at the most; each is looked for in every request that is forwarded.
pub const MAX_ATTRIBUTE_HEADERS: usize = 16;
/// Longest name of a header field in `attribute_headers` and `identity_token`, in bytes.
pub const MAX_HEADER_NAME_BYTES: usize = 64;
/// Longest `issuer`, in bytes.
pub const MAX_ISSUER_BYTES: usize = 256;
/// Longest name in `no_refresh_query`, in bytes.
pub const MAX_QUERY_NAME_BYTES: usize = 64;
/// Longest name in `session_scope`, in bytes.
pub const MAX_SCOPE_BYTES: usize = 64;
/// Entries of `profiles` of one mount at the most; each login looks through them.
pub const MAX_PROFILES: usize = 64;
/// Longest name of a profile, in bytes.
pub const MAX_PROFILE_BYTES: usize = 255;
/// Shortest and longest wait for a backend.
pub const UPSTREAM_TIMEOUT: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));

/// Longest file that `import` reads, in bytes.
pub const MAX_IMPORT_BYTES: usize = 16 * 1024 * 1024;
/// Users taken from one htpasswd file at the most.
pub const MAX_IMPORT_USERS: usize = 100_000;
