//! Realms over the API (contract/fusion.md, "Users, realms, roles"): made, used, switched off and deleted, and what becomes
//! of their users' sessions, passwords and keys.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::raw::Answer;
use testkit::{Doorward, Recorder};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, basic, code, command, gateway, log_in, new_user, with_session,
};

const LONG: &str = "a good long password";
const OTHER: &str = "another good password";

/// Makes a realm of the type `native`; gives its id.
fn new_realm(address: SocketAddr, name: &str, roles: &[&str]) -> String {
    let body = json!({ "name": name, "realmType": "native", "roleNames": roles });
    let (status, made) = as_admin(address, "POST", "/realm-configs", &body.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// Makes a user of this realm; gives the id.
fn new_user_of(address: SocketAddr, realm: &str, name: &str, password: &str, roles: &[&str]) -> String {
    let body = json!({ "username": name, "realmName": realm, "password": password, "roleNames": roles });
    let (status, made) = as_admin(address, "POST", "/users", &body.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

fn try_log_in_at(address: SocketAddr, realm: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password }).to_string();
    ask(address, "POST", &format!("/api/session?realmName={realm}"), &[], &body)
}

fn log_in_at(address: SocketAddr, realm: &str, name: &str, password: &str) -> String {
    let answer = try_log_in_at(address, realm, name, password);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    answer.set_cookie("id").unwrap().to_owned()
}

fn by_basic(address: SocketAddr, realm: &str, name: &str, password: &str, path: &str) -> Answer {
    let shown = basic(name, password);
    ask(address, "GET", &format!("/api{path}?realmName={realm}"), &[("Authorization", &shown)], "")
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, code(answer))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn enabled_realms(address: SocketAddr) -> Vec<String> {
    let status: Value = serde_json::from_slice(&ask(address, "GET", "/api", &[], "").body).unwrap();
    let realms = status["enabledRealms"].as_array().unwrap().iter();
    realms.map(|realm| realm["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn contract_realms_are_made_read_and_changed() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let new = json!({ "name": "partners", "realmType": "native", "roleNames": ["readonly"] });
    let (status, made) = as_admin(address, "POST", "/realm-configs", &new.to_string());
    assert_eq!(status, 201, "{made}");
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let all = ["id", "name", "enabled", "realmType", "roleNames", "config", "createdAt", "updatedAt"];
    assert_eq!(keys, all);
    assert_eq!((&made["enabled"], &made["config"]), (&json!(true), &json!({})));
    assert_eq!(as_admin(address, "POST", "/realm-configs", &new.to_string()).0, 409);
    let path = format!("/realm-configs/{}", made["id"].as_str().unwrap());
    assert_eq!(as_admin(address, "GET", &path, ""), (200, made.clone()));
    let list = |query: &str| as_admin(address, "GET", &format!("/realm-configs{query}"), "");
    assert_eq!(list("").1.as_array().unwrap().len(), 2);
    assert_eq!(list("?name=partners&realmType=native"), (200, json!([made])));
    assert_eq!(list("?name=Partners"), (200, json!([])));
    assert_eq!(list("?realmType=ldap"), (200, json!([])));
    assert_eq!(list("?limit=0").0, 400);
    // What was read can be sent back, changed; what is left out stays.
    let mut whole = made.clone();
    whole["roleNames"] = json!(["search"]);
    let (status, put) = as_admin(address, "PUT", &path, &whole.to_string());
    assert_eq!((status, &put["roleNames"], &put["enabled"]), (200, &json!(["search"]), &json!(true)));
    let (status, same) = as_admin(address, "PATCH", &path, r#"{"enabled":true,"config":{}}"#);
    assert_eq!((status, &same["roleNames"]), (200, &put["roleNames"]));
    // Versions, as of users and roles.
    let shown = basic("admin", PASSWORD);
    let admin = ("Authorization", shown.as_str());
    let tag = ask(address, "GET", &format!("/api{path}"), &[admin], "").header("etag").unwrap().to_owned();
    let unchanged = ask(address, "GET", &format!("/api{path}"), &[admin, ("If-None-Match", &tag)], "");
    assert_eq!(unchanged.status, 304);
    let change = |method: &str, tag: &str, body: &str| {
        told(&ask(address, method, &format!("/api{path}"), &[admin, ("If-Match", tag)], body))
    };
    assert_eq!(change("PATCH", &tag, r#"{"roleNames":[]}"#).0, 200);
    assert_eq!(change("PATCH", &tag, r#"{"roleNames":[]}"#), refused(412, "precondition-failed"));
    assert_eq!(change("DELETE", &tag, ""), refused(412, "precondition-failed"));
    assert_eq!(as_admin(address, "DELETE", &path, ""), (204, Value::Null));
    for method in ["GET", "DELETE"] {
        assert_eq!(as_admin(address, method, &path, ""), (404, json!({ "code": "not-found" })), "{method}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_wrong_realms_are_told_what_is_wrong() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let bad = [
        (json!({ "realmType": "native" }), "name"),
        (json!({ "name": "a/b", "realmType": "native" }), "name"),
        (json!({ "name": "x" }), "realmType"),
        (json!({ "name": "x", "realmType": "saml" }), "realmType"),
        (json!({ "name": "x", "realmType": "ldap" }), "config.host"),
        (json!({ "name": "x", "realmType": "Native" }), "realmType"),
        (json!({ "name": "x", "realmType": "native", "roleNames": ["nobody"] }), "roleNames"),
        (json!({ "name": "x", "realmType": "native", "config": [] }), "config"),
        (json!({ "name": "x", "realmType": "native", "config": { "host": "h" } }), "config.host"),
        (json!({ "name": "x", "realmType": "native", "config": { "password": "***" } }), "config.password"),
        (json!({ "name": "x", "realmType": "native", "colour": "red" }), "body"),
    ];
    for (body, field) in bad {
        let (status, told) = as_admin(address, "POST", "/realm-configs", &body.to_string());
        assert_eq!(
            (status, told["code"].as_str(), &told["field"]),
            (400, Some("bad-request"), &json!(field)),
            "{body}"
        );
        assert!(told["message"].is_string(), "{told}");
    }
    let path = format!("/realm-configs/{}", new_realm(address, "x", &[]));
    for body in [
        r#"{"name":"y"}"#,
        r#"{"realmType":"ldap"}"#,
        r#"{"id":"00000000-0000-4000-8000-000000000000"}"#,
        r#"{"config":{"a":1}}"#,
        r#"{"config":1}"#,
    ] {
        assert_eq!(as_admin(address, "PATCH", &path, body).0, 400, "{body}");
    }
    assert_eq!(as_admin(address, "GET", "/realm-configs/x", "").0, 404);
    assert_eq!(as_admin(address, "DELETE", &format!("{path}?deleteUsers=yes"), "").0, 400);
    let native =
        as_admin(address, "GET", "/realm-configs?name=native", "").1[0]["id"].as_str().unwrap().to_owned();
    let native = format!("/realm-configs/{native}");
    let (status, told) = as_admin(address, "PATCH", &native, r#"{"enabled":false}"#);
    assert_eq!((status, told["message"].is_string()), (409, true), "{told}");
    assert_eq!(as_admin(address, "DELETE", &native, "").0, 409);
    assert_eq!(as_admin(address, "DELETE", &format!("{native}?deleteUsers=true"), "").0, 409);
    log_in(address, "admin", PASSWORD);
}

/// ASVS 58: two people of one name, whose passwords, roles and ids never mix.
#[test]
fn asvs_58_a_name_in_two_realms_is_two_people() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    new_realm(address, "partners", &["readonly"]);
    let theirs = new_user_of(address, "partners", "alice", LONG, &["search"]);
    let ours = new_user(address, "alice", OTHER, &[]);
    assert_ne!(theirs, ours);
    let token = log_in_at(address, "partners", "alice", LONG);
    let own = log_in(address, "alice", OTHER);
    for (realm, password) in [("partners", OTHER), ("native", LONG)] {
        let answer = try_log_in_at(address, realm, "alice", password);
        assert_eq!(told(&answer), refused(401, "invalid-credentials"), "{realm}");
        let answer = by_basic(address, realm, "alice", password, "/x");
        assert_eq!(told(&answer), refused(401, "invalid-credentials"), "{realm}");
    }
    // Roles given directly come with those of the realm, and only in the realm.
    let who = |token: &str| -> Value {
        serde_json::from_slice(&with_session(address, "GET", "/api/session", token).body).unwrap()
    };
    let told = who(&token);
    assert_eq!((&told["user"]["id"], &told["user"]["realmName"]), (&json!(theirs), &json!("partners")));
    assert_eq!(told["user"]["roleNames"], json!(["search"]));
    let roles: Vec<_> =
        told["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["search", "readonly"]);
    assert_eq!((&who(&own)["user"]["id"], &who(&own)["roles"]), (&json!(ours), &json!([])));
    let status = |token: &str, method: &str| with_session(address, method, "/api/x", token).status;
    assert_eq!((status(&token, "GET"), status(&token, "POST"), status(&own, "GET")), (200, 403, 403));
    assert_eq!(by_basic(address, "partners", "alice", LONG, "/x").status, 200);
    assert_eq!(by_basic(address, "native", "alice", OTHER, "/x").status, 403);
    // The realm of the request's credentials is the session's, whatever the query says.
    assert_eq!(with_session(address, "GET", "/api/x?realmName=partners", &own).status, 403);
    for request in backend.requests() {
        assert_eq!(request.header("fusion-user-id"), Some(theirs.as_str()));
    }
    assert_eq!(backend.requests().len(), 2);
}

/// What holds of a partner's credentials: by session, by Basic, by key, by a new login.
struct Partner {
    session: String,
    key: String,
}

impl Partner {
    fn told(&self, address: SocketAddr) -> [(u16, String); 4] {
        let key = ask(address, "GET", "/api/x", &[("x-api-key", &self.key)], "");
        [
            told(&with_session(address, "GET", "/api/x", &self.session)),
            told(&by_basic(address, "partners", "alice", LONG, "/x")),
            told(&key),
            told(&try_log_in_at(address, "partners", "alice", LONG)),
        ]
    }
}

fn statuses(told: &[(u16, String); 4]) -> [u16; 4] {
    told.each_ref().map(|(status, _)| *status)
}

#[test]
fn contract_a_realm_that_is_switched_off_lets_nobody_in_by_anything() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let path = format!("/realm-configs/{}", new_realm(address, "partners", &["readonly"]));
    new_user_of(address, "partners", "alice", LONG, &[]);
    new_user(address, "alice", LONG, &["readonly"]);
    let ours = log_in(address, "alice", LONG);
    let body = json!({ "name": "k", "username": "alice", "realmName": "partners" }).to_string();
    let (status, made) = as_admin(address, "POST", "/api-keys", &body);
    assert_eq!(status, 201, "{made}");
    let partner = Partner {
        session: log_in_at(address, "partners", "alice", LONG),
        key: made["key"].as_str().unwrap().to_owned(),
    };
    assert_eq!(statuses(&partner.told(address)), [200, 200, 200, 201]);
    assert_eq!(enabled_realms(address), ["native", "partners"]);
    // What its users inherit is judged anew with each request.
    assert_eq!(as_admin(address, "PATCH", &path, r#"{"roleNames":[]}"#).0, 200);
    assert_eq!(statuses(&partner.told(address)), [403, 403, 403, 201]);
    assert_eq!(as_admin(address, "PATCH", &path, r#"{"roleNames":["readonly"]}"#).0, 200);
    let (status, off) = as_admin(address, "PATCH", &path, r#"{"enabled":false}"#);
    assert_eq!((status, &off["enabled"]), (200, &json!(false)), "{off}");
    let shut = [
        refused(401, "session-unknown"),
        refused(401, "unknown-realm"),
        refused(401, "invalid-token"),
        refused(401, "unknown-realm"),
    ];
    assert_eq!(partner.told(address), shut);
    assert_eq!(enabled_realms(address), ["native"]);
    assert_eq!(with_session(address, "GET", "/api/x", &ours).status, 200, "a namesake elsewhere");
    let ended = as_admin(address, "GET", "/sessions?state=ended&realm=partners", "").1;
    assert_eq!(ended.as_array().unwrap().len(), 3, "{ended}");
    assert!(ended.as_array().unwrap().iter().all(|one| one["endReason"] == "user_changed"), "{ended}");
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(partner.told(address), shut, "after a crash");
    // Switched on again, the sessions that it had do not come back; secrets that are still good count.
    assert_eq!(as_admin(address, "PATCH", &path, r#"{"enabled":true}"#).0, 200);
    assert_eq!(statuses(&partner.told(address)), [401, 200, 200, 201]);
    // The realm goes with its users, or not at all.
    let (status, told) = as_admin(address, "DELETE", &path, "");
    assert_eq!((status, told["message"].is_string()), (409, true), "{told}");
    assert_eq!(statuses(&partner.told(address)), [401, 200, 200, 201]);
    assert_eq!(as_admin(address, "DELETE", &format!("{path}?deleteUsers=true"), ""), (204, Value::Null));
    assert_eq!(partner.told(address), shut);
    assert_eq!(as_admin(address, "GET", "/users?realm=partners", ""), (200, json!([])));
    assert_eq!(as_admin(address, "GET", "/api-keys", ""), (200, json!([])));
    assert_eq!(as_admin(address, "GET", "/sessions?realm=partners", ""), (200, json!([])));
    // Another realm and user of the same names are others.
    new_realm(address, "partners", &["readonly"]);
    new_user_of(address, "partners", "alice", LONG, &[]);
    assert_eq!(statuses(&partner.told(address)), [401, 200, 401, 201]);
    assert_eq!(with_session(address, "GET", "/api/x", &ours).status, 200);
}

#[test]
fn native_is_switched_off_by_somebody_of_another_realm_only() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    new_realm(address, "staff", &["admin"]);
    new_user_of(address, "staff", "root", LONG, &[]);
    let native =
        as_admin(address, "GET", "/realm-configs?name=native", "").1[0]["id"].as_str().unwrap().to_owned();
    let session = log_in(address, "admin", PASSWORD);
    let switch = |enabled: bool| {
        let shown = basic("root", LONG);
        let target = format!("/api/realm-configs/{native}?realmName=staff");
        let body = json!({ "enabled": enabled }).to_string();
        ask(address, "PATCH", &target, &[("Authorization", &shown)], &body).status
    };
    assert_eq!(switch(false), 200);
    assert_eq!(enabled_realms(address), ["staff"]);
    assert_eq!(with_session(address, "GET", "/api/session", &session).status, 401);
    assert_eq!(as_admin(address, "GET", "/users", "").0, 401);
    assert_eq!(switch(true), 200);
    assert_eq!(as_admin(address, "GET", "/users", "").0, 200);
    assert_eq!(with_session(address, "GET", "/api/session", &session).status, 401);
}

#[test]
fn a_realm_of_the_settings_is_changed_there() {
    let settings = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n\
        [[realm]]\nname = \"staff\"\ntype = \"native\"\nroles = [\"readonly\"]\n";
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(settings).start();
    let address = gateway.address();
    let (status, found) = as_admin(address, "GET", "/realm-configs?name=staff", "");
    assert_eq!(
        (status, &found[0]["readOnly"], &found[0]["roleNames"]),
        (200, &json!(true), &json!(["readonly"]))
    );
    let path = format!("/realm-configs/{}", found[0]["id"].as_str().unwrap());
    assert_eq!(as_admin(address, "GET", &path, ""), (200, found[0].clone()));
    for (method, body) in [("PATCH", r#"{"enabled":false}"#), ("PUT", "{}"), ("DELETE", "")] {
        let (status, told) = as_admin(address, method, &path, body);
        assert_eq!(status, 409, "{method}: {told}");
        assert!(told["message"].as_str().unwrap().contains("settings file"), "{told}");
    }
    let taken = json!({ "name": "staff", "realmType": "native" }).to_string();
    assert_eq!(as_admin(address, "POST", "/realm-configs", &taken).0, 409);
    new_user_of(address, "staff", "bob", LONG, &[]);
    log_in_at(address, "staff", "bob", LONG);
}

#[test]
fn realms_from_the_command_line() {
    let gateway = gateway(&Recorder::start(), "");
    let run = |arguments: &[&str]| command(&gateway, arguments, &[("DOORWARD_NEW_PASSWORD", LONG)]);
    let made = run(&["realm", "create", "partners", "--role", "readonly"]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    assert!(made.stdout.contains("partners") && made.stdout.contains("readonly"), "{made:#?}");
    assert_eq!(run(&["realm", "create", "partners"]).code, Some(1));
    let wrong = run(&["realm", "create", "x", "--config", r#"{"host":"h"}"#]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("config.host: "), "{wrong:#?}");
    assert!(run(&["realm", "create", "x", "--config", "[]"]).stderr.contains("no JSON object"));
    assert_eq!(run(&["user", "create", "alice", "--realm", "partners"]).code, Some(0));
    let listed = run(&["realm", "list", "--type", "native", "--json"]);
    let names: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(names.as_array().unwrap().len(), 2);
    let shown = run(&["realm", "show", "partners"]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (Some(0), 2), "{shown:#?}");
    assert_eq!(run(&["realm", "show", "nowhere"]).code, Some(3));
    assert_eq!(run(&["realm", "set", "partners"]).code, Some(1));
    assert_eq!(run(&["realm", "set", "partners", "--disable", "--no-roles"]).code, Some(0));
    let shown: Value = serde_json::from_str(&run(&["realm", "show", "partners", "--json"]).stdout).unwrap();
    assert_eq!((&shown[0]["enabled"], &shown[0]["roleNames"]), (&json!(false), &json!([])));
    assert_eq!(run(&["realm", "set", "partners", "--enable"]).code, Some(0));
    let kept = run(&["realm", "delete", "partners"]);
    assert_eq!(kept.code, Some(1));
    assert!(kept.stderr.contains("has users"), "{kept:#?}");
    assert_eq!(run(&["realm", "delete", "partners", "--delete-users"]).code, Some(0));
    assert_eq!(run(&["realm", "delete", "partners"]).code, Some(3));
}
