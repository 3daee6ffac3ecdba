//! Starting, reading the settings again, and stopping (contract/config.md, Commands and First start): what an operator
//! and a service manager do to the process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testkit::backend::Recorder;
use testkit::patience::{Gate, wait_until};
use testkit::process::Doorward;
use testkit::raw::{self, Raw};
use testkit::reply::Reply;

use super::common::{
    BINARY, PASSWORD, code, gateway, judged, log_in, login_bytes, session_bytes, with_session,
};

/// One mount in front of this backend, and `more` in the mount or after it.
fn mount(backend: &Recorder, more: &str) -> String {
    format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n{more}\n", backend.url())
}

fn get(address: SocketAddr, target: &str) -> raw::Answer {
    raw::once(address, raw::request("GET", target, &[], ""))
}

#[test]
fn contract_sigterm_drains_and_exits_0() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let gate = Gate::new();
    let held = gate.clone();
    backend.script(move |_| {
        Reply::new().hold(&held).send(&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"[..])
    });
    let mut idle = Raw::connect(address);
    assert_eq!(judged(&mut idle, &token).0, 200);
    let mut busy = Raw::connect(address);
    busy.send(session_bytes("GET", "/api/slow", &token));
    let _arrived = backend.wait("the slow request", |requests| requests.len() == 1);

    gateway.signal(rustix::process::Signal::TERM);
    let _said = gateway.wait_for_log("\"stopping\"");
    assert!(idle.is_closed_by_peer(), "an idle connection is closed");
    wait_until(|| Raw::try_connect(address).is_err().then_some(())).expect("nobody new is let in");
    assert!(gateway.is_running(), "it waits for the request that has begun");
    gate.open();
    let answer = busy.read_answer();
    assert_eq!((answer.status, answer.body_text()), (200, "done"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(busy.is_closed_by_peer());
    let ended = gateway.terminate();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.stderr.trim_end().lines().last().is_some_and(|line| line.contains("\"stopped\"")),
        "{ended:#?}"
    );
    gateway.restart();
    assert_eq!(judged(&mut Raw::connect(address), &token).0, 200, "nobody was logged out");
}

#[test]
fn contract_sigint_exits_0_too_and_an_idle_gateway_stops_at_once() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let _kept_open = Raw::connect(gateway.address());
    gateway.signal(rustix::process::Signal::INT);
    assert_eq!(gateway.terminate().code, Some(0));
}

#[test]
fn contract_stdout_is_the_listeners_and_stderr_the_log() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(get(gateway.address(), "/api/x").status, 401);
    let address = gateway.address();
    let ended = gateway.terminate();
    assert_eq!(ended.stdout, format!("listening on http://{address}\n"));
    for line in ended.stderr.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?} is no JSON"));
        assert!(line["at"].is_string() && line["level"].is_string() && line["event"].is_string(), "{line}");
    }
}

#[test]
fn contract_sighup_puts_new_settings_in_force_and_logs_nobody_out() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let mut kept = Raw::connect(address);
    assert_eq!(judged(&mut kept, &token).0, 200);
    assert_eq!(get(address, "/api/open/x").status, 401);
    assert_eq!(get(address, "/more/open/x").status, 404);

    let route = "[[mount.route]]\npath = \"/open/**\"\nmethods = [\"GET\"]\npublic = true\n";
    let more = format!("{route}{}{route}", mount(&backend, "").replace("/api", "/more"));
    gateway.write_settings(&mount(&backend, &more));
    gateway.hangup();
    let _said = gateway.wait_for_log("\"settings_reloaded\"");
    assert_eq!(get(address, "/api/open/x").status, 200);
    assert_eq!(get(address, "/more/open/x").status, 200);
    assert_eq!(get(address, "/api/other").status, 401);
    // On a connection from before as well, and with the session from before.
    kept.send(raw::request("GET", "/api/open/y", &[], ""));
    assert_eq!(kept.read_answer().status, 200);
    assert_eq!(judged(&mut kept, &token).0, 200);
    assert!(gateway.is_running());

    // What is taken away is gone.
    gateway.write_settings(&mount(&backend, ""));
    gateway.hangup();
    wait_until(|| (get(address, "/more/open/x").status == 404).then_some(())).expect("the mount is gone");
    assert_eq!(get(address, "/api/open/x").status, 401);
    assert_eq!(judged(&mut kept, &token).0, 200);
}

#[test]
fn contract_sighup_with_a_bad_file_changes_nothing_and_says_why() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let public = "[[mount.route]]\npath = \"/open/**\"\npublic = true\n";
    let bad = [
        (mount(&backend, &format!("idel_timeout = \"1s\"\n{public}")), "did you mean `idle_timeout`"),
        (mount(&backend, &format!("idle_timeout = \"soon\"\n{public}")), "is not a duration"),
        (format!("{}{public}", mount(&backend, &mount(&backend, ""))), "is mounted already"),
        (
            mount(&backend, &format!("{public}[[realm]]\nname = \"acme\"\ntype = \"kerberos\"")),
            "not in this version",
        ),
        ("this is no TOML".to_owned(), "doorward.toml"),
    ];
    for (settings, why) in bad {
        gateway.write_settings(&settings);
        gateway.hangup();
        let line = gateway.wait_for_log(why);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["event"], &line["level"]), (&"settings_refused".into(), &"error".into()), "{line}");
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("{}:", gateway.settings_file().display())), "{detail}");
        assert_eq!(get(address, "/api/open/x").status, 401, "after {why}");
        assert_eq!(judged(&mut Raw::connect(address), &token).0, 200, "after {why}");
    }
    std::fs::remove_file(gateway.settings_file()).unwrap();
    gateway.hangup();
    let _said = gateway.wait_for_log("cannot be read");
    assert_eq!(judged(&mut Raw::connect(address), &token).0, 200);
}

#[test]
fn contract_sighup_says_what_needs_a_restart() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let elsewhere = gateway.folder().join("elsewhere");
    gateway.write_settings(&format!("data = {elsewhere:?}\nworkers = 3\n{}", mount(&backend, "")));
    gateway.hangup();
    let line = gateway.wait_for_log("\"restart_needed\"");
    assert!(
        line.contains("\"data\"") && line.contains("\"workers\"") && !line.contains("\"listen\""),
        "{line}"
    );
    assert_eq!(judged(&mut Raw::connect(gateway.address()), &token).0, 200);
    assert!(!elsewhere.exists());
}

/// A certificate for `localhost` and its key, as files.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap()
}

/// Asks for the health over TLS, trusting one certificate only.
fn healthy(address: SocketAddr, trusted: &CertificateDer<'static>) -> Result<String, String> {
    use std::io::{Read as _, Write as _};

    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = std::net::TcpStream::connect(address).map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(testkit::PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    let request =
        raw::request("GET", "/.doorward/health", &[("Host", "localhost"), ("Connection", "close")], "");
    stream.write_all(&request).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // A peer that closes without saying so in TLS has answered all the same.
    let _end = stream.read_to_end(&mut answer);
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn contract_a_certificate_is_replaced_without_a_restart() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let files = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "listen = [{{ address = \"127.0.0.1:0\", certificate = \"{}\", key = \"{}\" }}]\n{}",
        files("certificate.pem"),
        files("key.pem"),
        mount(&backend, "")
    );
    let gateway = Doorward::new(BINARY).settings(&settings).start();
    let address = gateway.address();
    assert_eq!(gateway.stdout_lines(), [format!("listening on https://{address}")]);
    assert!(healthy(address, &first).unwrap().starts_with("HTTP/1.1 200 "));

    let second = certify(folder.path());
    assert!(healthy(address, &second).is_err(), "the file alone changes nothing");
    gateway.hangup();
    let _said = gateway.wait_for_log("\"settings_reloaded\"");
    assert!(healthy(address, &second).unwrap().starts_with("HTTP/1.1 200 "));
    assert!(healthy(address, &first).is_err());

    // A key that does not belong to the certificate: the good pair stays.
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("key.pem"), other.signing_key.serialize_pem()).unwrap();
    gateway.hangup();
    let line = gateway.wait_for_log("\"settings_refused\"");
    assert!(line.contains("certificate"), "{line}");
    assert!(healthy(address, &second).unwrap().starts_with("HTTP/1.1 200 "));
}

#[test]
fn contract_an_occupied_port_is_told() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let settings = format!("listen = \"{}\"\n{}", gateway.address(), mount(&backend, ""));
    let refused = Doorward::new(BINARY).settings(&settings).try_start().unwrap_err();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let why = format!("cannot listen on {}", gateway.address());
    assert!(refused.stderr.contains(&why) && refused.stderr.contains("another gateway"), "{refused:#?}");
    assert_eq!(get(gateway.address(), "/api/x").status, 401, "the first serves on");
}

#[test]
fn contract_a_store_in_use_is_told() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let refused =
        Doorward::new(BINARY).settings(&mount(&backend, "")).data(&gateway.data()).try_start().unwrap_err();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let why = format!("process {} is using the data folder {}", gateway.pid(), gateway.data().display());
    assert!(refused.stderr.contains(&why), "{refused:#?}");
    assert_eq!(get(gateway.address(), "/api/x").status, 401, "the first serves on");
}

#[test]
fn asvs_113_administration_has_a_listener_of_its_own() {
    let backend = Recorder::start();
    let settings = format!("admin = \"127.0.0.1:0\"\n{}", mount(&backend, ""));
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .listeners(2)
        .start();
    let [public, administration] = gateway.addresses()[..] else { panic!("two listeners") };
    let token = log_in(public, "admin", PASSWORD);
    for target in [
        "/api/users",
        "/api/roles",
        "/api/sessions",
        "/api/users/x",
        "/.doorward/users",
        "/.doorward/metrics",
    ] {
        let answer = with_session(public, "GET", target, &token);
        assert_eq!(answer.status, 404, "{target} on the public listener");
    }
    for target in ["/api/users", "/api/roles", "/api/sessions"] {
        assert_eq!(with_session(administration, "GET", target, &token).status, 200, "{target}");
        assert_eq!(get(administration, target).status, 401, "{target} without a login");
    }
    assert_eq!(with_session(public, "GET", "/api/collections", &token).status, 200);
    assert_eq!(
        with_session(administration, "GET", "/api/collections", &token).status,
        404,
        "no backend is behind it"
    );
    assert_eq!(backend.requests().len(), 1);
    for address in [public, administration] {
        assert_eq!(get(address, "/.doorward/health").status, 200);
        assert_eq!(judged(&mut Raw::connect(address), &token).0, 200, "a session counts on both");
    }
}

#[test]
fn contract_health_says_up_and_nothing_else() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let answer = get(gateway.address(), "/.doorward/health");
    assert_eq!((answer.status, answer.body_text()), (200, "{\"status\":\"up\"}"));
    assert_eq!(answer.header("server"), None);
    let head = raw::once(gateway.address(), raw::request("HEAD", "/.doorward/health", &[], ""));
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("15"), 0));
    let post = raw::once(gateway.address(), raw::request("POST", "/.doorward/health", &[], ""));
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    for target in ["/.doorward", "/.doorward/", "/.doorward/healthy", "/.doorward/health/x", "/nowhere"] {
        assert_eq!(get(gateway.address(), target).status, 404, "{target}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_first_start_without_a_password_lets_nobody_in_and_says_how() {
    let backend = Recorder::start();
    let mut gateway = Doorward::new(BINARY).settings(&mount(&backend, "")).start();
    let address = gateway.address();
    let line = gateway.wait_for_log("\"nobody_can_log_in\"");
    assert!(line.contains("POST /api"), "{line}");
    for password in ["", "admin", "password", "password123", PASSWORD] {
        let status = raw::once(address, login_bytes("admin", password)).status;
        assert_eq!(status, if password.is_empty() { 400 } else { 401 }, "{password:?}");
    }
    let start = |address, password: &str| {
        let body = serde_json::json!({ "password": password }).to_string();
        raw::once(address, raw::request("POST", "/api", &[("Content-Type", "application/json")], &body))
    };
    let weak = start(address, "short");
    assert_eq!((weak.status, code(&weak).as_str()), (400, "invalid-password"));
    assert_eq!(start(address, PASSWORD).status, 201);
    assert_eq!(start(address, "another good one").status, 409);
    let token = log_in(address, "admin", PASSWORD);
    gateway.kill();
    gateway.restart();
    assert_eq!(judged(&mut Raw::connect(address), &token).0, 200);
    assert_eq!(start(address, "another good one").status, 409, "once is once, over a crash as well");
}

#[test]
fn contract_first_start_takes_the_password_from_the_environment_or_a_file_once() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let plan = || Doorward::new(BINARY).settings(&mount(&backend, ""));
    let mut first = plan().environment("DOORWARD_ADMIN_PASSWORD_FILE", file).start();
    let _token = log_in(first.address(), "admin", PASSWORD);
    // There is one already: another is not taken.
    assert_eq!(first.terminate().code, Some(0));
    let other =
        plan().data(&first.data()).environment("DOORWARD_ADMIN_PASSWORD", "quite another password").start();
    assert_eq!(raw::once(other.address(), login_bytes("admin", "quite another password")).status, 401);
    let _token = log_in(other.address(), "admin", PASSWORD);

    let both = plan()
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .environment("DOORWARD_ADMIN_PASSWORD_FILE", file)
        .try_start()
        .unwrap_err();
    assert_eq!((both.code, both.stdout.as_str()), (Some(1), ""), "{both:#?}");
    assert!(both.stderr.contains("DOORWARD_ADMIN_PASSWORD: is set together with"), "{both:#?}");
    let missing = plan().environment("DOORWARD_ADMIN_PASSWORD_FILE", "/nonexistent").try_start().unwrap_err();
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    assert!(missing.stderr.contains("/nonexistent cannot be read"), "{missing:#?}");
}
