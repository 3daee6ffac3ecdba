//! Every limit of the kernel as a named constant. Other rooms keep theirs in their own `limits.rs`; each has a test on
//! both sides of it.

use std::time::Duration;

/// Longest user name, in bytes of UTF-8 as presented. Longer names are refused as malformed before any realm is asked.
pub const MAX_USERNAME_BYTES: usize = 256;
/// Longest password, in bytes of UTF-8 as presented; never trimmed or truncated (security.md rows 53, 54).
pub const MAX_PASSWORD_BYTES: usize = 1_024;
/// The least that the settings may ask of a password that is *set*, in Unicode code points after NFC: enough only where
/// there is a second factor (security.md row 49).
pub const MIN_PASSWORD_POINTS: usize = 8;
/// What is asked of a password that is set, where the settings ask for nothing else: a password as the only factor.
pub const DEFAULT_PASSWORD_POINTS: usize = 15;
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
/// How many unknown session tokens and API keys one address may show within [`GUESS_WINDOW`] before it is slowed.
pub const MAX_GUESSES: u32 = 100;
/// How long a guess counts.
pub const GUESS_WINDOW: Duration = Duration::from_secs(5 * 60);
/// How long an address that guesses waits for each further answer.
pub const GUESS_PAUSE: Duration = Duration::from_secs(1);
/// How many addresses are watched for guessing at once; when full, those it does not know yet share one count.
pub const MAX_GUESSERS: usize = 65_536;
/// How long a line of the audit log waits for the disk at the most, where nothing else is written meanwhile.
pub const AUDIT_DELAY: Duration = Duration::from_millis(50);
/// How many failures and denials of one address the audit log writes down one by one each minute; more are counted.
pub const MAX_AUDITED_FAILURES: u32 = 100;
/// How many addresses the audit log counts failures of in one minute; those beyond share one count.
pub const MAX_AUDITED_ADDRESSES: usize = 4_096;
/// Bytes of one text in a line of the audit log about a failure, whose length strangers decide; the rest is cut.
pub const MAX_STRANGERS_TEXT: usize = 1_024;
/// Bytes of one text in any other line of the audit log; the rest is cut.
pub const MAX_AUDITED_TEXT: usize = 1024 * 1024;
/// How exactly the last use of an API key is known: within so long, only one from another address is noted.
pub const KEY_USE_RESOLUTION: Duration = Duration::from_secs(1);
/// How many pairs of an API key and an address are remembered, so that each use is not told of; beyond that the oldest are told of
/// again.
pub const MAX_KEYS_SEEN: usize = 4_096;
/// API keys of one user at the most.
pub const MAX_KEYS_PER_USER: usize = 64;
/// Bytes of a realm's `config` or an app's `properties` at the most, as JSON.
pub const MAX_CONFIG_BYTES: usize = 64 * 1024;
/// Roles of one user at the most.
pub const MAX_ROLES_PER_USER: usize = 256;
/// What a realm says of one user beside his name and roles: attributes at the most.
pub const MAX_ATTRIBUTES: usize = 32;
/// Bytes of one such attribute, and of its name, at the most.
pub const MAX_ATTRIBUTE_BYTES: usize = 1_024;
/// Bytes of one header field in which somebody in front of the gateway says who the user is, or what his groups are; longer
/// ones are refused.
pub const MAX_ASSERTED_BYTES: usize = 16 * 1024;
/// How many users a realm is asked about at once when it is asked again.
pub const MAX_RECHECKED_AT_ONCE: usize = 64;
/// How many logins are rehearsed at once; each has connections of its own.
pub const MAX_REHEARSALS: usize = 4;
/// How long one login is rehearsed at the most. A realm of many servers that are down needs a while to say so of each.
pub const MAX_REHEARSAL: Duration = Duration::from_secs(2 * 60);
/// How many users one change of the directory takes out at once.
pub const MAX_USERS_IN_CHANGE: usize = 256;
/// Signing keys that are kept at once: one that signs, one that will, and those whose tokens may still live.
pub const MAX_SIGNING_KEYS: usize = 16;
/// Bytes of a signing key's id at the most; a thumbprint (RFC 7638) of SHA-256 has 43.
pub const MAX_KEY_ID_BYTES: usize = 64;
/// Bytes of a private key at the most, as PKCS#8; one for P-256 has 138.
pub const MAX_PRIVATE_KEY_BYTES: usize = 1_024;
/// Bytes of the audience of an identity token at the most.
pub const MAX_AUDIENCE_BYTES: usize = 1_024;
/// The shortest life of an identity token.
pub const MIN_IDENTITY_LIFETIME: Duration = Duration::from_secs(10);
/// The longest life of an identity token.
pub const MAX_IDENTITY_LIFETIME: Duration = Duration::from_secs(5 * 60);
