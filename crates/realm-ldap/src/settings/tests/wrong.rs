//! Every mistake with the words that tell it, and both sides of every limit. Called by nobody; must never quote a secret.

use super::*;

#[test]
fn each_mistake_has_words_of_its_own() {
    let people = "dc=x";
    for (fields, told) in [
        (json!({ "host": null }), "host: is missing: the name or the address of the directory's server"),
        (json!({ "host": 7 }), "host: is neither a text nor a list of texts"),
        (json!({ "host": [7] }), "host: is neither a text nor a list of texts"),
        (json!({ "host": [] }), "host: is an empty list"),
        (json!({ "host": "" }), "host: \"\" is neither a host's name nor an address"),
        (json!({ "host": "a b" }), "host: \"a b\" is neither a host's name nor an address"),
        (
            json!({ "host": "ldaps://a" }),
            "host: \"ldaps://a\" is a URL; here stands the host alone, and ssl for ldaps:",
        ),
        (json!({ "host": "a:0" }), "host: \"a:0\" has no port from 1 to 65535 behind the colon"),
        (json!({ "host": "a:65536" }), "host: \"a:65536\" has no port from 1 to 65535 behind the colon"),
        (json!({ "host": "a:" }), "host: \"a:\" has no port from 1 to 65535 behind the colon"),
        (json!({ "host": "[a]:1" }), "host: \"[a]:1\" has no IPv6 address in its brackets"),
        (json!({ "host": ["a", "A:636"] }), "host: a:636 is there twice"),
        (json!({ "port": 0 }), "port: is no whole number from 1 to 65535"),
        (json!({ "port": 65_536 }), "port: is no whole number from 1 to 65535"),
        (json!({ "port": "389" }), "port: is no whole number from 1 to 65535"),
        (json!({ "port": 1.5 }), "port: is no whole number from 1 to 65535"),
        (json!({ "ssl": "true" }), "ssl: is neither true nor false"),
        (json!({ "startTls": true }), "startTls: cannot be with ssl, which has TLS from the first byte"),
        (json!({ "insecure": true }), "insecure: means nothing with ssl or startTls"),
        (json!({ "ssl": false, "insecure": true, "ca": "x" }), "ca: means nothing without ssl or startTls"),
        (
            json!({ "ca": { "file": "ca.pem" } }),
            "ca: is an object; only the settings file can name a file or a variable, here stands the text",
        ),
        (json!({ "directory": "ad" }), "directory: is none of \"generic\", \"active-directory\""),
        (
            json!({ "timeout": 5 }),
            "timeout: is no duration: a text of one number and one unit of ms, s, m, h, d, such as \"5m\"",
        ),
        (
            json!({ "timeout": "5" }),
            "timeout: is no duration: a text of one number and one unit of ms, s, m, h, d, such as \"5m\"",
        ),
        (
            json!({ "login": {} }),
            "login.bindDnTemplate: is missing, and so is login.searchBase: one of them says who logs in",
        ),
        (json!({ "login": "x" }), "login: is no object with fields"),
        (json!({ "groups": [] }), "groups: is no object with fields"),
        (json!({ "attributes": "mail" }), "attributes: is no object with fields"),
        (
            json!({ "login": { "bindDnTemplate": "uid={},dc=x", "searchBase": people } }),
            "login.searchBase: means nothing beside a bindDnTemplate that makes DNs: one of them only",
        ),
        (
            json!({ "login": { "bindDnTemplate": "{}@corp" } }),
            "login.bindDnTemplate: is no DN, which only an Active Directory binds: set directory, or write a DN with {} in it",
        ),
        (json!({ "login.bindDnTemplate": "uid=x,dc=y" }), "login.bindDnTemplate: has no {}"),
        (json!({ "login.bindDnTemplate": "uid={},cn={}" }), "login.bindDnTemplate: has more than one {}"),
        (
            json!({ "login.bindDnTemplate": "uid={0},dc=x" }),
            "login.bindDnTemplate: has \"{0}\", which stands for nothing here; a brace in a value is written \\7b or \\7d",
        ),
        (
            json!({ "login": { "bindDnTemplate": "{}" }, "directory": "active-directory" }),
            "login.bindDnTemplate: is neither a DN with {} in a value, nor a principal's name such as {}@example.com or EXAMPLE\\{}",
        ),
        (
            json!({ "login": { "bindDnTemplate": "uid={},dc=x", "searchFilter": "(uid={})" } }),
            "login.searchFilter: means nothing without login.searchBase",
        ),
        (
            json!({ "login": { "bindDnTemplate": "uid={},dc=x", "searchScope": "one" } }),
            "login.searchScope: means nothing without login.searchBase",
        ),
        (json!({ "login.searchBase": "" }), "login.searchBase: is no DN: is empty"),
        (
            json!({ "login.searchBase": "people" }),
            "login.searchBase: is no DN: has \"people\" where an attribute's name and = should stand",
        ),
        (json!({ "login.searchFilter": "(uid=x)" }), "login.searchFilter: has no {}"),
        (json!({ "login.searchFilter": "uid={}" }), "login.searchFilter: begins with no ( or ends with no )"),
        (
            json!({ "login.searchFilter": "(&(uid={})" }),
            "login.searchFilter: is no filter as RFC 4515 writes it",
        ),
        (json!({ "login.searchScope": "base" }), "login.searchScope: is none of \"one\", \"subtree\""),
        (
            json!({ "login": { "searchBase": people, "bindDn": "cn=s,dc=x" } }),
            "login.bindPassword: is missing beside login.bindDn",
        ),
        (
            json!({ "login": { "searchBase": people, "bindPassword": "x" } }),
            "login.bindDn: is missing beside login.bindPassword",
        ),
        (
            json!({ "login": { "searchBase": people, "bindDn": "", "bindPassword": "x" } }),
            "login.bindDn: is no DN: is empty",
        ),
        (
            json!({ "login": { "searchBase": people, "bindDn": "svc@corp", "bindPassword": "x" } }),
            "login.bindDn: is no DN: has \"svc@corp\" where an attribute's name and = should stand",
        ),
        (
            json!({ "login": { "searchBase": people, "bindDn": "cn=s,dc=x", "bindPassword": " \0" } }),
            "login.bindPassword: is empty",
        ),
        (
            json!({ "login": { "searchBase": people, "bindPassword": { "env": "X" } } }),
            "login.bindPassword: is an object; only the settings file can name a file or a variable, here stands the text",
        ),
        (json!({ "login.bindPassword": 7 }), "login.bindPassword: is no text"),
        (
            json!({ "login.nameAttribute": "u id" }),
            "login.nameAttribute: is no name of an attribute: letters, digits and -, beginning with a letter",
        ),
        (
            json!({ "login.disabledFilter": "locked" }),
            "login.disabledFilter: begins with no ( or ends with no )",
        ),
        (
            json!({ "login.disabledFilter": "(a={})" }),
            "login.disabledFilter: has a brace, which stands for nothing here; in a value it is written \\7b or \\7d",
        ),
    ] {
        assert_eq!(wrong(fields), told);
    }
}

#[test]
fn each_mistake_about_groups_and_users_has_words_of_its_own() {
    let ad = "active-directory";
    for (fields, told) in [
        (json!({ "groups.source": "x" }), "groups.source: is none of \"memberOf\", \"search\", \"none\""),
        (
            json!({ "groups.source": "search" }),
            "groups.searchBase: is missing: where are the groups that are searched?",
        ),
        (
            json!({ "groups": { "source": "memberOf", "searchBase": "dc=x" } }),
            "groups.searchBase: means nothing where groups.source is \"memberOf\"",
        ),
        (
            json!({ "groups.searchFilter": "(member={})" }),
            "groups.searchFilter: means nothing where groups.source is \"memberOf\"",
        ),
        (
            json!({ "groups": { "searchBase": "dc=x", "memberOfAttribute": "a" } }),
            "groups.memberOfAttribute: means nothing where groups.source is \"search\"",
        ),
        (
            json!({ "groups": { "source": "none", "nameAttribute": "cn" } }),
            "groups.nameAttribute: means nothing where groups.source is \"none\"",
        ),
        (
            json!({ "groups": { "source": "none", "roleMapping": [["a", "b"]] } }),
            "groups.roleMapping: means nothing where groups.source is \"none\"",
        ),
        (
            json!({ "groups": { "source": "none", "nested": true } }),
            "groups.nested: means nothing where groups.source is \"none\"",
        ),
        (
            json!({ "groups": { "searchBase": "dc=x", "searchFilter": "(memberUid={name})", "nested": true } }),
            "groups.nested: cannot be with a searchFilter that has no {}: a group is in others by its DN",
        ),
        (
            json!({ "groups": { "searchBase": "dc=x", "searchFilter": "(|(member={})(memberUid={name}))" } }),
            "groups.nested: must be false with a searchFilter that has both {} and {name}: a group has a DN, but no user's name",
        ),
        (
            json!({ "directory": ad, "groups": { "source": "search", "searchFilter": "(member={})", "nested": true } }),
            "groups.nested: cannot be with a searchFilter of one's own: write (member:1.2.840.113556.1.4.1941:={}) in it instead",
        ),
        (
            json!({ "directory": ad, "login": { "searchBase": "ou=people,o=x" } }),
            "groups.searchBase: is missing: below which nested groups are searched (or set groups.nested to false)",
        ),
        (
            json!({ "directory": ad, "groups": { "memberOfAttribute": "x" } }),
            "groups.memberOfAttribute: means nothing with nested groups, which are searched: set groups.nested to false",
        ),
        (
            json!({ "directory": ad, "groups": { "nested": false, "searchBase": "dc=x" } }),
            "groups.searchBase: means nothing where groups.source is \"memberOf\" and groups.nested is false",
        ),
        (
            json!({ "directory": ad, "login": { "bindDnTemplate": "{}@x" } }),
            "login.searchBase: is missing beside a bindDnTemplate that is no DN: only his entry says whose name that is",
        ),
        (
            json!({ "directory": ad, "login": {
                "bindDnTemplate": "X\\{}", "searchBase": "dc=x", "bindDn": "cn=s,dc=x", "bindPassword": "p"
            } }),
            "login.bindDn: means nothing beside a bindDnTemplate that is no DN: leave that out, and the service account searches",
        ),
        (
            json!({ "login": { "bindDnTemplate": "uid={},dc=x", "nameAttribute": "mail" } }),
            "login.nameAttribute: is not uid, which bindDnTemplate makes DNs of: two people could have the same mail, and only a search would tell (login.searchBase)",
        ),
        (
            json!({ "login": { "bindDnTemplate": "cn={},dc=x", "nameAttribute": "sAMAccountName" } }),
            "login.nameAttribute: is not cn, which bindDnTemplate makes DNs of: two people could have the same sAMAccountName, and only a search would tell (login.searchBase)",
        ),
        (
            json!({ "groups.roleMapping": {} }),
            "groups.roleMapping: is no list of pairs: [[\"group\", \"role\"], …]",
        ),
        (
            json!({ "groups.roleMapping": ["a"] }),
            "groups.roleMapping: is no list of pairs: [[\"group\", \"role\"], …]",
        ),
        (
            json!({ "groups.roleMapping": [["a"]] }),
            "groups.roleMapping: is no list of pairs: [[\"group\", \"role\"], …]",
        ),
        (
            json!({ "groups.roleMapping": [["a", "b/c"]] }),
            "groups.roleMapping: the role \"b/c\" holds a character that is not allowed: '/'",
        ),
        (json!({ "groups.roleMapping": [["", "b"]] }), "groups.roleMapping: the group \"\" is empty"),
        (
            json!({ "groups.roleMapping": [["a ", "b"]] }),
            "groups.roleMapping: the group \"a \" begins or ends with a blank",
        ),
        (
            json!({ "groups.roleMapping": [["{name}", "b"]] }),
            "groups.roleMapping: the group \"{name}\" has a brace: groups are compared as they are, nothing goes into them",
        ),
        (
            json!({ "groups.roleMapping": [["cn=a;b", "c"]] }),
            "groups.roleMapping: the group \"cn=a;b\" is no DN: has ';' in a value, which is written with \\ in front",
        ),
        (
            json!({ "attributes": { "a b": "mail" } }),
            "attributes.a b: is no name for an attribute: letters, digits, _, - and ., 128 at the most",
        ),
        (
            json!({ "attributes": { "mail": 7 } }),
            "attributes.mail: is no name of an attribute: letters, digits and -, beginning with a letter",
        ),
        (
            json!({ "attributes": { "mail": "m*l" } }),
            "attributes.mail: is no name of an attribute: letters, digits and -, beginning with a letter",
        ),
        (json!({ "recheck": 0, "staleness": "1h" }), "staleness: means nothing where recheck is 0"),
        (json!({ "recheck": "1h", "staleness": "59m" }), "staleness: is 59m; it can be 1h to 30d"),
        (
            json!({ "autoCreateUsers": false, "ephemeralUsers": true }),
            "ephemeralUsers: means nothing where autoCreateUsers is false: no login makes a user",
        ),
    ] {
        assert_eq!(wrong(fields), told);
    }
}

#[test]
fn unknown_fields_are_mistakes() {
    for (field, told) in [
        ("hots", "hots: is no field of an LDAP realm; is host meant?"),
        ("startTLS", "startTLS: is no field of an LDAP realm; is startTls meant?"),
        ("bindDnTemplate", "bindDnTemplate: is no field of an LDAP realm; is login.bindDnTemplate meant?"),
        (
            "login.bindPasword",
            "login.bindPasword: is no field of an LDAP realm; is login.bindPassword meant?",
        ),
        (
            "groups.rolemapping",
            "groups.rolemapping: is no field of an LDAP realm; is groups.roleMapping meant?",
        ),
        ("roleMapping", "roleMapping: is no field of an LDAP realm; is groups.roleMapping meant?"),
        ("zzzzzzzz", "zzzzzzzz: is no field of an LDAP realm"),
        ("host.name", "host.name: is no field of an LDAP realm"),
        ("", ": is no field of an LDAP realm"),
    ] {
        assert_eq!(wrong(json!({ field: true })), told);
        assert_eq!(wrong(json!({ field: null })), told);
    }
    assert_eq!(
        wrong(json!({ "login": { "searchBase": "dc=x", "host": "a" } })),
        "login.host: is no field of an LDAP realm; is host meant?"
    );
    let twice = json!({ "login": { "searchBase": "dc=x" }, "login.searchBase": "dc=x" });
    assert_eq!(wrong(twice), "login.searchBase: is there twice: nested and with a dot");
    for odd in ["", "[]", "null", "{", "\"x\""] {
        assert_eq!(parse(odd).unwrap_err().to_string(), ": is no JSON object");
    }
}

#[test]
fn times_and_numbers_have_two_sides() {
    for (field, least, most, below, above) in [
        ("connectTimeout", "10ms", "1m", "9ms", "60001ms"),
        ("timeout", "10ms", "1m", "9ms", "61s"),
        ("recheck", "1s", "24h", "999ms", "25h"),
        ("poolWait", "0ms", "10s", "", "10001ms"),
        ("staleness", "5m", "30d", "299s", "31d"),
    ] {
        for good in [least, most] {
            read(json!({ field: good }));
        }
        for bad in [below, above] {
            assert!(parse(&config(&json!({ field: bad }))).is_err(), "{field} {bad}");
        }
    }
    assert_eq!(wrong(json!({ "timeout": "61s" })), "timeout: is 61s; it can be 10ms to 1m");
    assert_eq!(wrong(json!({ "recheck": "999ms" })), "recheck: is 999ms; it can be 1s to 1d");
    assert!(parse(&config(&json!({ "timeout": "99999999999999999999s" }))).is_err());
    assert_eq!(
        (read(json!({ "poolSize": 1 })).pool_size, read(json!({ "poolSize": MAX_POOL })).pool_size),
        (1, 256)
    );
    for bad in [json!(0), json!(MAX_POOL + 1), json!(-1), json!("16")] {
        assert_eq!(wrong(json!({ "poolSize": bad })), "poolSize: is no whole number from 1 to 256");
    }
}

#[test]
fn texts_and_lists_have_two_sides() {
    let both = |fields: &dyn Fn(usize) -> Value, most: usize, told: &str| {
        read(fields(most));
        let fault = wrong(fields(most + 1));
        assert!(fault.contains(told), "{fault}");
    };
    let hosts = |count: usize| (0..count).map(|i| format!("h{i}")).collect::<Vec<_>>();
    both(&|count| json!({ "host": hosts(count) }), MAX_SERVERS, "host: has more than 16 servers");
    // A name has labels of 63 at the most.
    let host = |bytes: usize| format!("{}{}", "a.".repeat((bytes - 1) / 2), "a".repeat(1 + (bytes - 1) % 2));
    both(&|bytes| json!({ "host": host(bytes) }), MAX_HOST_BYTES, "has more than 253 bytes");
    let dn = |bytes: usize| format!("dc={}", "x".repeat(bytes - 3));
    both(&|bytes| json!({ "login.searchBase": dn(bytes) }), MAX_DN_BYTES, "has more than 1024 bytes");
    both(&|bytes| json!({ "groups.searchBase": dn(bytes) }), MAX_DN_BYTES, "has more than 1024 bytes");
    let service = |dn: String, password: String| json!({ "login": { "searchBase": "dc=x", "bindDn": dn, "bindPassword": password } });
    both(&|bytes| service(dn(bytes), "x".into()), MAX_DN_BYTES, "has more than 1024 bytes");
    both(&|bytes| service("dc=x".into(), "x".repeat(bytes)), MAX_SECRET_BYTES, "has more than 1024 bytes");
    let filter = |bytes: usize| format!("(a={})", "x".repeat(bytes - 4));
    both(
        &|bytes| json!({ "login.disabledFilter": filter(bytes) }),
        MAX_FILTER_BYTES,
        "has more than 2048 bytes",
    );
    let attribute = |bytes: usize| json!({ "login.nameAttribute": "x".repeat(bytes) });
    both(&attribute, MAX_ATTRIBUTE_NAME_BYTES, "is no name of an attribute");
    let named = |bytes: usize| json!({ "attributes": { "x".repeat(bytes): "mail" } });
    both(&named, MAX_ATTRIBUTE_NAME_BYTES, "is no name for an attribute");
    let attributes = |count: usize| {
        let rules: serde_json::Map<_, _> = (0..count).map(|i| (format!("a{i}"), json!("mail"))).collect();
        json!({ "attributes": rules })
    };
    both(&attributes, MAX_ATTRIBUTES, "attributes: has more than 32 attributes");
    let rows = |count: usize| json!({ "groups.roleMapping": vec![["a", "b"]; count] });
    both(&rows, MAX_MAPPED_GROUPS, "groups.roleMapping: has more than 1024 rows");
    let name = |bytes: usize| json!({ "groups.roleMapping": [["x".repeat(bytes), "b"]] });
    both(&name, MAX_GROUP_NAME_BYTES, "has more than 256 bytes");
    let whole = |bytes: usize| json!({ "groups.roleMapping": [[dn(bytes), "b"]] });
    both(&whole, MAX_DN_BYTES, "has more than 1024 bytes");
}
