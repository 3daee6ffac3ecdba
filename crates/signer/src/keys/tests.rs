//! Keys: the RFCs' own, those that are made, those that are not what they say.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const NOW: Moment = Moment::from_millis(7);

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Whether aws-lc's own verifier takes it.
pub(crate) fn verifies(public: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match public {
        PublicKey::P256 { x, y } => {
            let point = [&[UNCOMPRESSED][..], x, y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
        }
        PublicKey::Ed25519 { x } => UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok(),
    }
}

/// The key of RFC 8037, appendix A.1.
pub(crate) fn key_of_rfc_8037() -> SigningKey {
    let pair = Ed25519KeyPair::from_seed_and_public_key(
        &decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
        &decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
    );
    key_of(SigningAlgorithm::EdDsa, pair.unwrap().to_pkcs8().unwrap().as_ref(), NOW).unwrap()
}

/// The key of RFC 7515, appendix A.3.
pub(crate) fn key_of_rfc_7515() -> SigningKey {
    let (x, y) =
        ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
        &[&[UNCOMPRESSED][..], &decode(x), &decode(y)].concat(),
    );
    let key = key_of(SigningAlgorithm::Es256, pair.unwrap().to_pkcs8v1().unwrap().as_ref(), NOW).unwrap();
    let coordinate = |text| decode(text).try_into().unwrap();
    assert_eq!(key.public, PublicKey::P256 { x: coordinate(x), y: coordinate(y) });
    key
}

#[test]
fn keys_that_are_made_sign_and_differ() {
    for algorithm in SigningAlgorithm::ALL {
        let (one, other) = (make(algorithm, NOW).unwrap(), make(algorithm, NOW).unwrap());
        assert_ne!(one.id, other.id);
        assert_ne!(one.private.expose(), other.private.expose());
        assert_eq!((one.public.algorithm(), one.state, one.created), (algorithm, KeyState::Next, NOW));
        assert_eq!(*one.id, *jwk::thumbprint(&one.public));
        let signature = Pair::read(&one).unwrap().sign(b"message").unwrap();
        assert_eq!(signature.as_ref().len(), 64);
        assert!(verifies(&one.public, b"message", signature.as_ref()));
        assert!(!verifies(&one.public, b"massage", signature.as_ref()));
        assert!(!verifies(&other.public, b"message", signature.as_ref()));
    }
}

#[test]
fn rfc_8037_appendix_a_4_signature() {
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = Pair::read(&key_of_rfc_8037()).unwrap().sign(input.as_bytes()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn rfc_7515_appendix_a_3_signature() {
    let input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let theirs = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = key_of_rfc_7515();
    assert!(verifies(&key.public, input.as_bytes(), &decode(theirs)), "ours is the form that theirs is in");
    let ours = Pair::read(&key).unwrap().sign(input.as_bytes()).unwrap();
    assert!(verifies(&key.public, input.as_bytes(), ours.as_ref()));
}

#[test]
fn a_key_that_is_not_the_published_one_does_not_sign() {
    for algorithm in SigningAlgorithm::ALL {
        let (one, other) = (make(algorithm, NOW).unwrap(), make(algorithm, NOW).unwrap());
        let refused = |key: SigningKey| match Pair::read(&key) {
            Err(SignFault::Unreadable(id)) => assert_eq!(id, one.id),
            other => panic!("signed, or {:?}", other.err()),
        };
        refused(SigningKey { private: other.private.clone(), ..one.clone() });
        refused(SigningKey { private: PrivateKey::from_pkcs8(b"no key").unwrap(), ..one.clone() });
        refused(SigningKey { public: PublicKey::Ed25519 { x: [1; 32] }, ..one.clone() });
        refused(SigningKey { public: PublicKey::P256 { x: [1; 32], y: [1; 32] }, ..one.clone() });
        let mut cut = one.private.expose().to_vec();
        cut.pop();
        refused(SigningKey { private: PrivateKey::from_pkcs8(&cut).unwrap(), ..one.clone() });
    }
}
