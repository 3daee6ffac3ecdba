//! Names of realms, roles, users and scopes, in the one form in which they are compared.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::limits::{MAX_NAME_BYTES, MAX_USERNAME_BYTES};

/// Why a name was refused, in words for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than the limit.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// Holds a character that names here may not hold.
    #[error("holds a character that is not allowed: {0:?}")]
    Character(char),
    /// Begins or ends with a blank.
    #[error("begins or ends with a blank")]
    Blank,
}

macro_rules! plain_name {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Letters, digits, `.`, `_`, `-`, `@` and blanks inside; 1 to [`MAX_NAME_BYTES`] bytes.
            ///
            /// # Errors
            /// [`NameFault`] says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, NameFault> {
                check_plain(text).map(|()| Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameFault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

plain_name!(
    /// A realm's name. Compared as written.
    RealmName
);
plain_name!(
    /// A role's name. Compared as written.
    RoleName
);
plain_name!(
    /// The name of an app behind the gateway. Compared as written.
    AppName
);

impl RealmName {
    /// The realm that is always there.
    #[must_use]
    pub fn native() -> Self {
        Self(Arc::from("native"))
    }
}

fn check_plain(text: &str) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameFault::TooLong(MAX_NAME_BYTES));
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(NameFault::Blank);
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ' ');
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(NameFault::Character(c)),
        None => Ok(()),
    }
}

/// Where a session counts: the mount (or group of mounts) it was made for. A session of one scope is unknown in another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope called `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The scope's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user's name: as he writes it, and in the one form in which it is looked up, locked, compared and counted.
///
/// The canonical form is NFKC, then lower case, then NFKC again: `Alice`, `ＡＬＩＣＥ` and `alice` are one user in every
/// table (security.md case 13).
#[derive(Clone, Debug)]
pub struct Username {
    shown: Box<str>,
    canonical: Box<str>,
}

impl Username {
    /// A name as somebody presents it at a login. Anything of tolerable length is taken: a name that nobody could have
    /// chosen is simply unknown.
    ///
    /// # Errors
    /// [`NameFault::Empty`], [`NameFault::TooLong`] (more than [`MAX_USERNAME_BYTES`] bytes).
    pub fn presented(text: &str) -> Result<Self, NameFault> {
        if text.is_empty() {
            return Err(NameFault::Empty);
        }
        if text.len() > MAX_USERNAME_BYTES {
            return Err(NameFault::TooLong(MAX_USERNAME_BYTES));
        }
        Ok(Self { shown: Box::from(text), canonical: canonical(text).into_boxed_str() })
    }

    /// A name for a new record: no control or invisible characters, no blanks around it, no colon (RFC 7617 section 2).
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong with it.
    pub fn chosen(text: &str) -> Result<Self, NameFault> {
        let name = Self::presented(text)?;
        if text.trim() != text || name.canonical.trim() != &*name.canonical {
            return Err(NameFault::Blank);
        }
        let refused = |c: &char| c.is_control() || *c == ':' || is_invisible(*c);
        match text.chars().chain(name.canonical.chars()).find(refused) {
            Some(c) => Err(NameFault::Character(c)),
            None => Ok(name),
        }
    }

    /// The name as it was written.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The form in which it is compared.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Username {}

fn canonical(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    folded.nfkc().collect()
}

/// Format characters that make two names look alike: zero-width, bidirectional controls, tags, soft hyphen.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_13_near_duplicates_are_one_user_or_cannot_be_made() {
        let canonical = |text: &str| Username::presented(text).unwrap().canonical().to_owned();
        for same in ["alice", "Alice", "ALICE", "ａｌｉｃｅ", "ＡＬＩＣＥ"] {
            assert_eq!(canonical(same), "alice", "{same}");
        }
        assert_eq!(canonical("re\u{301}my"), canonical("r\u{e9}my"));
        for refused in
            ["alice ", " alice", "al\u{200b}ice", "al\u{0}ice", "al\nice", "a:b", "\u{a0}alice", ""]
        {
            assert!(Username::chosen(refused).is_err(), "{refused:?}");
        }
        for distinct in ["alıce", "аlice"] {
            assert_ne!(canonical(distinct), "alice", "{distinct}");
        }
    }

    #[test]
    fn the_canonical_form_is_a_fixed_point() {
        proptest::proptest!(|(text in "\\PC{1,40}")| {
            if let Ok(name) = Username::presented(&text) {
                let again = canonical(name.canonical());
                proptest::prop_assert_eq!(&canonical(&again), &again);
            }
        });
    }

    #[test]
    fn names_have_a_limit_on_both_sides() {
        assert!(Username::presented(&"x".repeat(MAX_USERNAME_BYTES)).is_ok());
        assert!(Username::presented(&"x".repeat(MAX_USERNAME_BYTES + 1)).is_err());
        assert!(RealmName::parse(&"x".repeat(MAX_NAME_BYTES)).is_ok());
        assert!(RealmName::parse(&"x".repeat(MAX_NAME_BYTES + 1)).is_err());
        assert!(RealmName::parse("a/b").is_err());
        assert!(RoleName::parse("").is_err());
        assert!(AppName::parse(&"x".repeat(MAX_NAME_BYTES)).is_ok());
        assert!(AppName::parse(&"x".repeat(MAX_NAME_BYTES + 1)).is_err());
    }
}
