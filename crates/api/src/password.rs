//! Which passwords may be set (NIST SP 800-63B-4 section 3.1.1.2): long enough, not among those that everybody tries
//! first. No composition rules: they make passwords worse.

use std::fmt;

use auth::limits::{MAX_PASSWORD_BYTES, MIN_PASSWORD_POINTS};
use auth::{Password, Reason};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::services::Services;

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than [`MIN_PASSWORD_POINTS`] characters.
    TooShort,
    /// More than [`MAX_PASSWORD_BYTES`] bytes, or nothing but blanks.
    Unusable,
    /// Among the passwords that everybody tries first.
    Common,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "a password has at least {MIN_PASSWORD_POINTS} characters"),
            Self::Unusable => {
                write!(f, "a password has at most {MAX_PASSWORD_BYTES} bytes and is more than blanks")
            }
            Self::Common => f.write_str("this password is among those that everybody tries first"),
        }
    }
}

/// What everybody tries first, in lower case. Variations by digits and signs at either end are taken off before.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "letmein",
    "welcome",
    "qwertyui",
    "qwertyuiop",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfghjkl",
    "asdfghjk",
    "asdfasdf",
    "zxcvbnm",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "batman",
    "trustno",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "administrator",
    "admin",
    "root",
    "changeme",
    "default",
    "secret",
    "dragon",
    "monkey",
    "master",
    "shadow",
    "michael",
    "jennifer",
    "abc",
    "abcdefgh",
    "abcd",
    "qazwsx",
    "qazwsxedc",
    "login",
    "guest",
    "test",
    "testtest",
    "hello",
    "charlie",
    "freedom",
    "mustang",
    "michelle",
    "jordan",
    "liverpool",
    "chelsea",
    "arsenal",
    "pokemon",
    "naruto",
    "google",
    "samsung",
    "hallo",
    "schatz",
    "ficken",
    "geheim",
];

/// A password that may be set.
///
/// # Errors
/// [`Error::WeakPassword`].
pub(crate) fn acceptable(text: Zeroizing<String>) -> Result<Password, Error> {
    let password = Password::presented(text).ok_or(Error::WeakPassword(Weakness::Unusable))?;
    match weakness(&password) {
        Some(weakness) => Err(Error::WeakPassword(weakness)),
        None => Ok(password),
    }
}

/// What is weak about a password, if anything is.
pub(crate) fn weakness(password: &Password) -> Option<Weakness> {
    if password.expose().chars().count() < MIN_PASSWORD_POINTS {
        return Some(Weakness::TooShort);
    }
    is_common(password.expose()).then_some(Weakness::Common)
}

fn is_common(password: &str) -> bool {
    let lower = Zeroizing::new(password.to_lowercase());
    let first = lower.chars().next();
    let one_character = lower.chars().all(|c| Some(c) == first);
    let digits = lower.chars().all(|c| c.is_ascii_digit());
    let runs = |text: &str| "01234567890123456789".contains(text) || "98765432109876543210".contains(text);
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    // At most four characters of decoration: "password123!" is no better than "password".
    let decoration = lower.chars().count() - core.chars().count();
    one_character
        || (digits && (runs(&lower) || lower.len() < 10))
        || (decoration <= 4 && COMMON.contains(&core))
        || COMMON.contains(&lower.as_str())
}

impl Services {
    /// A hash of a password that may be set.
    ///
    /// # Errors
    /// [`Error::WeakPassword`], or [`Reason::RealmUnavailable`] where too many hashes are waited for.
    pub(crate) async fn hash(&self, text: Zeroizing<String>) -> Result<auth::PasswordHash, Error> {
        self.hash_unjudged(&acceptable(text)?).await
    }

    /// A hash of a password that an operator chose himself.
    pub(crate) async fn hash_unjudged(&self, password: &Password) -> Result<auth::PasswordHash, Error> {
        self.hasher.hash(password).await.map_err(|busy| Error::Kernel(Reason::RealmUnavailable(busy.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<(), Weakness> {
        match acceptable(Zeroizing::new(text.to_owned())) {
            Ok(_) => Ok(()),
            Err(Error::WeakPassword(weakness)) => Err(weakness),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn asvs_49_length_has_two_sides() {
        assert_eq!(judge("tr0ub4d"), Err(Weakness::TooShort));
        assert_eq!(judge("tr0ub4do"), Ok(()));
        assert_eq!(judge(&"xy".repeat(MAX_PASSWORD_BYTES / 2)), Ok(()));
        assert_eq!(judge(&"xy".repeat(MAX_PASSWORD_BYTES / 2 + 1)), Err(Weakness::Unusable));
        assert_eq!(judge("          "), Err(Weakness::Unusable));
    }

    #[test]
    fn asvs_51_what_everybody_tries_first_is_refused() {
        for common in [
            "password",
            "Password123",
            "12345678",
            "qwertyuiop",
            "aaaaaaaa",
            "LetMeIn!1",
            "iloveyou",
            "87654321",
        ] {
            assert_eq!(judge(common), Err(Weakness::Common), "{common}");
        }
    }

    #[test]
    fn asvs_52_no_composition_rules() {
        for fine in ["correct horse battery", "🦀 🦀 🦀 🦀 🦀 🦀 🦀 x", "mein hund heisst rex", "4839275610"]
        {
            assert_eq!(judge(fine), Ok(()), "{fine}");
        }
    }
}
