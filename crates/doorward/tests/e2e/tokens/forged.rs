//! What looks like a token of ours and is none: whatever it says of itself and however it is signed, it is a text that the gateway
//! never gave out (security.md rows 44 to 51). None of them reaches a backend.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A real token in its parts.
struct Parts {
    header: Value,
    claims: Value,
    signature: String,
    text: String,
}

impl Parts {
    fn of(token: &str) -> Self {
        let parts: Vec<_> = token.split('.').collect();
        let (header, claims) = (decoded(parts[0]), decoded(parts[1]));
        Self { header, claims, signature: parts[2].to_owned(), text: token.to_owned() }
    }

    fn with(&self, header: &Value, claims: &Value) -> String {
        format!("{}.{}.{}", encoded(header), encoded(claims), self.signature)
    }

    fn header_with(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.with(&header, &self.claims)
    }

    fn claims_with(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.with(&self.header, &claims)
    }
}

/// The token's claims, signed with the public key as if it were a shared secret.
fn confused(parts: &Parts, secret: &[u8]) -> String {
    let mut header = parts.header.clone();
    header["alg"] = json!("HS256");
    let signed = format!("{}.{}", encoded(&header), encoded(&parts.claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn forgeries(parts: &Parts, other: &Parts, keys: &str) -> Vec<(&'static str, String)> {
    let key = &serde_json::from_str::<Value>(keys).unwrap()["keys"][0];
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let none = |alg: &str| {
        let mut header = parts.header.clone();
        header["alg"] = json!(alg);
        format!("{}.{}.", encoded(&header), encoded(&parts.claims))
    };
    let year = parts.claims["exp"].as_u64().unwrap() + 31_536_000;
    let (signed, _) = parts.text.rsplit_once('.').unwrap();
    let mut flipped = parts.text.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg none, with the signature", parts.header_with("alg", json!("none"))),
        ("HS256 with the JWK Set", confused(parts, keys.as_bytes())),
        ("HS256 with the JWK", confused(parts, key.to_string().as_bytes())),
        ("HS256 with the point", confused(parts, &point)),
        ("HS256 with nothing", confused(parts, b"")),
        ("another audience", parts.claims_with("aud", json!("https://evil.example.com"))),
        ("another issuer", parts.claims_with("iss", json!("https://evil.example.com"))),
        ("another user", parts.claims_with("sub", other.claims["sub"].clone())),
        ("another session", parts.claims_with("sid", other.claims["sid"].clone())),
        ("a longer life", parts.claims_with("exp", json!(year))),
        ("exp as a string", parts.claims_with("exp", json!(year.to_string()))),
        ("exp as a fraction", parts.claims_with("exp", json!(1e300))),
        ("exp as null", parts.claims_with("exp", Value::Null)),
        ("an unknown kid", parts.header_with("kid", json!("unknown"))),
        ("a kid that is a path", parts.header_with("kid", json!("../../../../dev/null"))),
        ("a kid that is SQL", parts.header_with("kid", json!("x' OR '1'='1"))),
        ("jku", parts.header_with("jku", json!("http://127.0.0.1:9/jwks.json"))),
        ("x5u", parts.header_with("x5u", json!("http://127.0.0.1:9/chain.pem"))),
        ("jwk", parts.header_with("jwk", key.clone())),
        ("crit", parts.header_with("crit", json!(["exp"]))),
        ("b64", parts.header_with("b64", json!(false))),
        ("the signature of another", format!("{signed}.{}", other.signature)),
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("a part more", format!("{}.x", parts.text)),
        ("cut", parts.text[..parts.text.len() - 1].to_owned()),
        ("with padding", format!("{}=", parts.text)),
        ("one letter", String::from_utf8(flipped).unwrap()),
        ("in upper case", parts.text.to_uppercase()),
        ("twice", format!("{0}{0}", parts.text)),
        ("in the alphabet of files", parts.text.replace('-', "+").replace('_', "/")),
        ("of nothing", "..".to_owned()),
        ("no token", "x".to_owned()),
    ]
}

#[test]
fn asvs_44_what_we_did_not_give_out_is_no_token() {
    let (backend, gateway) = house("");
    let address = gateway.address();
    new_user(address, "ada", "a long enough password", &["readonly"]);
    let first = token(address, "admin", PASSWORD);
    let second = token(address, "ada", "a long enough password");
    let keys = ask(address, "GET", "/.well-known/jwks.json", &[], "").body_text().to_owned();
    let (parts, other) = (Parts::of(&first), Parts::of(&second));
    let forgeries = forgeries(&parts, &other, &keys);
    for (case, forged) in &forgeries {
        // Both alphabets are the same where the token has none of these letters.
        if *forged == first {
            assert_eq!(*case, "in the alphabet of files");
            continue;
        }
        assert_refused(&with_token(address, "GET", "/api/x", forged), 401, "invalid-token", case);
    }
    for (case, forged) in &forgeries {
        let escaped: String = forged.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(*forged == first || introspected(address, &escaped)["active"] == false, "{case}");
    }
    assert!(backend.requests().is_empty());
    for real in [&first, &second] {
        assert_eq!(with_token(address, "GET", "/api/x", real).status, 200);
    }
}

#[test]
fn an_identity_token_is_no_credential() {
    let (backend, gateway) = house("identity_token = { audience = \"https://search.internal\" }");
    let address = gateway.address();
    let token = token(address, "admin", PASSWORD);
    assert_eq!(with_token(address, "GET", "/api/x", &token).status, 200);
    let seen = backend.wait_for(1).remove(0);
    let identity = seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    assert_refused(
        &with_token(address, "GET", "/api/x", identity),
        401,
        "invalid-token",
        "one of the backend's",
    );
    assert_eq!(introspected(address, identity)["active"], false);
}

#[test]
fn a_session_of_another_mount_has_no_token_here() {
    let backend = Recorder::start();
    let mount = |path: &str| format!("[[mount]]\npath = \"{path}\"\nupstream = \"{}\"\n", backend.url());
    let start = |settings: &str| {
        Doorward::new(crate::common::BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(settings)
            .start()
    };
    let apart = start(&format!("{}{}", mount("/a"), mount("/b")));
    let shown = token(apart.address(), "admin", PASSWORD);
    assert_eq!(with_token(apart.address(), "GET", "/a/x", &shown).status, 200, "the first mount's");
    assert_refused(&with_token(apart.address(), "GET", "/b/x", &shown), 401, "invalid-token", "another's");
    let name = "session_scope = \"both\"\n";
    let together = start(&format!("{}{name}{}{name}", mount("/a"), mount("/b")));
    let shown = token(together.address(), "admin", PASSWORD);
    for path in ["/a/x", "/b/x"] {
        assert_eq!(with_token(together.address(), "GET", path, &shown).status, 200, "{path}");
    }
}
