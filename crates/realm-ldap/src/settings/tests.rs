//! What can be configured, and what is said of what cannot. Called by nobody; must never need a server.

use std::time::Duration;

use auth::{RoleName, UserRecords};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limits::{
    MAX_DN_BYTES, MAX_FILTER_BYTES, MAX_GROUP_NAME_BYTES, MAX_HOST_BYTES, MAX_MAPPED_GROUPS,
    MAX_SECRET_BYTES, MAX_SERVERS,
};
use crate::words::mapping::Group;

mod wrong;

/// The least that is a config, with these fields in place of its own.
fn config(fields: &Value) -> String {
    let mut config = json!({ "host": "ldap.example.com", "ssl": true });
    if fields.get("login").is_none() && fields.get("login.bindDnTemplate").is_none() {
        config["login.searchBase"] = json!("ou=people,dc=example,dc=org");
    }
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config.to_string()
}

fn read(fields: Value) -> Settings {
    parse(&config(&fields)).unwrap_or_else(|fault| panic!("{fields}: {fault}"))
}

/// The fault as it is told.
fn wrong(fields: Value) -> String {
    match parse(&config(&fields)) {
        Ok(_) => panic!("{fields} was taken"),
        Err(fault) => fault.to_string(),
    }
}

fn search(settings: &Settings) -> &UserSearch {
    match &settings.login.way {
        LoginWay::Search(search) | LoginWay::Principal(_, search) => search,
        LoginWay::Template(_) => panic!("no search"),
    }
}

fn group_filter(settings: &Settings) -> (String, String, SearchScope) {
    match &settings.groups.source {
        GroupSource::Search(search) => {
            (search.base.to_string(), search.filter.fill("cn=a,b", "n"), search.scope)
        }
        GroupSource::Nowhere | GroupSource::MemberOf { .. } => panic!("no search"),
    }
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let settings = read(json!({}));
    assert_eq!(settings.servers, [Server { host: "ldap.example.com".into(), port: 636 }]);
    assert_eq!(settings.transport, Transport::Ldaps);
    assert!(settings.trusted.is_none());
    assert_eq!(settings.directory, DirectoryKind::Generic);
    assert_eq!(settings.connect_timeout, Duration::from_secs(1));
    assert_eq!(settings.timeout, Duration::from_secs(3));
    assert_eq!((settings.pool_size, settings.pool_wait), (16, Duration::from_secs(1)));
    let way = search(&settings);
    assert_eq!(&*way.base, "ou=people,dc=example,dc=org");
    assert_eq!((way.filter.fill("a*"), way.scope), ("(uid=a\\2a)".to_owned(), SearchScope::Subtree));
    assert!(settings.login.service.is_none());
    assert_eq!(&*settings.login.name_attribute, "uid");
    assert_eq!(settings.login.typed_attributes, ["uid".into()]);
    let disabled = "(|(nsAccountLock=TRUE)(loginDisabled=TRUE)(pwdAccountLockedTime=000001010000Z))";
    assert_eq!(settings.login.disabled_filter.as_deref(), Some(disabled));
    assert!(
        matches!(&settings.groups.source, GroupSource::MemberOf { attribute } if **attribute == *"memberOf")
    );
    assert!(settings.groups.is_walked_up);
    assert_eq!(&*settings.groups.name_attribute, "cn");
    assert!(settings.groups.mapping.is_empty());
    let attributes: Vec<_> = settings.attributes.iter().map(|rule| (&*rule.name, &*rule.attribute)).collect();
    assert_eq!(attributes, [("mail", "mail"), ("displayName", "displayName")]);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    assert_eq!(settings.recheck, Some(RecheckTimes { interval: minutes(5), staleness: minutes(480) }));
    assert_eq!(settings.users, UserRecords::AtFirstLogin);
}

#[test]
fn active_directory_has_defaults_of_its_own() {
    let settings = read(json!({ "directory": "active-directory" }));
    assert_eq!(
        search(&settings).filter.fill("a"),
        "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName=a)(userPrincipalName=a)))"
    );
    assert_eq!(&*settings.login.name_attribute, "sAMAccountName");
    assert_eq!(settings.login.typed_attributes, ["sAMAccountName".into(), "userPrincipalName".into()]);
    let disabled = "(userAccountControl:1.2.840.113556.1.4.803:=2)";
    assert_eq!(settings.login.disabled_filter.as_deref(), Some(disabled));
    let nested = "(member:1.2.840.113556.1.4.1941:=cn=a,b)";
    let expected = ("dc=example,dc=org".to_owned(), nested.to_owned(), SearchScope::Subtree);
    assert_eq!(group_filter(&settings), expected);
    assert!(!settings.groups.is_walked_up);
}

#[test]
fn fields_may_be_nested_or_have_a_dot() {
    for fields in [
        json!({ "login": { "bindDnTemplate": "uid={},dc=x" }, "groups": { "nested": false } }),
        json!({ "login.bindDnTemplate": "uid={},dc=x", "groups.nested": false, "login": null }),
        json!({ "login": { "bindDnTemplate": "uid={},dc=x", "searchBase": null }, "groups.nested": false }),
    ] {
        let settings = read(fields);
        let LoginWay::Template(template) = &settings.login.way else { panic!("no template") };
        assert_eq!(template.fill("a,b"), "uid=a\\2cb,dc=x");
        assert!(!settings.groups.is_walked_up);
    }
    let both = json!({ "attributes": { "mail": "m" }, "attributes.phone": "telephoneNumber" });
    assert_eq!(read(both).attributes.len(), 2);
    assert_eq!(read(json!({ "attributes": {} })).attributes, []);
    assert_eq!(read(json!({ "attributes": null })).attributes.len(), 2);
}

#[test]
fn servers_are_written_in_many_ways() {
    let servers = |host: Value, fields: Value| {
        let mut all = fields;
        all["host"] = host;
        read(all).servers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let list = json!(["a.example:1636", "B.example", "10.0.0.1", "10.0.0.2:7", "[::2]:8", "::3", "[::4]"]);
    assert_eq!(
        servers(list, json!({})),
        [
            "a.example:1636",
            "b.example:636",
            "10.0.0.1:636",
            "10.0.0.2:7",
            "[::2]:8",
            "[::3]:636",
            "[::4]:636"
        ]
    );
    assert_eq!(servers(json!("a"), json!({ "port": 1 })), ["a:1"]);
    assert_eq!(servers(json!("a:2"), json!({ "port": 65535 })), ["a:2"]);
    assert_eq!(servers(json!("a"), json!({ "ssl": false, "startTls": true })), ["a:389"]);
    assert_eq!(read(json!({ "ssl": false, "startTls": true })).transport, Transport::StartTls);
}

#[test]
fn in_clear_goes_nothing_but_to_this_machine_or_on_purpose() {
    let plain = |host: &str| json!({ "host": host, "ssl": false });
    for here in ["127.0.0.1", "127.9.9.9:3", "::1", "[::1]:3", "localhost", "LOCALHOST:3"] {
        assert_eq!(read(plain(here)).transport, Transport::Plain, "{here}");
    }
    for away in ["10.0.0.1", "ldap", "localhost.example.com", "::2", "0.0.0.0"] {
        let told = wrong(plain(away));
        assert!(told.starts_with("ssl: passwords would travel to "), "{told}");
        let mut meant = plain(away);
        meant["insecure"] = json!(true);
        assert_eq!(read(meant).transport, Transport::Plain, "{away}");
    }
    assert!(parse(&json!({ "host": ["localhost", "ldap"], "login.searchBase": "o=x" }).to_string()).is_err());
}

#[test]
fn certificates_are_read() {
    let made = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let trusted = |pem: &str| read(json!({ "ca": pem })).trusted.unwrap().len();
    assert_eq!(trusted(&pem), 1);
    assert_eq!(trusted(&format!("words\n{pem}\n{pem}")), 2);
    for (text, told) in [
        (String::new(), "ca: holds no certificate in PEM form"),
        ("ca.pem".to_owned(), "ca: holds no certificate in PEM form"),
        (made.signing_key.serialize_pem(), "ca: holds a private key, which nobody needs here"),
    ] {
        assert_eq!(wrong(json!({ "ca": text })), told);
    }
    let odd = format!("{pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(wrong(json!({ "ca": odd })).starts_with("ca: its certificate 2 cannot be used: "));
    let cut = wrong(json!({ "ca": "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n" }));
    assert!(cut.starts_with("ca: is no PEM: "), "{cut}");
}

#[test]
fn what_a_user_may_have_typed_is_known() {
    let typed = |fields: Value| {
        read(fields).login.typed_attributes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let filter = json!({ "login.searchFilter": "(|(uid={})(mail={}))", "login.nameAttribute": "cn" });
    assert_eq!(typed(filter), ["cn", "uid", "mail"]);
    assert_eq!(typed(json!({ "login.bindDnTemplate": "cn={},dc=x" })), ["cn"]);
    assert_eq!(typed(json!({ "login.bindDnTemplate": "CN={},dc=x", "login.nameAttribute": "cN" })), ["cN"]);
    let active = json!({ "login.bindDnTemplate": "cn={},dc=x", "directory": "active-directory" });
    assert_eq!(typed(active), ["sAMAccountName", "userPrincipalName", "cn"]);
    let named = json!({ "login.nameAttribute": "samaccountname", "login.bindDnTemplate": "cn={},dc=x", "directory": "active-directory" });
    assert_eq!(typed(named), ["samaccountname", "userPrincipalName", "cn"]);
    // Only a domain gives each account's name once.
    let nowhere = json!({
        "login.bindDnTemplate": "cn={},o=x", "directory": "active-directory", "groups.source": "none", "groups.nested": false
    });
    assert_eq!(typed(nowhere), ["cn", "userPrincipalName"]);
    for template in ["cn={},o=x", "cn=x,dc={},dc=y"] {
        let told = wrong(json!({
            "login": { "bindDnTemplate": template, "nameAttribute": "sAMAccountName" }, "directory": "active-directory"
        }));
        assert!(told.starts_with("login.nameAttribute: is not "), "{told}");
    }
    let principal = json!({
        "login": { "bindDnTemplate": "{}@corp", "searchBase": "dc=x" }, "directory": "active-directory"
    });
    assert_eq!(typed(principal), ["sAMAccountName", "userPrincipalName"]);
}

#[test]
fn who_binds_by_another_name_than_his_dn_is_searched_for_by_himself() {
    for template in ["{}@corp.example.com", "CORP\\{}"] {
        let alone = json!({ "login": { "bindDnTemplate": template }, "directory": "active-directory" });
        let told = wrong(alone);
        assert!(told.starts_with("login.searchBase: is missing beside a bindDnTemplate"), "{told}");
        let by_two = json!({
            "login": {
                "bindDnTemplate": template, "searchBase": "dc=x", "bindDn": "svc@corp", "bindPassword": "canary"
            },
            "directory": "active-directory"
        });
        let told = wrong(by_two);
        assert!(told.starts_with("login.bindDn: means nothing beside a bindDnTemplate"), "{told}");
    }
    let found = read(json!({
        "login": { "bindDnTemplate": "CORP\\{}", "searchBase": "cn=users,dc=corp,dc=example" },
        "directory": "active-directory"
    }));
    assert_eq!(group_filter(&found).0, "dc=corp,dc=example");
    assert_eq!(found.attributes.len(), 2);
}

#[test]
fn groups_come_from_where_it_is_said() {
    let settings = read(json!({ "groups.searchBase": "ou=groups,dc=x" }));
    let filter = "(|(member=cn=a,b)(uniqueMember=cn=a,b))".to_owned();
    assert_eq!(group_filter(&settings), ("ou=groups,dc=x".to_owned(), filter, SearchScope::Subtree));
    assert!(settings.groups.is_walked_up);
    let posix = read(json!({
        "groups": { "searchBase": "ou=groups,dc=x", "searchFilter": "(memberUid={name})", "searchScope": "one" }
    }));
    let expected = ("ou=groups,dc=x".to_owned(), "(memberUid=n)".to_owned(), SearchScope::One);
    assert_eq!(group_filter(&posix), expected);
    assert!(!posix.groups.is_walked_up, "no DN goes into it");
    assert!(matches!(read(json!({ "groups.source": "none" })).groups.source, GroupSource::Nowhere));
    let attribute = read(json!({ "groups": { "memberOfAttribute": "isMemberOf", "nested": false } }));
    assert!(
        matches!(&attribute.groups.source, GroupSource::MemberOf { attribute } if **attribute == *"isMemberOf")
    );
    assert!(!attribute.groups.is_walked_up);

    let active = |groups: Value| read(json!({ "directory": "active-directory", "groups": groups }));
    let flat = active(json!({ "nested": false }));
    assert!(matches!(flat.groups.source, GroupSource::MemberOf { .. }) && !flat.groups.is_walked_up);
    let searched = active(json!({ "nested": false, "source": "search", "searchBase": "ou=g,dc=x" }));
    assert_eq!(group_filter(&searched).1, "(member=cn=a,b)");
    let own = active(json!({ "source": "search", "searchFilter": "(&(objectClass=group)(member={}))" }));
    assert_eq!(group_filter(&own).0, "dc=example,dc=org");
    assert_eq!(group_filter(&own).1, "(&(objectClass=group)(member=cn=a,b))");
    let below = active(json!({ "searchBase": "ou=g,dc=x", "searchScope": "one" }));
    assert_eq!(group_filter(&below).2, SearchScope::One);
    assert_eq!(group_filter(&below).0, "ou=g,dc=x");
}

#[test]
fn groups_are_mapped_by_name_or_by_dn() {
    let settings = read(json!({
        "groups": { "roleMapping": [["cn=Ops, ou=groups,dc=x", "admin"], ["Staff", "search"], ["staff", "search"]] }
    }));
    let groups = ["cn=staff,dc=x", "CN=ops,OU=Groups,DC=x"].map(|dn| Group::of_dn(dn, "cn"));
    let expected = ["admin", "search"].map(|role| RoleName::parse(role).unwrap());
    assert_eq!(settings.groups.mapping.roles(&groups), expected);
}

#[test]
fn times_are_texts_and_never_is_a_number() {
    assert_eq!(read(json!({ "recheck": 0 })).recheck, None);
    assert_eq!(read(json!({ "recheck": "0s" })).recheck, None);
    let times = |recheck: &str| read(json!({ "recheck": recheck })).recheck.unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    assert_eq!(times("9h"), RecheckTimes { interval: hours(9), staleness: hours(9) });
    assert_eq!(read(json!({ "poolWait": 0 })).pool_wait, Duration::ZERO);
    assert_eq!(read(json!({ "timeout": "1500ms" })).timeout, Duration::from_millis(1_500));
}

#[test]
fn nobody_is_looked_at_again_where_nobody_can_look() {
    let login = json!({ "bindDnTemplate": "uid={},dc=x" });
    assert_eq!(read(json!({ "login": login })).recheck, None);
    for field in ["recheck", "staleness"] {
        let told = wrong(json!({ "login": login, field: "2s" }));
        assert!(told.starts_with(&format!("{field}: means nothing beside a bindDnTemplate")), "{told}");
    }
    let service =
        json!({ "bindDnTemplate": "uid={},dc=x", "bindDn": "cn=svc,dc=x", "bindPassword": "canary" });
    assert!(read(json!({ "login": service, "recheck": "2s" })).recheck.is_some());
}

#[test]
fn records_are_made_by_logins_or_by_hand() {
    let users = |made: Value, fleeting: Value| {
        read(json!({ "autoCreateUsers": made, "ephemeralUsers": fleeting })).users
    };
    assert_eq!(users(json!(true), json!(null)), UserRecords::AtFirstLogin);
    assert_eq!(users(json!(null), json!(true)), UserRecords::Ephemeral);
    assert_eq!(users(json!(false), json!(false)), UserRecords::ByHand);
}

#[test]
fn secrets_do_not_print() {
    let settings = read(json!({
        "login": { "searchBase": "dc=x", "bindDn": "cn=svc,dc=x", "bindPassword": "canary" }
    }));
    let printed = format!("{settings:?}");
    assert!(printed.contains("cn=svc,dc=x") && !printed.contains("canary"), "{printed}");
    assert_eq!(settings.login.service.unwrap().password.expose(), "canary");
    for field in [json!(7), json!({ "file": "canary" }), json!(["canary"]), json!("canary")] {
        let told = wrong(json!({ "login": { "searchBase": "dc=x", "bindPassword": field, "bindDn": 7 } }));
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn secrets_and_destinations_are_known_by_name() {
    assert!(is_secret("login.bindPassword"));
    for open in ["login.bindDn", "ca", "host", "bindPassword"] {
        assert!(!is_secret(open), "{open}");
    }
    for destination in ["host", "port", "ssl", "startTls", "insecure", "ca"] {
        assert!(is_destination(destination), "{destination}");
    }
    for other in ["directory", "login.bindDn", "login.bindPassword", "timeout"] {
        assert!(!is_destination(other), "{other}");
    }
}

proptest! {
    #[test]
    fn no_config_makes_it_panic(
        field in prop::sample::select(vec![
            "host", "port", "ca", "recheck", "login.bindDnTemplate", "login.searchBase", "login.searchFilter",
            "login.disabledFilter", "groups.searchFilter", "groups.roleMapping", "attributes.x", "odd"
        ]),
        text in "[a-z0-9:.={},()|&!*@\\\\#\\[\\] \u{e4}-]{0,24}|\\PC{0,24}",
        is_list: bool
    ) {
        let value = if is_list { json!([[text, "role"]]) } else { json!(text) };
        let _ = parse(&config(&json!({ field: value })));
        let _ = parse(&text);
    }
}
