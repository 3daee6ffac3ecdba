//! What the end-to-end tests share: a gateway in front of a recording backend, and logging in.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use testkit::backend::Recorder;
use testkit::process::{self, Doorward, Ended};
use testkit::raw::{self, Answer, Raw};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_doorward");
/// `admin`'s password in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A gateway with the usual settings in front of `backend`; `more` is added to the mount, `login` to `[login]`.
pub(crate) fn gateway(backend: &Recorder, more: &str) -> Doorward {
    let settings = format!(
        "[[mount]]\npath = \"/api\"\ndialect = \"fusion\"\nupstream = \"http://{}\"\n{more}\n",
        backend.address()
    );
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start()
}

/// The bytes of a login at `/api`.
pub(crate) fn login_bytes(user: &str, password: &str) -> Vec<u8> {
    let body = serde_json::json!({ "username": user, "password": password }).to_string();
    raw::request("POST", "/api/session?realmName=native", &[("Content-Type", "application/json")], &body)
}

/// Logs in at `/api` on a connection of its own and gives the token.
pub(crate) fn log_in(address: SocketAddr, user: &str, password: &str) -> String {
    let answer = raw::once(address, login_bytes(user, password));
    assert_eq!(answer.status, 201, "{user} logs in: {}", answer.body_text());
    answer.set_cookie("id").expect("a session cookie").to_owned()
}

/// The bytes of a request with a session cookie.
pub(crate) fn session_bytes(method: &str, target: &str, token: &str) -> Vec<u8> {
    raw::request(method, target, &[("Cookie", &format!("id={token}"))], "")
}

/// A request with a session cookie on a connection of its own.
pub(crate) fn with_session(address: SocketAddr, method: &str, target: &str, token: &str) -> Answer {
    raw::once(address, session_bytes(method, target, token))
}

/// Who the gateway says that this session is, on a connection that is kept: status, and the error's code if there is one.
pub(crate) fn judged(client: &mut Raw, token: &str) -> (u16, String) {
    client.send(session_bytes("GET", "/api/session", token));
    let answer = client.read_answer();
    (answer.status, code(&answer))
}

/// The `code` of an error; empty where there is none.
pub(crate) fn code(answer: &Answer) -> String {
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    told["code"].as_str().unwrap_or_default().to_owned()
}

/// Runs `doorward` with these arguments, as `admin` of this gateway.
pub(crate) fn command(gateway: &Doorward, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let server = format!("{}/api", gateway.url());
    let mut all = vec![("DOORWARD_SERVER", server.as_str()), ("DOORWARD_PASSWORD", PASSWORD)];
    all.extend_from_slice(environment);
    process::run(BINARY, arguments, &all, "")
}

/// Makes a user of the realm `native` from the command line.
pub(crate) fn create_user(gateway: &Doorward, name: &str, password: &str, role: &str) {
    let made =
        command(gateway, &["user", "create", name, "--role", role], &[("DOORWARD_NEW_PASSWORD", password)]);
    assert_eq!(made.code, Some(0), "{made:#?}");
}

/// An `Authorization: Basic` value.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A request on a connection of its own. A body is JSON unless the headers say what it is.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut all = headers.to_vec();
    if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        all.push(("Content-Type", "application/json"));
    }
    raw::once(address, raw::request(method, target, &all, body))
}

/// A request of `admin`'s at `/api`, by Basic; its status and the JSON of its answer.
pub(crate) fn as_admin(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, serde_json::Value) {
    let shown = basic("admin", PASSWORD);
    let answer = ask(address, method, &format!("/api{path}"), &[("Authorization", &shown)], body);
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// Makes a user of the realm `native` with these roles, over the API; gives the id.
pub(crate) fn new_user(address: SocketAddr, name: &str, password: &str, roles: &[&str]) -> String {
    let body = serde_json::json!({ "username": name, "password": password, "roleNames": roles });
    let (status, made) = as_admin(address, "POST", "/users", &body.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// A gateway with one worker in front of these backends, with every path below `/api` public: for tests of bytes, not of
/// people. `more` is added to the mount.
pub(crate) fn open_gateway(backends: &[&Recorder], more: &str) -> Doorward {
    let urls: Vec<String> = backends.iter().map(|backend| backend.url()).collect();
    let settings = format!(
        "workers = 1\n[[mount]]\npath = \"/api\"\nupstream = {urls:?}\n{more}\n\
         [[mount.route]]\npath = \"/**\"\npublic = true\n"
    );
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start()
}

/// Makes a user of the realm `native` with these permissions of his own and no role.
pub(crate) fn create_user_with(gateway: &Doorward, name: &str, permissions: &[&str]) {
    let mut arguments = vec!["user", "create", name];
    arguments.extend(permissions.iter().flat_map(|permission| ["--permission", permission]));
    let made = command(gateway, &arguments, &[("DOORWARD_NEW_PASSWORD", PASSWORD)]);
    assert_eq!(made.code, Some(0), "{made:#?}");
}

/// Logs `admin` in below this mount.
pub(crate) fn log_in_at(address: SocketAddr, mount: &str) -> String {
    let body = serde_json::json!({ "username": "admin", "password": PASSWORD }).to_string();
    let answer = ask(address, "POST", &format!("{mount}/session"), &[], &body);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    answer.set_cookie("id").expect("a session cookie").to_owned()
}

/// Asserts an error of ours: status, code, media type, and on a 401 exactly one challenge (RFC 9110 section 11.6.1).
pub(crate) fn assert_refused(answer: &Answer, status: u16, code: &str, case: &str) {
    let seen = format!("{case}: {}{}", answer.head_text(), answer.body_text());
    assert_eq!(answer.status, status, "{seen}");
    assert_eq!(answer.body_text(), format!("{{\"code\":\"{code}\"}}"), "{seen}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{seen}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{seen}");
    assert_eq!(answer.header("set-cookie"), None, "{seen}");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge.is_some(), status == 401, "{seen}");
    assert!(challenge.is_none_or(|challenge| challenge.starts_with("Cookie realm=\"")), "{seen}");
}
