//! The cookie over TLS, as curl's jar takes it: `__Host-doorward`.

use std::path::Path;
use std::process::Command;

use testkit::{Doorward, Recorder};

use super::{SESSION, credentials, mount};
use crate::common::{BINARY, PASSWORD};

/// A certificate for `localhost` and its key, as files.
fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
}

/// The head of the answer that curl gets with its jar, and the jar's lines of our cookie.
fn curl(folder: &Path, port: u16, target: &str, more: &[&str]) -> (String, Vec<String>) {
    let (jar, heads) = (folder.join("jar"), folder.join("heads"));
    let output = Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--noproxy", "*", "--max-time", "30", "--dump-header"])
        .arg(&heads)
        .arg("--cacert")
        .arg(folder.join("certificate.pem"))
        .arg("--cookie")
        .arg(&jar)
        .arg("--cookie-jar")
        .arg(&jar)
        .args(more)
        .arg(format!("https://localhost:{port}{target}"))
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = std::fs::read_to_string(&jar).unwrap_or_default();
    let ours = kept.lines().filter(|line| line.contains("doorward")).map(str::to_owned).collect();
    (std::fs::read_to_string(&heads).unwrap(), ours)
}

#[test]
fn contract_over_tls_the_cookie_is_this_hosts_alone() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "listen = [{{ address = \"127.0.0.1:0\", certificate = \"{}\", key = \"{}\" }}]\n{}cookie_same_site = \"strict\"\n",
        file("certificate.pem"),
        file("key.pem"),
        mount(&backend, "/")
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let port = gateway.address().port();
    let ask = |target: &str, more: &[&str]| curl(folder.path(), port, target, more);

    let body = credentials("admin", PASSWORD).to_string();
    let (head, jar) = ask(SESSION, &["--header", "Content-Type: application/json", "--data", &body]);
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    let set = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
    let (token, attributes) = set.strip_prefix("__Host-doorward=").unwrap().split_once("; ").unwrap();
    assert_eq!((token.len(), attributes), (43, "Secure; HttpOnly; Path=/; SameSite=Strict"));
    let [line] = &jar[..] else { panic!("{jar:?}") };
    assert!(line.ends_with(&format!("\t__Host-doorward\t{token}")), "{line}");

    assert!(ask("/x", &[]).0.starts_with("HTTP/1.1 200 "));
    let seen = backend.wait_for(1).remove(0);
    assert_eq!((seen.header("cookie"), seen.header("x-forwarded-user")), (None, Some("admin")));
    // The name that anybody on a plain connection could set is not ours here.
    let tossed = format!("Cookie: doorward={token}");
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("certificate.pem"), other.path().join("certificate.pem")).unwrap();
    let (head, _) = curl(other.path(), port, "/x", &["--header", &tossed]);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");

    let (head, _) = ask(SESSION, &["--request", "DELETE"]);
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
    let taken = "Set-Cookie: __Host-doorward=; Secure; HttpOnly; Path=/; SameSite=Strict; Max-Age=0; ";
    assert!(head.contains(taken), "{head}");
    let (head, _) =
        curl(other.path(), port, "/x", &["--header", &format!("Cookie: __Host-doorward={token}")]);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}
