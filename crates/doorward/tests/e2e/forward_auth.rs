//! Forward auth (docs/forward-auth.md): a proxy that holds a request asks at `/.doorward/auth` whether it may pass. The question
//! is judged as the request is, and its answer says what the backend would have been told. `Stage` and `Form` are what all stand on.

mod proxies;
mod refused;
mod street;
mod table;
mod terms;

use std::net::SocketAddr;

use testkit::raw::{self, Answer};
use testkit::{Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, as_admin, ask, basic, log_in};

/// Everybody's password but `admin`'s.
const LONG: &str = "a good long password";
/// The mount that speaks `ovirt`.
const ENGINE: &str = "/ovirt-engine/api";
/// Where proxies ask.
const ASKED_AT: &str = "/.doorward/auth";

/// How a proxy states the request that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Traefik, Caddy, HAProxy.
    Forwarded,
    /// nginx.
    Original,
    /// ingress-nginx.
    Url,
    /// Envoy.
    Path,
}

const FORMS: [Form; 4] = [Form::Forwarded, Form::Original, Form::Url, Form::Path];

impl Form {
    /// The bytes of a question about a request with these fields.
    fn question(self, method: &str, target: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        self.question_with(method, target, fields, "")
    }

    fn question_with(self, method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
        // Over TLS, cookies have other names: that has a test of its own.
        let url = format!("http://shop.test{target}");
        let below = format!("{ASKED_AT}{target}");
        let (own, at, stated) = match self {
            Self::Forwarded => {
                ("GET", ASKED_AT, vec![("X-Forwarded-Method", method), ("X-Forwarded-Uri", target)])
            }
            Self::Original => {
                ("GET", ASKED_AT, vec![("X-Original-Method", method), ("X-Original-URI", target)])
            }
            Self::Url => {
                ("HEAD", ASKED_AT, vec![("X-Original-Method", method), ("X-Original-URL", url.as_str())])
            }
            Self::Path => (method, below.as_str(), vec![]),
        };
        raw::request(own, at, &[fields, &stated].concat(), body)
    }

    /// The answer to such a question, on a connection of its own.
    fn ask(self, address: SocketAddr, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        raw::once(address, self.question(method, target, fields))
    }
}

/// A gateway that trusts its peer, with one mount of each dialect.
struct Stage {
    backend: Recorder,
    gateway: Doorward,
}

impl Stage {
    /// `more` is added to the mount `/`, which speaks `plain`; `top` to the top of the file.
    fn with(more: &str, top: &str) -> Self {
        let backend = Recorder::start();
        let url = backend.url();
        let open = "[[mount.route]]\npath = \"/open/**\"\npublic = true\n";
        let settings = format!(
            "trusted_proxies = [\"127.0.0.1\"]\n{top}\n\
             [[mount]]\npath = \"/api\"\ndialect = \"fusion\"\nupstream = \"{url}\"\n{open}\
             [[mount]]\npath = \"{ENGINE}\"\ndialect = \"ovirt\"\nupstream = \"{url}\"\n{open}\
             [[mount]]\npath = \"/\"\ndialect = \"plain\"\nupstream = \"{url}\"\n{more}\n{open}"
        );
        let gateway = start(&settings);
        let stage = Self { backend, gateway };
        stage.new_user("ada", &["GET:/a/**"]);
        stage
    }

    fn new() -> Self {
        Self::with("", "")
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Makes a user with these permissions of his own.
    fn new_user(&self, name: &str, permissions: &[&str]) {
        let body = serde_json::json!({ "username": name, "password": LONG, "permissions": permissions });
        let (status, made) = as_admin(self.address(), "POST", "/users", &body.to_string());
        assert_eq!(status, 201, "{made}");
    }

    /// A request, sent to the gateway itself.
    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        raw::once(self.address(), raw::request(method, target, fields, ""))
    }

    /// Logs in below this mount; gives the cookie.
    fn log_in(&self, mount: &str, name: &str, password: &str) -> String {
        match mount {
            "/api" => format!("id={}", log_in(self.address(), name, password)),
            ENGINE => {
                let shown = basic(&format!("{name}@internal"), password);
                let fields = [("Authorization", shown.as_str()), ("Prefer", "persistent-auth")];
                let answer = self.ask("GET", &format!("{ENGINE}/a/x"), &fields);
                self.backend.forget();
                format!("JSESSIONID={}", answer.set_cookie("JSESSIONID").expect("a session"))
            }
            _ => format!("doorward={}", log_in_plain(self.address(), name, password)),
        }
    }

    /// Asserts that no backend saw anything.
    fn assert_nothing_forwarded(&self, case: &str) {
        let seen: Vec<_> = self.backend.requests().iter().map(|request| request.target.clone()).collect();
        assert!(seen.is_empty(), "{case}: {seen:?}");
    }
}

fn start(settings: &str) -> Doorward {
    // Wrong passwords and dead cookies are part of the tables.
    let login = "[login]\nattempts_per_user = 100\nattempts_per_address = 100000\n";
    let login = if settings.contains("[login]") { "" } else { login };
    Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&format!("{settings}\n{login}"))
        .start()
}

/// Logs in where `plain` mounts do; gives the token.
fn log_in_plain(address: SocketAddr, name: &str, password: &str) -> String {
    let body = serde_json::json!({ "username": name, "password": password }).to_string();
    let answer = ask(address, "POST", "/.doorward/session", &[], &body);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    answer.set_cookie("doorward").expect("a session cookie").to_owned()
}
