//! The dialect `plain` (contract/config.md, Settings) from the outside: sessions at `/.doorward/session`, the cookie over TLS and
//! not, what the backend gets, problems as problem details, the administration. `House` is what all of them stand on.

mod administration;
mod sessions;
mod settings;
mod tls;
mod together;

use std::net::SocketAddr;

use serde_json::Value;
use testkit::raw::{self, Answer};
use testkit::{Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, ask, basic};

/// Everybody's password but `admin`'s.
const LONG: &str = "a good long password";
/// Where one logs in.
const SESSION: &str = "/.doorward/session";

/// A gateway whose one mount, `/`, speaks `plain`, with a user `ada` who may everything behind it.
struct House {
    backend: Recorder,
    gateway: Doorward,
}

impl House {
    /// With the defaults.
    fn new() -> Self {
        Self::with("", "")
    }

    /// `more` is added to the mount, `top` to the top of the file.
    fn with(more: &str, top: &str) -> Self {
        let backend = Recorder::start();
        let settings = format!("{top}\n{}{more}\n", mount(&backend, "/"));
        let gateway = start(&settings);
        let house = Self { backend, gateway };
        let _id = house.new_user("ada", &["developer"]);
        house
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Makes a user; gives the id.
    fn new_user(&self, name: &str, roles: &[&str]) -> String {
        let body = serde_json::json!({ "username": name, "password": LONG, "roleNames": roles });
        let (status, made) = self.admin("POST", "/users", &body.to_string());
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// A request of the administrator's below `/.doorward`, by Basic.
    fn admin(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let shown = basic("admin", PASSWORD);
        let target = format!("/.doorward{path}");
        let answer = ask(self.address(), method, &target, &[("Authorization", &shown)], body);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.address(), method, target, headers, "")
    }

    /// Tries to log in with this body.
    fn try_log_in(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        ask(self.address(), "POST", SESSION, headers, &body.to_string())
    }

    /// Logs in and gives the token.
    fn log_in(&self, name: &str) -> String {
        let answer = self.try_log_in(&credentials(name, LONG), &[]);
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        answer.set_cookie("doorward").expect("a session cookie").to_owned()
    }

    /// A request with a session.
    fn with_session(&self, method: &str, target: &str, token: &str) -> Answer {
        self.ask(method, target, &[("Cookie", &cookie(token))])
    }
}

fn start(settings: &str) -> Doorward {
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(settings).start()
}

fn mount(backend: &Recorder, path: &str) -> String {
    format!("[[mount]]\npath = \"{path}\"\ndialect = \"plain\"\nupstream = \"{}\"\n", backend.url())
}

fn credentials(name: &str, password: &str) -> Value {
    serde_json::json!({ "username": name, "password": password })
}

fn cookie(token: &str) -> String {
    format!("doorward={token}")
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.body_text()))
}

/// Asserts a problem: the very bytes, the media type, and on a 401 exactly one challenge.
fn assert_problem(answer: &Answer, status: u16, title: &str, rest: &str, case: &str) {
    let seen = format!("{case}: {}{}", answer.head_text(), answer.body_text());
    let expected = format!("{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},{rest}}}");
    assert_eq!(answer.status, status, "{seen}");
    assert_eq!(answer.body_text(), expected, "{seen}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{seen}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{seen}");
    assert_eq!(answer.header("set-cookie"), None, "{seen}");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge.is_some(), status == 401, "{seen}");
    assert!(challenge.is_none_or(|challenge| challenge.starts_with("Bearer realm=\"doorward\"")), "{seen}");
}

/// A 401 with this code and no sentence.
fn assert_unauthorized(answer: &Answer, code: &str, case: &str) {
    assert_problem(answer, 401, "Unauthorized", &format!("\"code\":\"{code}\""), case);
}

#[test]
fn contract_everything_below_the_mount_is_the_backends() {
    let house = House::new();
    let token = house.log_in("ada");
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/session"),
        ("DELETE", "/session"),
        ("POST", "/apps"),
        ("GET", "/x?realmName=a&apiKey=b"),
    ] {
        let answer = house.with_session(method, target, &token);
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.body_text());
        let seen = house.backend.wait_for(1).remove(0);
        assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, target));
        house.backend.forget();
    }
    assert_eq!(house.with_session("GET", SESSION, &token).status, 200, "no DELETE of the backend's ended it");
    assert_unauthorized(&house.ask("GET", "/session", &[]), "unauthorized", "without a login");
    assert!(house.backend.requests().is_empty());
}

#[test]
fn contract_the_backend_is_told_who_it_is_and_sees_no_credential() {
    let house = House::new();
    let id = house.new_user("Zoë Weiß", &["developer"]);
    let token = house.log_in("Zoë Weiß");
    let forged = [
        "X-Forwarded-User",
        "x_forwarded_user_id",
        "X.Forwarded.Realm",
        "X-Forwarded-User-Id",
        "X-FORWARDED-REALM",
    ];
    let jar = format!("a=1; {}; b=2", cookie(&token));
    let mut headers = vec![("Cookie", jar.as_str()), ("X-Api-Key", "dwk_CANARY")];
    headers.extend(forged.map(|name| (name, "root")));
    assert_eq!(house.ask("GET", "/x", &headers).status, 200);
    let seen = house.backend.wait_for(1).remove(0);
    assert_eq!(seen.header("x-forwarded-user"), Some("Zo%C3%AB Wei%C3%9F"));
    assert_eq!(seen.header("x-forwarded-user-id"), Some(id.as_str()));
    assert_eq!(seen.header("x-forwarded-realm"), Some("native"));
    assert_eq!(seen.header("cookie"), Some("a=1; b=2"));
    for secret in [token.as_str(), "CANARY", "root"] {
        assert!(!seen.head_text().contains(secret), "{}", seen.head_text());
    }
    // And it cannot set our cookie.
    house.backend.script(|_| {
        let headers = [("Set-Cookie", "doorward=planted; Path=/"), ("Set-Cookie", "own=1")];
        testkit::Reply::answer("200 OK", &headers, "")
    });
    assert_eq!(house.with_session("GET", "/x", &token).header_values("set-cookie"), ["own=1"]);
}

#[test]
fn contract_credentials_count_as_everywhere() {
    let house = House::new();
    let key = serde_json::json!({ "name": "nightly", "username": "ada" }).to_string();
    let (status, made) = house.admin("POST", "/api-keys", &key);
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    let (bearer, wrong_bearer) = (format!("Bearer {key}"), "Bearer nobodys");
    let (right, wrong) = (basic("ada", LONG), basic("ada", "another password"));
    let token = house.log_in("ada");
    let as_bearer = format!("Bearer {token}");
    for headers in [("Authorization", right.as_str()), ("Authorization", &bearer), ("X-Api-Key", key)] {
        assert_eq!(house.ask("GET", "/x", &[headers]).status, 200, "{headers:?}");
        let told = json(&house.ask("GET", SESSION, &[headers]));
        assert_eq!(told["user"]["username"], "ada");
        assert_eq!(told.get("session"), None, "none of these has a session");
    }
    for (headers, code) in [
        (("Authorization", wrong.as_str()), "invalid-credentials"),
        (("Authorization", "Basic ***"), "invalid-credentials"),
        (("X-Api-Key", "dwk_00"), "invalid-token"),
        (("Cookie", "doorward=nobodys"), "session-unknown"),
        (("Cookie", "__Host-doorward=x"), "unauthorized"),
        (("Cookie", "Doorward=x"), "unauthorized"),
        (("Authorization", "Digest x"), "unauthorized"),
        // Neither name is read from the query, nor another field.
        (("apikey", key), "unauthorized"),
    ] {
        assert_unauthorized(&house.ask("GET", "/x?apiKey=x", &[headers]), code, &format!("{headers:?}"));
    }
    for shown in [wrong_bearer, &as_bearer] {
        let answer = house.ask("GET", "/x", &[("Authorization", shown)]);
        assert_unauthorized(&answer, "invalid-token", shown);
        let challenge = "Bearer realm=\"doorward\", error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
    // A dead session together with a password passes on the password.
    let headers = [("Cookie", "doorward=dead"), ("Authorization", right.as_str())];
    assert_eq!(house.ask("GET", "/x", &headers).status, 200);
}

#[test]
fn contract_errors_are_problem_details() {
    let house = House::new();
    let id = house.new_user("eve", &[]);
    let token = house.log_in("eve");
    let both = format!("{}; doorward=other", cookie(&token));
    let detail = |text: &str| format!("\"code\":\"bad-request\",\"detail\":\"{text}\"");
    let forbidden = house.with_session("GET", "/x", &token);
    assert_problem(&forbidden, 403, "Forbidden", "\"code\":\"forbidden\"", "no permission");
    let answer = house.ask("GET", "/x", &[("Cookie", &both)]);
    let why = detail("Two session cookies have different values.");
    assert_problem(&answer, 400, "Bad Request", &why, "two cookies");
    let answer = house.ask("GET", "/x", &[("Authorization", "Bearer a"), ("Authorization", "Bearer a")]);
    assert_problem(&answer, 400, "Bad Request", &detail("two Authorization fields"), "two fields");
    let answer = house.ask("PUT", SESSION, &[]);
    assert_problem(&answer, 405, "Method Not Allowed", "\"code\":\"method-not-allowed\"", "PUT");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, DELETE"));
    let answer = house.ask("BREW", "/x", &[]);
    assert_problem(&answer, 501, "Not Implemented", "\"code\":\"not-implemented\"", "BREW");
    let answer = raw::once(house.address(), "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_problem(&answer, 400, "Bad Request", "\"code\":\"bad-request\"", "two hosts");
    for target in ["/.doorward/x", "/.doorward/sessionx", "/.doorward/metrics", "/.doorward/health/x"] {
        let answer = house.ask("GET", target, &[]);
        assert_problem(&answer, 404, "Not Found", "\"code\":\"not-found\"", target);
    }
    assert_eq!(house.ask("GET", "/.doorward/health", &[]).body_text(), "{\"status\":\"up\"}");
    // Of the administration, too: in its fields.
    let (status, told) = house.admin("PATCH", &format!("/users/{id}"), "{\"username\":\"other\"}");
    assert_eq!(
        (status, told["code"].as_str(), told["field"].as_str()),
        (400, Some("bad-request"), Some("username"))
    );
    assert_eq!(told["detail"], "cannot be changed");
    let (status, told) = house.admin("PATCH", &format!("/users/{id}"), "{\"password\":\"short\"}");
    assert_eq!((status, told["code"].as_str()), (400, Some("invalid-password")));
    assert!(told["strength"]["score"].is_u64(), "{told}");
    assert!(house.backend.requests().is_empty());
    // A backend that is not there.
    let _address = house.backend.stop();
    let shown = basic("admin", PASSWORD);
    let answer = ask(house.gateway.address(), "GET", "/x", &[("Authorization", &shown)], "");
    assert_problem(&answer, 502, "Bad Gateway", "\"code\":\"bad-gateway\"", "no backend");
}
