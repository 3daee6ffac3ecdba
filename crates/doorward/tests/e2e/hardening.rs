//! What a hostile review of the built binary found, kept found: near misses of mounts and routes, other spellings of
//! ids, cookies without names, and what a changed user leaves behind.

use serde_json::json;
use testkit::backend::Recorder;
use testkit::process::Doorward;
use testkit::raw;
use testkit::reply::Reply;

use crate::common::{BINARY, PASSWORD, as_admin, ask, code, gateway, log_in, with_session};

fn start(settings: &str) -> Doorward {
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(settings).start()
}

/// Makes a user with these permissions of his own; gives the id.
fn user_with(gateway: &Doorward, name: &str, permissions: &[&str]) -> String {
    let body = json!({ "username": name, "password": PASSWORD, "permissions": permissions }).to_string();
    let (status, made) = as_admin(gateway.address(), "POST", "/users", &body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// Changes something as the holder of this session.
fn patch(gateway: &Doorward, token: &str, path: &str, body: &serde_json::Value) -> raw::Answer {
    let cookie = format!("id={token}");
    ask(gateway.address(), "PATCH", path, &[("Cookie", &cookie)], &body.to_string())
}

fn status(gateway: &Doorward, target: &str) -> u16 {
    raw::once(gateway.address(), raw::request("GET", target, &[], "")).status
}

#[test]
fn case_1_a_near_miss_of_a_mount_is_nobodys() {
    let backend = Recorder::start();
    let gateway = start(&format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"http://{0}\"\n\
         [[mount]]\npath = \"/\"\nupstream = \"http://{0}\"\n\
         [[mount.route]]\npath = \"/**\"\nmethods = [\"GET\"]\npublic = true\n",
        backend.address()
    ));
    assert_eq!(status(&gateway, "/page"), 200);
    assert_eq!(status(&gateway, "/api/secret"), 401);
    let before = backend.requests().len();
    for spelling in [
        "/api;a=b/secret",
        "/api%3Ba/secret",
        "/API/secret",
        "/api%20/secret",
        "/api./secret",
        "/.doorward;x/health",
        "/.Doorward/health",
    ] {
        assert_eq!(status(&gateway, spelling), 400, "{spelling}");
    }
    assert_eq!(backend.requests().len(), before);
    assert_eq!(status(&gateway, "/apix/page"), 200);
}

#[test]
fn case_5_a_route_put_first_keeps_out_in_every_spelling() {
    let backend = Recorder::start();
    let gateway = gateway(
        &backend,
        "[[mount.route]]\npath = \"/docs/private/**\"\n\
         [[mount.route]]\npath = \"/docs/report\"\npublic = false\n\
         [[mount.route]]\npath = \"/docs/**\"\nmethods = [\"GET\"]\npublic = true\n",
    );
    assert_eq!(status(&gateway, "/api/docs/page"), 200);
    let before = backend.requests().len();
    for spelling in [
        "/api/docs/private/x",
        "/api/docs/private;a=1/x",
        "/api/docs/private%3Ba/x",
        "/api/docs/Private/x",
        "/api/docs/private%20/x",
        "/api/docs/private./x",
        "/api/docs/report",
        "/api/docs/report/",
        "/api/docs/report;x",
        "/api/docs/REPORT",
        "/api/docs/report%20",
    ] {
        assert_eq!(status(&gateway, spelling), 401, "{spelling}");
    }
    assert_eq!(backend.requests().len(), before);
}

#[test]
fn case_1_another_spelling_of_an_id_names_nobody() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let boss = user_with(&gateway, "boss", &[]);
    user_with(&gateway, "helper", &[&format!("GET,PATCH,DELETE:/users/*:!/users/{boss}")]);
    let helper = log_in(gateway.address(), "helper", PASSWORD);
    let take_over = |id: &str| {
        let body = json!({ "password": "taken over by night" });
        patch(&gateway, &helper, &format!("/api/users/{id}"), &body).status
    };
    assert_eq!(take_over(&boss), 403);
    for spelling in [boss.replace('-', ""), format!("urn:uuid:{boss}"), boss.to_uppercase()] {
        assert!(matches!(take_over(&spelling), 403 | 404), "{spelling}");
    }
    log_in(gateway.address(), "boss", PASSWORD);
}

#[test]
fn case_31_the_backend_cannot_plant_a_cookie_like_ours() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    backend.script(|_| {
        Reply::raw(
            "HTTP/1.1 200 OK\r\nSet-Cookie: id=evil\r\nSet-Cookie: =id=evil\r\nSet-Cookie: \tid =evil\r\n\
             Set-Cookie: other=fine\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let answer = with_session(gateway.address(), "GET", "/api/x", &token);
    assert_eq!(answer.header_values("set-cookie"), ["other=fine"]);
}

#[test]
fn case_24_what_a_user_was_does_not_come_back() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let id = user_with(&gateway, "alice", &["GET:/**"]);
    let old = log_in(gateway.address(), "alice", PASSWORD);
    assert_eq!(with_session(gateway.address(), "GET", "/api/x", &old).status, 200);
    assert_eq!(as_admin(gateway.address(), "DELETE", &format!("/users/{id}"), "").0, 204);
    assert_eq!(user_with(&gateway, "alice", &["GET:/**"]), id);
    let answer = with_session(gateway.address(), "GET", "/api/x", &old);
    assert_eq!((answer.status, code(&answer).as_str()), (401, "session-unknown"));
}

#[test]
fn asvs_50_a_wrong_present_password_does_not_end_the_session() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let admin = log_in(gateway.address(), "admin", PASSWORD);
    let me = with_session(gateway.address(), "GET", "/api/session", &admin);
    let me: serde_json::Value = serde_json::from_slice(&me.body).unwrap();
    let path = format!("/api/users/{}", me["user"]["id"].as_str().unwrap());
    let change = |current: &str| {
        let body = json!({ "password": "another horse battery", "currentPassword": current });
        patch(&gateway, &admin, &path, &body)
    };
    let wrong = change("not the password");
    assert_eq!(wrong.status, 400, "{}", wrong.body_text());
    assert!(wrong.body_text().contains("currentPassword"));
    assert_eq!(change(PASSWORD).status, 200);
    assert_eq!(with_session(gateway.address(), "GET", "/api/session", &admin).status, 200);
}
