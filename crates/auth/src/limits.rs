//! Every limit of the kernel as a named constant. Other rooms keep theirs in their own `limits.rs`; each has a test on
//! both sides of it.

use std::time::Duration;

/// Longest user name, in bytes of UTF-8 as presented. Longer names are refused as malformed before any realm is asked.
pub const MAX_USERNAME_BYTES: usize = 256;
/// Longest password, in bytes of UTF-8 as presented; never trimmed or truncated (security.md rows 53, 54).
pub const MAX_PASSWORD_BYTES: usize = 1_024;
/// Shortest password that may be *set*, in Unicode code points after NFC (security.md row 49).
pub const MIN_PASSWORD_POINTS: usize = 8;
/// Longest name of a realm, a role or an app, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest presented session token, in bytes; longer values are unknown without being hashed.
pub const MAX_TOKEN_BYTES: usize = 128;
/// How long an ended session keeps its reason (contract/fusion.md: "for a day").
pub const REASON_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often touches are written behind; a crash costs at most this much *touch*.
pub const TOUCH_INTERVAL: Duration = Duration::from_secs(5);
/// How many touches one batch writes at the most; the rest follow in the next batch, at once.
pub const MAX_TOUCH_BATCH: usize = 10_000;
/// How often ended and over-age sessions are swept.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How many verified Basic credentials are remembered at the most.
pub const MAX_EVIDENCE: usize = 65_536;
/// How long a verified Basic credential is remembered.
pub const EVIDENCE_KEPT: Duration = Duration::from_secs(300);
/// How many users the throttle counts at once; when full, users it does not know yet are throttled, never forgotten.
pub const MAX_THROTTLED_KEYS: usize = 1_000_000;
/// How many logins wait at once for others' looks to be settled; more are told to come back.
pub const MAX_WAITING_LOGINS: usize = 1_024;
/// Longest pause of the throttle, however often it was earned.
pub const MAX_PAUSE: Duration = Duration::from_secs(60 * 60);
/// How many successful client addresses are remembered for one user: those are not locked out by others' failures.
pub const MAX_KNOWN_ADDRESSES: usize = 8;
/// How long a user agent is kept with a session, in bytes; the rest is cut on a character boundary (shown to people only).
pub const MAX_USER_AGENT_BYTES: usize = 256;
/// Roles of one user at the most.
pub const MAX_ROLES_PER_USER: usize = 256;
