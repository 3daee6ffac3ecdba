//! Bearer tokens at the root of the gateway: given for a password, shown on any request, told of to backends, taken back; and what
//! is no token of ours, however it is signed.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;
use testkit::PATIENCE;
use testkit::backend::Recorder;
use testkit::process::Doorward;
use testkit::raw::{Answer, Raw};

use crate::common::{
    PASSWORD, as_admin, ask, assert_refused, basic, code, create_user_with, gateway, log_in, new_user,
    with_session,
};

mod clients;
mod forged;
mod keys;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// What `POST /oauth2/token` answers to these credentials.
fn try_token(address: SocketAddr, user: &str, password: &str) -> Answer {
    ask(address, "POST", "/oauth2/token", &[("Authorization", &basic(user, password))], "")
}

/// A token of this user.
pub(crate) fn token(address: SocketAddr, user: &str, password: &str) -> String {
    let answer = try_token(address, user, password);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    json(&answer)["access_token"].as_str().unwrap().to_owned()
}

pub(crate) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A request that shows this token.
pub(crate) fn with_token(address: SocketAddr, method: &str, target: &str, token: &str) -> Answer {
    ask(address, method, target, &[("Authorization", &format!("Bearer {token}"))], "")
}

/// A form at one of the endpoints of tokens, with these credentials where there are any.
fn form(address: SocketAddr, path: &str, shown: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![FORM];
    headers.extend(shown.map(|shown| ("Authorization", shown)));
    ask(address, "POST", path, &headers, body)
}

fn introspected(address: SocketAddr, token: &str) -> Value {
    let answer =
        form(address, "/oauth2/introspect", Some(&basic("admin", PASSWORD)), &format!("token={token}"));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    json(&answer)
}

fn revoke(address: SocketAddr, token: &str) {
    let answer =
        form(address, "/oauth2/revoke", None, &format!("token={token}&token_type_hint=access_token"));
    assert_eq!((answer.status, &*answer.body), (200, &b""[..]));
}

/// A gateway in front of a backend.
fn house(more: &str) -> (Recorder, Doorward) {
    let backend = Recorder::start();
    let gateway = gateway(&backend, more);
    (backend, gateway)
}

#[test]
fn contract_a_token_is_given_for_basic_and_an_empty_body() {
    let (backend, gateway) = house("");
    let address = gateway.address();
    let answer = try_token(address, "admin", PASSWORD);
    let told = json(&answer);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((told["token_type"].as_str(), told["expires_in"].as_u64()), (Some("Bearer"), Some(8 * 3_600)));
    let token = told["access_token"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert_eq!(told.as_object().unwrap().len(), 3);
    let seen = with_token(address, "GET", "/api/collections", token);
    assert_eq!(seen.status, 200);
    let seen = backend.wait_for(1).remove(0);
    assert_eq!(seen.header("fusion-user-name"), Some("admin"));
    assert_eq!(seen.header("authorization"), None);
    for line in gateway.log_lines() {
        assert!(!line.contains(token), "{line}");
    }
    // As below the mount.
    let named = ask(
        address,
        "POST",
        "/oauth2/token?realmName=native",
        &[("Authorization", &basic("admin", PASSWORD)), FORM],
        "grant_type=client_credentials",
    );
    assert_eq!(named.status, 200);
    assert_ne!(json(&named)["access_token"].as_str(), Some(token));
}

#[test]
fn contract_whoever_has_no_password_gets_no_token() {
    let (backend, gateway) = house("");
    let address = gateway.address();
    let good = basic("admin", PASSWORD);
    let ask_for = |headers: &[(&str, &str)], body: &str| ask(address, "POST", "/oauth2/token", headers, body);
    assert_refused(&ask_for(&[], ""), 401, "unauthorized", "nothing");
    let session = format!("id={}", log_in(address, "admin", PASSWORD));
    assert_refused(&ask_for(&[("Cookie", &session)], ""), 401, "unauthorized", "a session");
    let token = format!("Bearer {}", token(address, "admin", PASSWORD));
    assert_refused(&ask_for(&[("Authorization", &token)], ""), 401, "unauthorized", "a token");
    for (user, password) in [("admin", "wrong"), ("nobody", PASSWORD), ("admin", "")] {
        let case = format!("{user}:{password}");
        assert_refused(&try_token(address, user, password), 401, "invalid-credentials", &case);
    }
    let odd = ask_for(&[("Authorization", "Basic ***")], "");
    assert_refused(&odd, 401, "invalid-credentials", "no base64");
    let two = ask_for(&[("Authorization", &good), ("Authorization", &good)], "");
    assert_refused(&two, 400, "bad-request", "two fields");
    let elsewhere = ask(address, "POST", "/oauth2/token?realmName=nowhere", &[("Authorization", &good)], "");
    assert_eq!((elsewhere.status, &*code(&elsewhere)), (401, "unknown-realm"));
    for body in ["grant_type=password&username=admin&password=x", "grant_type=refresh_token", "a=b"] {
        assert_refused(&ask_for(&[("Authorization", &good), FORM], body), 400, "bad-request", body);
    }
    let json = ask_for(&[("Authorization", &good)], "{\"grant_type\":\"client_credentials\"}");
    assert_refused(&json, 415, "unsupported-media-type", "JSON");
    let other_method = ask(address, "GET", "/oauth2/token", &[("Authorization", &good)], "");
    assert_eq!((other_method.status, other_method.header("allow")), (405, Some("POST")));
    for path in ["/oauth2", "/oauth2/", "/oauth2/authorize", "/oauth2/token/x"] {
        assert_eq!(ask(address, "POST", path, &[("Authorization", &good)], "").status, 404, "{path}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn whoever_shows_nothing_that_can_be_read_is_written_down() {
    let (_backend, gateway) = house("");
    let address = gateway.address();
    for fields in [&[][..], &[("Authorization", "Basic ***")]] {
        assert_eq!(ask(address, "POST", "/oauth2/token", fields, "").status, 401);
    }
    let (_, denied) = as_admin(address, "GET", "/audit?event=denied&order=asc", "");
    let reasons: Vec<_> = denied.as_array().unwrap().iter().map(|line| &line["fields"]["reason"]).collect();
    assert_eq!(reasons, ["no_credentials", "malformed_credentials"], "{denied}");
}

#[test]
fn who_guesses_is_throttled_as_at_a_login() {
    let backend = Recorder::start();
    let settings = format!(
        "[login]\nattempts_per_user = 3\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n",
        backend.url()
    );
    let gateway = Doorward::new(crate::common::BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .start();
    let statuses: Vec<_> = (0..4)
        .map(|number| try_token(gateway.address(), "admin", &format!("wrong {number}")).status)
        .collect();
    assert_eq!(statuses, [401, 401, 401, 429]);
    let right = try_token(gateway.address(), "admin", PASSWORD);
    assert_eq!((right.status, code(&right)), (429, "too-many-attempts".to_owned()));
    assert!(right.header("retry-after").is_some());
}

#[test]
fn case_26_a_token_of_one_kind_is_unknown_as_another() {
    let (backend, gateway) = house("");
    let address = gateway.address();
    let token = token(address, "admin", PASSWORD);
    let cookie = log_in(address, "admin", PASSWORD);
    assert_refused(&with_session(address, "GET", "/api/x", &token), 401, "session-unknown", "as a cookie");
    let as_bearer = with_token(address, "GET", "/api/x", &cookie);
    assert_refused(&as_bearer, 401, "invalid-token", "a cookie as a token");
    for header in ["x-api-key", "apiKey"] {
        let as_key = ask(address, "GET", "/api/x", &[(header, &token)], "");
        assert_refused(&as_key, 401, "invalid-token", "as a key");
    }
    let as_password = ask(address, "GET", "/api/x", &[("Authorization", &basic("admin", &token))], "");
    assert_refused(&as_password, 401, "invalid-credentials", "as a password");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_token_ends_with_its_session() {
    let (backend, gateway) = house("");
    let address = gateway.address();
    let id = new_user(address, "ada", "a long enough password", &["admin"]);
    let give = || token(address, "ada", "a long enough password");
    let is_refused = |token: &str, case: &str| {
        assert_refused(&with_token(address, "GET", "/api/x", token), 401, "invalid-token", case);
        assert_eq!(introspected(address, token), serde_json::json!({ "active": false }), "{case}");
    };

    let shown = give();
    let listed = as_admin(address, "GET", "/sessions?username=ada&realm=native&method=token", "").1;
    let session = listed[0]["id"].as_str().unwrap_or_else(|| panic!("{listed}"));
    let revoked = as_admin(address, "DELETE", &format!("/sessions/{session}"), "");
    assert_eq!(revoked.0, 204);
    is_refused(&shown, "its session was revoked");

    let shown = give();
    revoke(address, &shown);
    is_refused(&shown, "it was given back");
    revoke(address, &shown);
    revoke(address, "never-given");

    let shown = give();
    let body = "{\"password\":\"another long password\"}";
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), body).0, 200);
    is_refused(&shown, "the password was changed");

    let shown = token(address, "ada", "another long password");
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), "{\"enabled\":false}").0, 200);
    is_refused(&shown, "the user was switched off");

    assert!(backend.requests().is_empty());
}

#[test]
fn rfc_7662_backends_learn_what_a_token_is_worth() {
    let (_backend, gateway) = house("");
    let address = gateway.address();
    let token = token(address, "admin", PASSWORD);
    let told = introspected(address, &token);
    assert_eq!(told["active"], true);
    assert_eq!(
        (&told["token_type"], &told["username"], &told["realm"]),
        (&"Bearer".into(), &"admin".into(), &"native".into())
    );
    assert_eq!(told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(), 8 * 3_600);
    let me = json(&with_token(address, "GET", "/api/session?peek=true", &token));
    assert_eq!((&told["sub"], &told["sid"]), (&me["user"]["id"], &me["session"]["id"]));
    assert_eq!(me["session"]["method"], "token");

    let ask_as = |shown: Option<&str>, body: &str| form(address, "/oauth2/introspect", shown, body);
    let body = format!("token={token}");
    assert_refused(&ask_as(None, &body), 401, "unauthorized", "a stranger");
    create_user_with(&gateway, "backend", &["POST:/oauth2/introspect"]);
    create_user_with(&gateway, "below", &["POST:/introspect", "GET:/oauth2/introspect"]);
    let developer = "a developer's password";
    new_user(address, "dev", developer, &["developer"]);
    assert_refused(&ask_as(Some(&basic("below", PASSWORD)), &body), 403, "forbidden", "another path");
    assert_refused(&ask_as(Some(&basic("dev", developer)), &body), 403, "forbidden", "no administrator");
    let allowed = ask_as(Some(&basic("backend", PASSWORD)), &body);
    assert_eq!((allowed.status, json(&allowed)["active"].clone()), (200, true.into()));
    let own = ask_as(Some(&format!("Bearer {token}")), &body);
    assert_eq!(own.status, 200, "with a token of one's own");
    for body in ["", "token=", "token=a&token=b", "tok=a"] {
        assert_refused(&ask_as(Some(&basic("backend", PASSWORD)), body), 400, "bad-request", body);
    }
    let json = [("Authorization", &*basic("backend", PASSWORD)), ("Content-Type", "application/json")];
    assert_eq!(ask(address, "POST", "/oauth2/introspect", &json, &body).status, 415);
}

#[test]
fn being_told_of_is_no_activity() {
    let (_backend, gateway) = house("idle_timeout = \"2s\"");
    let address = gateway.address();
    let token = token(address, "admin", PASSWORD);
    // Asked all the time, it dies of idleness.
    let began = Instant::now();
    while introspected(address, &token)["active"] == true {
        assert!(began.elapsed() < PATIENCE, "it does not end");
    }
    assert_refused(&with_token(address, "GET", "/api/x", &token), 401, "invalid-token", "idle");
}

#[test]
fn every_key_counts_as_a_bearer_token_too() {
    let (backend, mut gateway) = house("");
    let address = gateway.address();
    let (status, made) =
        as_admin(address, "POST", "/api-keys", "{\"name\":\"ci\",\"permissions\":[\"GET:/jobs/**\"]}");
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    assert_eq!(with_token(address, "GET", "/api/jobs/7", key).status, 200);
    assert_eq!(code(&with_token(address, "POST", "/api/jobs/7", key)), "forbidden");
    assert_eq!(backend.wait_for(1).remove(0).header("authorization"), None);
    let used = as_admin(address, "GET", "/api-keys", "").1;
    assert_eq!(used[0]["lastUsedFrom"], "127.0.0.1");
    assert!(used[0]["lastUsedAt"].as_str() >= used[0]["createdAt"].as_str(), "{used}");
    assert_eq!(gateway.terminate().code, Some(0));
    gateway.restart();
    let address = gateway.address();
    let again = as_admin(address, "GET", "/api-keys", "").1;
    assert_eq!(
        (&again[0]["lastUsedAt"], &again[0]["lastUsedFrom"]),
        (&used[0]["lastUsedAt"], &"127.0.0.1".into())
    );
    let told = introspected(address, key);
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &"admin".into()));
    assert_eq!(told["permissions"], made["permissions"], "it is for less than its user may");
    assert_eq!((told.get("sid"), told.get("exp")), (None, None), "no session, no end");
    let until = "2099-01-31T00:00:00Z";
    let body = format!("{{\"name\":\"ends\",\"expiresAt\":\"{until}\"}}");
    let ends = as_admin(address, "POST", "/api-keys", &body).1;
    let told = introspected(address, ends["key"].as_str().unwrap());
    // Its end is kept in house time, which is the wall's from the start on.
    let exp = told["exp"].as_u64().unwrap();
    assert!((4_073_500_800 - 60..=4_073_500_800 + 60).contains(&exp), "{told}");
    assert_eq!(told.get("permissions"), None, "all that its user may");
    // A key is not given back here, and nobody learns whether it is one.
    let never_made = format!("dwk_{}", "0".repeat(64));
    let answers =
        [key, &never_made].map(|key| form(address, "/oauth2/revoke", None, &format!("token={key}")));
    for answer in &answers {
        assert_eq!((answer.status, answer.body_text()), (400, answers[0].body_text()));
        let told = json(answer);
        assert_eq!(
            (&told["error"], &told["code"]),
            (&"unsupported_token_type".into(), &"unsupported-token-type".into())
        );
    }
    assert_eq!(with_token(address, "GET", "/api/jobs/7", key).status, 200, "keys are taken back by their id");
    assert_eq!(
        as_admin(address, "DELETE", &format!("/api-keys/{}", made["id"].as_str().unwrap()), "").0,
        204
    );
    let gone = with_token(address, "GET", "/api/jobs/7", key);
    assert_refused(&gone, 401, "invalid-token", "a key that was taken back");
}

#[test]
fn a_token_survives_a_restart_and_many_requests() {
    let (_backend, mut gateway) = house("");
    let token = token(gateway.address(), "admin", PASSWORD);
    gateway.kill();
    gateway.restart();
    let mut client = Raw::connect(gateway.address());
    for _ in 0..20 {
        client.send(testkit::raw::request(
            "GET",
            "/api/x",
            &[("Authorization", &format!("bEARER {token}"))],
            "",
        ));
        assert_eq!(client.read_answer().status, 200);
    }
}

#[test]
fn what_the_settings_mount_there_counts() {
    let (backend, theirs) = (Recorder::start(), Recorder::start());
    let settings = format!(
        "[[mount]]\npath = \"/\"\nupstream = \"{}\"\n[[mount]]\npath = \"/oauth2\"\nupstream = \"{}\"\n",
        backend.url(),
        theirs.url()
    );
    let mut gateway = Doorward::new(crate::common::BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .start();
    assert_eq!(try_token(gateway.address(), "admin", PASSWORD).status, 200);
    assert_eq!(theirs.wait_for(1).remove(0).target, "/oauth2/token");
    // A mount that takes all is no such mount.
    gateway.write_settings(&settings[..settings.rfind("[[mount]]").unwrap()]);
    gateway.restart();
    let token = token(gateway.address(), "admin", PASSWORD);
    assert_eq!(with_token(gateway.address(), "GET", "/x", &token).status, 200);
    assert_eq!(backend.wait_for(1).remove(0).target, "/x");
}

#[test]
fn without_logins_of_ours_no_password_becomes_a_token() {
    let (backend, gateway) = house("own = [\"users\", \"api-keys\"]");
    let address = gateway.address();
    assert_eq!(code(&try_token(address, "admin", PASSWORD)), "not-found");
    assert_eq!(ask(address, "GET", "/oauth2/token", &[], "").status, 404, "nothing is there");
    assert_eq!(introspected(address, "x"), serde_json::json!({ "active": false }));
    revoke(address, "x");
    assert!(backend.requests().is_empty());
}

/// Row 109: a login that fails is in the audit log, whatever it fails of.
#[test]
fn who_shows_no_password_is_told_of() {
    let (_backend, gateway) = house("");
    let address = gateway.address();
    for password in ["", " ", "\u{a0}"] {
        assert_refused(&try_token(address, "ada", password), 401, "invalid-credentials", password);
    }
    let lines = as_admin(address, "GET", "/audit?event=login_failed&limit=10", "").1;
    let names = lines.as_array().unwrap().iter().map(|line| line["fields"]["user.name"].as_str());
    assert_eq!(names.collect::<Vec<_>>(), [Some("ada"); 3], "{lines}");
}

#[test]
fn with_a_listener_of_its_own_the_keys_are_administered_there() {
    let backend = Recorder::start();
    let settings =
        format!("admin = \"127.0.0.1:0\"\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url());
    let gateway = Doorward::new(crate::common::BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .listeners(2)
        .start();
    let admin = gateway.addresses()[1];
    let shown = basic("admin", PASSWORD);
    let shown = [("Authorization", &*shown)];
    assert_eq!(ask(gateway.address(), "GET", "/oauth2/keys", &shown, "").status, 404);
    assert_eq!(ask(admin, "GET", "/oauth2/keys", &shown, "").status, 200);
    let token = token(gateway.address(), "admin", PASSWORD);
    assert_eq!(introspected(gateway.address(), &token)["active"], true, "backends are no administrators");
}
