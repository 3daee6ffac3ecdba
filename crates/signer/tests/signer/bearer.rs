//! Bearer tokens.

use std::time::Duration;

use auth::{BearerClaims, Clock, SessionId, Signatory};
use serde_json::json;
use testkit::suites::clock::START;

use crate::claims::said;
use crate::house::{House, ISSUER, user};

#[tokio::test]
async fn a_bearer_token_says_whose_it_is_and_no_two_are_equal() {
    let house = House::new().await;
    let session = SessionId::from_random([9; 16]);
    let make = |unique: u8| {
        let expires = START.plus(Duration::from_secs(3_600));
        let claims = BearerClaims { subject: user("alice").id, session, expires, unique: [unique; 16] };
        house.signer.bearer_token(&house.snapshot(), &claims, house.clock.now()).unwrap()
    };
    house.clock.set_wall(START.plus(Duration::from_secs(5)));
    let now = START.as_millis() / 1_000 + 5;
    assert_eq!(
        said(make(1).expose()),
        json!({
            "iss": ISSUER,
            "sub": user("alice").id.to_string(),
            "client_id": user("alice").id.to_string(),
            "aud": ISSUER,
            "iat": now,
            "exp": now + 3_600,
            "sid": session.to_string(),
            "jti": "AQEBAQEBAQEBAQEBAQEBAQ",
        })
    );
    assert_ne!(said(make(1).expose())["jti"], said(make(2).expose())["jti"]);
}
