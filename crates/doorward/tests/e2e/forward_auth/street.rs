//! A real proxy, the gateway that it asks and the recording backend that it forwards to, with the very configuration that the guide
//! shows (docs/forward-auth/).

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use testkit::patience::{PATIENCE, wait_until};
use testkit::raw::Answer;
use testkit::{Doorward, Recorder, ports};

use super::{LONG, start};
use crate::common::{ask, basic};

/// The guide's configurations.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/forward-auth");

/// Whence a client says that he comes.
pub(super) const FORGED_FROM: &str = "203.0.113.7";

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Nginx, Kind::Caddy, Kind::Traefik, Kind::Envoy];

/// A running proxy; gone when dropped.
pub(super) struct Running {
    child: Child,
    folder: TempDir,
    pub(super) address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The guide's configuration, with some words in the place of others.
fn configured(name: &str, own: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
    for (from, to) in own {
        assert!(text.contains(from), "the guide's {name} has {from}");
        text = text.replace(from, to);
    }
    text
}

/// The same, with the addresses of this street.
fn located(name: &str, own: &[(&str, &str)], gateway: SocketAddr, backend: SocketAddr) -> String {
    let (gateway, backend) = (gateway.to_string(), backend.to_string());
    configured(name, &[own, &[("127.0.0.1:8764", &gateway), ("127.0.0.1:9000", &backend)]].concat())
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
            Self::Traefik => traefik(folder.path(), address, gateway, backend),
            Self::Envoy => envoy(folder.path(), address, gateway, backend),
        };
        let mut running = Running { child, folder, address };
        let listens = wait_until(|| {
            let ended = !matches!(running.child.try_wait(), Ok(None));
            (ended || passes(address)).then_some(!ended)
        });
        let log = std::fs::read_to_string(running.folder.path().join("error.log")).unwrap_or_default();
        let taken = log.contains("in use");
        assert!(listens == Some(true) || taken, "{self:?} does not start: {log}");
        (listens == Some(true)).then_some(running)
    }
}

/// Whether it knows its routes, which may be later than it listens.
fn passes(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok() && ask(address, "GET", "/.doorward/health", &[], "").status == 200
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
    let own = [
        ("listen 8080;", &*format!("listen {address};")),
        // What the guide has for mounts that begin sessions by themselves.
        ("#   auth_request_set $doorward_cookie", "auth_request_set $doorward_cookie"),
        ("#   add_header Set-Cookie", "add_header Set-Cookie"),
    ];
    let own = located("nginx.conf", &own, gateway, backend);
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
        located("Caddyfile", &[("http://:8080", &format!("http://:{}", address.port()))], gateway, backend);
    // Neither its own port of administration nor the wildcard address are for a test.
    let text = format!("{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}}\n{own}");
    std::fs::write(folder.join("Caddyfile"), text).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]);
    spawn(&mut command, folder, "caddy")
}

fn traefik(folder: &Path, address: SocketAddr, gateway: SocketAddr, backend: SocketAddr) -> Child {
    let listen = format!("\"{address}\"");
    let own = configured("traefik/traefik.yml", &[("\":8080\"", &listen)]);
    std::fs::write(folder.join("traefik.yml"), own).unwrap();
    let own = located("traefik/doorward.yml", &[], gateway, backend);
    std::fs::write(folder.join("doorward.yml"), own).unwrap();
    spawn(&mut Command::new(from_pypi("traefik")), folder, "traefik")
}

fn envoy(folder: &Path, address: SocketAddr, gateway: SocketAddr, backend: SocketAddr) -> Child {
    let port = |written: &str, own: SocketAddr| {
        (format!("port_value: {written} "), format!("port_value: {} ", own.port()))
    };
    let ports = [port("8080", address), port("8764", gateway), port("9000", backend)];
    let mut own: Vec<(&str, &str)> = ports.iter().map(|(from, to)| (&**from, &**to)).collect();
    own.push(("address: 0.0.0.0", "address: 127.0.0.1"));
    let text = configured("envoy.yaml", &own);
    std::fs::write(folder.join("envoy.yaml"), text).unwrap();
    let mut command = Command::new(from_pypi("envoy"));
    // Without a base id of its own, two of them would share memory.
    command.args(["-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"]);
    spawn(&mut command, folder, "envoy")
}

/// Where xtask puts the proxies that Debian does not have.
fn from_pypi(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/proxies/bin").join(name);
    assert!(program.is_file(), "{name} is not there: run `cargo xtask test`, which installs it");
    program.canonicalize().unwrap()
}

/// A proxy, the gateway that it asks, and its backend.
pub(super) struct Street {
    pub(super) kind: Kind,
    pub(super) backend: Recorder,
    pub(super) gateway: Doorward,
    pub(super) proxy: Running,
}

impl Street {
    /// With the settings that the guide has. `ada` may `GET` and `POST` below `/a`; `/open/**` is everybody's.
    pub(super) fn new(kind: Kind) -> Self {
        let backend = Recorder::start();
        let gateway = start(
            "trusted_proxies = [\"127.0.0.1\"]\n\
             [[mount]]\npath = \"/\"\ndialect = \"plain\"\nupstream = []\n\
             [[mount.route]]\npath = \"/open/**\"\npublic = true\n\
             [[mount]]\npath = \"/engine\"\ndialect = \"ovirt\"\nupstream = []\n\
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

    pub(super) fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        ask(self.proxy.address, method, target, fields, "")
    }

    /// Logs `ada` in through the proxy; gives the cookie.
    pub(super) fn log_in(&self) -> String {
        self.log_in_with(&[])
    }

    pub(super) fn log_in_with(&self, fields: &[(&str, &str)]) -> String {
        let body = serde_json::json!({ "username": "ada", "password": LONG }).to_string();
        let answer = ask(self.proxy.address, "POST", "/.doorward/session", fields, &body);
        assert_eq!(answer.status, 201, "{:?}: {}", self.kind, answer.body_text());
        format!("doorward={}", answer.set_cookie("doorward").expect("a session cookie"))
    }

    /// The one request that the backend saw since this was asked last.
    pub(super) fn seen(&self, case: &str) -> testkit::backend::Request {
        let mut requests = self.backend.requests();
        assert_eq!(requests.len(), 1, "{:?}: {case}", self.kind);
        self.backend.forget();
        requests.remove(0)
    }

    pub(super) fn assert_nothing_forwarded(&self, case: &str) {
        let seen = self.backend.requests();
        assert!(seen.is_empty(), "{:?}: {case}: {}", self.kind, seen[0].head_text());
    }
    /// Whence a request came, as the backend is to be told. Envoy says its machine's own address of whoever comes over loopback.
    pub(super) fn from<'a>(&self, request: &'a testkit::backend::Request) -> Option<&'a str> {
        let said = request.header("x-forwarded-for");
        let own = |said: &&str| *said != FORGED_FROM && said.parse::<IpAddr>().is_ok();
        if self.kind == Kind::Envoy { said.filter(own) } else { Some("127.0.0.1") }
    }

    /// The paths of the requests that the gateway was asked about.
    pub(super) fn judged(&self) -> Vec<String> {
        let lines = self.gateway.log_lines();
        let records = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let asked = records.filter(|record| record["action"] == "forward-auth");
        asked.map(|record| record["http.path"].as_str().expect("a path").to_owned()).collect()
    }
}
