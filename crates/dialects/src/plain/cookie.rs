//! The session cookie: `__Host-doorward` where it is `Secure`, so that no other host and no plain connection can set one
//! (RFC 6265bis section 4.1.3.2), else `doorward`. Always with `Path=/`: all mounts of this dialect share their sessions.

use auth::SessionToken;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fusion::CookieSettings;

/// Its name where it is `Secure`.
const SECURE: &str = "__Host-doorward";

/// Its name where it is not: browsers would drop the other one.
const INSECURE: &str = "doorward";

/// Both: neither is ever a backend's.
pub(super) const NAMES: &[&str] = &[SECURE, INSECURE];

/// The cookie's name for a request: no other counts for it.
pub(super) fn name(settings: &CookieSettings, outside_is_tls: bool) -> &'static str {
    if settings.is_secure(outside_is_tls) { SECURE } else { INSECURE }
}

/// The `Set-Cookie` value that gives a client its token. No `Max-Age`: browsers forget it when they close, and the server
/// decides how long it counts.
pub(super) fn give(settings: &CookieSettings, token: &SessionToken, outside_is_tls: bool) -> String {
    write(settings, token.expose(), outside_is_tls, "")
}

/// The `Set-Cookie` value that takes it away: same name, path and `Secure`, or browsers keep it (security.md case 30).
pub(super) fn take(settings: &CookieSettings, outside_is_tls: bool) -> String {
    write(settings, "", outside_is_tls, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
}

fn write(settings: &CookieSettings, value: &str, outside_is_tls: bool, end: &str) -> String {
    let name = name(settings, outside_is_tls);
    let secure = if settings.is_secure(outside_is_tls) { "; Secure" } else { "" };
    let same_site = settings.same_site.word().map(|word| format!("; SameSite={word}")).unwrap_or_default();
    format!("{name}={value}{secure}; HttpOnly; Path=/{same_site}{end}")
}

/// A token's text: 256 random bits as 43 characters of `[A-Za-z0-9_-]`.
pub(super) fn token(random: &[u8; 32]) -> Option<SessionToken> {
    let text = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.encode(random));
    SessionToken::from_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{SameSite, SecureWhen};

    fn settings(secure: SecureWhen, same_site: SameSite) -> CookieSettings {
        CookieSettings { path: Box::from("/app"), secure, same_site }
    }

    #[test]
    fn contract_the_cookie_has_the_prefix_where_it_is_secure_and_only_there() {
        let token = token(&[0xfb; 32]).unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 43);
        let (host, plain) = (
            format!("__Host-doorward={text}; Secure; HttpOnly; Path=/; SameSite=Lax"),
            format!("doorward={text}; HttpOnly; Path=/; SameSite=Lax"),
        );
        for (secure, tls, expected) in [
            (SecureWhen::Auto, true, &host),
            (SecureWhen::Auto, false, &plain),
            (SecureWhen::Always, true, &host),
            (SecureWhen::Always, false, &host),
            (SecureWhen::Never, true, &plain),
            (SecureWhen::Never, false, &plain),
        ] {
            assert_eq!(give(&settings(secure, SameSite::Lax), &token, tls), *expected, "{secure:?} {tls}");
        }
        let off = give(&settings(SecureWhen::Auto, SameSite::Off), &token, true);
        assert_eq!(off, format!("__Host-doorward={text}; Secure; HttpOnly; Path=/"));
    }

    #[test]
    fn case_30_it_is_taken_away_as_it_was_given() {
        let taken = take(&settings(SecureWhen::Auto, SameSite::Strict), true);
        let begin = "__Host-doorward=; Secure; HttpOnly; Path=/; SameSite=Strict; Max-Age=0;";
        assert!(taken.starts_with(begin), "{taken}");
    }
}
