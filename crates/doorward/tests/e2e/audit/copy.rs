//! The copy of the audit log as JSON lines: each line once, whatever happens; and what it shows of a log that was altered.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use testkit::Recorder;
use testkit::patience::wait_until;
use testkit::process::{Doorward, Ended};

use super::{LONG, lines, verify};
use crate::common::{BINARY, PASSWORD, log_in, new_user};

/// A gateway with a copy of its log; the copy's file.
pub(super) fn copying(backend: &Recorder) -> (Doorward, PathBuf) {
    let text = format!(
        "[audit]\nfile = \"audit.jsonl\"\n[[mount]]\npath = \"/api\"\nupstream = \"http://{}\"\n",
        backend.address()
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&text).start();
    let file = gateway.folder().join("audit.jsonl");
    (gateway, file)
}

/// The ids of the whole lines of a copy.
fn copied(file: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    whole.map(|line| line["id"].as_u64().unwrap()).collect()
}

/// Waits until a copy ends with the newest line of the log.
pub(super) fn wait_for_copy(gateway: &Doorward, file: &Path) -> u64 {
    let newest = lines(gateway, "?limit=1")[0]["id"].as_u64().unwrap();
    let there = || (copied(file).last() == Some(&newest)).then_some(());
    assert!(wait_until(there).is_some(), "{newest}: {:?}", copied(file));
    newest
}

#[test]
fn contract_the_copy_has_each_line_once_whatever_happens() {
    let backend = Recorder::start();
    let (mut gateway, file) = copying(&backend);
    log_in(gateway.address(), "admin", PASSWORD);
    wait_for_copy(&gateway, &file);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let line: Value =
        serde_json::from_str(std::fs::read_to_string(&file).unwrap().lines().last().unwrap()).unwrap();
    let listed = &lines(&gateway, &format!("?after={}", line["id"].as_u64().unwrap() + 1))[0];
    assert_eq!((&line["id"], &line["at"], &line["hash"]), (&listed["id"], &listed["at"], &listed["hash"]));
    // Killed, with its last line torn: it goes on behind it, and says that line again.
    gateway.kill();
    let text = std::fs::read(&file).unwrap();
    let keep = text.len() - 20;
    std::fs::write(&file, &text[..keep]).unwrap();
    gateway.restart();
    let newest = wait_for_copy(&gateway, &file);
    assert!(std::fs::read(&file).unwrap().starts_with(&text[..keep]), "nothing is ever taken out of a file");
    assert_eq!(copied(&file), (1..=newest).collect::<Vec<_>>());
    let told = verify(&gateway, &["--copy", file.to_str().unwrap()]);
    assert_eq!(told.code, Some(0), "{told:#?}");
    assert!(told.stdout.contains("1 lines were torn"), "{told:#?}");
    // Moved away: the next line is the first of a new file.
    let old = gateway.folder().join("audit.1.jsonl");
    std::fs::rename(&file, &old).unwrap();
    gateway.hangup();
    let _ = gateway.wait_for_log("settings_reloaded");
    let newest = wait_for_copy(&gateway, &file);
    let moved = copied(&old).len() as u64;
    assert_eq!(copied(&file), (moved + 1..=newest).collect::<Vec<_>>());
    let both = ["--copy", old.to_str().unwrap(), "--copy", file.to_str().unwrap()];
    assert_eq!(verify(&gateway, &both).code, Some(0));
    // A new file after a start begins with the oldest line.
    assert_eq!(gateway.terminate().code, Some(0));
    std::fs::remove_file(&file).unwrap();
    gateway.restart();
    let newest = wait_for_copy(&gateway, &file);
    assert_eq!(copied(&file), (1..=newest).collect::<Vec<_>>());
}

#[test]
fn contract_a_copy_shows_what_was_done_to_either() {
    let backend = Recorder::start();
    let (mut gateway, file) = copying(&backend);
    for name in ["alice", "bob"] {
        new_user(gateway.address(), name, LONG, &[]);
    }
    wait_for_copy(&gateway, &file);
    assert_eq!(gateway.terminate().code, Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    let last = rows.len();
    assert_eq!(copied(&file).last().copied(), Some(last as u64));
    let check = |rows: &[String]| {
        std::fs::write(&file, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
        verify(&gateway, &["--copy", file.to_str().unwrap()])
    };
    let whole: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
    assert_eq!(check(&whole).code, Some(0));
    assert_eq!(check(&whole[2..]).code, Some(0), "the older lines may be elsewhere");
    let behind = check(&whole[..last - 1]);
    assert_eq!(behind.code, Some(0), "it may be behind");
    assert!(behind.stdout.contains("the store has 1 more"), "{behind:#?}");
    let altered = |change: &dyn Fn(&mut Vec<String>)| {
        let mut rows = whole.clone();
        change(&mut rows);
        check(&rows)
    };
    let faults: [(&str, Ended); 5] = [
        ("altered", altered(&|rows| rows.iter_mut().for_each(|row| *row = row.replace("alice", "eve")))),
        ("missing", altered(&|rows| drop(rows.remove(2)))),
        ("swapped", altered(&|rows| rows.swap(2, 3))),
        ("no line", altered(&|rows| rows[last - 1] = "{}".to_owned())),
        ("of two installations", altered(&|rows| rows.extend(whole.iter().cloned()))),
    ];
    for (what, told) in faults {
        assert_eq!(told.code, Some(1), "{what}: {told:#?}");
        assert!(told.stderr.contains("audit.jsonl, line "), "{what}: {told:#?}");
    }
    // A store whose end was cut off, with a head that says so: the copy knows better.
    std::fs::write(&file, &text).unwrap();
    let mut other = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings("[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:9\"\n")
        .start();
    assert_eq!(other.terminate().code, Some(0));
    let told = verify(&other, &["--copy", file.to_str().unwrap()]);
    assert_eq!(told.code, Some(1), "{told:#?}");
}

#[test]
fn contract_a_copy_that_cannot_be_written_is_told_and_made_good_for() {
    let backend = Recorder::start();
    let text = format!(
        "[audit]\nfile = \"later/audit.jsonl\"\n[[mount]]\npath = \"/api\"\nupstream = \"http://{}\"\n",
        backend.address()
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&text).start();
    let _ = gateway.wait_for_log("audit_copy_failed");
    log_in(gateway.address(), "admin", PASSWORD);
    std::fs::create_dir(gateway.folder().join("later")).unwrap();
    gateway.signal(Signal::HUP);
    let newest = wait_for_copy(&gateway, &gateway.folder().join("later/audit.jsonl"));
    assert_eq!(copied(&gateway.folder().join("later/audit.jsonl")), (1..=newest).collect::<Vec<_>>());
    let _ = gateway.wait_for_log("audit_copy_resumed");
    let failures = gateway.log_lines().iter().filter(|line| line.contains("audit_copy_failed")).count();
    assert_eq!(failures, 1, "once a minute");
}

#[test]
fn contract_lines_go_to_the_standard_output_from_the_start_on() {
    let backend = Recorder::start();
    let text = format!(
        "[audit]\nfile = \"-\"\n[[mount]]\npath = \"/api\"\nupstream = \"http://{}\"\n",
        backend.address()
    );
    let mut gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&text).start();
    let copied = |gateway: &Doorward| -> Vec<u64> {
        let out = gateway.stdout_lines();
        let lines = out.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|line| line["id"].as_u64().unwrap()).collect()
    };
    log_in(gateway.address(), "admin", PASSWORD);
    let newest = lines(&gateway, "?limit=1")[0]["id"].as_u64().unwrap();
    let there = || (copied(&gateway).last() == Some(&newest)).then_some(());
    assert!(wait_until(there).is_some(), "{:?}", gateway.stdout_lines());
    // A start that had to be repeated for its port has said the first line already.
    let first = copied(&gateway)[0];
    assert_eq!((first <= 2, copied(&gateway)), (true, (first..=newest).collect::<Vec<_>>()));
    let ended = gateway.terminate();
    let stopped = ended.stdout.lines().last().unwrap();
    assert!(stopped.contains("server.stop"), "{ended:#?}");
    gateway.restart();
    let newest = lines(&gateway, "?limit=1")[0]["id"].as_u64().unwrap();
    let there = || (copied(&gateway).last() == Some(&newest)).then_some(());
    assert!(wait_until(there).is_some());
    let before: Value = serde_json::from_str(stopped).unwrap();
    assert_eq!(copied(&gateway)[0], before["id"].as_u64().unwrap() + 1, "what was before is not said again");
}
