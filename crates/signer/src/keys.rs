//! Keys that can be signed with: made, read from what the directory keeps, used.
//!
//! Called by `signer.rs` and `rotation.rs`. Must never sign with a key whose public half is not the published one, and must never
//! name a private key in an error.

use auth::{KeyState, Moment, PrivateKey, PublicKey, SignFault, SigningAlgorithm, SigningKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, Signature,
};

use crate::jwk;

/// What a point of P-256 begins with where both coordinates follow (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A key pair in the form in which it signs.
pub(crate) enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Pair {
    /// The pair of a key that the directory keeps.
    ///
    /// # Errors
    /// [`SignFault::Unreadable`] where it is none, or not the one that is published.
    pub(crate) fn read(key: &SigningKey) -> Result<Self, SignFault> {
        let document = key.private.expose();
        let pair = match key.public.algorithm() {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document).map(Self::Es256).ok()
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(document).map(Self::EdDsa).ok(),
        };
        pair.filter(|pair| pair.public() == Some(key.public))
            .ok_or_else(|| SignFault::Unreadable(key.id.clone()))
    }

    /// The public half.
    fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Es256(pair) => match pair.public_key().as_ref() {
                [UNCOMPRESSED, coordinates @ ..] => {
                    let (x, y) = coordinates.split_at_checked(32)?;
                    Some(PublicKey::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? })
                }
                _ => None,
            },
            Self::EdDsa(pair) => Some(PublicKey::Ed25519 { x: pair.public_key().as_ref().try_into().ok()? }),
        }
    }

    /// Signs: 64 bytes, in the form of RFC 7518, 3.4 or RFC 8037, 3.1.
    ///
    /// # Errors
    /// [`SignFault::System`].
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, SignFault> {
        let signed = match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message),
            Self::EdDsa(pair) => pair.try_sign(message),
        };
        signed.map_err(|_| SignFault::System)
    }
}

/// Makes a key that was never there before, published from `now` on.
///
/// # Errors
/// [`SignFault::System`].
pub(crate) fn make(algorithm: SigningAlgorithm, now: Moment) -> Result<SigningKey, SignFault> {
    let random = SystemRandom::new();
    let document = match algorithm {
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
    };
    let document = document.map_err(|_| SignFault::System)?;
    key_of(algorithm, document.as_ref(), now).ok_or(SignFault::System)
}

/// The key of a PKCS#8 document, as the next one.
fn key_of(algorithm: SigningAlgorithm, document: &[u8], now: Moment) -> Option<SigningKey> {
    let pair = match algorithm {
        SigningAlgorithm::Es256 => {
            Pair::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document).ok()?)
        }
        SigningAlgorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::from_pkcs8(document).ok()?),
    };
    let public = pair.public()?;
    Some(SigningKey {
        id: jwk::thumbprint(&public).into_boxed_str(),
        private: PrivateKey::from_pkcs8(document)?,
        public,
        created: now,
        state: KeyState::Next,
    })
}

#[cfg(test)]
pub(crate) mod tests;
