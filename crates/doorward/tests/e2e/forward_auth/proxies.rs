//! Real proxies in front of a recording backend, with the very configurations that the guide shows (docs/forward-auth/): what gets
//! in, what the backend sees, and what a client cannot say.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use testkit::patience::{PATIENCE, wait_until};
use testkit::raw::{self, Answer, Raw};
use testkit::{Doorward, Recorder, ports};

use super::{LONG, start};
use crate::common::{ask, basic};

/// The guide's configurations.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/forward-auth");

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nginx,
    Caddy,
}

const KINDS: [Kind; 2] = [Kind::Nginx, Kind::Caddy];

/// A running proxy; gone when dropped.
struct Running {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The guide's configuration, with other addresses.
fn configured(name: &str, listen: (&str, String), gateway: SocketAddr, backend: SocketAddr) -> String {
    let (written, own) = listen;
    let mut text = std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
    for (from, to) in
        [(written, own), ("127.0.0.1:8764", gateway.to_string()), ("127.0.0.1:9000", backend.to_string())]
    {
        assert!(text.contains(from), "the guide's configuration has {from}");
        text = text.replace(from, &to);
    }
    text
}

impl Kind {
    /// Starts it; the port is found by trying, as neither shares one.
    fn start(self, gateway: SocketAddr, backend: SocketAddr) -> Running {
        for _ in 0..5 {
            if let Some(running) = self.try_start(gateway, backend) {
                return running;
            }
        }
        panic!("{self:?} does not listen within {PATIENCE:?}");
    }

    fn try_start(self, gateway: SocketAddr, backend: SocketAddr) -> Option<Running> {
        let folder = TempDir::with_prefix("doorward-proxy-").unwrap();
        let address = ports::free_port();
        let child = match self {
            Self::Nginx => nginx(folder.path(), address, gateway, backend),
            Self::Caddy => caddy(folder.path(), address, gateway, backend),
        };
        let mut running = Running { child, folder, address };
        let listens = wait_until(|| {
            let ended = !matches!(running.child.try_wait(), Ok(None));
            (ended || TcpStream::connect(address).is_ok()).then_some(!ended)
        });
        let log = std::fs::read_to_string(running.folder.path().join("error.log")).unwrap_or_default();
        let taken = log.contains("in use");
        assert!(listens == Some(true) || taken, "{self:?} does not start: {log}");
        (listens == Some(true)).then_some(running)
    }
}

fn spawn(command: &mut Command, folder: &Path, package: &str) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("error.log")).unwrap();
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("install {package}: `cargo xtask test` does ({error})"))
}

/// The guide's file is one of `conf.d`: around it is what Debian has in `nginx.conf`.
fn nginx(folder: &Path, address: SocketAddr, gateway: SocketAddr, backend: SocketAddr) -> Child {
    let own = configured("nginx.conf", ("listen 8080;", format!("listen {address};")), gateway, backend);
    std::fs::write(folder.join("doorward.conf"), own).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path {}/{what};\n", folder.display()))
        .collect();
    let around = format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {folder}/nginx.pid;\n\
         events {{ worker_connections 256; }}\nhttp {{\n    access_log off;\n{temporary}    include {folder}/doorward.conf;\n}}\n",
        folder = folder.display()
    );
    std::fs::write(folder.join("nginx.conf"), around).unwrap();
    let debians = "/usr/sbin/nginx";
    let program = if Path::new(debians).exists() { debians } else { "nginx" };
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "error.log"]);
    spawn(&mut command, folder, "nginx")
}

fn caddy(folder: &Path, address: SocketAddr, gateway: SocketAddr, backend: SocketAddr) -> Child {
    let own =
        configured("Caddyfile", ("http://:8080", format!("http://:{}", address.port())), gateway, backend);
    // Neither its own port of administration nor the wildcard address are for a test.
    let text = format!("{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}}\n{own}");
    std::fs::write(folder.join("Caddyfile"), text).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]);
    spawn(&mut command, folder, "caddy")
}

/// A proxy, the gateway that it asks, and its backend.
struct Street {
    kind: Kind,
    backend: Recorder,
    gateway: Doorward,
    proxy: Running,
}

impl Street {
    /// With the settings that the guide has. `ada` may `GET` and `POST` below `/a`; `/open/**` is everybody's.
    fn new(kind: Kind) -> Self {
        let backend = Recorder::start();
        let gateway = start(
            "trusted_proxies = [\"127.0.0.1\"]\n\
             [[mount]]\npath = \"/\"\ndialect = \"plain\"\nupstream = []\n\
             [[mount.route]]\npath = \"/open/**\"\npublic = true\n\
             [[mount]]\npath = \"/administration\"\nupstream = []\n",
        );
        let shown = basic("admin", crate::common::PASSWORD);
        let body =
            serde_json::json!({ "username": "ada", "password": LONG, "permissions": ["GET,POST:/a/**"] });
        let made = ask(
            gateway.address(),
            "POST",
            "/administration/users",
            &[("Authorization", &shown)],
            &body.to_string(),
        );
        assert_eq!(made.status, 201, "{}", made.body_text());
        let proxy = kind.start(gateway.address(), backend.address());
        Self { kind, backend, gateway, proxy }
    }

    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        ask(self.proxy.address, method, target, fields, "")
    }

    /// Logs `ada` in through the proxy; gives the cookie.
    fn log_in(&self) -> String {
        self.log_in_with(&[])
    }

    fn log_in_with(&self, fields: &[(&str, &str)]) -> String {
        let body = serde_json::json!({ "username": "ada", "password": LONG }).to_string();
        let answer = ask(self.proxy.address, "POST", "/.doorward/session", fields, &body);
        assert_eq!(answer.status, 201, "{:?}: {}", self.kind, answer.body_text());
        format!("doorward={}", answer.set_cookie("doorward").expect("a session cookie"))
    }

    /// The one request that the backend saw since this was asked last.
    fn seen(&self, case: &str) -> testkit::backend::Request {
        let mut requests = self.backend.requests();
        assert_eq!(requests.len(), 1, "{:?}: {case}", self.kind);
        self.backend.forget();
        requests.remove(0)
    }

    fn assert_nothing_forwarded(&self, case: &str) {
        let seen = self.backend.requests();
        assert!(seen.is_empty(), "{:?}: {case}: {}", self.kind, seen[0].head_text());
    }
}

#[test]
fn t11_from_login_to_logout() {
    for kind in KINDS {
        let street = Street::new(kind);
        let nobody = street.ask("GET", "/a/x", &[]);
        assert_eq!(nobody.status, 401, "{kind:?}");
        assert!(nobody.header("www-authenticate").is_some(), "{kind:?}: {}", nobody.head_text());
        street.assert_nothing_forwarded("nobody");
        let session = street.log_in();
        let jar = format!("a=1; {session}; b=2");
        let fields = [("Cookie", jar.as_str()), ("X-Mine", "1"), ("Authorization", "")];
        for (method, target) in
            [("GET", "/a/x?y=%20z&x=/../%2f"), ("POST", "/a/x"), ("HEAD", "/a/x"), ("GET", "/a/%7eb;c=d")]
        {
            let answer = raw::once(street.proxy.address, raw::request(method, target, &fields[..2], ""));
            assert_eq!(answer.status, 200, "{kind:?} {method} {target}: {}", answer.head_text());
            let request = street.seen(target);
            // The bytes that were judged are those that go on.
            assert_eq!((request.method.as_str(), request.target.as_str()), (method, target), "{kind:?}");
            assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{kind:?}");
            assert_eq!(request.header("x-forwarded-realm"), Some("native"), "{kind:?}");
            assert_eq!(request.header("x-forwarded-user-id").map(str::len), Some(36), "{kind:?}");
            assert_eq!(request.header("cookie"), Some("a=1; b=2"), "{kind:?}");
            assert_eq!(
                (request.header("x-mine"), request.header("x-cookies-left")),
                (Some("1"), None),
                "{kind:?}"
            );
            assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"), "{kind:?}");
        }
        // A session alone leaves no cookie.
        assert_eq!(street.ask("GET", "/a/x", &[("Cookie", &session)]).status, 200, "{kind:?}");
        assert_eq!(street.seen("a session alone").header("cookie"), None, "{kind:?}");
        for (method, target, status) in [("DELETE", "/a/x", 403), ("GET", "/b", 403)] {
            let answer = street.ask(method, target, &[("Cookie", &session)]);
            assert_eq!(answer.status, status, "{kind:?} {method} {target}");
        }
        street.assert_nothing_forwarded("not permitted");
        let answer = street.ask("DELETE", "/.doorward/session", &[("Cookie", &session)]);
        assert!(matches!(answer.status, 200 | 204), "{kind:?}: {}", answer.head_text());
        assert_eq!(street.ask("GET", "/a/x", &[("Cookie", &session)]).status, 401, "{kind:?}");
        street.assert_nothing_forwarded("logged out");
    }
}

#[test]
fn t11_bodies_go_to_the_backend_and_not_to_the_gateway() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        let body = "x".repeat(300_000);
        let fields = [("Cookie", session.as_str()), ("Content-Type", "text/plain")];
        let answer = ask(street.proxy.address, "POST", "/a/x", &fields, &body);
        assert_eq!(answer.status, 200, "{kind:?}");
        assert_eq!(street.seen("a body").body.len(), body.len(), "{kind:?}");
        let answer = ask(street.proxy.address, "POST", "/a/x", &[("Content-Type", "text/plain")], &body);
        assert_eq!(answer.status, 401, "{kind:?}");
        street.assert_nothing_forwarded("a body of nobody's");
    }
}

#[test]
fn asvs_69_other_credentials_go_no_further_either() {
    for kind in KINDS {
        let street = Street::new(kind);
        let shown = basic("ada", LONG);
        let fields = [("Authorization", shown.as_str()), ("apikey", "CANARY"), ("X-Api-Key", "CANARY")];
        assert_eq!(street.ask("GET", "/a/x", &fields[..1]).status, 200, "{kind:?}");
        let request = street.seen("Basic");
        assert_eq!(
            (request.header("authorization"), request.header("x-forwarded-user")),
            (None, Some("ada"))
        );
        // On a public route nobody looks, and still nothing goes on.
        assert_eq!(street.ask("GET", "/open/x", &fields).status, 200, "{kind:?}");
        let head = street.seen("public").head_text().to_lowercase();
        assert!(!head.contains("authorization") && !head.contains("canary"), "{kind:?}: {head}");
    }
}

#[test]
fn case_6_no_client_says_who_he_is_or_which_request_is_judged() {
    for kind in KINDS {
        let street = Street::new(kind);
        // Over TLS, the cookie had another name; the log would have the address.
        let hops = [
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "FORGED"),
            ("X-Forwarded-For", "203.0.113.7"),
        ];
        let session = street.log_in_with(&hops);
        let forged = [
            hops[0],
            hops[1],
            hops[2],
            ("X-Forwarded-User", "FORGED"),
            ("x-forwarded-user-id", "FORGED"),
            ("X-FORWARDED-REALM", "FORGED"),
            ("X_Forwarded_User", "FORGED"),
            ("X-Forwarded_User", "FORGED"),
            ("X-Cookies-Left", "FORGED"),
            ("X-Forwarded-Uri", "/open/FORGED"),
            ("X-Forwarded-Method", "GET"),
            ("X-Original-URI", "/open/FORGED"),
            ("X-Original-Method", "GET"),
            ("X-Original-URL", "http://h/open/FORGED"),
        ];
        for (target, fields, status) in [
            ("/a/x", vec![], 401),
            ("/a/x", vec![("Cookie", session.as_str())], 200),
            ("/b", vec![("Cookie", session.as_str())], 403),
            ("/open/x", vec![], 200),
        ] {
            let answer = street.ask("GET", target, &[&fields[..], &forged].concat());
            assert_eq!(answer.status, status, "{kind:?} {target}: {}", answer.head_text());
            if status != 200 {
                street.assert_nothing_forwarded(target);
                continue;
            }
            let request = street.seen(target);
            let user = (target == "/a/x").then_some("ada");
            assert_eq!(request.header("x-forwarded-user"), user, "{kind:?} {target}");
            let identity = |name: &str| {
                let name = name.to_lowercase().replace('_', "-");
                ["x-forwarded-user", "x-forwarded-user-id", "x-forwarded-realm", "cookie"].contains(&&*name)
            };
            for (name, value) in request.headers.iter().filter(|(name, _)| identity(name)) {
                assert!(value != "FORGED" && user.is_some(), "{kind:?} {target}: {name}: {value}");
            }
            let hops = ["for", "proto", "host"].map(|what| request.header(&format!("x-forwarded-{what}")));
            assert_eq!(hops, [Some("127.0.0.1"), Some("http"), Some("gateway.test")], "{kind:?}");
        }
        // Each alone, too.
        for field in forged {
            assert_eq!(street.ask("GET", "/a/x", &[field]).status, 401, "{kind:?} {field:?}");
            let fields = [field, ("Cookie", session.as_str())];
            assert_eq!(street.ask("GET", "/a/x", &fields).status, 200, "{kind:?} {field:?}");
            assert_eq!(street.seen(field.0).header("x-forwarded-user"), Some("ada"), "{kind:?} {field:?}");
        }
        street.assert_nothing_forwarded("forged");
        let log = street.gateway.log_lines().join("\n");
        assert!(!log.contains("FORGED") && !log.contains("203.0.113.7"), "{kind:?}: {log}");
    }
}

/// What the answer tells Envoy to take out, the guide's other configurations take out by name.
#[test]
fn case_5_no_field_tells_the_backend_another_request_than_was_judged() {
    for kind in KINDS {
        let street = Street::new(kind);
        let answer = ask(street.gateway.address(), "GET", "/.doorward/auth/open/x", &[], "");
        let names = answer.header("x-envoy-auth-headers-to-remove").expect("what is to be taken out");
        // A cookie of the client's own stays.
        let names: Vec<&str> = names.split(", ").filter(|name| *name != "Cookie").collect();
        assert!(names.len() > 40, "{names:?}");
        for separator in ["-", "_", "."] {
            // What is told at another mount is none of this one's.
            let spelled: Vec<String> = names
                .iter()
                .filter(|name| !name.starts_with("fusion-"))
                .map(|name| name.replace('-', separator))
                .filter(|name| separator == "-" || name.contains(separator))
                .collect();
            let fields: Vec<(&str, &str)> = spelled.iter().map(|name| (&**name, "FORGED")).collect();
            assert_eq!(street.ask("GET", "/open/x", &fields).status, 200, "{kind:?} {separator}");
            let head = street.seen(separator).head_text();
            assert!(!head.contains("FORGED"), "{kind:?} {separator}: {head}");
        }
    }
}

#[test]
fn case_8_connection_takes_nothing_away() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        for named in [
            "X-Forwarded-User",
            "close, X-Forwarded-User, X-Forwarded-User-Id",
            "Cookie",
            "x-original-uri, x-forwarded-uri",
            "X-Forwarded-For",
            "X-Cookies-Left",
        ] {
            let fields = [("Cookie", session.as_str()), ("Connection", named)];
            let answer = street.ask("GET", "/a/x", &fields);
            // Either it is no use, or it is refused; the backend never sees a request without its user, or with the session.
            if answer.status == 200 {
                let request = street.seen(named);
                assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{kind:?} {named}");
                assert_eq!(request.header("cookie"), None, "{kind:?} {named}");
                assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"), "{kind:?} {named}");
            } else {
                assert!(matches!(answer.status, 400 | 401), "{kind:?} {named}: {}", answer.head_text());
                street.assert_nothing_forwarded(named);
            }
        }
        let kept = [("Cookie", session.as_str()), ("Connection", "keep-alive")];
        assert_eq!(street.ask("GET", "/a/x", &kept).status, 200, "{kind:?}");
    }
}

#[test]
fn case_5_nobody_asks_through_the_proxy() {
    for kind in KINDS {
        let street = Street::new(kind);
        let shown = basic("admin", crate::common::PASSWORD);
        for target in [
            "/.doorward/auth",
            "/.doorward/auth?x",
            "/.doorward/auth/",
            "/.doorward/auth/open/x",
            "/.doorward/auth/a/x",
            "/.doorward/%61uth",
            "/.doorward/%61uth/open/x",
            "/.doorward//auth",
            "/.doorward/./auth/open/x",
            "/.doorward/x/../auth",
            "/.doorward/auth%2fopen",
            "/.doorward/auth;x",
            "/.Doorward/auth",
            "//.doorward/auth/open/x",
        ] {
            for statement in [
                &[][..],
                &[("X-Original-Method", "GET"), ("X-Original-URI", "/open/x")],
                &[("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/open/x")],
            ] {
                let fields = [statement, &[("Authorization", shown.as_str())]].concat();
                let mut client = Raw::connect(street.proxy.address);
                client.send(raw::request("GET", target, &fields, ""));
                let answer = client.read_answer();
                assert!(answer.status >= 300, "{kind:?} {target} {statement:?}: {}", answer.head_text());
                assert_eq!(answer.header("x-forwarded-user"), None, "{kind:?} {target}");
                assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), None, "{kind:?} {target}");
            }
        }
        street.assert_nothing_forwarded("questions");
        let asked = street.gateway.log_lines().join("\n");
        assert!(!asked.contains("/open/x"), "{kind:?}: {asked}");
    }
}

#[test]
fn case_1_what_two_servers_could_read_differently_is_refused() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        for target in
            ["/a/../b", "/open/../b", "/open/%2e%2e/b", "/open%2f..%2fb", "/open/..;/b", "/open//x", "/a\\b"]
        {
            let answer = street.ask("GET", target, &[("Cookie", &session)]);
            assert!(answer.status >= 400, "{kind:?} {target}: {}", answer.head_text());
        }
        street.assert_nothing_forwarded("paths with two readings");
    }
}
