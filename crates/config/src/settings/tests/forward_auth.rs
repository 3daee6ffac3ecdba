//! What only makes sense where proxies may ask: a mount without a backend, and a signed word that they are told.

use super::*;
use crate::sections::identity_token::RouteIdentity;

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1\"]\n";
const UNSERVED: &str = "[[mount]]\nupstream = []\n";
const TOLD: &str = "identity_token = { audience = \"a\", forward_auth = true }\n";

const NO_BACKEND: &str = "mount[0].upstream: is an empty list: at least one backend is needed, or `trusted_proxies` that ask at /.doorward/auth";
const NOBODY_ASKS: &str = "has no effect: nobody may ask at /.doorward/auth without `trusted_proxies`";

#[test]
fn a_mount_without_a_backend_is_for_those_who_may_ask() {
    let settings = good(&format!("{TRUSTED}{UNSERVED}"));
    assert!(settings.mounts[0].upstream.is_empty());
    let told = shown(UNSERVED);
    assert!(told.contains(NO_BACKEND) && told.lines().count() == 1, "{told}");
    let empty = shown(&format!("trusted_proxies = []\n{UNSERVED}"));
    assert!(empty.contains(NO_BACKEND), "{empty}");
    // Nothing said is a mistake either way, and a route without backends says nothing.
    for missing in
        ["[[mount]]\npath = \"/api\"\n".to_owned(), format!("{TRUSTED}[[mount]]\npath = \"/api\"\n")]
    {
        let told = shown(&missing);
        assert!(told.contains("mount[0].upstream: is missing"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let route = shown(&format!("{TRUSTED}{MOUNT}[[mount.route]]\npath = \"/a\"\nupstream = []\n"));
    assert!(route.contains("mount[0].route[0].upstream: is an empty list"), "{route}");
    // A route may have one where its mount has none.
    let url = "upstream = \"http://127.0.0.1:9001\"";
    let settings = good(&format!("{TRUSTED}{UNSERVED}[[mount.route]]\npath = \"/a\"\n{url}\n"));
    assert_eq!(settings.mounts[0].routes[0].upstream.as_ref().unwrap()[0].port, 9001);
}

#[test]
fn a_token_is_told_to_proxies_only_where_it_says_so_and_some_may_ask() {
    let of = |text: &str| good(text).mounts.remove(0);
    let usual = of(&format!("{TRUSTED}{MOUNT}identity_token = {{ audience = \"a\" }}\n"));
    assert!(!usual.identity_token.unwrap().forward_auth);
    assert!(of(&format!("{TRUSTED}{MOUNT}{TOLD}")).identity_token.unwrap().forward_auth);
    let off = of(&format!("{MOUNT}identity_token = {{ audience = \"a\", forward_auth = false }}\n"));
    assert!(!off.identity_token.unwrap().forward_auth);
    let route = format!("[[mount.route]]\npath = \"/a\"\n{TOLD}");
    match &of(&format!("{TRUSTED}{MOUNT}{route}")).routes[0].identity_token {
        RouteIdentity::Token(token) => assert!(token.forward_auth),
        other => panic!("{other:?}"),
    }
    for (text, key) in [
        (format!("{MOUNT}{TOLD}"), "mount[0].identity_token.forward_auth"),
        (format!("{MOUNT}{route}"), "mount[0].route[0].identity_token.forward_auth"),
    ] {
        let told = shown(&text);
        assert!(told.contains(&format!("{key}: {NOBODY_ASKS}")), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let word = "identity_token = { audience = \"a\", forward_auth = \"yes\" }\n";
    let told = shown(&format!("{TRUSTED}{MOUNT}{word}"));
    assert!(
        told.contains("mount[0].identity_token.forward_auth: \"yes\" is neither true nor false"),
        "{told}"
    );
}

#[test]
fn both_are_said_at_once_and_not_where_the_proxies_could_not_be_read() {
    let both = shown(&format!("{UNSERVED}{TOLD}"));
    assert!(both.contains(NO_BACKEND) && both.contains(NOBODY_ASKS), "{both}");
    assert_eq!(both.lines().count(), 2, "{both}");
    let unread = shown(&format!("trusted_proxies = [\"proxy\"]\n{UNSERVED}{TOLD}"));
    assert!(unread.contains("trusted_proxies[0]: \"proxy\" is not a network"), "{unread}");
    assert_eq!(unread.lines().count(), 1, "{unread}");
}
