//! Figures 1 and 2: `kill -9` at random moments loses no acknowledged login, undoes no acknowledged end, and takes no line out
//! of the audit log that was noted before either.
//!
//! The test starts itself as a child, which writes down what was acknowledged to its standard output.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use auth::{AuditStore, EndReason, Ended, SessionRecord, SessionStore};
use store_embedded::EmbeddedStore;
use testkit::suites::audit::all_lines;
use testkit::suites::clock::START;
use testkit::suites::samples::{audit_entry, session, token};
use testkit::suites::sessions::load_all;

const FOLDER: &str = "STORE_EMBEDDED_CRASH_FOLDER";
const FIRST: &str = "STORE_EMBEDDED_CRASH_FIRST";
const ROUNDS: u64 = 10;
const ENDED: Ended = Ended { at: START, reason: EndReason::Logout };

/// The child: many clients at once log in, are touched, and half of them log out, until somebody kills it.
#[test]
fn child_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open(Path::new(&folder)).await.unwrap());
        let clients: Vec<_> = (0..16_u64)
            .map(|client| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for number in (first + client..).step_by(16) {
                        store.append(audit_entry(2 * number));
                        store.insert(session(number)).await.unwrap();
                        acknowledge('+', number);
                        store.touch(vec![(token(number), session(number).last_seen)]).await.unwrap();
                        if number % 3 == 0 {
                            store.append(audit_entry(2 * number + 1));
                            store.end(vec![(token(number), ENDED)]).await.unwrap();
                            acknowledge('-', number);
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

/// One write, one line: what is in the pipe was acknowledged.
fn acknowledge(what: char, number: u64) {
    let line = format!("\n{what}{number}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn figures_1_and_2_kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut alive, mut ended) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_writes_until_it_is_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let (mut seen, enough) = (0, 30 + round * 67);
        let mut note = |line: String| {
            let (what, number) =
                (line.chars().next(), line.get(1..).and_then(|rest| rest.parse::<u64>().ok()));
            match (what, number) {
                (Some('+'), Some(number)) => alive.push(number),
                (Some('-'), Some(number)) => ended.push(number),
                _ => return false,
            }
            true
        };
        while seen < enough {
            let line = lines.next().expect("the child writes until it is killed");
            seen += u64::from(note(line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was acknowledged before the kill is still in the pipe.
        for line in lines {
            note(line);
        }

        if round % 2 == 0 {
            std::fs::remove_file(folder.path().join("doorward.db-shm")).unwrap();
        }
        let peek = EmbeddedStore::peek(folder.path()).await.unwrap();
        let peeked = load_all(&peek).await;
        peek.close().await;
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let sessions = load_all(&store).await;
        assert_eq!(peeked, sessions, "reading needs no server, and no repair by one");
        let report = EmbeddedStore::verify_audit(folder.path()).await.unwrap();
        assert_eq!(report.fault, None);
        let lines = all_lines(&store).await;
        let noted: HashSet<&str> = lines.iter().map(|line| &*line.entry.fields["session.id"]).collect();
        for line in alive.iter().map(|number| 2 * number).chain(ended.iter().map(|number| 2 * number + 1)) {
            assert!(
                noted.contains(&*audit_entry(line).fields["session.id"]),
                "what was noted before is kept"
            );
        }
        for number in &alive {
            let kept = sessions.get(token(*number).as_bytes()).expect("an acknowledged login is kept");
            assert_eq!(SessionRecord { ended: None, ..kept.clone() }, session(*number));
        }
        for number in &ended {
            assert_eq!(sessions[token(*number).as_bytes()].ended, Some(ENDED), "an acknowledged end stays");
        }
        store.close().await;
    }
    assert!(!ended.is_empty() && alive.len() > ended.len());
}
