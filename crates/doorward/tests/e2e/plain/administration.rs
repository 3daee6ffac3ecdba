//! The administration at `/.doorward`: the operations of the Sessions API, with problems as problem details.

use testkit::{Doorward, Recorder};

use super::{
    House, LONG, SESSION, assert_problem, assert_unauthorized, cookie, credentials, json, mount, start,
};
use crate::common::{BINARY, PASSWORD, ask, basic};

/// What the administration has, each with something to read.
const LISTS: [&str; 7] = ["users", "roles", "realm-configs", "apps", "api-keys", "sessions", "audit"];

#[test]
fn contract_every_operation_is_there_in_its_plain_form() {
    let house = House::new();
    for list in LISTS {
        let (status, told) = house.admin("GET", &format!("/{list}?limit=1"), "");
        assert_eq!((status, told.is_array()), (200, true), "{list}: {told}");
        let answer = house.ask("GET", &format!("/.doorward/{list}"), &[]);
        assert_unauthorized(&answer, "unauthorized", list);
        let token = house.log_in("ada");
        let answer = house.with_session("GET", &format!("/.doorward/{list}"), &token);
        if list != "apps" {
            assert_problem(&answer, 403, "Forbidden", "\"code\":\"forbidden\"", list);
        }
    }
    let question = serde_json::json!({ "username": "ada", "method": "GET", "path": "/x" }).to_string();
    let (status, told) = house.admin("POST", "/explain", &question);
    assert_eq!((status, told["allowed"].as_bool()), (200, Some(true)), "{told}");
    // The next page is where the first one was.
    let shown = basic("admin", PASSWORD);
    let page = house.ask("GET", "/.doorward/roles?limit=1", &[("Authorization", &shown)]);
    assert!(page.header("link").unwrap().starts_with("</.doorward/roles?limit=1&after="));
    // A session that is revoked counts no more.
    let token = house.log_in("ada");
    let id = json(&house.with_session("GET", SESSION, &token))["session"]["id"].as_str().unwrap().to_owned();
    assert_eq!(house.admin("DELETE", &format!("/sessions/{id}"), "").0, 204);
    assert_unauthorized(&house.with_session("GET", "/x", &token), "session-unknown", "revoked");
    assert!(house.backend.requests().is_empty());
}

#[test]
fn contract_own_says_which_are_there() {
    let house = House::new();
    let (status, _) = house.admin("POST", "/apps", "{\"name\":\"demo\"}");
    assert_eq!(status, 201);
    // A login at an app is no part of it: its cookie would be another dialect's.
    let body = credentials("ada", LONG).to_string();
    let answer = ask(house.address(), "POST", "/.doorward/apps/demo/session", &[], &body);
    assert_problem(&answer, 404, "Not Found", "\"code\":\"not-found\"", "an app");

    let backend = Recorder::start();
    let gateway = start(&format!("{}own = [\"session\"]\n", mount(&backend, "/")));
    let shown = basic("admin", PASSWORD);
    for list in LISTS {
        let answer =
            ask(gateway.address(), "GET", &format!("/.doorward/{list}"), &[("Authorization", &shown)], "");
        assert_problem(&answer, 404, "Not Found", "\"code\":\"not-found\"", list);
    }
    assert_eq!(ask(gateway.address(), "GET", SESSION, &[("Authorization", &shown)], "").status, 200);
}

#[test]
fn contract_with_a_listener_of_its_own_it_is_nowhere_else() {
    let backend = Recorder::start();
    let settings = format!("admin = \"127.0.0.1:0\"\n{}", mount(&backend, "/"));
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .listeners(2)
        .start();
    let [public, administration] = gateway.addresses()[..] else { panic!("two listeners") };
    let answer = ask(public, "POST", SESSION, &[], &credentials("admin", PASSWORD).to_string());
    let shown = cookie(answer.set_cookie("doorward").unwrap());
    let status = |address, target: &str| ask(address, "GET", target, &[("Cookie", &shown)], "").status;
    for list in LISTS {
        let target = format!("/.doorward/{list}");
        assert_eq!((status(public, &target), status(administration, &target)), (404, 200), "{list}");
    }
    assert_eq!((status(public, SESSION), status(administration, SESSION)), (200, 200));
    assert_eq!((status(public, "/x"), status(administration, "/x")), (200, 404));
}

#[test]
fn contract_the_first_start_is_there_too_and_tells_strangers_nothing() {
    let backend = Recorder::start();
    let gateway = Doorward::new(BINARY).settings(&mount(&backend, "/")).start();
    let address = gateway.address();
    let answer = ask(address, "GET", "/.doorward", &[], "");
    assert_problem(&answer, 405, "Method Not Allowed", "\"code\":\"method-not-allowed\"", "no status");
    let body = serde_json::json!({ "password": PASSWORD }).to_string();
    assert_eq!(ask(address, "POST", "/.doorward", &[], &body).status, 201);
    assert_eq!(ask(address, "POST", "/.doorward", &[], &body).status, 409);
    assert_eq!(ask(address, "POST", SESSION, &[], &credentials("admin", PASSWORD).to_string()).status, 201);
}
