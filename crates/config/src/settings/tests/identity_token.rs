//! `identity_token` of mounts and routes, and what is said at the top of all signed tokens.

use auth::SigningAlgorithm;
use auth::limits::MAX_AUDIENCE_BYTES;

use super::*;
use crate::limits::{MAX_HEADER_NAME_BYTES, MAX_ISSUER_BYTES};
use crate::sections::identity_token::{IdentityToken, RouteIdentity};

/// Header, audience and seconds of life.
fn parts(token: &IdentityToken) -> (&str, &str, u64) {
    (&token.header, token.audience.name(), token.audience.lifetime().as_secs())
}

fn of_mount(more: &str) -> Mount {
    good(&format!("{MOUNT}{more}\n")).mounts.remove(0)
}

fn of_route(written: &str) -> RouteIdentity {
    let route = format!("[[mount.route]]\npath = \"/a/**\"\n{written}");
    of_mount(&route).routes.remove(0).identity_token
}

#[test]
fn nobody_is_told_unless_the_settings_say_so() {
    let settings = good(MOUNT);
    assert_eq!((&*settings.issuer, settings.signing_algorithm), ("doorward", SigningAlgorithm::Es256));
    assert_eq!(settings.mounts[0].identity_token, None);
    assert_eq!(of_mount("identity_token = false").identity_token, None);
    assert_eq!(of_route(""), RouteIdentity::AsMount);
    assert_eq!(of_route("identity_token = false"), RouteIdentity::Off);
}

#[test]
fn a_token_has_a_field_an_audience_and_a_life() {
    let mount = of_mount("identity_token = { audience = \"https://a.internal\" }");
    let token = mount.identity_token.unwrap();
    assert_eq!(parts(&token), ("Authorization", "https://a.internal", 300));
    let written = "identity_token = { header = \"X-Who\", audience = \"b\", lifetime = \"10s\" }";
    match of_route(written) {
        RouteIdentity::Token(token) => assert_eq!(parts(&token), ("X-Who", "b", 10)),
        other => panic!("{other:?}"),
    }
    let top = format!("issuer = \"https://gateway.example.com\"\nsigning_algorithm = \"EdDSA\"\n{MOUNT}");
    let settings = good(&top);
    assert_eq!(settings.issuer, "https://gateway.example.com");
    assert_eq!(settings.signing_algorithm, SigningAlgorithm::EdDsa);
}

#[test]
fn what_is_wrong_is_told() {
    for (more, part) in [
        ("identity_token = {}", "mount[0].identity_token.audience: is missing"),
        ("identity_token = true", "mount[0].identity_token: true says too little"),
        ("identity_token = \"a\"", "mount[0].identity_token: \"a\" is not a table"),
        ("identity_token = { audience = \"\" }", "is empty"),
        ("identity_token = { audience = \"a\\u0007\" }", "has a control character"),
        ("identity_token = { audience = \"a\", lifetime = \"9s\" }", "is shorter than 10s"),
        ("identity_token = { audience = \"a\", lifetime = \"6m\" }", "is longer than 5m"),
        ("identity_token = { audience = \"a\", header = \"X_Who\" }", "is no name for it"),
        ("identity_token = { audience = \"a\", header = \"Cookie\" }", "says something else already"),
        ("identity_token = { audience = \"a\", header = \"fusion-user-id\" }", "says something else already"),
        (
            "identity_token = { audience = \"a\", header = \"X-Forwarded-User\" }",
            "says something else already",
        ),
        ("identity_token = { audience = \"a\", hedaer = \"X-Who\" }", "did you mean `header`?"),
        (
            "identity_token = { audience = \"a\", header = \"x-mail\" }\nattribute_headers = { mail = \"X-Mail\" }",
            "mount[0].identity_token.header: \"x-mail\" tells \"mail\" already",
        ),
        (
            "[[mount.route]]\npath = \"/a\"\npublic = true\nidentity_token = { audience = \"a\" }",
            "mount[0].route[0].identity_token: has no effect",
        ),
    ] {
        let told = shown(&format!("{MOUNT}{more}\n"));
        assert!(told.contains(part), "{more}: {told}");
        assert_eq!(told.lines().count(), 1, "{more}: {told}");
    }
    for (top, part) in [
        ("issuer = \"\"", "issuer: \"\" is no name for it"),
        ("issuer = \"a b\"", "is no name for it"),
        ("signing_algorithm = \"none\"", "is not one of ES256, EdDSA"),
        ("signing_algorithm = \"HS256\"", "is not one of ES256, EdDSA"),
    ] {
        let told = shown(&format!("{top}\n{MOUNT}"));
        assert!(told.contains(part), "{top}: {told}");
    }
}

#[test]
fn a_backend_is_not_called_what_the_issuer_is() {
    let token = |audience: &str| format!("identity_token = {{ audience = \"{audience}\" }}\n");
    let route = |audience: &str| format!("[[mount.route]]\npath = \"/a\"\n{}", token(audience));
    let issuer = "issuer = \"https://gateway.internal\"\n";
    for (text, key) in [
        (format!("{MOUNT}{}", token("doorward")), "mount[0].identity_token.audience"),
        (format!("{issuer}{MOUNT}{}", token("https://gateway.internal")), "mount[0].identity_token.audience"),
        (
            format!("{issuer}{MOUNT}{}{}", token("a"), route("https://gateway.internal")),
            "mount[0].route[0].identity_token.audience",
        ),
    ] {
        let told = shown(&text);
        assert!(told.contains(&format!("{key}: \"")) && told.contains("`issuer`"), "{text}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    // Verifiers compare names byte for byte.
    for other in ["doorward", "https://gateway.internal/", "https://GATEWAY.internal"] {
        good(&format!("{issuer}{MOUNT}{}{}", token(other), route(other)));
    }
    good(&format!("{MOUNT}{}", token("https://gateway.internal")));
}

#[test]
fn names_have_limits_on_both_sides() {
    let is_read = |text: String| parse(&text).is_ok();
    let issuer = |length: usize| is_read(format!("issuer = \"{}\"\n{MOUNT}", "i".repeat(length)));
    assert!(issuer(MAX_ISSUER_BYTES) && !issuer(MAX_ISSUER_BYTES + 1));
    let audience = |length: usize| {
        is_read(format!("{MOUNT}identity_token = {{ audience = \"{}\" }}\n", "a".repeat(length)))
    };
    assert!(audience(MAX_AUDIENCE_BYTES) && !audience(MAX_AUDIENCE_BYTES + 1));
    let header = |length: usize| {
        let name = "h".repeat(length);
        is_read(format!("{MOUNT}identity_token = {{ audience = \"a\", header = \"{name}\" }}\n"))
    };
    assert!(header(MAX_HEADER_NAME_BYTES) && !header(MAX_HEADER_NAME_BYTES + 1));
}
