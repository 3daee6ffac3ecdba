//! The contract's part "Users, realms, roles" (`fusion.md`), as far as it is built: users, roles, sessions as a
//! resource, the two forms of a permission; and the committed picture of who may do what at our own endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use auth::permission::Method;
use dialects::{Fusion, Tokens};
use gateway::Door;
use serde_json::{Value, json};
use testkit::Recorder;

use crate::common::{PASSWORD, as_admin, ask, basic, code, gateway, log_in, new_user, with_session};

const LONG: &str = "a good long password";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let mut names: Vec<_> = list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn contract_users_are_made_read_changed_and_deleted() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let new = json!({
        "username": "Alice", "realmName": "native", "password": LONG, "passwordConfirm": LONG,
        "roleNames": ["search"], "permissions": ["GET:/x"],
    });
    let (status, mut made) = as_admin(address, "POST", "/users", &new.to_string());
    assert_eq!(status, 201, "{made}");
    // How strong the password is, for the person who chose it: in this answer only.
    let strength = made.as_object_mut().unwrap().remove("strength").unwrap();
    assert!(strength["score"].as_u64().is_some_and(|score| score >= 2), "{strength}");
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let all = [
        "id",
        "username",
        "realmName",
        "roleNames",
        "grantedRoleNames",
        "permissions",
        "attributes",
        "enabled",
        "lapsed",
        "createdAt",
        "updatedAt",
    ];
    assert_eq!(keys, all, "and never a password");
    assert_eq!((&made["username"], &made["enabled"]), (&json!("Alice"), &json!(true)));
    let id = made["id"].as_str().unwrap();
    let path = format!("/users/{id}");
    assert_eq!(as_admin(address, "GET", &path, ""), (200, made.clone()));
    log_in(address, "alice", LONG);
    // What was read can be sent back, changed; what is left out stays.
    let (status, changed) =
        as_admin(address, "PATCH", &path, r#"{"roleNames":["search","readonly","search"]}"#);
    assert_eq!((status, &changed["roleNames"]), (200, &json!(["search", "readonly"])));
    let mut whole = changed.clone();
    whole["enabled"] = json!(false);
    let (status, put) = as_admin(address, "PUT", &path, &whole.to_string());
    assert_eq!((status, &put["enabled"], &put["roleNames"]), (200, &json!(false), &changed["roleNames"]));
    assert_eq!(as_admin(address, "DELETE", &path, ""), (204, Value::Null));
    for method in ["GET", "DELETE"] {
        assert_eq!(as_admin(address, method, &path, ""), (404, json!({ "code": "not-found" })), "{method}");
    }
    // The same id, computed of realm and name, when he comes again (in any spelling).
    let again = json!({ "username": "alice", "password": LONG });
    assert_eq!(as_admin(address, "POST", "/users", &again.to_string()).1["id"], id);
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_wrong_users_are_told_what_is_wrong() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &[]);
    let bad = [
        (json!({ "password": LONG }), 400, "bad-request", ""),
        (json!({ "username": "bob", "pasword": LONG }), 400, "bad-request", ""),
        (json!({ "username": "", "password": LONG }), 400, "bad-request", "username"),
        (json!({ "username": "bob ", "password": LONG }), 400, "bad-request", "username"),
        (json!({ "username": "b:ob", "password": LONG }), 400, "bad-request", "username"),
        (json!({ "username": "b\nob", "password": LONG }), 400, "bad-request", "username"),
        (json!({ "username": "b\u{200b}ob", "password": LONG }), 400, "bad-request", "username"),
        (json!({ "username": "b".repeat(257), "password": LONG }), 400, "bad-request", "username"),
        (
            json!({ "username": "bob", "password": LONG, "passwordConfirm": "other" }),
            400,
            "bad-request",
            "passwordConfirm",
        ),
        (json!({ "username": "bob", "password": "short" }), 400, "invalid-password", "password"),
        (json!({ "username": "bob", "password": LONG, "realmName": "nowhere" }), 400, "bad-request", ""),
        (
            json!({ "username": "bob", "password": LONG, "roleNames": ["nobody"] }),
            400,
            "bad-request",
            "roleNames",
        ),
        (json!({ "username": "bob", "password": LONG, "permissions": ["GET"] }), 400, "bad-request", ""),
        (
            json!({ "username": "bob", "password": LONG, "permissions": [{ "methods": ["get"], "path": "/x" }] }),
            400,
            "bad-request",
            "",
        ),
        (json!({ "username": "alice", "password": LONG }), 409, "conflict", ""),
        (json!({ "username": "ALICE", "password": LONG }), 409, "conflict", ""),
        (json!({ "username": "\u{ff41}lice", "password": LONG }), 409, "conflict", ""),
    ];
    for (body, status, word, field) in bad {
        let (seen, told) = as_admin(address, "POST", "/users", &body.to_string());
        assert_eq!((seen, told["code"].as_str()), (status, Some(word)), "{body}: {told}");
        if !field.is_empty() {
            assert_eq!(told["field"], field, "{body}: {told}");
        }
        assert!(!told.to_string().contains(LONG), "a password is never repeated");
    }
    // Name and realm make the id, so they stay.
    for body in [
        r#"{"username":"bob"}"#,
        r#"{"realmName":"other"}"#,
        r#"{"id":"00000000-0000-4000-8000-000000000000"}"#,
    ] {
        assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), body).0, 400, "{body}");
    }
    assert_eq!(as_admin(address, "GET", "/users/no-uuid", "").0, 404);
    let admin = as_admin(address, "GET", "/users?username=admin", "").1[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{admin}"), "").0, 409, "nobody deletes himself");
}

#[test]
fn contract_lists_are_filtered_and_paged() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    for name in ["alice", "bob", "carol"] {
        new_user(address, name, LONG, &[]);
    }
    let list = |query: &str| as_admin(address, "GET", &format!("/users{query}"), "");
    assert_eq!(names(&list("").1, "username"), ["admin", "alice", "bob", "carol"]);
    assert_eq!(names(&list("?username=ALICE").1, "username"), ["alice"]);
    assert_eq!(names(&list("?realm=native&username=bob").1, "username"), ["bob"]);
    assert_eq!(list("?realm=nowhere"), (200, json!([])));
    assert_eq!(list("?username=nobody"), (200, json!([])));
    // `realmName` names the realm of the credentials, here as everywhere.
    assert_eq!(list("?realmName=native").1.as_array().unwrap().len(), 4);
    assert_eq!(list("?realmName=nowhere"), (401, json!({ "code": "unknown-realm" })));
    for wrong in [
        "?limit=0",
        "?limit=1001",
        "?limit=x",
        "?limit=1&limit=2",
        "?after=x",
        "?username=a&username=b",
        "?username=%ff",
    ] {
        let (status, told) = list(wrong);
        let field = wrong[1..].split('=').next();
        assert_eq!(
            (status, told["code"].as_str(), told["field"].as_str()),
            (400, Some("bad-request"), field)
        );
    }
    // Page by page, along the links.
    let shown = basic("admin", PASSWORD);
    let (mut seen, mut target) = (Vec::new(), "/api/users?limit=3&realm=native".to_owned());
    loop {
        let page = ask(address, "GET", &target, &[("Authorization", &shown)], "");
        let list: Value = serde_json::from_slice(&page.body).unwrap();
        seen.extend(
            list.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()),
        );
        let Some(link) = page.header("link") else { break };
        let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert!(next.starts_with("/api/users?realm=native&limit=3&after="), "{next}");
        target = next.to_owned();
    }
    seen.sort_unstable();
    assert_eq!(seen, ["admin", "alice", "bob", "carol"]);
    assert_eq!(
        names(&as_admin(address, "GET", "/roles", "").1, "name"),
        ["admin", "developer", "readonly", "search"]
    );
    assert_eq!(names(&as_admin(address, "GET", "/roles?name=search", "").1, "name"), ["search"]);
}

#[test]
fn contract_roles_and_the_two_forms_of_a_permission() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let object = json!({
        "methods": ["GET"], "path": "/query-pipelines/*/collections/{collection}/**", "params": { "collection": ["demo"] },
    });
    let role = json!({ "name": "demo", "desc": "d", "permissions": [object, "GET,POST:/collections/{id}:id=demo", "PATCH:/users/#ID"] });
    let (status, made) = as_admin(address, "POST", "/roles", &role.to_string());
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["permissions"][0], object);
    assert_eq!(
        made["permissions"][1],
        json!({ "methods": ["GET", "POST"], "path": "/collections/{id}", "params": { "id": ["demo"] } })
    );
    let id = made["id"].as_str().unwrap();
    let user = new_user(address, "alice", LONG, &["demo"]);
    let token = log_in(address, "alice", LONG);
    let may = |method: &str, path: &str| with_session(address, method, &format!("/api{path}"), &token).status;
    let judged = [
        ("GET", "/query-pipelines/p/collections/demo/select", 200),
        ("GET", "/query-pipelines/p/collections/demo/a/b/c", 200),
        ("GET", "/query-pipelines/p/collections/other/select", 403),
        ("POST", "/query-pipelines/p/collections/demo/select", 403),
        ("GET", "/query-pipelines/p/q/collections/demo/select", 403),
        ("GET", "/collections/demo", 200),
        ("HEAD", "/collections/demo", 200),
        ("POST", "/collections/demo", 200),
        ("DELETE", "/collections/demo", 403),
        ("GET", "/collections/demo/x", 403),
        ("GET", "/collections/Demo", 403),
        ("GET", "/collections", 403),
        // `*` and `**` never reach across our own door: what is ours asks for a permission of its own.
        ("GET", "/users", 403),
    ];
    for (method, path, status) in judged {
        assert_eq!(may(method, path), status, "{method} {path}");
    }
    // `#ID` is the caller's own id. An empty change of himself is one that he may make; one of another he may not.
    let patch = |id: &str| {
        let cookie = format!("id={token}");
        ask(address, "PATCH", &format!("/api/users/{id}"), &[("Cookie", &cookie)], "{}").status
    };
    assert_eq!((patch(&user), patch(NOBODY)), (200, 403));
    // A change of the role holds for the session that is there.
    assert_eq!(
        as_admin(address, "PATCH", &format!("/roles/{id}"), r#"{"permissions":["*:/collections/**"]}"#).0,
        200
    );
    assert_eq!(
        (may("DELETE", "/collections/demo"), may("GET", "/query-pipelines/p/collections/demo/select")),
        (200, 403)
    );
    // A user's own entry for the same pattern replaces those of his roles.
    let own = r#"{"permissions":["GET:/collections/**"]}"#;
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{user}"), own).0, 200);
    assert_eq!((may("GET", "/collections/demo"), may("DELETE", "/collections/demo")), (200, 403));
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{user}"), r#"{"permissions":[]}"#).0, 200);
    // Deleted, it is taken from everybody.
    assert_eq!(as_admin(address, "DELETE", &format!("/roles/{id}"), "").0, 204);
    assert_eq!((may("GET", "/collections/demo"), may("GET", "/session")), (403, 200));
    assert_eq!(as_admin(address, "GET", &format!("/users/{user}"), "").1["roleNames"], json!([]));
}

#[test]
fn contract_wrong_roles_are_told_what_is_wrong() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let bad = [
        (json!({}), 400),
        (json!({ "name": "" }), 400),
        (json!({ "name": "a/b" }), 400),
        (json!({ "name": "a", "permissions": ["GET"] }), 400),
        (json!({ "name": "a", "permissions": ["FETCH:/x"] }), 400),
        (json!({ "name": "a", "permissions": ["GET:x"] }), 400),
        (json!({ "name": "a", "permissions": ["GET:/a/../b"] }), 400),
        (json!({ "name": "a", "permissions": [{ "methods": ["GET"], "path": "/x", "more": 1 }] }), 400),
        (json!({ "name": "a", "colour": "red" }), 400),
        (json!({ "name": "search" }), 409),
    ];
    for (body, status) in bad {
        assert_eq!(as_admin(address, "POST", "/roles", &body.to_string()).0, status, "{body}");
    }
    let admin = as_admin(address, "GET", "/roles?name=admin", "").1[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(as_admin(address, "DELETE", &format!("/roles/{admin}"), "").0, 409);
    assert_eq!(as_admin(address, "PATCH", &format!("/roles/{admin}"), r#"{"permissions":[]}"#).0, 409);
    assert_eq!(as_admin(address, "GET", &format!("/roles/{NOBODY}"), "").0, 404);
}

#[test]
fn asvs_12_sessions_are_listed_without_tokens_and_ended_by_an_administrator() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let user = new_user(address, "alice", LONG, &["readonly"]);
    let tokens = [(); 3].map(|()| log_in(address, "alice", LONG));
    let root = log_in(address, "admin", PASSWORD);
    let list = |query: &str| as_admin(address, "GET", &format!("/sessions{query}"), "").1;
    let live = list("");
    assert_eq!(names(&live, "username"), ["admin", "alice", "alice", "alice"]);
    assert_eq!(list(&format!("?user={user}")).as_array().unwrap().len(), 3);
    assert!(
        !live.to_string().contains(&root) && tokens.iter().all(|token| !live.to_string().contains(token))
    );
    // Asvs 26, case 26: a public id is no token, and a token no id.
    let id = live.as_array().unwrap().iter().find(|one| one["username"] == "alice").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(with_session(address, "GET", "/api/session", &id).status, 401);
    assert_eq!(as_admin(address, "GET", &format!("/sessions/{root}"), "").0, 404);
    let (status, one) = as_admin(address, "GET", &format!("/sessions/{id}"), "");
    assert_eq!(
        (status, &one["userId"], &one["mount"], &one["method"]),
        (200, &json!(user), &json!("/api"), &json!("password"))
    );
    assert_eq!(one["address"], "127.0.0.1");
    let passing =
        || tokens.iter().filter(|token| with_session(address, "GET", "/api/x", token).status == 200).count();
    assert_eq!(passing(), 3);
    assert_eq!(as_admin(address, "DELETE", &format!("/sessions/{id}"), ""), (204, Value::Null));
    assert_eq!(passing(), 2);
    assert_eq!(as_admin(address, "DELETE", &format!("/sessions/{id}"), "").0, 404, "it has ended");
    let ended = list("?state=ended");
    assert_eq!((&ended[0]["id"], ended[0]["endReason"].as_str()), (&json!(id), Some("revoked")));
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{user}/sessions"), "").0, 204);
    assert_eq!(passing(), 0);
    for token in &tokens {
        assert_eq!(code(&with_session(address, "GET", "/api/x", token)), "session-unknown");
    }
    assert_eq!(list("?state=ended").as_array().unwrap().len(), 3);
    assert_eq!(names(&list(""), "username"), ["admin"]);
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{NOBODY}/sessions"), "").0, 404);
    assert_eq!(as_admin(address, "GET", "/sessions?state=x", "").0, 400);
    log_in(address, "alice", LONG);
}

/// ASVS 11 and 50: who changes his own password knows it; his other sessions end, this one stays.
#[test]
fn asvs_50_ones_own_password_takes_the_present_one() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let (this, other) = (log_in(address, "alice", LONG), log_in(address, "alice", LONG));
    let change = |body: Value| {
        let cookie = format!("id={this}");
        let answer =
            ask(address, "PATCH", &format!("/api/users/{id}"), &[("Cookie", &cookie)], &body.to_string());
        (answer.status, code(&answer))
    };
    let new = "another good password";
    assert_eq!(change(json!({ "password": new })), (400, "bad-request".to_owned()));
    assert_eq!(
        change(json!({ "password": new, "currentPassword": "wrong" })),
        (400, "bad-request".to_owned())
    );
    assert_eq!(
        change(json!({ "password": "short", "currentPassword": LONG })),
        (400, "invalid-password".to_owned())
    );
    for more in
        [json!({ "roleNames": ["admin"] }), json!({ "permissions": ["*:/**"] }), json!({ "enabled": true })]
    {
        assert_eq!(change(more.clone()), (403, "forbidden".to_owned()), "{more}");
    }
    let status = |token: &str| with_session(address, "GET", "/api/session", token).status;
    assert_eq!((status(&this), status(&other)), (200, 200));
    assert_eq!(change(json!({ "password": new, "currentPassword": LONG })).0, 200);
    assert_eq!((status(&this), status(&other)), (200, 401));
    log_in(address, "alice", new);
}

/// Who may do what at our own endpoints, asked of the binary, for every endpoint in the dialect's table (style.md
/// rule 12), as `permissions.txt` has it. A new endpoint changes the picture; so does a role that may more or less than before.
#[test]
fn asvs_71_the_picture_of_permissions() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "[login]\nattempts_per_address = 1000");
    let address = gateway.address();
    let actors = ["stranger", "no role", "readonly", "search", "developer", "admin"];
    let people: Vec<(&str, String, String)> = actors[1..]
        .iter()
        .map(|role| {
            let name = format!("the-{}", role.replace(' ', "-"));
            let roles: &[&str] = if *role == "no role" { &[] } else { &[role] };
            (*role, new_user(address, &name, LONG, roles), basic(&name, LONG))
        })
        .collect();
    let mut rows = Vec::new();
    let mut paths: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
    for endpoint in Fusion::endpoints() {
        paths.entry(endpoint.path).or_default().push(endpoint.method);
        let (first, rest) = endpoint.path.split_once('/').unwrap_or((endpoint.path, ""));
        let own_too = first == "users" && !rest.is_empty();
        for own in [false, true].into_iter().filter(|own| !own || own_too) {
            let verdicts: Vec<_> = actors
                .iter()
                .map(|actor| {
                    let person = people.iter().find(|(role, ..)| role == actor);
                    let id = person.filter(|_| own).map_or(NOBODY, |(_, id, _)| id.as_str());
                    let target = format!("/api/{}", endpoint.path.replace("ID", id));
                    verdict(
                        address,
                        endpoint.method,
                        target.trim_end_matches('/'),
                        person.map(|(_, _, shown)| shown.as_str()),
                    )
                })
                .collect();
            let open = verdicts[0] == "yes";
            assert_eq!(open, endpoint.door == Door::Public, "{endpoint:?}");
            let path = format!("/{}", endpoint.path.replacen("ID", if own { "{own id}" } else { "{id}" }, 1));
            let seen = if open { "public".to_owned() } else { columns(&actors, &verdicts) };
            rows.push(
                format!("{:<23} {:<6} {path:<26} {seen}", endpoint.operation, endpoint.method.as_str())
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    let shown: Vec<_> =
        actors.iter().map(|actor| people.iter().find(|(role, ..)| role == actor).map(|p| &*p.2)).collect();
    rows.extend(Tokens::endpoints().map(|endpoint| {
        let ask =
            |shown: &Option<&str>| verdict(address, endpoint.method, &format!("/{}", endpoint.path), *shown);
        let seen = match endpoint.door {
            Door::Public => "public".to_owned(),
            _ => columns(&actors, &shown.iter().map(ask).collect::<Vec<_>>()),
        };
        // Two slashes: not below the mount.
        let path = format!("//{}", endpoint.path.replace("ID", "{id}"));
        let row = format!("{:<23} {:<6} {path:<26} {seen}", endpoint.operation, endpoint.method.as_str());
        row.trim_end().to_owned()
    }));
    let heading = format!("{:<23} {:<6} {:<26} {}", "operation", "method", "path", actors.join("  "));
    let picture = format!("{heading}\n{}\n", rows.join("\n"));
    assert!(
        picture == include_str!("permissions.txt"),
        "the picture has changed; if it should have, this is the new tests/e2e/permissions.txt:\n{picture}"
    );
    assert_other_methods_are_refused(address, &paths);
    assert!(backend.requests().is_empty());
}

/// Each cell below its heading.
fn columns(headings: &[&str], cells: &[&str]) -> String {
    let padded =
        headings.iter().zip(cells).map(|(heading, cell)| format!("{cell:<width$}", width = heading.len()));
    padded.collect::<Vec<_>>().join("  ")
}

/// What the binary says to this caller: `login` (401), `no` (403), or `yes`, whatever it then says about the request.
fn verdict(address: SocketAddr, method: Method, target: &str, shown: Option<&str>) -> &'static str {
    let headers: Vec<_> = shown.iter().map(|shown| ("Authorization", *shown)).collect();
    // Without a body, nothing that is allowed is done.
    let answer = ask(address, method.as_str(), target, &headers, "");
    match answer.status {
        401 if shown.is_none() => "login",
        403 => "no",
        200 | 204 | 400 | 404 | 409 | 415 => "yes",
        other => panic!("{method} {target}: {other}"),
    }
}

fn assert_other_methods_are_refused(address: SocketAddr, paths: &BTreeMap<&str, Vec<Method>>) {
    let shown = basic("admin", PASSWORD);
    for (path, methods) in paths {
        let target = format!("/api/{}", path.replace("ID", NOBODY));
        let allow: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
        for other in Method::ALL.into_iter().filter(|method| !methods.contains(method)) {
            let answer =
                ask(address, other.as_str(), target.trim_end_matches('/'), &[("Authorization", &shown)], "");
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow.join(", ").as_str())),
                "{other} {target}"
            );
        }
    }
    // Below our own first segments there is nothing else, and strangers do not learn that.
    for nothing in [
        "/api/session/mine/x/y",
        "/api/session/other",
        "/api/users/a/b",
        "/api/roles/a/b",
        "/api/realm-configs/a/b",
        "/api/apps/x/y",
        "/api/api-keys/a/b",
        "/api/audit/x",
        "/api/explain/x",
    ] {
        assert_eq!(ask(address, "GET", nothing, &[], "").status, 401, "{nothing}");
        assert_eq!(ask(address, "GET", nothing, &[("Authorization", &shown)], "").status, 404, "{nothing}");
    }
}
