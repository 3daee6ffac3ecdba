//! `doorward demo`: the README's first command. What it prints is what a new user types, so that is what is run here.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::patience::wait_until;

use crate::common::BINARY;

/// A demo that runs, with what it printed so far.
struct Demo {
    child: Child,
    printed: Vec<String>,
    temporary: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(BINARY)
            .args(["demo", "--listen", "127.0.0.1:0"])
            .env("TMPDIR", temporary.path())
            .env_remove("DOORWARD_ADMIN_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = Vec::new();
        for line in stdout.lines() {
            let line = line.unwrap();
            let last = line.contains("doorward serve");
            printed.push(line);
            if last {
                break;
            }
        }
        Self { child, printed, temporary }
    }

    fn folders(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn lines(&self) -> Vec<&str> {
        self.printed.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect()
    }

    fn password(&self) -> String {
        let (_, rest) = self.lines()[0].split_once("\"password\":\"").expect("a password in the first line");
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    fn end(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        wait_until(|| self.child.try_wait().unwrap()).expect("the demo ends").code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a person's shell makes of the line.
fn shell(line: &str, folder: &std::path::Path) -> String {
    let ended = Command::new("sh").args(["-c", line]).current_dir(folder).output().expect("sh");
    assert!(ended.status.success(), "{line}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn contract_demo_prints_three_curl_lines_that_work() {
    let mut demo = Demo::start();
    assert!(demo.printed[0].starts_with("listening on http://127.0.0.1:"), "{:?}", demo.printed);
    let lines: Vec<String> = demo.lines().into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{:?}", demo.printed);
    let folder = tempfile::tempdir().unwrap();
    let login = shell(&lines[0], folder.path());
    assert!(login.starts_with("HTTP/1.1 201 Created\r\n") && login.contains("Set-Cookie: id="), "{login}");
    let collections = shell(&lines[1], folder.path());
    let collections: serde_json::Value = serde_json::from_str(&collections).unwrap();
    assert_eq!(collections[0]["id"], "demo");
    let session = shell(&lines[2], folder.path());
    assert!(
        session.contains("\"username\":\"admin\"") && session.contains("HTTP/1.1 204 No Content\r\n"),
        "{session}"
    );
    // The session is over: the same call again is refused.
    let after = shell(&lines[1], folder.path());
    assert_eq!(after, "{\"code\":\"session-unknown\"}");

    assert_eq!(demo.folders().len(), 1, "one temporary folder: {:?}", demo.folders());
    assert_eq!(demo.end(Signal::TERM), Some(0));
    assert!(demo.folders().is_empty(), "{:?}", demo.folders());
    let mut log = String::new();
    demo.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!log.contains(&demo.password()), "the password is on stdout for the person, and not in the log");
}

#[test]
fn contract_demo_leaves_nothing_after_ctrl_c_and_two_run_at_once() {
    let (mut one, mut other) = (Demo::start(), Demo::start());
    assert_ne!(one.printed[0], other.printed[0]);
    assert_ne!(one.password(), other.password());
    for demo in [&mut one, &mut other] {
        assert_eq!(demo.end(Signal::INT), Some(0));
        assert!(demo.folders().is_empty(), "{:?}", demo.folders());
    }
}
