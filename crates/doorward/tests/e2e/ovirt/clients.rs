//! Clients of the field against the gateway, each through log-in, three requests, expiry and log-out (issue 5): `requests` and
//! `httpx` of Python, curl with a cookie jar, oVirt's own Python SDK 4.
//!
//! `cargo xtask test` installs them (`xtask/clients.txt`). A client's script says each step on stdout, and waits on stdin until
//! its session has timed out.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use testkit::patience::wait_until;

use super::{API, Engine, LONG};

/// The least idle time that leaves a slow machine time for the next request.
const IDLE: &str = "idle_timeout = \"3s\"";

/// Where xtask puts the clients.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/tools/clients/bin/python");
    assert!(python.is_file(), "the clients are not there: run `cargo xtask test`, which installs them");
    python
}

/// A client's script that runs.
struct Script {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Script {
    fn start(engine: &Engine, name: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/ovirt/clients").join(name);
        let mut child = Command::new(python())
            .arg("-B")
            .arg(script)
            .args([&engine.gateway.url(), "ada@internal", LONG])
            .env("NO_PROXY", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client runs");
        let says = BufReader::new(child.stdout.take().unwrap());
        let hears = child.stdin.take().unwrap();
        Self { child, says, hears }
    }

    /// The words of the next step, which must begin with `step`.
    fn next(&mut self, step: &str) -> Vec<String> {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some(step), "{line}");
        words.collect()
    }

    /// Lets it go on once its session has timed out.
    fn wait_for_expiry(&mut self, engine: &Engine) {
        assert!(self.next("idle").is_empty());
        wait_until_timed_out(engine);
        self.hears.write_all(b"\n").unwrap();
    }

    fn ends_well(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn wait_until_timed_out(engine: &Engine) {
    assert_eq!(engine.sessions().len(), 1);
    wait_until(|| engine.sessions().is_empty().then_some(())).expect("an idle session times out");
}

/// What `requests` and `httpx` do alike.
fn a_cookie_session(name: &str) {
    let engine = Engine::with(IDLE, "");
    let mut script = Script::start(&engine, name);
    let first = script.next("log-in");
    let [status, id] = &first[..] else { panic!("{first:?}") };
    assert_eq!((status.as_str(), id.len()), ("200", 40));
    for _ in 0..3 {
        assert_eq!(script.next("request"), first);
    }
    assert_eq!(engine.reached().len(), 4);
    script.wait_for_expiry(&engine);
    assert_eq!(script.next("expired")[0], "401");
    let second = script.next("log-in");
    assert_eq!(second[0], "200");
    assert_ne!(second[1], *id, "a dead id is not adopted");
    assert_eq!(script.next("request"), second);
    assert_eq!(script.next("log-out"), ["200", "None"], "the cookie is taken out of the jar");
    script.ends_well();
    assert!(engine.sessions().is_empty());
    assert_eq!(engine.reached().len(), 3);
}

#[test]
fn a_session_of_requests() {
    a_cookie_session("requests_session.py");
}

#[test]
fn a_session_of_httpx() {
    a_cookie_session("httpx_session.py");
}

#[test]
fn the_engines_own_sdk() {
    let engine = Engine::with(IDLE, "");
    let mut script = Script::start(&engine, "sdk.py");
    assert_eq!(script.next("wrong"), ["refused"]);
    assert_eq!(script.next("log-in")[0], "200");
    assert_eq!(script.next("request"), ["oVirt", "Engine"]);
    assert_eq!(script.next("request"), ["one", "two"]);
    assert_eq!(script.next("request"), ["True"]);
    script.wait_for_expiry(&engine);
    assert_eq!(script.next("expired"), ["one", "two", "True"]);
    assert!(script.next("log-out").is_empty());
    script.ends_well();
    assert!(engine.sessions().is_empty(), "its log-out ends the session at once");
}

#[test]
fn curl_with_a_cookie_jar() {
    let engine = Engine::with(IDLE, "");
    let jar = engine.gateway.folder().join("jar");
    let url = format!("{}{API}/vms", engine.gateway.url());
    let curl = |more: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--noproxy", "*"])
            .args(["--max-time", "30", "--cookie"])
            .arg(&jar)
            .arg("--cookie-jar")
            .arg(&jar)
            .args(more)
            .arg(&url)
            .output()
            .expect("curl runs");
        let kept = std::fs::read_to_string(&jar).unwrap_or_default();
        let id = kept.lines().find_map(|line| Some(line.split_once("\tJSESSIONID\t")?.1.to_owned()));
        (String::from_utf8(output.stdout).unwrap(), id)
    };
    let (persistent, user) = (["--header", "Prefer: persistent-auth"], format!("ada@internal:{LONG}"));
    let with_password = [&persistent[..], &["--user", &user]].concat();
    let (status, id) = curl(&with_password);
    assert_eq!((status.as_str(), id.as_ref().map(String::len)), ("200", Some(40)));
    for _ in 0..3 {
        assert_eq!(curl(&persistent), ("200".to_owned(), id.clone()));
    }
    wait_until_timed_out(&engine);
    assert_eq!(curl(&persistent).0, "401");
    let (status, second) = curl(&with_password);
    assert!(status == "200" && second.is_some() && second != id);
    assert_eq!(curl(&["--user", &user]).0, "200");
    assert!(engine.sessions().is_empty());
    // Debian's curl, 7.88, takes nothing out of its jar, whatever the answer says; what is left there is worth nothing.
    assert_eq!(curl(&persistent).0, "401");
}
