//! Tests of `process` with a stand-in for the binary: a shell script that announces and waits.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// A stand-in that shows its arguments and settings, announces the `--listen` or `listen` address, drains on
/// SIGTERM and says when it is told to read its settings again.
const STAND_IN: &str = r#"#!/bin/sh
trap 'echo drained >&2; exit 0' TERM
trap 'echo reloaded >&2' HUP
echo "arguments $*" >&2
if [ "$2" = -c ]; then cat "$3" >&2; at=$(sed -n 's/^listen = "\(.*\)"/\1/p' "$3"); else at=$3; fi
if grep -q nonsense "${3:-/dev/null}" 2>/dev/null; then echo "nonsense" >&2; exit 1; fi
echo "secret is $SECRET"
echo "listening on http://$at"
while :; do sleep 0.05; done
"#;

fn stand_in() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("stand-in");
    std::fs::write(&path, STAND_IN).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

#[test]
fn settings_get_places_and_the_process_is_watched_to_its_end() {
    let (_folder, path) = stand_in();
    let mut doorward = Doorward::new(&path)
        .settings("workers = 1\n[[mount]]\nlisten = \"not mine\"\n")
        .environment("SECRET", "x")
        .start();
    let address = doorward.address();
    assert_eq!(doorward.url(), format!("http://{address}"));
    assert!(doorward.stdout_lines().contains(&"secret is x".to_owned()));
    let settings = std::fs::read_to_string(doorward.settings_file()).unwrap();
    assert!(settings.starts_with(&format!("listen = \"{address}\"\ndata = ")), "{settings}");
    assert!(doorward.rss_kib() > 100 && doorward.peak_rss_kib() >= doorward.rss_kib());
    assert!(doorward.open_files() >= 3);
    doorward.hangup();
    assert_eq!(doorward.wait_for_log("reloaded"), "reloaded");
    doorward.kill();
    assert!(!doorward.is_running());
    doorward.restart();
    assert_eq!(doorward.address(), address);
    let ended = doorward.terminate();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.ends_with("drained\n"), "{}", ended.stderr);
}

#[test]
fn without_settings_places_are_arguments() {
    let (_folder, path) = stand_in();
    let doorward = Doorward::new(&path).argument("--upstream").argument("http://127.0.0.1:1").start();
    let arguments = doorward.wait_for_log("arguments ");
    assert!(arguments.starts_with("arguments serve --listen 127.0.0.1:"), "{arguments}");
    assert!(arguments.ends_with("--upstream http://127.0.0.1:1"), "{arguments}");
}

#[test]
fn settings_that_do_not_start_say_why() {
    let (_folder, path) = stand_in();
    let ended = Doorward::new(&path).settings("nonsense = 1\n").try_start().unwrap_err();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.ends_with("nonsense\n"));
}

#[test]
fn a_command_runs_to_its_end() {
    let ended = run("/bin/sh", &["-c", "cat; echo $A >&2; exit 3"], &[("A", "b")], "in");
    assert_eq!(ended, Ended { code: Some(3), stdout: "in\n".into(), stderr: "b\n".into() });
}

#[test]
fn announcements_are_told_from_other_lines() {
    assert_eq!(announced_address("listening on https://[::1]:80/"), "[::1]:80".parse().ok());
    assert_eq!(announced_address("listening on http://127.0.0.1:8764"), "127.0.0.1:8764".parse().ok());
    assert_eq!(announced_address("not listening on http://127.0.0.1:8764"), None);
}
