//! What the realm says of fields, peers and groups.

use std::net::IpAddr;
use std::sync::Arc;

use auth::Password;
use auth::limits::MAX_USERNAME_BYTES;
use proptest::prelude::*;
use serde_json::json;
use testkit::suites::maker;
use testkit::suites::realms::{KNOWN, KnownUser, Manner, presented, realm_suite_of, username};

use super::*;

const LISTED: &str = "127.0.0.1";

fn realm(config: &serde_json::Value) -> HeaderRealm {
    HeaderRealm::new(&config.to_string()).unwrap()
}

/// The contract's example, with an attribute.
fn example() -> HeaderRealm {
    realm(&json!({
        "identityKey": "REMOTE_USER",
        "groups": {
            "key": "GROUPS",
            "delimiter": "|",
            "roleMapping": [["a", "admin"], ["b", "developer"], ["aa", "admin"], ["two words", "search"]],
        },
        "attributes": { "mail": "X-Mail" },
        "allowedIps": [LISTED, "10.0.0.0/8", "2001:db8::/32"],
    }))
}

fn asserted<V: AsRef<[u8]>>(peer: &str, fields: &[(&str, V)]) -> Asserted {
    let field = |(name, value): &(&str, V)| (Box::from(*name), Box::from(value.as_ref()));
    Asserted { peer: peer.parse().ok(), fields: fields.iter().map(field).collect() }
}

/// What the example says of these fields of a listed peer.
fn said<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> Verdict {
    example().judge(&asserted(LISTED, fields))
}

fn verified<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> Verified {
    match said(fields) {
        Verdict::Verified(verified) => verified,
        other => panic!("{other:?}"),
    }
}

fn is_rejected<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> bool {
    matches!(said(fields), Verdict::Rejected(Rejection::NotAllowed))
}

fn roles_for(groups: &str) -> Vec<String> {
    let verified = verified(&[("remote_user", "alice"), ("groups", groups)]);
    verified.roles.iter().map(ToString::to_string).collect()
}

#[test]
fn a_listed_peer_is_believed() {
    let fields = [("remote_user", "Alice"), ("groups", "a|b"), ("x-mail", "alice@example.org")];
    let verified = verified(&fields);
    assert_eq!(verified.username.shown(), "Alice");
    assert_eq!(verified.roles, ["admin", "developer"].map(|role| RoleName::parse(role).unwrap()));
    let mail = Attribute { name: Box::from("mail"), value: Box::from("alice@example.org") };
    assert_eq!(verified.attributes, [mail]);
    assert!(verified.rehashed.is_none());
}

#[test]
fn case_28_a_peer_that_is_not_listed_says_nothing() {
    let believed = |realm: &HeaderRealm, peer: &str| match realm
        .judge(&asserted(peer, &[("remote_user", "alice"), ("x-forwarded-for", LISTED)]))
    {
        Verdict::Verified(_) => true,
        Verdict::NotMine => false,
        other => panic!("{other:?}"),
    };
    for peer in
        ["127.0.0.1", "10.0.0.0", "10.255.255.255", "2001:db8:ffff::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3"]
    {
        assert!(believed(&example(), peer), "{peer}");
    }
    for peer in
        ["127.0.0.2", "9.255.255.255", "11.0.0.0", "2001:db9::", "::1", "::127.0.0.1", "::ffff:127.0.0.2", ""]
    {
        assert!(!believed(&example(), peer), "{peer:?}");
    }
    // Nothing that it could say is told apart.
    for fields in [&[("remote_user", "a"), ("remote_user", "b")][..], &[("remote_user", "\0")], &[]] {
        let verdict = example().judge(&asserted("192.0.2.1", fields));
        assert!(matches!(verdict, Verdict::NotMine), "{verdict:?}");
    }
    let nobody = realm(&json!({ "identityKey": "REMOTE_USER" }));
    let empty = realm(&json!({ "identityKey": "REMOTE_USER", "allowedIps": [] }));
    for peer in [LISTED, "10.0.0.1", "::1", "0.0.0.0", "::", ""] {
        assert!(!believed(&nobody, peer) && !believed(&empty, peer), "an empty list means nobody");
    }
    let mapped = realm(&json!({ "identityKey": "REMOTE_USER", "allowedIps": ["::ffff:192.0.2.1"] }));
    assert!(believed(&mapped, "192.0.2.1") && believed(&mapped, "::ffff:192.0.2.1"));
}

#[test]
fn no_identity_is_nobody() {
    for fields in [
        &[("groups", "a")][..],
        &[("remote_user", "")],
        &[("remote_user", "  ")],
        &[("remote-user", "alice")],
        &[("x-mail", "alice@example.org")],
    ] {
        let verdict = said(fields);
        assert!(matches!(verdict, Verdict::NotMine), "{fields:?}: {verdict:?}");
    }
}

#[test]
fn two_of_a_kind_are_one_too_many() {
    for twice in ["remote_user", "groups", "x-mail"] {
        for (first, second) in [("alice", "bob"), ("alice", "alice"), ("alice", ""), ("", "")] {
            let mut fields = vec![(twice, first), (twice, second)];
            if twice != "remote_user" {
                fields.push(("remote_user", "carol"));
            }
            assert!(is_rejected(&fields), "{fields:?}");
        }
    }
}

#[test]
fn what_is_no_text_is_nobodys_name() {
    for name in [
        &b"\xff"[..],
        b"al\xc3ice",
        b"\xed\xa0\x80",
        b"alice\0",
        b"a\tb",
        b"a:b",
        b"\xc2\xa0alice",
        b"ali\xe2\x80\xaece",
    ] {
        assert!(is_rejected(&[("remote_user", name)]), "{name:?}");
    }
    assert!(is_rejected(&[("remote_user", &b"alice"[..]), ("groups", b"\xff")]));
    assert!(is_rejected(&[("remote_user", &b"alice"[..]), ("x-mail", b"\xff")]));
    assert_eq!(verified(&[("remote_user", "jürgen")]).username.shown(), "jürgen");
    assert_eq!(verified(&[("remote_user", "user name")]).username.shown(), "user name");
    // Blanks around a value are none of it.
    assert_eq!(verified(&[("remote_user", " \talice\t ")]).username.shown(), "alice");
}

#[test]
fn the_limits_have_two_sides() {
    assert_eq!(
        verified(&[("remote_user", "x".repeat(MAX_USERNAME_BYTES))]).username.shown().len(),
        MAX_USERNAME_BYTES
    );
    assert!(is_rejected(&[("remote_user", "x".repeat(MAX_USERNAME_BYTES + 1))]));

    let groups = |bytes: usize| {
        let long = [("remote_user", "alice".to_owned()), ("groups", "g".repeat(bytes))];
        is_rejected(&long)
    };
    assert!(!groups(MAX_ASSERTED_BYTES));
    assert!(groups(MAX_ASSERTED_BYTES + 1));

    let groups = |count: usize| {
        let many = ["a"; MAX_GROUPS + 1][..count].join("|");
        is_rejected(&[("remote_user", "alice".to_owned()), ("groups", many)])
    };
    assert!(!groups(MAX_GROUPS));
    assert!(groups(MAX_GROUPS + 1));

    let mails = |bytes: usize| {
        let long = [("remote_user", "alice".to_owned()), ("x-mail", "m".repeat(bytes))];
        verified(&long).attributes.len()
    };
    assert_eq!(mails(MAX_ATTRIBUTE_BYTES), 1);
    assert_eq!(mails(MAX_ATTRIBUTE_BYTES + 1), 0, "left out, as nobody is let in or kept out by it");
}

#[test]
fn groups_stand_for_roles() {
    assert_eq!(roles_for("a"), ["admin"]);
    assert_eq!(roles_for("b|a"), ["admin", "developer"], "in the mapping's order");
    assert_eq!(roles_for("a|aa|a"), ["admin"], "each once");
    assert_eq!(roles_for(" a | b "), ["admin", "developer"]);
    assert_eq!(roles_for("|a||b|"), ["admin", "developer"]);
    assert_eq!(roles_for("two words"), ["search"]);
    for none in ["", "|", "A", "a,b", "ab", "aaa", "c", "admin", "a\u{a0}", "\u{a0}a", "two  words"] {
        assert!(roles_for(none).is_empty(), "{none:?}");
    }
    assert!(verified(&[("remote_user", "alice")]).roles.is_empty());
    let commas = realm(&json!({
        "identityKey": "U", "groups": { "key": "G", "roleMapping": [["a|b", "admin"]] }, "allowedIps": [LISTED],
    }));
    match commas.judge(&asserted(LISTED, &[("u", "alice"), ("g", "x, a|b")])) {
        Verdict::Verified(verified) => assert_eq!(verified.roles.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_without_a_mapping_stands_for_nothing() {
    let config = json!({ "identityKey": "U", "groups": { "key": "G" }, "allowedIps": [LISTED] });
    match realm(&config).judge(&asserted(LISTED, &[("u", "alice"), ("g", "admin")])) {
        Verdict::Verified(verified) => assert!(verified.roles.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_says_which_fields_it_reads() {
    assert_eq!(example().asserting_fields(), ["groups", "remote_user", "x-mail"].map(Box::from));
    let one = realm(&json!({ "identityKey": "U", "attributes": { "name": "u", "other": "U" } }));
    assert_eq!(one.asserting_fields(), [Box::from("u")]);
    assert!(!example().keeps_passwords());
    assert!(example().recheck().is_none() && example().rehearsal().is_none());
}

#[test]
fn its_users_come_as_the_settings_say() {
    let users = |fields: serde_json::Value| {
        let mut config = json!({ "identityKey": "U" });
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        realm(&config).users()
    };
    assert_eq!(users(json!({})), UserRecords::AtFirstLogin);
    assert_eq!(users(json!({ "ephemeralUsers": true })), UserRecords::Ephemeral);
    assert_eq!(users(json!({ "autoCreateUsers": false })), UserRecords::ByHand);
}

#[tokio::test]
async fn a_password_is_not_its_kind_of_evidence() {
    let directory = maker::snapshot(auth::DirectoryImage::default(), std::collections::HashMap::new());
    let password: Password = presented("alice's password").unwrap();
    let evidence = Evidence::Password { username: username("alice"), password };
    assert!(matches!(example().verify(&evidence, &directory).await, Verdict::NotMine));
}

/// A known name comes from a listed peer together with its own password only; any other name does always.
fn by_peer(name: &str, secret: &str) -> Evidence {
    let text = |secret| presented(secret).unwrap().expose().to_owned();
    let known = KNOWN.iter().find(|known| username(known.name) == username(name));
    let is_listed = known.is_none_or(|known| text(known.password) == text(secret));
    let peer = if is_listed { LISTED } else { "192.0.2.1" };
    Evidence::Asserted(asserted(peer, &[("remote_user", name)]))
}

#[tokio::test]
async fn the_realm_passes_the_suite_of_realms() {
    let make = async |_: &[KnownUser]| {
        let directory = maker::snapshot(auth::DirectoryImage::default(), std::collections::HashMap::new());
        (example(), Arc::new(directory))
    };
    realm_suite_of(Manner { evidence: by_peer, tells_apart: false }, make).await;
}

fn any_fields() -> impl Strategy<Value = Vec<(Box<str>, Box<[u8]>)>> {
    let name = prop_oneof![Just("remote_user"), Just("groups"), Just("x-mail"), Just("other")];
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
        "[a-z|, ]{0,20}".prop_map(String::into_bytes),
    ];
    let field = (name, value).prop_map(|(name, value)| (Box::from(name), value.into_boxed_slice()));
    proptest::collection::vec(field, 0..6)
}

proptest! {
    #[test]
    fn no_fields_of_a_listed_peer_are_too_odd(fields in any_fields()) {
        let names = fields.iter().filter(|(name, _)| &**name == "remote_user").count();
        let verdict = example().judge(&Asserted { peer: LISTED.parse().ok(), fields });
        match verdict {
            Verdict::Verified(verified) => {
                prop_assert_eq!(names, 1);
                prop_assert!(Username::chosen(verified.username.shown()).is_ok());
                prop_assert!(verified.roles.len() <= 3);
            }
            Verdict::NotMine => prop_assert!(names <= 1),
            Verdict::Rejected(rejection) => prop_assert_eq!(rejection, Rejection::NotAllowed),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_peer_that_is_not_listed_is_never_believed(peer: IpAddr, fields in any_fields()) {
        let canonical = peer.to_canonical();
        let listed = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"];
        let is_listed = listed.iter().any(|net| net.parse::<ipnet::IpNet>().unwrap().contains(&canonical));
        prop_assume!(!is_listed);
        let verdict = example().judge(&Asserted { peer: Some(peer), fields });
        prop_assert!(matches!(verdict, Verdict::NotMine));
    }

    #[test]
    fn no_config_is_too_odd(config in ".{0,60}", key in any::<String>(), value in any::<String>()) {
        let _ = HeaderRealm::new(&config);
        let fields = json!({ "identityKey": key, "groups": { "key": "G", "delimiter": value }, "allowedIps": [value] });
        let _ = HeaderRealm::new(&fields.to_string());
        let mapping = json!({ "identityKey": "U", "groups": { "key": "G", "roleMapping": [[key, value]] } });
        let _ = HeaderRealm::new(&mapping.to_string());
    }

    #[test]
    fn a_mapped_group_is_found_where_it_is_named(group in "[a-zA-Z0-9 =,äß-]{1,20}", others in "[a-z|]{0,20}") {
        let config = json!({
            "identityKey": "U",
            "groups": { "key": "G", "delimiter": "|", "roleMapping": [[group, "admin"]] },
            "allowedIps": [LISTED],
        });
        let is_named = group.trim() == group;
        let made = HeaderRealm::new(&config.to_string());
        prop_assert_eq!(made.is_ok(), is_named, "{:?}", made.err());
        if let Ok(realm) = made {
            let groups = format!("{others}|{group}");
            match realm.judge(&asserted(LISTED, &[("u", "alice"), ("g", groups.as_str())])) {
                Verdict::Verified(verified) => prop_assert_eq!(verified.roles.len(), 1),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn groups_stand_for_the_roles_of_the_mapping_and_no_others() {
    let grants = |realm: &HeaderRealm, role: &str| realm.grants(&RoleName::parse(role).unwrap());
    for (role, is_granted) in [("admin", true), ("search", true), ("readonly", false), ("a", false)] {
        assert_eq!(grants(&example(), role), is_granted, "{role}");
    }
    let without = realm(&json!({ "identityKey": "REMOTE_USER", "allowedIps": [LISTED] }));
    assert!(!grants(&without, "admin"));
}
