//! Realms of the types `ldap` and `trusted-http` as an administrator has them made, and those who come with the word of a web
//! server in front of the gateway (issue 4, parts 2 and 3). What takes a directory server is in `ldap.rs`.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::raw::Answer;
use testkit::{Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, as_admin, ask, basic, code, command, gateway, log_in};

const SECRET: &str = "s3cret of the service";

fn ldap(config: &Value) -> Value {
    json!({ "name": "acmeLDAP", "realmType": "ldap", "config": config })
}

/// A config that could be an administrator's; nobody is asked before somebody logs in.
fn directory() -> Value {
    json!({
        "host": "ldap.example.com",
        "ssl": true,
        "login": { "searchBase": "ou=people,dc=example,dc=com", "bindDn": "cn=svc,dc=example,dc=com", "bindPassword": SECRET },
        "groups": { "roleMapping": [["staff", "search"]] },
        "autoCreateUsers": false,
    })
}

/// The same with one field of another value; `null` takes it out.
fn but(field: &str, value: &Value) -> Value {
    let mut config = directory();
    let mut place = &mut config;
    for part in field.split('/') {
        place = &mut place[part];
    }
    *place = value.clone();
    config
}

fn made(address: SocketAddr, realm: &Value) -> Value {
    let (status, made) = as_admin(address, "POST", "/realm-configs", &realm.to_string());
    assert_eq!(status, 201, "{made}");
    made
}

fn path_of(realm: &Value) -> String {
    format!("/realm-configs/{}", realm["id"].as_str().unwrap())
}

#[test]
fn contract_what_is_wrong_with_a_config_is_named() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let template = |text: &str| json!({ "host": "127.0.0.1", "login": { "bindDnTemplate": text } });
    let header = |config: Value| json!({ "name": "portal", "realmType": "trusted-http", "config": config });
    let elsewhere = json!({ "env": "HOME" });
    let wrong = [
        (ldap(&json!({})), "config.host"),
        (ldap(&json!({ "host": "127.0.0.1" })), "config.login.bindDnTemplate"),
        (ldap(&template("ou=people")), "config.login.bindDnTemplate"),
        (ldap(&template("uid={},ou={}")), "config.login.bindDnTemplate"),
        (
            ldap(&json!({ "host": "127.0.0.1", "login.bindDnTemplate": "ou=people" })),
            "config.login.bindDnTemplate",
        ),
        (ldap(&but("ssl", &json!(false))), "config.ssl"),
        (ldap(&but("hosts", &json!("x"))), "config.hosts"),
        (ldap(&but("login/bindPasswort", &json!("x"))), "config.login.bindPasswort"),
        (ldap(&but("login/bindPassword", &Value::Null)), "config.login.bindPassword"),
        (ldap(&but("login/bindPassword", &json!("***"))), "config.login.bindPassword"),
        (ldap(&but("groups/roleMapping", &json!([["staff"]]))), "config.groups.roleMapping"),
        (ldap(&but("recheck", &json!("1ms"))), "config.recheck"),
        (ldap(&but("ephemeralUsers", &json!(true))), "config.ephemeralUsers"),
        // What stands in a file or the environment is for the settings file; over the API it would be read for strangers.
        (ldap(&but("login/bindPassword", &elsewhere)), "config.login.bindPassword"),
        (ldap(&but("login/bindPassword", &json!({ "file": "/etc/passwd" }))), "config.login.bindPassword"),
        (ldap(&but("ca", &json!({ "file": "/etc/passwd" }))), "config.ca"),
        (ldap(&but("host", &elsewhere)), "config.host"),
        (header(json!({})), "config.identityKey"),
        (header(json!({ "identityKey": "Cookie" })), "config.identityKey"),
        (header(json!({ "identityKey": elsewhere })), "config.identityKey"),
        (header(json!({ "identityKey": "X-U", "allowedIps": ["10.0.0.1/8"] })), "config.allowedIps"),
        (header(json!({ "identityKey": "X-U", "groups": { "delimiter": "|" } })), "config.groups.delimiter"),
        (header(json!({ "identityKey": "X-U", "allowed": [] })), "config.allowed"),
    ];
    for (body, field) in wrong {
        let (status, told) = as_admin(address, "POST", "/realm-configs", &body.to_string());
        assert_eq!(
            (status, &told["code"], &told["field"]),
            (400, &json!("bad-request"), &json!(field)),
            "{body}: {told}"
        );
        assert!(told["message"].is_string() && !told.to_string().contains(SECRET), "{told}");
    }
    let right = made(address, &ldap(&directory()));
    for (body, field) in [
        (json!({ "config": but("port", &json!(0)) }), "config.port"),
        (json!({ "config": but("login/searchBase", &json!("people")) }), "config.login.searchBase"),
    ] {
        for method in ["PUT", "PATCH"] {
            let (status, told) = as_admin(address, method, &path_of(&right), &body.to_string());
            assert_eq!((status, &told["field"]), (400, &json!(field)), "{told}");
        }
    }
}

/// ASVS 16: what is a secret goes in and does not come out, and is sent to nobody else than it was given for.
#[test]
fn asvs_16_the_secret_of_a_directory_is_kept_and_goes_nowhere_else() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let realm = made(address, &ldap(&directory()));
    let path = path_of(&realm);
    let mut shown = directory();
    shown["login"]["bindPassword"] = json!("***");
    assert_eq!(realm["config"], shown);
    assert_eq!(as_admin(address, "GET", &path, "").1["config"], shown);
    // What was shown can be sent back, with what a client may change.
    let mut whole = realm.clone();
    whole["config"]["recheck"] = json!("30s");
    for method in ["PUT", "PATCH"] {
        let (status, told) = as_admin(address, method, &path, &whole.to_string());
        assert_eq!((status, &told["config"]), (200, &whole["config"]), "{told}");
    }
    let moved = [
        but("host", &json!("ldap.attacker.example")),
        but("host", &json!(["ldap.example.com", "ldap.attacker.example"])),
        but("host", &json!("ldap.example.com:637")),
        but("port", &json!(637)),
        but("startTls", &json!(true)),
        but("insecure", &json!(true)),
    ];
    for mut config in moved {
        config["login"]["bindPassword"] = json!("***");
        let (status, told) = as_admin(address, "PATCH", &path, &json!({ "config": config }).to_string());
        assert_eq!((status, &told["field"]), (400, &json!("config.login.bindPassword")), "{config}: {told}");
    }
    // Said anew it may go there.
    let (status, told) =
        as_admin(address, "PATCH", &path, &json!({ "config": but("port", &json!(637)) }).to_string());
    assert_eq!(status, 200, "{told}");
    let listed = as_admin(address, "GET", "/realm-configs", "").1.to_string();
    let audited = as_admin(address, "GET", "/audit?limit=1000", "").1.to_string();
    assert!(listed.contains("***") && audited.contains("realm.create"));
    for text in [listed, audited, gateway.log_lines().join("\n")] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn users_of_other_realms_have_no_password_here_and_may_be_there_before_they_come() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let realm = made(address, &ldap(&directory()));
    let new = |more: Value| {
        let mut body = json!({ "username": "alice", "realmName": "acmeLDAP", "roleNames": ["readonly"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        as_admin(address, "POST", "/users", &body.to_string())
    };
    let (status, told) = new(json!({ "password": "a good long password" }));
    assert_eq!((status, &told["field"]), (400, &json!("password")), "{told}");
    let (status, alice) = new(json!({}));
    assert_eq!(status, 201, "{alice}");
    assert_eq!(
        (&alice["grantedRoleNames"], &alice["attributes"], &alice["lapsed"]),
        (&json!([]), &json!({}), &json!(false))
    );
    let path = format!("/users/{}", alice["id"].as_str().unwrap());
    let (status, told) = as_admin(address, "PATCH", &path, r#"{"password":"a good long password"}"#);
    assert_eq!((status, &told["field"]), (400, &json!("password")), "{told}");
    // What was read can be sent back; what only the realm says stays as the realm says it.
    let (status, mut whole) = as_admin(address, "GET", &path, "");
    assert_eq!(status, 200);
    whole["roleNames"] = json!(["search"]);
    whole["grantedRoleNames"] = json!(["admin"]);
    whole["attributes"] = json!({ "mail": "mallory@example.com" });
    whole["lapsed"] = json!(true);
    for method in ["PUT", "PATCH"] {
        let (status, told) = as_admin(address, method, &path, &whole.to_string());
        assert_eq!((status, &told["roleNames"]), (200, &json!(["search"])), "{told}");
        assert_eq!(
            (&told["grantedRoleNames"], &told["attributes"], &told["lapsed"]),
            (&json!([]), &json!({}), &json!(false))
        );
    }
    // They go with their realm.
    assert_eq!(as_admin(address, "DELETE", &path_of(&realm), "").0, 409);
    assert_eq!(as_admin(address, "DELETE", &format!("{}?deleteUsers=true", path_of(&realm)), "").0, 204);
    assert_eq!(as_admin(address, "GET", "/users?realm=acmeLDAP", ""), (200, json!([])));
}

#[test]
fn contract_a_realm_that_asks_no_server_has_nothing_to_test() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let native = as_admin(address, "GET", "/realm-configs?name=native", "").1[0].clone();
    let config = json!({ "identityKey": "REMOTE_USER" });
    let portal = made(address, &json!({ "name": "portal", "realmType": "trusted-http", "config": config }));
    for realm in [&native, &portal] {
        let test = |body: &str| as_admin(address, "POST", &format!("{}/test", path_of(realm)), body);
        let (status, told) = test(r#"{"username":"alice"}"#);
        assert_eq!((status, &told["code"]), (409, &json!("conflict")), "{told}");
        for body in [
            "{}",
            r#"{"username":""}"#,
            r#"{"username":"alice","password":""}"#,
            r#"{"username":"alice","x":1}"#,
        ] {
            assert_eq!(test(body).0, 400, "{body}");
        }
    }
    let nowhere = "/realm-configs/00000000-0000-4000-8000-000000000000/test";
    assert_eq!(as_admin(address, "POST", nowhere, r#"{"username":"alice"}"#).0, 404);
    let run = |arguments: &[&str]| command(&gateway, arguments, &[("DOORWARD_TEST_PASSWORD", "x")]);
    let refused = run(&["realm", "test", "portal", "alice"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("nothing to test"), "{refused:#?}");
    assert_eq!(run(&["realm", "test", "nowhere", "alice"]).code, Some(3));
    assert_eq!(run(&["realm", "test", "portal"]).code, Some(2));
    let both = ["realm", "test", "portal", "alice", "--no-password", "--password-file", "x"];
    assert_eq!(run(&both).code, Some(2));
    let no_file = run(&["realm", "test", "portal", "alice", "--password-file", "/nowhere/at/all"]);
    assert_eq!((no_file.code, no_file.stderr.contains("/nowhere/at/all")), (Some(1), true), "{no_file:#?}");
}

/// A gateway behind a web server on this machine, whose word it takes or does not.
fn behind_a_portal(backend: &Recorder, allowed: &str) -> Doorward {
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{}\"\nattribute_headers = {{ mail = \"X-User-Mail\" }}\n\
         [[realm]]\nname = \"portal\"\ntype = \"trusted-http\"\nidentityKey = \"REMOTE_USER\"\nallowedIps = {allowed}\n\
         attributes = {{ mail = \"X-Portal-Mail\" }}\n\
         groups = {{ key = \"GROUPS\", delimiter = \"|\", roleMapping = [[\"a\", \"admin\"], [\"r\", \"readonly\"]] }}\n",
        backend.url()
    );
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start()
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, code(answer))
}

#[test]
fn contract_the_word_of_a_listed_peer_counts_and_nobody_elses() {
    let backend = Recorder::start();
    let gateway = behind_a_portal(&backend, r#"["127.0.0.1"]"#);
    let address = gateway.address();
    let get = |headers: &[(&str, &str)]| ask(address, "GET", "/api/x", headers, "");
    assert_eq!(told(&get(&[])), (401, "unauthorized".to_owned()));
    let alice = [("REMOTE_USER", "alice"), ("GROUPS", "r | x"), ("X-Portal-Mail", "alice@example.com")];
    assert_eq!(get(&alice).status, 200);
    let seen = backend.wait_for(1).remove(0);
    assert_eq!(seen.header("fusion-user-name"), Some("alice"));
    assert_eq!(seen.header("fusion-user-realm"), Some("portal"));
    assert_eq!(seen.header("x-user-mail"), Some("alice@example.com"));
    for field in ["remote_user", "groups", "x-portal-mail"] {
        assert_eq!(seen.header(field), None, "the evidence is the realm's alone: {}", seen.head_text());
    }
    // Groups are what they are with this very request; nobody is what an empty or missing field names.
    assert_eq!(told(&get(&[("REMOTE_USER", "alice")])), (403, "forbidden".to_owned()));
    assert_eq!(told(&get(&[("REMOTE_USER", "")])), (401, "unauthorized".to_owned()));
    assert_eq!(told(&get(&[("GROUPS", "a")])), (401, "unauthorized".to_owned()));
    for two in [
        [("REMOTE_USER", "alice"), ("REMOTE_USER", "bob")],
        [("REMOTE_USER", "alice"), ("remote-user", "bob")],
    ] {
        let answer = get(&two);
        assert_ne!(answer.status, 200, "{}", answer.head_text());
    }
    // The one who administers by his groups does; what he was told of is in his record.
    let admin = [("REMOTE_USER", "root"), ("GROUPS", "a")];
    assert_eq!(ask(address, "GET", "/api/users", &admin, "").status, 200);
    let root = as_admin(address, "GET", "/users?realm=portal&username=root", "").1[0].clone();
    assert_eq!((&root["roleNames"], &root["grantedRoleNames"]), (&json!([]), &json!(["admin"])));
    // Roles given here add to those of his groups.
    let given = json!({ "roleNames": ["search"] }).to_string();
    let path = format!("/users/{}", root["id"].as_str().unwrap());
    assert_eq!(as_admin(address, "PATCH", &path, &given).0, 200);
    let who = ask(address, "GET", "/api/session?peek=true", &admin, "");
    let who: Value = serde_json::from_slice(&who.body).unwrap();
    let mut roles: Vec<_> =
        who["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "search"]);
    assert_eq!(as_admin(address, "PATCH", &path, r#"{"enabled":false}"#).0, 200);
    assert_eq!(ask(address, "GET", "/api/users", &admin, "").status, 401);
    // The name is another realm's, too.
    let shown = basic("admin", PASSWORD);
    assert_eq!(
        get(&[("REMOTE_USER", "nobody"), ("Authorization", &shown)]).status,
        200,
        "credentials of one's own come first"
    );
    let session = log_in(address, "admin", PASSWORD);
    assert_eq!(get(&[("REMOTE_USER", "nobody"), ("Cookie", &format!("id={session}"))]).status, 200);
}

#[test]
fn contract_an_empty_list_of_peers_means_nobody() {
    for allowed in ["[]", r#"["192.0.2.1", "10.0.0.0/8"]"#] {
        let backend = Recorder::start();
        let gateway = behind_a_portal(&backend, allowed);
        let address = gateway.address();
        for forwarded in [None, Some(("X-Forwarded-For", "192.0.2.1")), Some(("Forwarded", "for=192.0.2.1"))]
        {
            let headers: Vec<_> =
                [("REMOTE_USER", "root"), ("GROUPS", "a")].into_iter().chain(forwarded).collect();
            let answer = ask(address, "GET", "/api/users", &headers, "");
            assert_eq!(told(&answer), (401, "unauthorized".to_owned()), "{allowed} {forwarded:?}");
        }
        // Those who are known by something else are who they are, and the fields go no further.
        let shown = basic("admin", PASSWORD);
        let known = ask(address, "GET", "/api/x", &[("REMOTE_USER", "root"), ("Authorization", &shown)], "");
        assert_eq!(known.status, 200);
        let seen = backend.wait_for(1).remove(0);
        assert_eq!((seen.header("remote_user"), seen.header("fusion-user-name")), (None, Some("admin")));
        assert_eq!(as_admin(address, "GET", "/users?realm=portal", ""), (200, json!([])));
    }
}
