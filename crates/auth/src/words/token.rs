//! Session tokens and API keys: in clear only on their way in and out, as a hash everywhere else.

use std::fmt;
use std::hash::{BuildHasher, Hasher};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::limits::MAX_TOKEN_BYTES;

/// A session token in clear, in the textual form that its dialect gave it. Wiped when dropped; cannot be printed.
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// A token from its text, as drawn by a dialect from the system's CSPRNG or as presented by a client.
    /// `None` if it is empty, longer than [`MAX_TOKEN_BYTES`], or not of `[A-Za-z0-9_-]`: such a value was never given
    /// out and is not worth a look-up.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let plausible = !text.is_empty()
            && text.len() <= MAX_TOKEN_BYTES
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        plausible.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, to be sent to the client that just logged in, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up instead of the token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken")
    }
}

/// SHA-256 of the text of a session token or an API key. Not reversible for the 128 random bits or more that are in it, so it
/// may be stored. It does not print either.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The 32 bytes, for stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of a bearer token's text. No cookie has this hash, whatever its text: a token of one kind is unknown as another
    /// (security.md case 26).
    #[must_use]
    pub(crate) fn of_bearer(text: &str) -> Self {
        let digest = Sha256::new_with_prefix(b"bearer\0").chain_update(text.as_bytes());
        Self(digest.finalize().into())
    }

    /// From the 32 bytes a store kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

/// An API key in clear: only on its way out, when it is made, and on its way in. Wiped when dropped; cannot be printed.
///
/// `dwk_` and 256 random bits as 64 hexadecimal digits: what searches for leaked secrets finds it, and no other kind of
/// token looks like it (security.md case 26).
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    const PREFIX: &'static str = "dwk_";

    /// A key of 32 random bytes of the system.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        use std::fmt::Write as _;

        let mut text = Zeroizing::new(String::with_capacity(Self::PREFIX.len() + 64));
        text.push_str(Self::PREFIX);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// A key as presented. `None` if it is not of the form of a key: such a text was never given out and is not worth a
    /// look-up.
    #[must_use]
    pub fn presented(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?;
        let plausible = digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        plausible.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, to be shown once to whoever made the key, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up instead of the key.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText")
    }
}

/// Hashes token hashes by taking eight of their bytes: they are SHA-256 already, and nobody can choose them without
/// logging in. Saves SipHash on the hot path.
#[derive(Clone, Copy, Default)]
pub(crate) struct ByPrefix;

impl BuildHasher for ByPrefix {
    type Hasher = PrefixHasher;

    fn build_hasher(&self) -> PrefixHasher {
        PrefixHasher(0)
    }
}

/// See [`ByPrefix`].
pub(crate) struct PrefixHasher(u64);

impl Hasher for PrefixHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(prefix) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*prefix);
        }
    }

    // An array hashes its length first; it is the same for all, so it does not count.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_29_values_that_were_never_given_out_are_not_looked_up() {
        assert!(SessionToken::from_text(&"a".repeat(MAX_TOKEN_BYTES)).is_some());
        assert!(SessionToken::from_text(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_none());
        for odd in ["", "*", "a b", "a;b", "ä", "a=", "a\0"] {
            assert!(SessionToken::from_text(odd).is_none(), "{odd:?}");
        }
    }

    #[test]
    fn tokens_do_not_print() {
        let token = SessionToken::from_text("840a33d4-b650-49f2-87a4-85412e99b37c").unwrap();
        assert_eq!(format!("{token:?} {:?}", token.hash()), "SessionToken TokenHash");
        assert_eq!(format!("{:?}", KeyText::from_random(&[7; 32])), "KeyText");
    }

    #[test]
    fn case_26_a_key_has_one_form() {
        let key = KeyText::from_random(&[0xa5; 32]);
        assert_eq!(key.expose(), format!("dwk_{}", "a5".repeat(32)));
        assert_eq!(KeyText::presented(key.expose()).unwrap().hash(), key.hash());
        let text = key.expose();
        for odd in
            [&text[1..], &text[..67], &text.to_uppercase(), &format!("{text}0"), &format!(" {text}"), ""]
        {
            assert!(KeyText::presented(odd).is_none(), "{odd:?}");
        }
    }

    #[test]
    fn the_table_hash_is_the_prefix() {
        let hash = SessionToken::from_text("x").unwrap().hash();
        let expected = u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap());
        assert_eq!(ByPrefix.hash_one(hash), expected);
    }
}
