//! Apps over the API (contract/fusion.md, "Users, realms, roles"). Logging in at one is in `sessions/apps.rs`.

use serde_json::{Value, json};
use testkit::Recorder;

use crate::common::{PASSWORD, as_admin, ask, basic, command, gateway};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap()).collect()
}

#[test]
fn contract_apps_are_made_read_changed_and_deleted() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let properties = json!({ "z": 1, "a": { "deep": [null, 1.5, "Ä"] } });
    let new = json!({ "name": "Ärzte & Co.", "description": "d", "properties": properties });
    let (status, made) = as_admin(address, "POST", "/apps", &new.to_string());
    assert_eq!(status, 201, "{made}");
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "name", "description", "properties", "createdAt", "updatedAt"]);
    assert_eq!((&made["id"], &made["name"]), (&json!("_rzte___Co_"), &json!("Ärzte & Co.")));
    assert_eq!((&made["description"], &made["properties"]), (&json!("d"), &properties));
    let given = json!({ "id": "Ärzte Co", "name": "Ärzte & Co." });
    let (status, other) = as_admin(address, "POST", "/apps", &given.to_string());
    assert_eq!((status, &other["id"], &other["properties"]), (201, &json!("Ärzte Co"), &json!({})));
    assert_eq!(as_admin(address, "POST", "/apps", &new.to_string()).0, 409);
    assert_eq!(as_admin(address, "POST", "/apps", r#"{"id":"only-an-id"}"#).1["name"], "only-an-id");
    assert_eq!(as_admin(address, "GET", "/apps/%C3%84rzte%20Co", ""), (200, other));
    // What was read can be sent back, changed; what is left out stays.
    let mut whole = made.clone();
    whole["properties"] = json!({ "b": 2 });
    let (status, put) = as_admin(address, "PUT", "/apps/_rzte___Co_", &whole.to_string());
    assert_eq!((status, &put["properties"], &put["description"]), (200, &json!({ "b": 2 }), &json!("d")));
    let (status, patched) =
        as_admin(address, "PATCH", "/apps/_rzte___Co_", r#"{"name":"n","description":""}"#);
    assert_eq!((status, &patched["name"], &patched["properties"]), (200, &json!("n"), &json!({ "b": 2 })));
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(as_admin(address, "GET", "/apps/_rzte___Co_", ""), (200, patched), "after a crash");
    // Versions, as of users and roles.
    let shown = basic("admin", PASSWORD);
    let admin = ("Authorization", shown.as_str());
    let tag = ask(address, "GET", "/api/apps/only-an-id", &[admin], "").header("etag").unwrap().to_owned();
    let with_tag = |method: &str, name: &str, body: &str| {
        ask(address, method, "/api/apps/only-an-id", &[admin, (name, &tag)], body).status
    };
    assert_eq!(with_tag("GET", "If-None-Match", ""), 304);
    assert_eq!(with_tag("PATCH", "If-Match", r#"{"name":"n"}"#), 200);
    assert_eq!(with_tag("PATCH", "If-Match", r#"{"name":"m"}"#), 412);
    assert_eq!(with_tag("DELETE", "If-Match", ""), 412);
    assert_eq!(as_admin(address, "DELETE", "/apps/only-an-id", ""), (204, Value::Null));
    for method in ["GET", "DELETE"] {
        let gone = as_admin(address, method, "/apps/only-an-id", "");
        assert_eq!(gone, (404, json!({ "code": "not-found" })), "{method}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_wrong_apps_are_told_what_is_wrong() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let bad = [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "id": "", "name": "a" }), "id"),
        (json!({ "id": "a/b", "name": "a" }), "id"),
        (json!({ "id": "..", "name": "a" }), "id"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(129) }), "name"),
        (json!({ "name": "a", "description": "x".repeat(1_025) }), "description"),
        (json!({ "name": "a", "properties": [] }), "properties"),
        (json!({ "name": "a", "properties": { "a": "x".repeat(65_536) } }), "properties"),
        (json!({ "name": "a", "colour": "red" }), "body"),
    ];
    for (body, field) in bad {
        let (status, told) = as_admin(address, "POST", "/apps", &body.to_string());
        assert_eq!(
            (status, told["code"].as_str(), &told["field"]),
            (400, Some("bad-request"), &json!(field)),
            "{told}"
        );
    }
    assert_eq!(as_admin(address, "POST", "/apps", r#"{"name":"a@b","id":"a@b"}"#).0, 201);
    assert_eq!(as_admin(address, "PATCH", "/apps/a@b", r#"{"id":"c"}"#).0, 400);
    assert_eq!(as_admin(address, "PATCH", "/apps/a@b", r#"{"name":""}"#).0, 400);
    // Permissions are judged on the path as it is written, so that an app has one spelling there.
    for spelling in ["a%40b", "A@b", "a@b;x", "a@b%20"] {
        assert_eq!(as_admin(address, "GET", &format!("/apps/{spelling}"), "").0, 404, "{spelling}");
    }
    assert_eq!(as_admin(address, "GET", "/apps/%61@b", "").0, 200, "one normal form of the path");
}

#[test]
fn contract_apps_are_filtered_and_paged() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    for (id, name) in [("b c", "x"), ("Ä", "x"), ("a", "x"), ("d", "y")] {
        let body = json!({ "id": id, "name": name }).to_string();
        assert_eq!(as_admin(address, "POST", "/apps", &body).0, 201);
    }
    let list = |query: &str| as_admin(address, "GET", &format!("/apps{query}"), "");
    assert_eq!(ids(&list("").1), ["a", "b c", "d", "Ä"]);
    assert_eq!(ids(&list("?name=x").1), ["a", "b c", "Ä"]);
    assert_eq!(list("?name=z"), (200, json!([])));
    for wrong in ["?limit=0", "?after=a/b", "?name=a&name=b"] {
        assert_eq!(list(wrong).0, 400, "{wrong}");
    }
    let shown = basic("admin", PASSWORD);
    let (mut seen, mut target) = (Vec::new(), "/api/apps?limit=1&name=x".to_owned());
    loop {
        let page = ask(address, "GET", &target, &[("Authorization", &shown)], "");
        let list: Value = serde_json::from_slice(&page.body).unwrap();
        seen.extend(ids(&list).into_iter().map(str::to_owned));
        let Some(link) = page.header("link") else { break };
        target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(seen, ["a", "b c", "Ä"]);
}

#[test]
fn apps_from_the_command_line() {
    let gateway = gateway(&Recorder::start(), "");
    let run = |arguments: &[&str]| command(&gateway, arguments, &[]);
    let file = gateway.folder().join("properties.json");
    std::fs::write(&file, r#"{"team":"search"}"#).unwrap();
    let from_file = format!("@{}", file.display());
    let made = run(&["app", "create", "My shop", "--description", "d", "--properties", &from_file]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    assert!(made.stdout.contains("My_shop") && made.stdout.contains(r#"{"team":"search"}"#), "{made:#?}");
    assert_eq!(run(&["app", "create", "My shop"]).code, Some(1));
    assert_eq!(run(&["app", "create", "Ärzte", "--id", "Ärzte Co@x"]).code, Some(0));
    assert_eq!(run(&["app", "create", "x", "--properties", "{"]).code, Some(1));
    assert_eq!(run(&["app", "set", "Ärzte Co@x"]).code, Some(1));
    assert_eq!(run(&["app", "set", "Ärzte Co@x", "--name", "Doctors"]).code, Some(0));
    let listed: Value = serde_json::from_str(&run(&["app", "list", "--json"]).stdout).unwrap();
    assert_eq!(ids(&listed), ["My_shop", "Ärzte Co@x"]);
    assert_eq!(run(&["app", "list", "--name", "Doctors"]).stdout.lines().count(), 2);
    let shown: Value = serde_json::from_str(&run(&["app", "show", "Ärzte Co@x", "--json"]).stdout).unwrap();
    assert_eq!(shown[0]["name"], "Doctors");
    assert_eq!(run(&["app", "delete", "Ärzte Co@x"]).code, Some(0));
    assert_eq!(run(&["app", "show", "Ärzte Co@x"]).code, Some(3));
}
