//! What the kernel's rooms ask of whoever signs: identity tokens for backends, bearer tokens for clients, the public keys for both.
//!
//! Called by the gateway (identity tokens), dialects and operations (bearer tokens, keys, rotation); performed by the room
//! `signer`. Must never verify: a token of ours is looked up like any other session's, and those of others are no evidence.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::directory::Snapshot;
use crate::limits::{MAX_AUDIENCE_BYTES, MAX_IDENTITY_LIFETIME, MIN_IDENTITY_LIFETIME};
use crate::trust::Authenticated;
use crate::words::clock::Moment;
use crate::words::credential::BearerText;
use crate::words::ids::{SessionId, UserId};
use crate::words::key_ring::{KeyRing, SigningAlgorithm};

/// For whom identity tokens are made, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audience {
    name: Arc<str>,
    lifetime: Duration,
    digest: [u8; 16],
}

/// Why an audience was refused, in words for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AudienceFault {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than the limit.
    #[error("is longer than {MAX_AUDIENCE_BYTES} bytes")]
    TooLong,
    /// The life is too short or too long.
    #[error("a life is from {min} s to {max} s", min = MIN_IDENTITY_LIFETIME.as_secs(), max = MAX_IDENTITY_LIFETIME.as_secs())]
    Lifetime,
}

impl Audience {
    /// The audience that a token's `aud` calls `name` (RFC 7519, 4.1.3), whose tokens live for `lifetime`; fractions of a second
    /// are cut off, as tokens have none.
    ///
    /// # Errors
    /// [`AudienceFault`]: `name` is of 1 to [`MAX_AUDIENCE_BYTES`] bytes, `lifetime` from [`MIN_IDENTITY_LIFETIME`] to
    /// [`MAX_IDENTITY_LIFETIME`].
    pub fn new(name: &str, lifetime: Duration) -> Result<Self, AudienceFault> {
        if name.is_empty() {
            return Err(AudienceFault::Empty);
        }
        if name.len() > MAX_AUDIENCE_BYTES {
            return Err(AudienceFault::TooLong);
        }
        if !(MIN_IDENTITY_LIFETIME..=MAX_IDENTITY_LIFETIME).contains(&lifetime) {
            return Err(AudienceFault::Lifetime);
        }
        let lifetime = Duration::from_secs(lifetime.as_secs());
        let mut hash = Sha256::new();
        hash.update(lifetime.as_secs().to_be_bytes());
        hash.update(name.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        Ok(Self { name: Arc::from(name), lifetime, digest })
    }

    /// What a token's `aud` says.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long its tokens live, in whole seconds.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Stands for name and lifetime: two audiences have the same only if they are the same.
    #[must_use]
    pub fn digest(&self) -> &[u8; 16] {
        &self.digest
    }
}

/// What a bearer token says beside who made it and when (RFC 7519). It is the token of a session, which decides; the claims are
/// for others.
#[derive(Clone, Debug)]
pub struct BearerClaims {
    /// Whose session it is (`sub`).
    pub subject: UserId,
    /// The session's public id (`sid`).
    pub session: SessionId,
    /// When the session ends at the latest, in house time (`exp`).
    pub expires: Moment,
    /// Random bytes of the system's CSPRNG (`jti`): no two tokens are equal, and nobody guesses one.
    pub unique: [u8; 16],
}

/// Why nothing was signed. Told in the log, never to clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignFault {
    /// The directory has no signing keys.
    #[error("there are no signing keys")]
    NoKeys,
    /// The current key cannot be signed with.
    #[error("the signing key {0} cannot be read")]
    Unreadable(Box<str>),
    /// The system could not sign or draw a key.
    #[error("the system could not sign")]
    System,
    /// The token would have more bytes than any header field may have.
    #[error("the token would be longer than {0} bytes")]
    TooLong(usize),
}

/// How a rotation is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// How will be signed with the key that is made.
    pub algorithm: SigningAlgorithm,
    /// The longest that a token lives that was signed until now: the retired key is published for so long.
    pub longest_life: Duration,
    /// Whether it is done even if some verifiers may not have seen the next key yet.
    pub forced: bool,
}

/// Why the keys were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationFault {
    /// The next key was published too short a while ago: verifiers may not know it before this moment (house time).
    #[error("the next key is not published for long enough: not before {0}")]
    TooSoon(Moment),
    /// So many keys were retired lately that the first of them must go before, at this moment (house time).
    #[error("too many retired keys whose tokens may still live: not before {0}")]
    TooMany(Moment),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] SignFault),
}

/// Who signs. All answers are by the keys of the snapshot that is given.
pub trait Signatory: Send + Sync {
    /// The identity token of `known` for `audience`: a compact JWS (RFC 7515). Signed seldom, else the one of before.
    ///
    /// # Errors
    /// [`SignFault`]: whoever asked must not go on as if there were no token to send.
    fn identity_token(
        &self,
        known: &Authenticated,
        snapshot: &Snapshot,
        audience: &Audience,
        now: Moment,
    ) -> Result<Arc<str>, SignFault>;

    /// A bearer token that says this, signed at `now`.
    ///
    /// # Errors
    /// [`SignFault`].
    fn bearer_token(
        &self,
        snapshot: &Snapshot,
        claims: &BearerClaims,
        now: Moment,
    ) -> Result<BearerText, SignFault>;

    /// The public keys as a JWK Set (RFC 7517); an empty one where there are no keys.
    fn key_set(&self, snapshot: &Snapshot) -> Arc<str>;

    /// The first keys of an installation.
    ///
    /// # Errors
    /// [`SignFault::System`].
    fn first_keys(&self, algorithm: SigningAlgorithm, now: Moment) -> Result<KeyRing, SignFault>;

    /// The keys after a rotation of `ring`.
    ///
    /// # Errors
    /// [`RotationFault`].
    fn rotated(&self, ring: &KeyRing, rotation: Rotation, now: Moment) -> Result<KeyRing, RotationFault>;

    /// The keys without the one of this id, whatever it was used for, and whatever it signed; where it signed or was the next
    /// one, there is another one. `None` where no key has this id.
    ///
    /// # Errors
    /// [`SignFault::System`].
    fn withdrawn(
        &self,
        ring: &KeyRing,
        id: &str,
        algorithm: SigningAlgorithm,
        now: Moment,
    ) -> Result<Option<KeyRing>, SignFault>;

    /// The keys without those whose last token has expired; `None` where there is none of these.
    fn swept(&self, ring: &KeyRing, now: Moment) -> Option<KeyRing>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_has_limits_on_both_sides() {
        let make = |length: usize, lifetime: u64| {
            Audience::new(&"a".repeat(length), Duration::from_millis(lifetime))
                .map(|audience| audience.lifetime())
        };
        assert_eq!(make(1, 10_000), Ok(Duration::from_secs(10)));
        assert_eq!(make(MAX_AUDIENCE_BYTES, 300_000), Ok(Duration::from_secs(300)));
        assert_eq!(make(9, 10_999), Ok(Duration::from_secs(10)), "whole seconds");
        assert_eq!(make(0, 10_000), Err(AudienceFault::Empty));
        assert_eq!(make(MAX_AUDIENCE_BYTES + 1, 10_000), Err(AudienceFault::TooLong));
        assert_eq!(make(1, 9_999), Err(AudienceFault::Lifetime));
        assert_eq!(make(1, 300_001), Err(AudienceFault::Lifetime));
        assert_eq!(AudienceFault::Lifetime.to_string(), "a life is from 10 s to 300 s");
    }

    #[test]
    fn audiences_are_told_apart_by_name_and_life() {
        let digest = |name, seconds| *Audience::new(name, Duration::from_secs(seconds)).unwrap().digest();
        assert_eq!(digest("a", 60), digest("a", 60));
        assert_ne!(digest("a", 60), digest("b", 60));
        assert_ne!(digest("a", 60), digest("a", 61));
    }
}
