//! `Authorization: Basic` (RFC 7617), read once for all dialects.

use auth::{Password, Username};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Standard alphabet; padding may be missing, as some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password, as presented.
#[derive(Debug)]
pub(crate) struct Basic {
    pub(crate) username: Username,
    /// `None` where nobody can have such a password.
    pub(crate) password: Option<Password>,
}

/// What an `Authorization` value is.
#[derive(Debug)]
pub(crate) enum Scheme<'a> {
    Basic(Result<Basic, &'static str>),
    Bearer(&'a str),
    Other,
}

/// Reads an `Authorization` value. Schemes are compared without regard to case.
pub(crate) fn read(value: &[u8]) -> Scheme<'_> {
    let at = value.iter().position(|&b| b == b' ').unwrap_or(value.len());
    let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"basic") {
        return Scheme::Basic(credentials(rest));
    }
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return std::str::from_utf8(rest).map_or(Scheme::Other, Scheme::Bearer);
    }
    Scheme::Other
}

fn credentials(encoded: &[u8]) -> Result<Basic, &'static str> {
    let decoded = Zeroizing::new(BASE64.decode(encoded).map_err(|_| "Basic: not base64")?);
    let text = std::str::from_utf8(&decoded).map_err(|_| "Basic: not UTF-8")?;
    let (username, password) = text.split_once(':').ok_or("Basic: no colon")?;
    // RFC 7617 section 2: neither holds a control character.
    if text.chars().any(char::is_control) {
        return Err("Basic: a control character");
    }
    let username = Username::presented(username).map_err(|_| "Basic: no usable user name")?;
    Ok(Basic { username, password: Password::presented(Zeroizing::new(password.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Result<Basic, &'static str> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        match read(format!("bAsIc {encoded}").as_bytes()) {
            Scheme::Basic(basic) => basic,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn asvs_66_the_first_colon_splits() {
        let read = basic("a:b:c").unwrap();
        assert_eq!(read.username.shown(), "a");
        assert_eq!(read.password.unwrap().expose(), "b:c");
    }

    #[test]
    fn asvs_66_what_cannot_be_read_is_said_to_be_so() {
        for wrong in ["nocolon", "a\0:b", "a:b\r\nc", ":b", ""] {
            assert!(basic(wrong).is_err(), "{wrong:?}");
        }
        for wrong in ["Basic", "Basic ", "Basic ***", "Basic YTpi\u{e4}"] {
            assert!(matches!(read(wrong.as_bytes()), Scheme::Basic(Err(_))), "{wrong}");
        }
        assert!(matches!(read(b"Basic /////w=="), Scheme::Basic(Err(_))));
    }

    #[test]
    fn case_17_an_empty_password_is_none() {
        assert!(basic("a:").unwrap().password.is_none());
    }

    #[test]
    fn padding_may_be_missing() {
        assert!(matches!(read(b"Basic YTpi"), Scheme::Basic(Ok(_))));
        assert!(matches!(read(b"Basic YTpiYw"), Scheme::Basic(Ok(_))));
        assert!(matches!(read(b"Basic YTpiYw=="), Scheme::Basic(Ok(_))));
    }

    #[test]
    fn other_schemes_are_not_ours() {
        assert!(matches!(read(b"Digest x"), Scheme::Other));
        assert!(matches!(read(b"Basicx YTpi"), Scheme::Other));
        assert!(matches!(read(b"Bearer abc"), Scheme::Bearer("abc")));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80))| {
            let mut value = b"Basic ".to_vec();
            value.extend(&bytes);
            let _ = read(&value);
            let _ = read(&bytes);
            let _ = credentials(base64::engine::general_purpose::STANDARD.encode(&bytes).as_bytes());
        });
    }
}
