//! The session cookie: `JSESSIONID=<id>; Path=<mount>; HttpOnly`, byte for byte (contract/ovirt.md, row 2 and Parsing).

use auth::SessionToken;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fusion::CookieSettings;

/// The cookie's name, and that of the field by which a client says its value again.
pub(super) const NAME: &str = "JSESSIONID";

/// How many of the kernel's random bytes are in an id: 240 bits, which are 40 characters.
const RANDOM_BYTES: usize = 30;

/// How long an id is.
const CHARACTERS: usize = RANDOM_BYTES / 3 * 4;

/// The `Set-Cookie` value that gives a client its token. Each attribute after `; `: some clients cut the id off there.
pub(super) fn give(settings: &CookieSettings, token: &SessionToken, outside_is_tls: bool) -> String {
    write(settings, token.expose(), outside_is_tls, "")
}

/// The `Set-Cookie` value that takes it away.
pub(super) fn take(settings: &CookieSettings, outside_is_tls: bool) -> String {
    write(settings, "", outside_is_tls, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
}

fn write(settings: &CookieSettings, value: &str, outside_is_tls: bool, end: &str) -> String {
    let secure = if settings.is_secure(outside_is_tls) { "; Secure" } else { "" };
    let same_site = settings.same_site.word().map(|word| format!("; SameSite={word}")).unwrap_or_default();
    format!("{NAME}={value}; Path={}; HttpOnly{secure}{same_site}{end}", settings.path)
}

/// Whether a value has the form of a token's text.
pub(super) fn could_be_ours(value: &[u8]) -> bool {
    value.len() == CHARACTERS && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
}

/// A token's text: 240 random bits as 40 characters of `[A-Za-z0-9_-]`, without padding: clients cut values off at `=`.
pub(super) fn token(random: &[u8; 32]) -> Option<SessionToken> {
    let text = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.encode(&random[..RANDOM_BYTES]));
    SessionToken::from_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{SameSite, SecureWhen};

    fn settings(secure: SecureWhen, same_site: SameSite) -> CookieSettings {
        CookieSettings { path: Box::from("/ovirt-engine/api"), secure, same_site }
    }

    #[test]
    fn contract_the_cookie_is_the_engines() {
        let token = token(&[0xfb; 32]).unwrap();
        let id = token.expose();
        assert_eq!(id.len(), 40);
        assert!(could_be_ours(id.as_bytes()), "{id}");
        for other in [
            "",
            "6E3A0F2B7C9D4E5F8A1B2C3D4E5F6A7B.node1",
            &id[1..],
            &format!("{id}A"),
            &id.replace(&id[..1], "="),
        ] {
            assert!(!could_be_ours(other.as_bytes()), "{other}");
        }
        let auto = settings(SecureWhen::Auto, SameSite::Off);
        assert_eq!(give(&auto, &token, false), format!("JSESSIONID={id}; Path=/ovirt-engine/api; HttpOnly"));
        let tls = format!("JSESSIONID={id}; Path=/ovirt-engine/api; HttpOnly; Secure");
        assert_eq!(give(&auto, &token, true), tls);
        assert_eq!(give(&settings(SecureWhen::Always, SameSite::Off), &token, false), tls);
        let never = settings(SecureWhen::Never, SameSite::Strict);
        let strict = format!("JSESSIONID={id}; Path=/ovirt-engine/api; HttpOnly; SameSite=Strict");
        assert_eq!(give(&never, &token, true), strict);
    }

    #[test]
    fn case_30_it_is_taken_away_as_it_was_given() {
        let taken = take(&settings(SecureWhen::Always, SameSite::Off), false);
        assert!(
            taken.starts_with("JSESSIONID=; Path=/ovirt-engine/api; HttpOnly; Secure; Max-Age=0;"),
            "{taken}"
        );
    }
}
