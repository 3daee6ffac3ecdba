//! Requests that are held back half way while something happens to the one who asks.

use serde_json::{Value, json};
use testkit::Recorder;
use testkit::process::Doorward;
use testkit::raw::{self, Answer, Raw};

use crate::common::{PASSWORD, as_admin, assert_refused, basic, gateway, log_in, new_user};

const HIS: &str = "a good long password";

/// A request whose last byte is still to come.
struct Held {
    client: Raw,
    last: u8,
}

impl Held {
    fn send(gateway: &Doorward, method: &str, path: &str, credential: (&str, &str), body: &str) -> Self {
        let headers = [("Content-Type", "application/json"), credential];
        let mut bytes = raw::request(method, &format!("/api{path}"), &headers, body);
        let last = bytes.pop().unwrap();
        let mut client = Raw::connect(gateway.address());
        client.send(bytes);
        // Its head was read and judged: what asks later on another connection is answered later.
        let _ = as_admin(gateway.address(), "GET", "/users", "");
        Self { client, last }
    }

    fn finish(mut self) -> Answer {
        self.client.send([self.last]);
        self.client.read_answer()
    }
}

fn users(gateway: &Doorward) -> Vec<String> {
    let (_, list) = as_admin(gateway.address(), "GET", "/users", "");
    list.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn case_24_who_holds_his_body_back_is_judged_as_he_is_once_it_came() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let ghost = json!({ "username": "ghost", "password": "quiet marmot sings 42", "roleNames": ["admin"] });
    for (name, change) in [
        ("disabled", Some(r#"{"enabled":false}"#)),
        ("demoted", Some(r#"{"roleNames":[]}"#)),
        ("deleted", None),
    ] {
        let id = new_user(address, name, HIS, &["admin"]);
        let cookie = format!("id={}", log_in(address, name, HIS));
        let authorization = basic(name, HIS);
        let made = raw::once(
            address,
            raw::request(
                "POST",
                "/api/api-keys",
                &[("Content-Type", "application/json"), ("Authorization", &authorization)],
                r#"{"name":"his"}"#,
            ),
        );
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let key = made["key"].as_str().unwrap();
        let credentials =
            [("Cookie", cookie.as_str()), ("Authorization", authorization.as_str()), ("x-api-key", key)];
        let held: Vec<Held> = credentials
            .iter()
            .map(|shown| Held::send(&gateway, "POST", "/users", *shown, &ghost.to_string()))
            .collect();
        let path = format!("/users/{id}");
        match change {
            Some(change) => assert_eq!(as_admin(address, "PATCH", &path, change).0, 200),
            None => assert_eq!(as_admin(address, "DELETE", &path, "").0, 204),
        }
        for held in held {
            let answer = held.finish();
            assert!(matches!(answer.status, 401 | 403), "{name}: {} {}", answer.status, answer.body_text());
        }
        assert!(!users(&gateway).contains(&"ghost".to_owned()), "{name}");
    }
}

#[test]
fn there_is_always_somebody_who_administers() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let (_, list) = as_admin(address, "GET", "/users?username=admin", "");
    let own = format!("/users/{}", list[0]["id"].as_str().unwrap());
    for change in [r#"{"enabled":false}"#, r#"{"roleNames":[]}"#, r#"{"roleNames":["readonly"]}"#] {
        let (status, told) = as_admin(address, "PATCH", &own, change);
        assert_eq!((status, told["code"].as_str()), (409, Some("conflict")), "{change}: {told}");
    }
    assert_eq!(as_admin(address, "DELETE", &own, "").0, 409);
    assert_eq!(as_admin(address, "GET", &own, "").0, 200, "he still may");
    // Two who delete each other at a time: one of them stays.
    let id = new_user(address, "other", HIS, &["admin"]);
    let by_admin = basic("admin", PASSWORD);
    let by_other = basic("other", HIS);
    let first =
        Held::send(&gateway, "DELETE", &format!("/users/{id}"), ("Authorization", &by_admin), r#"{"a":1}"#);
    let second = Held::send(&gateway, "DELETE", &own, ("Authorization", &by_other), r#"{"a":1}"#);
    assert_eq!(first.finish().status, 204);
    assert_refused(&second.finish(), 401, "invalid-credentials", "who was deleted deletes nobody");
    assert_eq!(users(&gateway), ["admin"]);
}
