//! Tokens: the RFCs' own bytes, and texts that nobody expects in JSON.

use std::collections::BTreeMap;

use auth::{Moment, SigningAlgorithm};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::keys;
use crate::keys::tests::{key_of_rfc_7515, verifies};

/// Its parts, decoded, once aws-lc's own verifier took the signature.
fn open(token: &str, key: &SigningKey) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert!(verifies(&key.public, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()));
    let (header, payload) = signed.split_once('.').unwrap();
    let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(header), read(payload))
}

#[test]
fn the_header_says_which_key_and_nothing_that_leads_elsewhere() {
    for (algorithm, typ) in SigningAlgorithm::ALL.into_iter().zip([IDENTITY, BEARER]) {
        let key = keys::make(algorithm, Moment::default()).unwrap();
        let pair = Pair::read(&key).unwrap();
        let token = compact(&beginning(&key, typ), &BTreeMap::from([("a", 1)]), &pair, usize::MAX).unwrap();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        let (header, payload) = open(&token, &key);
        assert_eq!(header, serde_json::json!({ "alg": algorithm.as_str(), "typ": typ, "kid": *key.id }));
        assert_eq!(payload, serde_json::json!({ "a": 1 }));
    }
}

#[test]
fn rfc_7515_appendix_a_1_1_base64url_without_padding() {
    assert_eq!(URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), "eyJhbGciOiJFUzI1NiJ9");
    // Appendix C.
    assert_eq!(URL_SAFE_NO_PAD.encode([3, 236, 255, 224, 193]), "A-z_4ME");
}

#[test]
fn the_limit_has_two_sides() {
    let key = key_of_rfc_7515();
    let pair = Pair::read(&key).unwrap();
    for length in 0..9 {
        let claims = "x".repeat(length);
        let whole = compact(&beginning(&key, IDENTITY), &claims, &pair, usize::MAX).unwrap();
        // The length is an upper bound: base64url without padding saves up to two letters.
        let exact = beginning(&key, IDENTITY).len() + (length + 2).div_ceil(3) * 4 + SIGNATURE_LETTERS;
        assert!((exact - 2..=exact).contains(&whole.len()));
        assert!(compact(&beginning(&key, IDENTITY), &claims, &pair, exact).is_ok());
        let refused = compact(&beginning(&key, IDENTITY), &claims, &pair, exact - 1);
        assert_eq!(refused, Err(SignFault::TooLong(exact - 1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn case_27_any_text_comes_out_as_it_went_in(
        name in any::<String>(),
        odd in "[\"\\\\\u{0}-\u{1f}\u{7f}\u{2028}\u{2029}{}:,\u{10ffff}]{0,20}",
        roles in proptest::collection::vec(any::<String>(), 0..4),
    ) {
        let key = key_of_rfc_7515();
        let claims = serde_json::json!({ "name": name, "odd": odd, "roles": roles });
        let token = compact(&beginning(&key, IDENTITY), &claims, &Pair::read(&key).unwrap(), usize::MAX).unwrap();
        prop_assert_eq!(open(&token, &key).1, claims);
    }
}
