//! The keys that the gateway signs with, as stores keep them. When they change is the rule of the room `signer`; nothing in here
//! knows how to sign.

use std::fmt;

use zeroize::Zeroizing;

use super::clock::Moment;
use crate::limits::{MAX_KEY_ID_BYTES, MAX_PRIVATE_KEY_BYTES, MAX_SIGNING_KEYS};

/// A private key in clear: PKCS#8 (RFC 5958) in DER. Wiped when dropped; cannot be printed.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<Box<[u8]>>);

impl PrivateKey {
    /// Takes the document as it is; who signs with it can tell whether it is one. `None` where it is empty or longer than
    /// [`MAX_PRIVATE_KEY_BYTES`].
    #[must_use]
    pub fn from_pkcs8(document: &[u8]) -> Option<Self> {
        let plausible = !document.is_empty() && document.len() <= MAX_PRIVATE_KEY_BYTES;
        plausible.then(|| Self(Zeroizing::new(Box::from(document))))
    }

    /// The document. Read it only to sign or to store it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// A public key: what others verify with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PublicKey {
    /// A point on P-256 (RFC 7518, 6.2): its coordinates, big-endian.
    P256 {
        /// The first coordinate.
        x: [u8; 32],
        /// The second.
        y: [u8; 32],
    },
    /// An Ed25519 key (RFC 8037, section 2).
    Ed25519 {
        /// The key as RFC 8032 encodes it.
        x: [u8; 32],
    },
}

impl PublicKey {
    /// How is signed with it.
    #[must_use]
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::P256 { .. } => SigningAlgorithm::Es256,
            Self::Ed25519 { .. } => SigningAlgorithm::EdDsa,
        }
    }
}

/// How tokens are signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518, 3.4): what every library can verify.
    #[default]
    Es256,
    /// Ed25519 (RFC 8037): less work to sign, and fewer libraries that verify it.
    EdDsa,
}

impl SigningAlgorithm {
    /// Every algorithm, for tables and tests.
    pub const ALL: [Self; 2] = [Self::Es256, Self::EdDsa];

    /// The name that a token's `alg` and the settings have for it (RFC 7518, 3.1; RFC 8037, 3.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// From its name, as written.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// What a key is used for at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Published, and signs from the next rotation on.
    Next,
    /// Signs.
    Current,
    /// Signs no more; published while a token of it may live.
    Retired {
        /// From then on none does.
        until: Moment,
    },
}

/// A key of the gateway.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// What a token's `kid` calls it: its thumbprint (RFC 7638).
    pub id: Box<str>,
    /// What it signs with.
    pub private: PrivateKey,
    /// What others verify with.
    pub public: PublicKey,
    /// When it was made, which is when it was first published.
    pub created: Moment,
    /// What it is used for.
    pub state: KeyState,
}

/// Why these keys are no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingFault {
    /// None signs, or more than one.
    #[error("not exactly one key is the current one")]
    Current,
    /// None waits, or more than one.
    #[error("not exactly one key is the next one")]
    Next,
    /// Two have one id.
    #[error("two keys have the same id")]
    SameId,
    /// An id is empty, longer than the limit, or not of the letters of base64url.
    #[error("a key's id is not 1 to {MAX_KEY_ID_BYTES} letters, digits, '-' or '_'")]
    Id,
    /// More keys than the limit.
    #[error("more than {MAX_SIGNING_KEYS} keys")]
    TooMany,
}

/// The gateway's keys: one that signs, one that will, and those whose tokens may still live.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// The current one, the next one, the others.
    keys: Vec<SigningKey>,
}

impl KeyRing {
    /// The ring of these keys. The current key goes first, then the next, then the others in their order.
    ///
    /// # Errors
    /// [`KeyRingFault`] says why they are none.
    pub fn new(mut keys: Vec<SigningKey>) -> Result<Self, KeyRingFault> {
        if keys.len() > MAX_SIGNING_KEYS {
            return Err(KeyRingFault::TooMany);
        }
        keys.sort_by_key(|key| match key.state {
            KeyState::Current => 0,
            KeyState::Next => 1,
            KeyState::Retired { .. } => 2,
        });
        let count = |state: KeyState| keys.iter().filter(|key| key.state == state).count();
        if count(KeyState::Current) != 1 {
            return Err(KeyRingFault::Current);
        }
        if count(KeyState::Next) != 1 {
            return Err(KeyRingFault::Next);
        }
        for (place, key) in keys.iter().enumerate() {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if key.id.is_empty() || key.id.len() > MAX_KEY_ID_BYTES || !key.id.bytes().all(is_plain) {
                return Err(KeyRingFault::Id);
            }
            if keys[..place].iter().any(|other| other.id == key.id) {
                return Err(KeyRingFault::SameId);
            }
        }
        Ok(Self { keys })
    }

    /// All of them: the current one, the next one, those that are retired.
    #[must_use]
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The one that signs.
    #[must_use]
    pub fn current(&self) -> &SigningKey {
        &self.keys[0]
    }

    /// The one that will sign after the next rotation.
    #[must_use]
    pub fn next(&self) -> &SigningKey {
        &self.keys[1]
    }

    /// Those that sign no more.
    pub fn retired(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys[2..].iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, state: KeyState) -> SigningKey {
        SigningKey {
            id: Box::from(id),
            private: PrivateKey::from_pkcs8(b"canary").unwrap(),
            public: PublicKey::Ed25519 { x: [7; 32] },
            created: Moment::from_millis(1),
            state,
        }
    }

    fn ring(keys: &[(&str, KeyState)]) -> Result<KeyRing, KeyRingFault> {
        KeyRing::new(keys.iter().map(|(id, state)| key(id, *state)).collect())
    }

    const RETIRED: KeyState = KeyState::Retired { until: Moment::from_millis(9) };

    #[test]
    fn one_key_signs_and_one_will() {
        let whole =
            ring(&[("c", RETIRED), ("b", KeyState::Next), ("a", KeyState::Current), ("d", RETIRED)]).unwrap();
        let ids: Vec<&str> = whole.keys().iter().map(|key| &*key.id).collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
        assert_eq!((&*whole.current().id, &*whole.next().id), ("a", "b"));
        assert_eq!(whole.retired().count(), 2);
        for (keys, fault) in [
            (&[][..], KeyRingFault::Current),
            (&[("a", KeyState::Next)], KeyRingFault::Current),
            (&[("a", KeyState::Current), ("b", KeyState::Current)], KeyRingFault::Current),
            (&[("a", KeyState::Current), ("b", KeyState::Next), ("c", KeyState::Next)], KeyRingFault::Next),
            (&[("a", KeyState::Current)], KeyRingFault::Next),
            (&[("a", KeyState::Current), ("a", KeyState::Next)], KeyRingFault::SameId),
            (&[("a", KeyState::Current), ("b", KeyState::Next), ("b", RETIRED)], KeyRingFault::SameId),
            (&[("", KeyState::Current), ("b", KeyState::Next)], KeyRingFault::Id),
            (&[("a", KeyState::Current), ("a\"b", KeyState::Next)], KeyRingFault::Id),
        ] {
            assert_eq!(ring(keys).unwrap_err(), fault, "{keys:?}");
        }
    }

    #[test]
    fn every_limit_has_two_sides() {
        let many = |count: usize| {
            let state = |place| [KeyState::Current, KeyState::Next].get(place).copied().unwrap_or(RETIRED);
            KeyRing::new((0..count).map(|place| key(&format!("k{place}"), state(place))).collect())
        };
        assert!(many(MAX_SIGNING_KEYS).is_ok());
        assert_eq!(many(MAX_SIGNING_KEYS + 1).unwrap_err(), KeyRingFault::TooMany);
        let long = |length: usize| ring(&[(&"a".repeat(length), KeyState::Current), ("b", KeyState::Next)]);
        assert!(long(MAX_KEY_ID_BYTES).is_ok());
        assert_eq!(long(MAX_KEY_ID_BYTES + 1).unwrap_err(), KeyRingFault::Id);
        assert!(PrivateKey::from_pkcs8(&[]).is_none());
        assert!(PrivateKey::from_pkcs8(&[1; MAX_PRIVATE_KEY_BYTES]).is_some());
        assert!(PrivateKey::from_pkcs8(&[1; MAX_PRIVATE_KEY_BYTES + 1]).is_none());
    }

    #[test]
    fn a_private_key_does_not_print() {
        let printed = format!("{:?}", ring(&[("a", KeyState::Current), ("b", KeyState::Next)]).unwrap());
        assert!(printed.contains("private: PrivateKey, public") && !printed.contains("canary"), "{printed}");
        assert!(!printed.contains("99, 97, 110"), "{printed}");
    }

    #[test]
    fn every_algorithm_survives_its_name() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(SigningAlgorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for odd in ["none", "HS256", "es256", ""] {
            assert_eq!(SigningAlgorithm::parse(odd), None, "{odd}");
        }
    }
}
