//! Secrets that people present. None of them can be printed: Debug shows the type's name, nothing else.

use std::fmt;
use std::net::IpAddr;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::names::Username;
use super::token::TokenHash;
use crate::limits::MAX_PASSWORD_BYTES;

/// A password in clear, for as long as it must be one. Wiped when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password as presented: never trimmed, never cut, compared in NFC (security.md rows 53, 65).
    ///
    /// `None` where nobody can have such a password, so that no realm is ever asked with it: empty, nothing but NUL or
    /// blanks (case 17: directories take an empty password for an anonymous login), or more than
    /// [`MAX_PASSWORD_BYTES`] bytes.
    #[must_use]
    pub fn presented(text: Zeroizing<String>) -> Option<Self> {
        if text.len() > MAX_PASSWORD_BYTES || text.chars().all(|c| c == '\0' || c.is_whitespace()) {
            return None;
        }
        if text.is_ascii() {
            return Some(Self(text));
        }
        Some(Self(Zeroizing::new(text.nfc().collect())))
    }

    /// The password's bytes, in NFC. Read them only to hash or to hand them to the realm's server.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A stored password hash in PHC form (`$argon2id$v=19$m=…`).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Takes a PHC string as it is; the realm that made it can tell whether it is one.
    #[must_use]
    pub fn from_phc(text: &str) -> Self {
        Self(Box::from(text))
    }

    /// The PHC string. Read it only to verify or to store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// A bearer token (RFC 6750), as presented or as it was just made. Wiped when dropped; cannot be printed.
#[derive(Clone)]
pub struct BearerText(Zeroizing<String>);

impl BearerText {
    /// Takes the text as presented.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Read it only to verify it, or to send it to the client that just got it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up instead of the token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of_bearer(&self.0)
    }
}

impl fmt::Debug for BearerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerText")
    }
}

/// What a realm is asked to verify.
#[derive(Debug)]
pub enum Evidence {
    /// A user name and a password.
    Password {
        /// Who he says he is.
        username: Username,
        /// What he says proves it.
        password: Password,
    },
    /// Header fields of somebody in front of the gateway, who says who the user is.
    Asserted(Asserted),
}

/// What somebody in front of the gateway says of a user, and who that somebody is.
#[derive(Debug, Default)]
pub struct Asserted {
    /// The address of the other end of the connection, whatever any header says.
    pub peer: Option<IpAddr>,
    /// The fields that the realms of the directory read, in the order in which they came; names in lower case.
    pub fields: Vec<(Box<str>, Box<[u8]>)>,
}

/// How somebody was authenticated: told in lists, logs and, later, to the backend (RFC 8176 calls it `amr`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AuthMethod {
    /// A password sent to the session endpoint.
    Password,
    /// A password sent along with the request (RFC 7617).
    Basic,
    /// An API key sent along with the request.
    ApiKey,
    /// A header field of somebody in front of the gateway.
    Header,
    /// A bearer token that somebody got for a password.
    Token,
}

impl AuthMethod {
    /// The stable word for logs and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Basic => "basic",
            Self::ApiKey => "api_key",
            Self::Header => "header",
            Self::Token => "token",
        }
    }

    /// From the word a store kept.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "password" => Some(Self::Password),
            "basic" => Some(Self::Basic),
            "api_key" => Some(Self::ApiKey),
            "header" => Some(Self::Header),
            "token" => Some(Self::Token),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(text: &str) -> Option<Password> {
        Password::presented(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn case_17_no_password_is_no_password() {
        for nothing in ["", "\0", "\0\0\0", " ", "\u{a0}\u{2003}", "\t\n"] {
            assert!(presented(nothing).is_none(), "{nothing:?}");
        }
    }

    #[test]
    fn asvs_53_passwords_are_taken_exactly_as_sent() {
        for exact in [" x ", "x\0y", "Pässwörd", "pass word "] {
            assert_eq!(presented(exact).unwrap().expose(), exact);
        }
    }

    #[test]
    fn asvs_65_both_normal_forms_are_one_password() {
        assert_eq!(
            presented("re\u{301}sume\u{301}").unwrap().expose(),
            presented("r\u{e9}sum\u{e9}").unwrap().expose()
        );
    }

    #[test]
    fn asvs_54_the_limit_has_two_sides() {
        assert!(presented(&"x".repeat(MAX_PASSWORD_BYTES)).is_some());
        assert!(presented(&"x".repeat(MAX_PASSWORD_BYTES + 1)).is_none());
    }

    #[test]
    fn secrets_do_not_print() {
        let printed = format!(
            "{:?} {:?} {:?}",
            presented("canary").unwrap(),
            PasswordHash::from_phc("canary"),
            BearerText::new("canary".to_owned())
        );
        assert_eq!(printed, "Password PasswordHash BearerText");
    }
}
