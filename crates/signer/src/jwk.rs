//! Public keys in JSON: one (RFC 7517, section 4), a set of them (section 5), and the thumbprint of one (RFC 7638).
//!
//! Called by `keys.rs` (ids) and `signer.rs` (the set). Must never see a private key.

use auth::{KeyRing, PublicKey, SigningKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// A public key as others read it.
#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<Jwk<'a>>,
}

/// The members that a key is made of.
struct Members {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: Option<String>,
}

fn members(public: &PublicKey) -> Members {
    let encode = |bytes: &[u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
    match public {
        PublicKey::P256 { x, y } => Members { kty: "EC", crv: "P-256", x: encode(x), y: Some(encode(y)) },
        PublicKey::Ed25519 { x } => Members { kty: "OKP", crv: "Ed25519", x: encode(x), y: None },
    }
}

/// The keys of a ring as a JWK Set: all of them, as all have verifiers. The current one first.
pub(crate) fn set(ring: Option<&KeyRing>) -> String {
    let keys = ring.map_or(&[][..], KeyRing::keys).iter().map(jwk).collect();
    match serde_json::to_string(&JwkSet { keys }) {
        Ok(text) => text,
        Err(_) => unreachable!("texts and lists of them are always JSON"),
    }
}

fn jwk(key: &SigningKey) -> Jwk<'_> {
    let Members { kty, crv, x, y } = members(&key.public);
    Jwk { kty, crv, x, y, purpose: "sig", alg: key.public.algorithm().as_str(), kid: &key.id }
}

/// A key's thumbprint with SHA-256, which is its id: 43 letters of base64url.
pub(crate) fn thumbprint(public: &PublicKey) -> String {
    // RFC 7638, 3.2 and RFC 8037, 2: these members alone, by the order of their names, without blanks.
    let Members { kty, crv, x, y } = members(public);
    thumbprint_of(&match y {
        Some(y) => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#),
        None => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#),
    })
}

fn thumbprint_of(canonical: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use auth::{KeyState, Moment, PrivateKey};

    use super::*;

    fn bytes(text: &str) -> [u8; 32] {
        URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 7517, appendix A.1.
    fn public_of_a_1() -> PublicKey {
        PublicKey::P256 {
            x: bytes("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"),
            y: bytes("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"),
        }
    }

    /// RFC 8037, appendix A.2.
    fn public_of_a_2() -> PublicKey {
        PublicKey::Ed25519 { x: bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") }
    }

    #[test]
    fn rfc_7638_section_3_1_thumbprint() {
        let canonical = concat!(
            r#"{"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"#,
            r#"_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"#,
            r#"9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a"#,
            r#"wapJzKnqDKgw"}"#,
        );
        assert_eq!(thumbprint_of(canonical), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc_8037_appendix_a_3_thumbprint() {
        assert_eq!(thumbprint(&public_of_a_2()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn rfc_7517_a_set_has_what_verifiers_ask_for() {
        let key = |id: &str, public, state| SigningKey {
            id: Box::from(id),
            private: PrivateKey::from_pkcs8(b"canary").unwrap(),
            public,
            created: Moment::default(),
            state,
        };
        let keys = vec![
            key("next", public_of_a_2(), KeyState::Next),
            key("now", public_of_a_1(), KeyState::Current),
            key("old", public_of_a_2(), KeyState::Retired { until: Moment::default() }),
        ];
        let ring = KeyRing::new(keys).unwrap();
        let okp = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig","alg":"EdDSA""#;
        let expected = format!(
            concat!(
                r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","#,
                r#""y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","alg":"ES256","kid":"now"}},"#,
                r#"{{{okp},"kid":"next"}},{{{okp},"kid":"old"}}]}}"#,
            ),
            okp = okp
        );
        assert_eq!(set(Some(&ring)), expected);
        assert_eq!(set(None), r#"{"keys":[]}"#);
    }
}
