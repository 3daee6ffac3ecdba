//! Clients of the field get a token, use it and give it back: curl, and `requests` and `httpx` of Python (issue 5).
//!
//! `cargo xtask test` installs them (`xtask/clients.txt`).

use std::path::Path;
use std::process::Command;

use super::*;

/// What both libraries do alike: with an empty body, and with the form that RFC 6749 section 4.4.2 has.
const SCRIPT: &str = r#"
import importlib, sys

library, base, user, password = sys.argv[1:]
client = importlib.import_module(library)
for form in (None, {"grant_type": "client_credentials"}):
    given = client.post(base + "/oauth2/token", auth=(user, password), data=form, timeout=30)
    token = given.json()["access_token"]
    shown = {"Authorization": given.json()["token_type"] + " " + token}
    used = client.get(base + "/api/collections", headers=shown, timeout=30)
    back = client.post(base + "/oauth2/revoke", data={"token": token}, timeout=30)
    late = client.get(base + "/api/collections", headers=shown, timeout=30)
    print(given.status_code, used.status_code, back.status_code, late.status_code)
"#;

fn a_token_of(library: &str) {
    let (backend, gateway) = house("");
    new_user(gateway.address(), "ada", "a pass:word with +%", &["admin"]);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/clients/bin/python");
    assert!(python.is_file(), "the clients are not there: run `cargo xtask test`, which installs them");
    let output = Command::new(python)
        .args(["-B", "-c", SCRIPT, library, &gateway.url(), "ada", "a pass:word with +%"])
        .env("NO_PROXY", "*")
        .output()
        .expect("the client runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().collect::<Vec<_>>(), ["200 200 200 401"; 2], "{library}: {wrong}");
    assert_eq!(backend.wait_for(2).len(), 2);
    assert!(backend.requests().iter().all(|seen| seen.header("fusion-user-name") == Some("ada")));
}

#[test]
fn a_token_of_requests() {
    a_token_of("requests");
}

#[test]
fn a_token_of_httpx() {
    a_token_of("httpx");
}

#[test]
fn a_token_of_curl() {
    let (backend, gateway) = house("");
    let curl = |path: &str, more: &[&str]| {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--noproxy",
                "*",
                "--max-time",
                "30",
                "--write-out",
                "\n%{http_code}",
            ])
            .args(more)
            .arg(format!("{}{path}", gateway.url()))
            .output()
            .expect("curl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap();
        (status.to_owned(), serde_json::from_str::<Value>(body).unwrap_or_default())
    };
    let user = format!("admin:{PASSWORD}");
    for more in [&["--request", "POST"][..], &["--data", "grant_type=client_credentials"]] {
        let (status, given) = curl("/oauth2/token?realmName=native", &[more, &["--user", &user]].concat());
        assert_eq!(status, "200", "{given}");
        let token = given["access_token"].as_str().unwrap();
        let shown = format!("Authorization: Bearer {token}");
        assert_eq!(curl("/api/collections", &["--header", &shown]).0, "200");
        assert_eq!(curl("/oauth2/revoke", &["--data-urlencode", &format!("token={token}")]).0, "200");
        assert_eq!(curl("/api/collections", &["--header", &shown]).0, "401");
    }
    assert_eq!(backend.wait_for(2).len(), 2);
}
