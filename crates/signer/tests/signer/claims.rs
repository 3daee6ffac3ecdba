//! What identity tokens say.

use std::time::Duration;

use auth::{Change, SignFault, Signatory, SigningAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use signer::limits::MAX_IDENTITY_TOKEN_BYTES;
use testkit::suites::clock::START;

use crate::house::{House, audience, role, role_name, user};

/// What a token says, believed as it is.
pub(crate) fn said(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_session_is_told_whole() {
    let house = House::with(SigningAlgorithm::EdDsa, &["Alice \"A\" \\ Ä"]).await;
    house.login("Alice \"A\" \\ Ä", 1).await;
    house.clock.advance(Duration::from_millis(90_900));
    let known = house.by_session(1).await;
    let now = START.as_millis() / 1_000 + 90;
    assert_eq!(
        said(&house.token(&known)),
        json!({
            "iss": "https://gateway.example.com",
            "sub": user("Alice \"A\" \\ Ä").id.to_string(),
            "aud": "https://search.internal",
            "iat": now,
            "exp": now + 60,
            "name": "Alice \"A\" \\ Ä",
            "realm": "native",
            "roles": ["reader"],
            "sid": known.session().unwrap().id.to_string(),
            "auth_time": START.as_millis() / 1_000,
            "amr": ["pwd"],
        }),
        "a role without a record does not count"
    );
}

#[tokio::test]
async fn who_came_without_a_session_is_told_without_one() {
    let house = House::new().await;
    let by_password = said(&house.token(&house.by_password("alice").await));
    let by_key = said(&house.token(&house.by_key("alice", 1).await));
    for (claims, amr) in [(&by_password, "pwd"), (&by_key, "swk")] {
        assert!(claims.get("sid").is_none() && claims.get("auth_time").is_none(), "{claims}");
        assert_eq!(claims["amr"], json!([amr]));
        assert_eq!(claims["sub"], user("alice").id.to_string());
    }
}

#[tokio::test]
async fn times_are_those_of_the_wall() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.clock.advance(Duration::from_secs(30));
    let hour = Duration::from_secs(3_600);
    house.clock.set_wall(START.plus(hour));
    let claims = said(&house.token(&house.by_session(1).await));
    let wall = START.plus(hour).as_millis() / 1_000;
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(wall), &json!(wall + 60)));
    assert_eq!(claims["auth_time"], json!(wall - 30), "half a minute ago, whatever the clock said then");
}

#[tokio::test]
async fn nothing_is_signed_without_keys_or_beyond_the_limit() {
    let house = House::new().await;
    let known = house.by_password("alice").await;
    let keyless = testkit::suites::maker::snapshot(auth::DirectoryImage::default(), [].into());
    let audience = audience("a", 60);
    let now = auth::Clock::now(&*house.clock);
    let refused = house.signer.identity_token(&known, &keyless, &audience, now);
    assert_eq!(refused, Err(SignFault::NoKeys));
    assert_eq!(&*house.signer.key_set(&keyless), r#"{"keys":[]}"#);

    let names: Vec<String> = (0..250).map(|number| format!("{number:03}{}", "x".repeat(60))).collect();
    house.make(names.iter().map(|name| Change::PutRole(role(name))).collect()).await;
    for (count, fits) in [(150, true), (250, false)] {
        house
            .change("alice", |user| user.roles = names[..count].iter().map(|name| role_name(name)).collect())
            .await;
        let known = house.by_password("alice").await;
        let token = house.signer.identity_token(&known, &house.snapshot(), &audience, now);
        assert_eq!(token.is_ok(), fits);
        match token {
            Ok(token) => assert!(token.len() <= MAX_IDENTITY_TOKEN_BYTES),
            Err(fault) => assert_eq!(fault, SignFault::TooLong(MAX_IDENTITY_TOKEN_BYTES)),
        }
    }
}
