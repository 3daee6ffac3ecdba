//! `POST /explain`: what it says is what the gateway does, and why.

use serde_json::{Value, json};
use testkit::Recorder;

use crate::common::{as_admin, ask, basic, gateway, new_user};

const LONG: &str = "a good long password";

const ROUTES: &str =
    "[[mount.route]]\npath = \"/open/private/**\"\n[[mount.route]]\npath = \"/open/**\"\npublic = true\n";

fn explain(gateway: &testkit::Doorward, question: Value) -> (u16, Value) {
    as_admin(gateway.address(), "POST", "/explain", &question.to_string())
}

#[test]
fn contract_explain_says_what_the_gateway_does() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, ROUTES);
    let address = gateway.address();
    let role = json!({ "name": "desk", "permissions": ["GET:/collections/{id}:id=demo", "*:/reports/**:!/reports/secret"] });
    assert_eq!(as_admin(address, "POST", "/roles", &role.to_string()).0, 201);
    let id = new_user(address, "alice", LONG, &["desk"]);
    let own = json!({ "permissions": ["POST:/notes"] }).to_string();
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &own).0, 200);
    let key = json!({ "name": "k", "username": "alice", "permissions": ["GET:/collections/*"] });
    let (_, key) = as_admin(address, "POST", "/api-keys", &key.to_string());
    let (shown, text) = (basic("alice", LONG), key["key"].as_str().unwrap());
    for method in ["GET", "POST", "DELETE"] {
        for path in [
            "/collections/demo",
            "/collections/%64emo",
            "/collections/other",
            "/reports/a/b",
            "/reports/secret",
            "/notes",
            "/open/x",
            "/open/private/x",
            "/open/Private/x",
            "/users",
            "/session",
            "/nothing;x=y",
        ] {
            for key in [None, Some(&key["id"])] {
                let mut question = json!({ "username": "alice", "method": method, "path": path });
                if let Some(id) = key {
                    question["keyId"] = id.clone();
                }
                let (status, told) = explain(&gateway, question);
                assert_eq!(status, 200, "{method} {path}: {told}");
                let header =
                    if key.is_some() { ("X-Api-Key", text) } else { ("Authorization", shown.as_str()) };
                let answer = ask(address, method, &format!("/api{path}"), &[header], "");
                let may = !matches!(answer.status, 401 | 403 | 404 | 405);
                // What a password in a body decides is not the permissions' business.
                let is_login = path == "/session" && method == "POST";
                assert!(
                    told["allowed"] == json!(may) || is_login,
                    "{method} {path} {key:?}: {} {told}",
                    answer.status
                );
                assert_eq!(told["allowed"].as_bool(), Some(told["why"].is_null() && told["grant"].is_null()));
            }
        }
    }
}

#[test]
fn contract_explain_names_what_decides_and_what_is_missing() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, ROUTES);
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let about = |method: &str, path: &str| {
        let (status, told) = explain(&gateway, json!({ "userId": id, "method": method, "path": path }));
        assert_eq!(status, 200, "{told}");
        told
    };
    let told = about("GET", "/x");
    assert_eq!(told["decidedBy"]["source"], "role readonly");
    assert_eq!(
        told["user"],
        json!({ "id": id, "username": "alice", "realmName": "native", "enabled": true })
    );
    let told = about("POST", "/x%7Ey");
    assert_eq!(
        (&told["allowed"], &told["grant"], &told["decidedBy"]),
        (&json!(false), &json!("POST:/x~y"), &Value::Null)
    );
    assert_eq!(told["nearMisses"][0]["source"], "role readonly");
    assert_eq!(told["nearMisses"][0]["why"], json!(["does not grant POST"]));
    let by = |method: &str, path: &str| about(method, path)["decidedBy"].clone();
    assert_eq!(by("GET", "/open/x")["source"], "public");
    assert!(by("GET", "/open/x")["permission"].as_str().unwrap().ends_with(":/open/**"));
    assert_eq!(by("POST", "/session"), json!({ "source": "public", "permission": null }));
    assert_eq!(by("GET", "/session"), json!({ "source": "login", "permission": null }));
    assert!(about("PUT", "/session")["why"].as_str().unwrap().contains("GET, HEAD, POST, DELETE"));
    assert!(about("GET", "/users/a/b/c")["why"].as_str().unwrap().contains("nothing is there"));
    // A grant that was asked for, made.
    let grant = about("DELETE", "/x/y")["grant"].clone();
    let body = json!({ "permissions": [grant] }).to_string();
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &body).0, 200);
    assert_eq!(by("DELETE", "/x/y")["source"], "user");
    let off = json!({ "enabled": false }).to_string();
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &off).0, 200);
    let told = about("GET", "/x");
    assert_eq!(
        (&told["allowed"], &told["why"], &told["user"]["enabled"]),
        (&json!(false), &json!("the user is disabled"), &json!(false))
    );
    assert_eq!(about("GET", "/open/x")["allowed"], true, "nobody looks at credentials there");
}

#[test]
fn contract_wrong_questions_are_told_what_is_wrong() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &[]);
    let bob = new_user(address, "bob", LONG, &[]);
    let key = json!({ "name": "k", "userId": bob });
    let key = as_admin(address, "POST", "/api-keys", &key.to_string()).1["id"].clone();
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (question, status, field) in [
        (json!({ "userId": id, "method": "GET", "path": "/a/../b" }), 400, "path"),
        (json!({ "userId": id, "method": "GET", "path": "/a%2Fb" }), 400, "path"),
        (json!({ "userId": id, "method": "GET", "path": "a" }), 400, "path"),
        (json!({ "userId": id, "method": "GET" }), 400, "path"),
        (json!({ "userId": id, "path": "/a" }), 400, "method"),
        (json!({ "userId": id, "method": "FETCH", "path": "/a" }), 400, "method"),
        (json!({ "userId": "x", "method": "GET", "path": "/a" }), 400, "userId"),
        (json!({ "method": "GET", "path": "/a" }), 400, "userId"),
        (json!({ "userId": id, "username": "alice", "method": "GET", "path": "/a" }), 400, "username"),
        (json!({ "userId": id, "realmName": "native", "method": "GET", "path": "/a" }), 400, "realmName"),
        (json!({ "userId": id, "keyId": "x", "method": "GET", "path": "/a" }), 400, "keyId"),
        (json!({ "userId": id, "keyId": key, "method": "GET", "path": "/a" }), 400, "keyId"),
        (json!({ "userId": id, "method": "GET", "path": "/a", "more": 1 }), 400, "body"),
        (json!({ "userId": nobody, "method": "GET", "path": "/a" }), 404, ""),
        (json!({ "keyId": nobody, "method": "GET", "path": "/a" }), 404, ""),
        (json!({ "username": "alice", "realmName": "other", "method": "GET", "path": "/a" }), 404, ""),
        (json!({ "keyId": key, "method": "GET", "path": "/a" }), 200, ""),
    ] {
        let (seen, told) = explain(&gateway, question.clone());
        assert_eq!((seen, told["field"].as_str().unwrap_or("")), (status, field), "{question}: {told}");
    }
    let shown = basic("alice", LONG);
    let body = json!({ "userId": id, "method": "GET", "path": "/a" }).to_string();
    let asked = |headers: &[(&str, &str)]| ask(address, "POST", "/api/explain", headers, &body).status;
    assert_eq!((asked(&[("Authorization", &shown)]), asked(&[])), (403, 401));
}

/// The command, beside the server: the same verdicts, for a key and for doors that take no permission too.
#[test]
fn contract_the_command_explains_keys_and_doors() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, ROUTES);
    new_user(gateway.address(), "alice", LONG, &["readonly"]);
    let key = json!({ "name": "k", "username": "alice", "permissions": ["GET:/a"] });
    let key = as_admin(gateway.address(), "POST", "/api-keys", &key.to_string()).1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let settings = gateway.settings_file();
    let explain = |path: &str, more: &[&str]| {
        let settings = settings.to_str().unwrap();
        let mut arguments =
            vec!["explain", "-c", settings, "--user", "alice", "--method", "GET", "--path", path];
        arguments.extend_from_slice(more);
        testkit::process::run(crate::common::BINARY, &arguments, &[], "")
    };
    for (path, more, says) in [
        ("/api/a", &["--key", &key][..], "yes: alice of realm native may GET /a below /api, by GET"),
        ("/api/b", &[], "yes: alice of realm native may GET /b below /api, by GET"),
        (
            "/api/b",
            &["--key", &key],
            "the user may, but the API key was made for less\n  it would take GET:/b in a key",
        ),
        ("/api/open/x", &[], "yes: anybody may GET /open/x below /api, by the public route "),
        ("/api/open/Private/x", &[], "yes: alice of realm native may"),
        ("/api/session", &[], "it takes a login and no permission"),
        ("/api", &[], "it is open to everybody"),
        ("/api/users/a/b/c", &[], "nothing is there"),
    ] {
        let told = explain(path, more);
        assert!(told.code == Some(0) && told.stdout.contains(says), "{path}: {told:#?}");
    }
    assert_eq!(explain("/api/a", &["--key", "x"]).code, Some(3));
}
