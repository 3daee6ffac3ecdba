//! The session cookie: `id=<token>;HttpOnly;Path=<mount>`, byte for byte (contract/fusion.md, Sessions).

use auth::SessionToken;

/// The cookie's name.
pub(super) const NAME: &str = "id";

/// When the cookie says `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureWhen {
    /// Where the client's side is TLS.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the cookie's `SameSite` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// `Lax`.
    Lax,
    /// `Strict`.
    Strict,
    /// `None`.
    None,
    /// No such attribute.
    Off,
}

impl SameSite {
    /// The attribute's value, where there is one.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Lax => Some("Lax"),
            Self::Strict => Some("Strict"),
            Self::None => Some("None"),
            Self::Off => None,
        }
    }
}

/// The cookie's settings.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// Its `Path`: the mount's.
    pub path: Box<str>,
    /// When it says `Secure`.
    pub secure: SecureWhen,
    /// Its `SameSite`.
    pub same_site: SameSite,
}

impl CookieSettings {
    /// The `Set-Cookie` value that gives a client its token. No blanks, this order, no `Max-Age`.
    pub(super) fn give(&self, token: &SessionToken, outside_is_tls: bool) -> String {
        self.write(token.expose(), outside_is_tls, "")
    }

    /// The `Set-Cookie` value that takes it away: same name, path and `Secure`, or browsers keep it (security.md case 30).
    pub(super) fn take(&self, outside_is_tls: bool) -> String {
        self.write("", outside_is_tls, ";Max-Age=0;Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }

    /// Whether the cookie says `Secure`.
    pub(crate) fn is_secure(&self, outside_is_tls: bool) -> bool {
        match self.secure {
            SecureWhen::Auto => outside_is_tls,
            SecureWhen::Always => true,
            SecureWhen::Never => false,
        }
    }

    fn write(&self, value: &str, outside_is_tls: bool, end: &str) -> String {
        let secure = if self.is_secure(outside_is_tls) { ";Secure" } else { "" };
        let same_site = self.same_site.word().map(|word| format!(";SameSite={word}")).unwrap_or_default();
        format!("{NAME}={value}{secure};HttpOnly;Path={}{same_site}{end}", self.path)
    }
}

/// A token's text: 128 random bits in the 8-4-4-4-12 form.
pub(super) fn token(random: &[u8; 16]) -> Option<SessionToken> {
    use std::fmt::Write as _;

    let mut text = zeroize::Zeroizing::new(String::with_capacity(36));
    for (at, byte) in random.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    SessionToken::from_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; 16] =
        [0x84, 0x0a, 0x33, 0xd4, 0xb6, 0x50, 0x49, 0xf2, 0x87, 0xa4, 0x85, 0x41, 0x2e, 0x99, 0xb3, 0x7c];

    fn settings(secure: SecureWhen, same_site: SameSite) -> CookieSettings {
        CookieSettings { path: Box::from("/api"), secure, same_site }
    }

    #[test]
    fn the_cookie_is_the_documents_own() {
        let token = token(&RANDOM).unwrap();
        let plain = settings(SecureWhen::Auto, SameSite::Off).give(&token, false);
        assert_eq!(plain, "id=840a33d4-b650-49f2-87a4-85412e99b37c;HttpOnly;Path=/api");
        let secure = settings(SecureWhen::Auto, SameSite::Off).give(&token, true);
        assert_eq!(secure, "id=840a33d4-b650-49f2-87a4-85412e99b37c;Secure;HttpOnly;Path=/api");
        let lax = settings(SecureWhen::Never, SameSite::Lax).give(&token, true);
        assert_eq!(lax, "id=840a33d4-b650-49f2-87a4-85412e99b37c;HttpOnly;Path=/api;SameSite=Lax");
    }

    #[test]
    fn case_30_it_is_taken_away_as_it_was_given() {
        let taken = settings(SecureWhen::Always, SameSite::Strict).take(false);
        assert!(taken.starts_with("id=;Secure;HttpOnly;Path=/api;SameSite=Strict;Max-Age=0;"), "{taken}");
    }
}
