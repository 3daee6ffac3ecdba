//! One's own sessions: seen by everybody who is known, ended by those who proved recently who they are (security.md row 14).
//! That a session of five minutes is no longer a proof is tested where time is in the hand (`api`).

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::raw::Answer;
use testkit::{Doorward, Recorder};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, basic, code, gateway, log_in, new_user, with_session,
};

const LONG: &str = "a good long password";

fn parsed(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn mine(address: SocketAddr, token: &str) -> Vec<Value> {
    parsed(&with_session(address, "GET", "/api/session/mine", token)).as_array().unwrap().clone()
}

/// The public id of the session that this token is for.
fn id_of(address: SocketAddr, token: &str) -> String {
    let own = mine(address, token).into_iter().find(|session| session["current"] == true);
    own.expect("the current session")["id"].as_str().unwrap().to_owned()
}

fn status(address: SocketAddr, token: &str) -> u16 {
    with_session(address, "GET", "/api/session", token).status
}

#[test]
fn asvs_14_everybody_sees_his_own_sessions_and_no_token() {
    let backend = Recorder::start();
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{0}\"\n[[mount]]\npath = \"/old\"\nupstream = \"{0}\"\n",
        backend.url()
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let address = gateway.address();
    new_user(address, "alice", LONG, &[]);
    let body = json!({ "username": "alice", "password": LONG }).to_string();
    let old = ask(address, "POST", "/old/session", &[], &body).set_cookie("id").unwrap().to_owned();
    let tokens = [log_in(address, "alice", LONG), log_in(address, "alice", LONG), old];
    log_in(address, "admin", PASSWORD);
    let sessions = mine(address, &tokens[0]);
    assert_eq!(sessions.len(), 3);
    let mounts: Vec<_> = sessions.iter().filter(|session| session["mount"] == "/old").collect();
    assert_eq!(mounts.len(), 1, "wherever they count");
    assert!(sessions.iter().all(|session| session["username"] == "alice"), "{sessions:?}");
    let current = |sessions: &[Value]| sessions.iter().filter(|session| session["current"] == true).count();
    assert_eq!(current(&sessions), 1);
    assert_ne!(id_of(address, &tokens[0]), id_of(address, &tokens[1]));
    for token in &tokens {
        assert!(!json!(sessions).to_string().contains(token));
    }
    // Who shows a password has no session that could be the current one.
    let shown = basic("alice", LONG);
    let by_password = ask(address, "GET", "/api/session/mine", &[("Authorization", &shown)], "");
    let sessions = parsed(&by_password).as_array().unwrap().clone();
    assert_eq!((sessions.len(), current(&sessions)), (3, 0));
    // An administrator's list says nothing of who asks.
    let (_, all) = as_admin(address, "GET", "/sessions", "");
    assert!(all.as_array().unwrap().iter().all(|session| session.get("current").is_none()));
    let first = with_session(address, "GET", "/api/session/mine?limit=2", &tokens[0]);
    assert!(first.header("link").unwrap().starts_with("</api/session/mine?limit=2&after="));
    assert_eq!(parsed(&first).as_array().unwrap().len(), 2);
    let head = with_session(address, "HEAD", "/api/session/mine", &tokens[0]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for (method, path) in
        [("GET", "/session/mine"), ("DELETE", "/session/mine"), ("DELETE", "/session/mine/x")]
    {
        let refused = ask(address, method, &format!("/api{path}"), &[], "");
        assert_refused(&refused, 401, "unauthorized", path);
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn asvs_14_one_of_ones_own_ends_or_all_others() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    new_user(address, "alice", LONG, &["readonly"]);
    let tokens = [(); 4].map(|()| log_in(address, "alice", LONG));
    let admin = log_in(address, "admin", PASSWORD);
    let (this, other) = (&tokens[0], &tokens[1]);
    let end = |id: &str| with_session(address, "DELETE", &format!("/api/session/mine/{id}"), this);
    let others = id_of(address, other);
    for nothing in
        [id_of(address, &admin), others.to_uppercase(), "x".to_owned(), other.clone(), String::new()]
    {
        assert_refused(&end(&nothing), 404, "not-found", &nothing);
    }
    let foreign = [("Cookie", format!("id={this}")), ("Sec-Fetch-Site", "cross-site".to_owned())];
    let foreign = foreign.each_ref().map(|(name, value)| (*name, value.as_str()));
    for target in ["/api/session/mine".to_owned(), format!("/api/session/mine/{others}")] {
        assert_refused(&ask(address, "DELETE", &target, &foreign, ""), 403, "forbidden", &target);
    }
    assert_eq!((status(address, other), status(address, &admin)), (200, 200));
    let ended = end(&others);
    assert_eq!((ended.status, ended.header("set-cookie")), (204, None));
    assert_eq!(code(&with_session(address, "GET", "/api/x", other)), "session-unknown");
    assert_refused(&end(&others), 404, "not-found", "it has ended");
    let all = with_session(address, "DELETE", "/api/session/mine", this);
    assert_eq!((all.status, all.body_text()), (200, r#"{"ended":2}"#));
    let live = |address| {
        [&tokens[0], &tokens[1], &tokens[2], &tokens[3], &admin].map(|token| status(address, token))
    };
    assert_eq!(live(address), [200, 401, 401, 401, 200]);
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(live(address), [200, 401, 401, 401, 200], "after a crash");
    // The one that asks ends as at a logout: its cookie goes too.
    let own = id_of(address, this);
    let ended = with_session(address, "DELETE", &format!("/api/session/mine/{own}"), this);
    assert_eq!(ended.status, 204);
    assert!(
        ended.header("set-cookie").unwrap().starts_with("id=;HttpOnly;Path=/api;"),
        "{}",
        ended.head_text()
    );
    assert_eq!(status(address, this), 401);
    let (_, over) = as_admin(address, "GET", "/sessions?state=ended", "");
    assert!(over.as_array().unwrap().iter().all(|session| session["endReason"] == "revoked"), "{over}");
    assert!(backend.requests().iter().all(|request| !request.target.contains("mine")));
}

/// A key that somebody found ends nobody's sessions: it is no proof of who shows it.
#[test]
fn asvs_14_without_a_recent_proof_it_takes_the_password() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    new_user(address, "alice", LONG, &["readonly"]);
    let shown = basic("alice", LONG);
    let made = ask(
        address,
        "POST",
        "/api/api-keys",
        &[("Authorization", &basic("admin", PASSWORD))],
        r#"{"name":"k","username":"alice"}"#,
    );
    let key: Value = serde_json::from_slice(&made.body).unwrap();
    let key = key["key"].as_str().unwrap_or_else(|| panic!("{}", made.body_text())).to_owned();
    let token = log_in(address, "alice", LONG);
    let one = format!("/session/mine/{}", id_of(address, &token));
    let end =
        |path: &str, body: &str| ask(address, "DELETE", &format!("/api{path}"), &[("x-api-key", &key)], body);
    for path in ["/session/mine", &one] {
        for none in ["", "{}", r#"{"currentPassword":null}"#] {
            assert_refused(&end(path, none), 403, "reauthentication-required", none);
        }
        for (body, field) in [
            (r#"{"currentPassword":"wrong"}"#, "currentPassword"),
            (r#"{"currentPassword":""}"#, "currentPassword"),
            (r#"{"password":"a good long password"}"#, "body"),
            (r#"{"currentPassword":7}"#, "body"),
        ] {
            let told: Value = serde_json::from_slice(&end(path, body).body).unwrap();
            assert_eq!(
                (told["code"].as_str(), told["field"].as_str()),
                (Some("bad-request"), Some(field)),
                "{body}"
            );
        }
        let headers = [("x-api-key", key.as_str()), ("Content-Type", "text/plain")];
        let proof = json!({ "currentPassword": LONG }).to_string();
        let answer = ask(address, "DELETE", &format!("/api{path}"), &headers, &proof);
        assert_refused(&answer, 415, "unsupported-media-type", path);
    }
    assert_eq!(status(address, &token), 200);
    let proof = json!({ "currentPassword": LONG }).to_string();
    assert_eq!(end(&one, &proof).status, 204);
    assert_eq!(status(address, &token), 401);
    let token = log_in(address, "alice", LONG);
    assert_eq!(end("/session/mine", &proof).body_text(), r#"{"ended":1}"#);
    assert_eq!(status(address, &token), 401);
    // A password on the request is one.
    let token = log_in(address, "alice", LONG);
    let answer = ask(address, "DELETE", "/api/session/mine", &[("Authorization", &shown)], "");
    assert_eq!((answer.status, answer.body_text()), (200, r#"{"ended":1}"#));
    assert_eq!(status(address, &token), 401);
}

/// Row 50: whoever guesses at the present password is stopped as at a login.
#[test]
fn asvs_14_wrong_passwords_are_counted_as_at_a_login() {
    let gateway = gateway(&Recorder::start(), "[login]\nattempts_per_user = 2");
    let address = gateway.address();
    new_user(address, "alice", LONG, &["readonly"]);
    let made = as_admin(address, "POST", "/api-keys", r#"{"name":"k","username":"alice"}"#).1;
    let key = made["key"].as_str().unwrap_or_else(|| panic!("{made}"));
    let end = |password: &str| {
        let proof = json!({ "currentPassword": password }).to_string();
        code(&ask(address, "DELETE", "/api/session/mine", &[("x-api-key", key)], &proof))
    };
    assert_eq!([end("wrong"), end("wrong too")], ["bad-request", "bad-request"]);
    assert_eq!(end(LONG), "too-many-attempts", "also with the right one");
}
