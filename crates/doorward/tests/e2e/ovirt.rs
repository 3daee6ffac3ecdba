//! The dialect `ovirt` (contract/ovirt.md) from the outside: the session table row by row and combined, parsing, lifetime, tokens,
//! real clients. `Engine` is what all of them stand on.

mod clients;
mod cookies;
mod matrix;
mod parsing;
mod rows;
mod sso;
mod together;

use std::net::SocketAddr;

use serde_json::Value;
use testkit::raw::{self, Answer};
use testkit::{Doorward, Recorder, Reply};

use crate::common::{BINARY, PASSWORD, ask, basic};

/// Where the engine is.
const API: &str = "/ovirt-engine/api";
/// Everybody's password.
const LONG: &str = "a good long password";
/// What a request says that wants a session.
const PERSISTENT: (&str, &str) = ("Prefer", "persistent-auth");
/// The users that there are.
const USERS: [&str; 3] = ["ada", "bob", "cid"];

/// A gateway before an engine that answers XML, with a mount for administrators beside it.
struct Engine {
    backend: Recorder,
    gateway: Doorward,
}

impl Engine {
    /// With the defaults.
    fn new() -> Self {
        Self::with("", "")
    }

    /// `more` is added to the engine's mount, `top` to the top of the file.
    fn with(more: &str, top: &str) -> Self {
        Self::at(API, more, top)
    }

    fn at(path: &str, more: &str, top: &str) -> Self {
        Self::before(Recorder::start(), path, more, top)
    }

    fn before(backend: Recorder, path: &str, more: &str, top: &str) -> Self {
        backend.script(|request| xml(&request.method, &request.target));
        let settings = format!(
            "{top}\n[login]\nattempts_per_user = 100\nattempts_per_address = 1000000\n\
             [[mount]]\npath = \"/admin\"\ndialect = \"fusion\"\nupstream = \"{url}\"\n\
             [[mount]]\npath = \"{path}\"\ndialect = \"ovirt\"\nupstream = \"{url}\"\n{more}\n",
            url = backend.url()
        );
        let gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let engine = Self { backend, gateway };
        for name in USERS {
            let body = serde_json::json!({ "username": name, "password": LONG, "roleNames": ["admin"] });
            let (status, made) = engine.admin("POST", "/users", &body.to_string());
            assert_eq!(status, 201, "{made}");
        }
        engine
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// A request of the administrator's.
    fn admin(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let shown = basic("admin", PASSWORD);
        let target = format!("/admin{path}");
        let answer = ask(self.address(), method, &target, &[("Authorization", &shown)], body);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// The live sessions below the engine's mount.
    fn sessions(&self) -> Vec<Value> {
        self.sessions_of(API)
    }

    fn sessions_of(&self, scope: &str) -> Vec<Value> {
        let scope = scope.replace('/', "%2F");
        let (status, list) = self.admin("GET", &format!("/sessions?mount={scope}&limit=100"), "");
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().clone()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        raw::once(self.address(), raw::request(method, &format!("{API}{path}"), headers, ""))
    }

    fn get(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", "/vms", headers)
    }

    /// Logs `name` in and gives the id.
    fn log_in(&self, name: &str) -> String {
        self.log_in_with(name, &[PERSISTENT])
    }

    fn log_in_with(&self, name: &str, more: &[(&str, &str)]) -> String {
        let shown = login(name);
        let mut headers = vec![("Authorization", shown.as_str())];
        headers.extend_from_slice(more);
        let answer = self.get(&headers);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        id_of(&answer).expect("a session").to_owned()
    }

    /// Whether a session lives: one request of it that means to go on.
    fn lives(&self, id: &str) -> bool {
        let answer = self.get(&[PERSISTENT, ("Cookie", &format!("JSESSIONID={id}"))]);
        assert!(matches!(answer.status, 200 | 401), "{}", answer.head_text());
        answer.status == 200
    }

    /// Gets a token for `name`.
    fn token(&self, name: &str) -> String {
        let answer = self.sso("sso/oauth/token", &form(name, LONG));
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["access_token"].as_str().unwrap().to_owned()
    }

    fn sso(&self, path: &str, body: &str) -> Answer {
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")];
        ask(self.address(), "POST", &format!("/ovirt-engine/{path}"), &headers, body)
    }

    /// The requests that reached the engine since this was asked last, as method, target and who the gateway said it was.
    fn reached(&self) -> Vec<(String, String, Option<String>)> {
        let requests = self.backend.requests();
        self.backend.forget();
        let told = |request: &testkit::backend::Request| {
            let user = request.header("x-forwarded-user").map(str::to_owned);
            (request.method.clone(), request.target.clone(), user)
        };
        requests.iter().map(told).collect()
    }
}

/// What the engine answers.
fn xml(method: &str, target: &str) -> Reply {
    let (status, body) = match target.rsplit('/').next().unwrap_or_default() {
        "nothing" => ("404 Not Found", "<fault><reason>Not Found</reason></fault>".to_owned()),
        "locked" => ("409 Conflict", "<fault><reason>Conflict</reason></fault>".to_owned()),
        "api" | "" => ("200 OK", API_XML.to_owned()),
        "vms" => ("200 OK", VMS_XML.to_owned()),
        _ => ("200 OK", format!("<{}/>", method.to_ascii_lowercase())),
    };
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    // A cookie of the engine's own, as its web server sets them.
    let headers = [("Content-Type", "application/xml"), ("Set-Cookie", "locale=en_US; Path=/")];
    if method == "HEAD" {
        let length = body.len();
        return Reply::raw(format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n"
        ));
    }
    Reply::answer(status, &headers, body)
}

const API_XML: &str = "<api><product_info><name>oVirt Engine</name><vendor>ovirt.org</vendor><version><major>4</major>\
     <minor>5</minor><full_version>4.5.0</full_version></version></product_info></api>";
const VMS_XML: &str = "<vms><vm id=\"1\" href=\"/ovirt-engine/api/vms/1\"><name>one</name></vm>\
     <vm id=\"2\" href=\"/ovirt-engine/api/vms/2\"><name>two</name></vm></vms>";

/// `Authorization` of a user of the profile `internal`.
fn login(name: &str) -> String {
    basic(&format!("{name}@internal"), LONG)
}

fn form(name: &str, password: &str) -> String {
    let password = password.replace(' ', "+");
    format!("grant_type=password&scope=ovirt-app-api&username={name}%40internal&password={password}")
}

/// The id that an answer gives; an empty one takes it away.
fn id_of(answer: &Answer) -> Option<&str> {
    answer.set_cookie("JSESSIONID")
}

/// Asserts that nobody was let in: status, one challenge, a fault, and no cookie.
fn assert_unauthorized(answer: &Answer, case: &str) {
    let seen = format!("{case}: {}{}", answer.head_text(), answer.body_text());
    assert_eq!(answer.status, 401, "{seen}");
    assert_eq!(answer.header_values("www-authenticate"), ["Basic realm=\"RESTAPI\""], "{seen}");
    assert_eq!(answer.header_values("set-cookie"), Vec::<&str>::new(), "{seen}");
    assert_eq!(answer.header("content-type"), Some("application/xml"), "{seen}");
    assert!(answer.body_text().contains("<fault><reason>Unauthorized</reason><detail>"), "{seen}");
}
