//! Settings that are taken, and what is said of those that are not.

use serde_json::json;

use super::*;

fn read(config: &Value) -> Result<Settings, RealmFault> {
    parse(&config.to_string())
}

/// The field that is wrong.
fn fault_of(config: &Value) -> String {
    let fault = read(config).expect_err(&config.to_string());
    assert!(!fault.why.is_empty());
    fault.field.expect("a field")
}

/// The least that is needed, and these fields.
fn with(fields: &Value) -> Value {
    let mut config = json!({ "identityKey": "REMOTE_USER" });
    config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    config
}

fn good(fields: &Value) -> Settings {
    read(&with(fields)).map_err(|fault| format!("{fields}: {fault}")).unwrap()
}

#[test]
fn the_example_of_the_contract() {
    let config = json!({
        "identityKey": "REMOTE_USER",
        "groups": { "key": "GROUPS", "delimiter": "|", "roleMapping": [["a", "admin"]] },
        "allowedIps": ["127.0.0.1"],
    });
    let settings = read(&config).unwrap();
    assert_eq!(&*settings.identity, "remote_user");
    let groups = settings.groups.unwrap();
    assert_eq!((&*groups.field, &*groups.delimiter), ("groups", "|"));
    assert_eq!(groups.mapping, [(Box::from("a"), RoleName::parse("admin").unwrap())]);
    assert_eq!(settings.peers, ["127.0.0.1/32".parse::<IpNet>().unwrap()]);
    assert_eq!(settings.users, UserRecords::AtFirstLogin);
    assert!(settings.attributes.is_empty());
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = good(&json!({}));
    assert!(settings.groups.is_none() && settings.attributes.is_empty());
    assert!(settings.peers.is_empty(), "an empty list means nobody");
    assert_eq!(settings.users, UserRecords::AtFirstLogin);
    let groups = good(&json!({ "groups": { "key": "G" } })).groups.unwrap();
    assert_eq!((&*groups.delimiter, groups.mapping.len()), (",", 0));
    // What is there and null is left out.
    let nulls = json!({
        "groups": null, "attributes": null, "allowedIps": null, "autoCreateUsers": null, "unheardOf": null,
    });
    assert!(good(&nulls).peers.is_empty());
}

#[test]
fn names_may_be_nested_or_dotted() {
    let nested = json!({ "groups": { "key": "G", "delimiter": ";", "roleMapping": [["a", "b"]] } });
    let dotted = json!({ "groups.key": "G", "groups.delimiter": ";", "groups.roleMapping": [["a", "b"]] });
    let mixed = json!({ "groups": { "key": "G", "roleMapping": [["a", "b"]] }, "groups.delimiter": ";" });
    let [nested, dotted, mixed] = [nested, dotted, mixed].map(|fields| format!("{:?}", good(&fields)));
    assert_eq!((&nested, &nested), (&dotted, &mixed));
    assert_eq!(fault_of(&with(&json!({ "groups": { "key": "G" }, "groups.key": "G" }))), "groups.key");
}

#[test]
fn whose_records_come_how() {
    let users =
        |create, ephemeral| good(&json!({ "autoCreateUsers": create, "ephemeralUsers": ephemeral })).users;
    assert_eq!(users(true, false), UserRecords::AtFirstLogin);
    assert_eq!(users(true, true), UserRecords::Ephemeral);
    assert_eq!(users(false, false), UserRecords::ByHand);
    assert_eq!(good(&json!({ "ephemeralUsers": true })).users, UserRecords::Ephemeral);
    let neither = with(&json!({ "autoCreateUsers": false, "ephemeralUsers": true }));
    assert_eq!(fault_of(&neither), "ephemeralUsers");
}

#[test]
fn each_mistake_is_told_by_its_field() {
    let mistakes = [
        (json!({ "identityKey": null }), "identityKey"),
        (json!({ "identityKey": "" }), "identityKey"),
        (json!({ "identityKey": 1 }), "identityKey"),
        (json!({ "identityKey": "two words" }), "identityKey"),
        (json!({ "identityKey": "x:y" }), "identityKey"),
        (json!({ "identityKey": "x\n" }), "identityKey"),
        (json!({ "identityKey": "Überuser" }), "identityKey"),
        (json!({ "identityKey": "Authorization" }), "identityKey"),
        (json!({ "identityKey": "COOKIE" }), "identityKey"),
        (json!({ "identityKey": "X-Forwarded-For" }), "identityKey"),
        (json!({ "groups": "G" }), "groups"),
        (json!({ "groups": { "name": "G" } }), "groups.name"),
        (json!({ "groups": { "key": "Host" } }), "groups.key"),
        (json!({ "groups": { "key": ["G"] } }), "groups.key"),
        (json!({ "groups": { "delimiter": ";" } }), "groups.delimiter"),
        (json!({ "groups": { "roleMapping": [] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "delimiter": "" } }), "groups.delimiter"),
        (json!({ "groups": { "key": "G", "delimiter": "\n" } }), "groups.delimiter"),
        (json!({ "groups": { "key": "G", "delimiter": 1 } }), "groups.delimiter"),
        (json!({ "groups": { "key": "G", "roleMapping": { "a": "b" } } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": ["a"] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["a"]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["a", "b", "c"]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["a", 1]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["", "b"]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["a,b", "c"]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [[" a", "b"]] } }), "groups.roleMapping"),
        (json!({ "groups": { "key": "G", "roleMapping": [["a", "*"]] } }), "groups.roleMapping"),
        (json!({ "attributes": ["mail"] }), "attributes"),
        (json!({ "attributes": { "": "X-Mail" } }), "attributes"),
        (json!({ "attributes": { "a\nb": "X-Mail" } }), "attributes"),
        (json!({ "attributes": { "mail": "no name" } }), "attributes.mail"),
        (json!({ "attributes": { "mail": null } }), "attributes.mail"),
        (json!({ "allowedIps": "127.0.0.1" }), "allowedIps"),
        (json!({ "allowedIps": [127] }), "allowedIps"),
        (json!({ "allowedIps": ["localhost"] }), "allowedIps"),
        (json!({ "allowedIps": ["127.0.0.1:80"] }), "allowedIps"),
        (json!({ "allowedIps": ["10.0.0.0/33"] }), "allowedIps"),
        (json!({ "allowedIps": ["10.1.0.0/8"] }), "allowedIps"),
        (json!({ "allowedIps": ["*"] }), "allowedIps"),
        (json!({ "allowedIps": [""] }), "allowedIps"),
        (json!({ "allowedIps": ["::ffff:10.0.0.0/104"] }), "allowedIps"),
        (json!({ "autoCreateUsers": "true" }), "autoCreateUsers"),
        (json!({ "ephemeralUsers": 0 }), "ephemeralUsers"),
        (json!({ "allowedIPs": ["127.0.0.1"] }), "allowedIPs"),
        (json!({ "unheardOf": 1 }), "unheardOf"),
    ];
    for (mistake, field) in mistakes {
        assert_eq!(fault_of(&with(&mistake)), field, "{mistake}");
    }
    for config in ["", "{", "[]", "\"REMOTE_USER\"", "null"] {
        assert_eq!(parse(config).unwrap_err().field.as_deref(), Some(""), "{config}");
    }
    assert_eq!(fault_of(&json!({})), "identityKey");
}

#[test]
fn a_fault_says_what_to_do() {
    let why = |fields: &Value| read(&with(fields)).unwrap_err().to_string();
    assert_eq!(
        why(&json!({ "allowedIps": ["10.1.0.0/8"] })),
        "allowedIps: \"10.1.0.0/8\" has bits set after its prefix: 10.0.0.0/8?"
    );
    assert!(why(&json!({ "unheardOf": 1 })).contains("allowedIps"));
}

#[test]
fn the_limits_have_two_sides() {
    let name = |length: usize| json!({ "identityKey": "x".repeat(length) });
    assert_eq!(good(&name(MAX_FIELD_NAME_BYTES)).identity.len(), MAX_FIELD_NAME_BYTES);
    assert_eq!(fault_of(&with(&name(MAX_FIELD_NAME_BYTES + 1))), "identityKey");

    let peers = |count: usize| json!({ "allowedIps": vec!["127.0.0.1"; count] });
    assert_eq!(good(&peers(MAX_PEERS)).peers.len(), MAX_PEERS);
    assert_eq!(fault_of(&with(&peers(MAX_PEERS + 1))), "allowedIps");

    let mapping = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|number| [format!("group{number}"), "role".to_owned()]).collect();
        json!({ "groups": { "key": "G", "roleMapping": pairs } })
    };
    assert_eq!(good(&mapping(MAX_MAPPINGS)).groups.unwrap().mapping.len(), MAX_MAPPINGS);
    assert_eq!(fault_of(&with(&mapping(MAX_MAPPINGS + 1))), "groups.roleMapping");

    let roles = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|number| ["group".to_owned(), format!("role{number}")]).collect();
        json!({ "groups": { "key": "G", "roleMapping": pairs } })
    };
    assert_eq!(good(&roles(MAX_ROLES_PER_USER)).groups.unwrap().mapping.len(), MAX_ROLES_PER_USER);
    assert_eq!(fault_of(&with(&roles(MAX_ROLES_PER_USER + 1))), "groups.roleMapping");

    let attributes = |count: usize| {
        let named = (0..count).map(|number| (format!("name{number}"), json!(format!("X-{number}"))));
        json!({ "attributes": named.collect::<serde_json::Map<_, _>>() })
    };
    assert_eq!(good(&attributes(MAX_ATTRIBUTES)).attributes.len(), MAX_ATTRIBUTES);
    assert_eq!(fault_of(&with(&attributes(MAX_ATTRIBUTES + 1))), "attributes");

    let attribute = |length: usize| json!({ "attributes": { "x".repeat(length): "X-Mail" } });
    assert_eq!(good(&attribute(MAX_ATTRIBUTE_BYTES)).attributes.len(), 1);
    assert_eq!(fault_of(&with(&attribute(MAX_ATTRIBUTE_BYTES + 1))), "attributes");
}

#[test]
fn peers_are_addresses_and_networks() {
    let listed =
        json!({ "allowedIps": ["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "::ffff:192.0.2.1"] });
    let peers: Vec<_> = good(&listed).peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "2001:db8::/32", "192.0.2.1/32"]);
}

#[test]
fn one_field_may_say_who_he_is_or_who_sends_it() {
    for name in ["X-Forwarded-User", "x-forwarded-user", "Remote-User", "X_User.Name", "SSL_CLIENT_S_DN_CN"] {
        assert_eq!(*good(&json!({ "identityKey": name })).identity, *name.to_ascii_lowercase());
    }
    for name in TAKEN {
        assert_eq!(fault_of(&with(&json!({ "identityKey": name.to_uppercase() }))), "identityKey");
    }
}
