//! The contract's row `POST /apps/APP/session`: a login as any other, whose session is listed under the app.

use serde_json::{Value, json};
use testkit::{Doorward, Recorder};

use super::{GOOD, assert_is_token, post};
use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, command, gateway, log_in, with_session,
};

/// Makes an app of this id.
fn new_app(address: std::net::SocketAddr, id: &str) {
    let body = json!({ "id": id }).to_string();
    assert_eq!(as_admin(address, "POST", "/apps", &body).0, 201, "{id}");
}

/// The apps of the sessions that `query` lists, in order; `-` for a session of none.
fn apps_listed(address: std::net::SocketAddr, query: &str) -> Vec<String> {
    let (status, told) = as_admin(address, "GET", &format!("/sessions{query}"), "");
    assert_eq!(status, 200, "{told}");
    let app = |session: &Value| session.get("app").map_or("-", |app| app.as_str().unwrap()).to_owned();
    let mut apps: Vec<_> = told.as_array().unwrap().iter().map(app).collect();
    apps.sort_unstable();
    apps
}

#[test]
fn contract_a_login_at_an_app_is_a_login_and_is_listed_under_the_app() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    for id in ["demo", "Ärzte Co", "other"] {
        new_app(address, id);
    }
    let answer = post(address, "/api/apps/demo/session?realmName=native", &[], GOOD);
    assert!(answer.head_text().starts_with("HTTP/1.1 201 Created\r\n"), "{}", answer.head_text());
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("0"), 0));
    let token = answer.set_cookie("id").unwrap().to_owned();
    assert_is_token(&token);
    // The cookie counts for the whole mount, not for the app's part of it.
    assert_eq!(answer.header("set-cookie").unwrap(), format!("id={token};HttpOnly;Path=/api;SameSite=Lax"));
    assert_eq!(with_session(address, "GET", "/api/session", &token).status, 200);
    let encoded = post(address, "/api/apps/%C3%84rzte%20Co/session", &[], GOOD);
    assert_eq!(encoded.status, 201);
    log_in(address, "admin", PASSWORD);
    assert_eq!(apps_listed(address, ""), ["-", "demo", "Ärzte Co"]);
    assert_eq!(apps_listed(address, "?app=demo"), ["demo"]);
    assert_eq!(apps_listed(address, "?app=%C3%84rzte%20Co&realm=native"), ["Ärzte Co"]);
    assert!(apps_listed(address, "?app=Demo").is_empty(), "apps are compared as written");
    assert!(apps_listed(address, "?app=").is_empty());
    assert_eq!(as_admin(address, "GET", "/sessions?app=a&app=b", "").0, 400);
    let listed = command(&gateway, &["session", "list", "--app", "demo"], &[]);
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    assert!(listed.stdout.contains("APP") && listed.stdout.contains("demo"), "{}", listed.stdout);
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
    // The live session that comes along ends with the login, wherever it was made.
    let again = post(address, "/api/apps/other/session", &[("Cookie", &format!("id={token}"))], GOOD);
    assert_eq!(again.status, 201);
    assert_refused(&with_session(address, "GET", "/api/session", &token), 401, "session-unknown", "replaced");
    assert_eq!(apps_listed(address, "?state=ended"), ["demo"]);
    gateway.kill();
    gateway.restart();
    assert_eq!(apps_listed(gateway.address(), ""), ["-", "other", "Ärzte Co"], "after a crash");
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_a_login_at_an_app_is_refused_as_any_other() {
    let gateway = gateway(&Recorder::start(), "[login]\nattempts_per_user = 1");
    let address = gateway.address();
    let long = "x".repeat(129);
    for app in [long.as_str(), "a;b", "a+b", "a%25b", "%20a", "a%20", "a%0Ab", "a%22b", "a&b"] {
        // A wrong password, so that an attempt would be counted, and the second one would be told.
        let wrong = r#"{"username":"admin","password":"wrong"}"#;
        let answer = post(address, &format!("/api/apps/{app}/session"), &[], wrong);
        assert_refused(&answer, 400, "bad-request", app);
    }
    let (name, most) = ("a.b_c-d@e", "x".repeat(128));
    new_app(address, "demo");
    for app in [name, most.as_str()] {
        // Who has the right password learns that there is no such app; it is no failed attempt, and makes no session.
        for _ in 0..3 {
            let answer = post(address, &format!("/api/apps/{app}/session"), &[], GOOD);
            assert_refused(&answer, 404, "not-found", app);
        }
        new_app(address, app);
        assert_eq!(post(address, &format!("/api/apps/{app}/session"), &[], GOOD).status, 201, "{app}");
    }
    let login = |target: &str, headers: &[(&str, &str)], body| post(address, target, headers, body);
    let target = "/api/apps/demo/session";
    assert_refused(&login(target, &[], "username=admin"), 400, "bad-request", "no JSON");
    let text = [("Content-Type", "text/plain")];
    assert_refused(&login(target, &text, GOOD), 415, "unsupported-media-type", "text/plain");
    let nowhere = format!("{target}?realmName=nowhere");
    assert_refused(&login(&nowhere, &[], GOOD), 401, "unknown-realm", "nowhere");
    let foreign = [("Sec-Fetch-Site", "cross-site")];
    assert_refused(&login(target, &foreign, GOOD), 403, "forbidden", "another site's page (case 35)");
    let wrong = r#"{"username":"admin","password":"wrong"}"#;
    assert_refused(&login(target, &[], wrong), 401, "invalid-credentials", "wrong password");
    assert_refused(&login("/api/session", &[], GOOD), 429, "too-many-attempts", "one count for both");
}

#[test]
fn contract_only_logins_are_ours_at_an_app_and_only_where_the_mount_says_so() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let answer = ask(gateway.address(), "GET", "/api/apps/demo/session", &[], "");
    assert_refused(&answer, 405, "method-not-allowed", "GET");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert!(backend.requests().is_empty());
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"http://{}\"\nown = [\"users\", \"apps\"]\n[[mount.route]]\npath = \"/**\"\npublic = true\n",
        backend.address()
    );
    let without =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let answer = post(without.address(), "/api/apps/demo/session", &[], GOOD);
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "the backend's");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn contract_no_session_is_made_for_an_app_that_is_not_there() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let cookie = format!("id={token}");
    let shown = [("Cookie", cookie.as_str())];
    let login = |app: &str, body: &str| post(address, &format!("/api/apps/{app}/session"), &shown, body);
    assert_refused(&login("demo", GOOD), 404, "not-found", "no such app");
    // Who does not have the password does not learn which apps there are.
    let wrong = r#"{"username":"admin","password":"wrong"}"#;
    assert_refused(&login("demo", wrong), 401, "invalid-credentials", "wrong password");
    assert_eq!(with_session(address, "GET", "/api/session", &token).status, 200, "it was not replaced");
    assert_eq!(apps_listed(address, ""), ["-"]);
    new_app(address, "demo");
    assert_refused(&login("Demo", GOOD), 404, "not-found", "apps are compared as written");
    let made = login("demo", GOOD);
    assert_eq!(made.status, 201);
    let token = made.set_cookie("id").unwrap();
    // An app that is deleted leaves its sessions alone: they live on, and are found and ended by its id.
    assert_eq!(as_admin(address, "DELETE", "/apps/demo", "").0, 204);
    assert_eq!(with_session(address, "GET", "/api/session", token).status, 200);
    assert_eq!(apps_listed(address, "?app=demo"), ["demo"]);
    assert_refused(&post(address, "/api/apps/demo/session", &[], GOOD), 404, "not-found", "deleted");
}

#[test]
fn an_app_need_not_be_there_where_the_backend_keeps_the_apps() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "own = [\"session\", \"sessions\"]");
    assert_eq!(post(gateway.address(), "/api/apps/demo/session", &[], GOOD).status, 201);
    assert_eq!(apps_listed(gateway.address(), ""), ["demo"]);
    assert_eq!(as_admin(gateway.address(), "GET", "/apps/demo", "").0, 200, "the backend's");
    assert_eq!(backend.requests().len(), 1);
}
