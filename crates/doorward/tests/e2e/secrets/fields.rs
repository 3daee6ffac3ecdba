//! Every field of every operation that takes a credential, each with a mark of its own in it, right and wrong, in the right
//! place and where people put it by mistake; then everything that the gateway says and writes is searched: answers, log, audit
//! log and its copy, what the commands print, the files and their backup. And what a panic would tell.

use std::path::Path;

use auth::{
    BearerText, Evidence, KeyText, Password, PasswordHash, Presented, PresentedPassword, SessionToken,
    Username,
};
use serde_json::{Value, json};
use testkit::backend::Recorder;
use testkit::process::{self, Doorward};
use testkit::raw;

use super::{MARK, Seen, assert_clean_files, mark};
use crate::common::{BINARY, PASSWORD, as_admin, ask, basic, command, log_in, login_bytes, new_user};

impl Seen {
    /// Sends this body as `admin`; the status of the answer, which is searched with the others.
    fn send(&mut self, gateway: &Doorward, method: &str, path: &str, body: &str) -> u16 {
        let shown = basic("admin", PASSWORD);
        let fields = [("Authorization", shown.as_str()), ("Content-Type", "application/json")];
        let answer = ask(gateway.address(), method, &format!("/api{path}"), &fields, body);
        self.answers.push(answer);
        self.answers.last().map_or(0, |answer| answer.status)
    }

    fn secrets_of(&mut self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.secret(&mark(name))).collect()
    }
}

/// The fields of users, good and bad; gives the session of one who changed his own password.
fn fields_of_users(gateway: &Doorward, seen: &mut Seen) -> String {
    let [good, confirm, put, own, wrong, nested, bare] = <[String; 7]>::try_from(
        seen.secrets_of(&["created", "unlike", "put", "his-own", "not-his", "nested", "bare"]),
    )
    .unwrap();
    let id = new_user(gateway.address(), "walter", &good, &["search"]);
    let user = format!("/users/{id}");
    let sent = [
        ("POST", "/users", json!({ "username": "wanda", "password": good, "passwordConfirm": confirm }), 400),
        ("POST", "/users", json!({ "username": "wanda", "password": { "value": nested } }), 400),
        ("POST", "/users", json!({ "username": "wanda", "password": [nested] }), 400),
        ("POST", "/users", json!({ "username": "wanda", "passwort": nested }), 400),
        ("POST", "/users", json!({ "username": "walter", "password": good }), 409),
        ("POST", "/users", json!(bare), 400),
        ("POST", "/users", json!([bare]), 400),
        ("PUT", user.as_str(), json!({ "password": put, "passwordConfirm": put }), 200),
        ("PATCH", user.as_str(), json!({ "password": put, "passwordConfirm": confirm }), 400),
        ("PATCH", user.as_str(), json!({ "currentPassword": { "value": nested }, "password": put }), 400),
        ("PATCH", user.as_str(), json!(bare), 400),
    ];
    for (method, path, body, status) in sent {
        assert_eq!(seen.send(gateway, method, path, &body.to_string()), status, "{method} {path} {body}");
    }
    // The own one, with the wrong present password and with the right one.
    let token = log_in(gateway.address(), "walter", &put);
    seen.secret(&token);
    for (current, status) in [(&wrong, 400), (&put, 200)] {
        let body = json!({ "password": own, "currentPassword": current }).to_string();
        let cookie = format!("id={token}");
        let fields = [("Cookie", cookie.as_str()), ("Content-Type", "application/json")];
        let target = format!("/api{user}");
        let answer = seen.ask(gateway, raw::request("PATCH", &target, &fields, &body));
        assert_eq!(answer.status, status, "{}", answer.body_text());
        let mine = json!({ "currentPassword": current }).to_string();
        seen.ask(gateway, raw::request("DELETE", "/api/session/mine", &fields, &mine));
        seen.ask(gateway, raw::request("DELETE", "/api/session/mine", &fields, &json!(current).to_string()));
    }
    token
}

/// Logins and first starts whose bodies are of no form that they should have.
fn odd_bodies(gateway: &Doorward, seen: &mut Seen) {
    let odd = seen.secret(&mark("odd-login"));
    let bodies = [
        json!(odd),
        json!([odd]),
        json!({ "username": "admin", "password": [odd] }),
        json!({ "username": "admin", "password": { "value": odd } }),
        json!({ "username": { "password": odd }, "password": odd }),
        json!({ "password": odd }),
        json!({ "user": "admin", "pass": odd }),
    ];
    let fields = [("Content-Type", "application/json")];
    for body in &bodies {
        for target in ["/api/session", "/api/apps/x/session", "/api"] {
            let status = seen.ask(gateway, raw::request("POST", target, &fields, &body.to_string())).status;
            assert!((400..500).contains(&status), "{status} {target} {body}");
        }
    }
    let setup = [json!({ "setupToken": odd }), json!({ "setupToken": [odd], "password": odd })];
    for body in &setup {
        let status = seen.ask(gateway, raw::request("POST", "/api", &fields, &body.to_string())).status;
        assert!((400..500).contains(&status), "{status} {body}");
    }
    assert_eq!(seen.ask(gateway, login_bytes("admin", &odd)).status, 401);
}

/// Credentials where nobody reads them, and where people and programs put them all the same.
fn wrong_places(gateway: &Doorward, seen: &mut Seen) {
    let lost = seen.secret(&mark("in-a-query"));
    for name in ["password", "currentPassword", "setupToken", "access_token", "token", "id", "key", "apiKey"]
    {
        for target in ["/api/session", "/api/users", "/api/audit", "/api/sessions", "/api/x", "/nowhere"] {
            let _any = seen.ask(gateway, raw::request("GET", &format!("{target}?{name}={lost}"), &[], ""));
            seen.send(gateway, "GET", &format!("/audit?{name}={lost}"), "");
        }
    }
    let proxy = seen.secret(&basic("admin", &seen.secrets[0].clone()));
    let fields = [("Proxy-Authorization", proxy.as_str()), ("X-Api-Token", lost.as_str())];
    let _any = seen.ask(gateway, raw::request("GET", "/api/users", &fields, ""));
}

/// The secrets of a realm's config, of keys, and of those who ask why.
fn other_operations(gateway: &Doorward, seen: &mut Seen) {
    let secret = seen.secret(&mark("bind-password"));
    let realm = |config: Value| json!({ "name": "elsewhere", "realmType": "native", "config": config });
    let sent = [
        ("/realm-configs", realm(json!({ "bindPassword": secret })), 400),
        ("/realm-configs", realm(json!({ "login": { "bindPassword": secret } })), 400),
        ("/realm-configs", realm(json!(secret)), 400),
        (
            "/realm-configs",
            json!({ "name": "ldap", "realmType": "ldap", "config": { "clientSecret": secret } }),
            400,
        ),
        ("/api-keys", json!({ "name": "x", "key": secret }), 400),
        ("/api-keys", json!({ "name": "x", "expiresAt": secret }), 400),
        ("/api-keys", json!(secret), 400),
        ("/explain", json!({ "username": "admin", "password": secret, "method": "GET", "path": "/x" }), 400),
        ("/explain", json!({ "keyId": secret, "method": "GET", "path": "/x" }), 400),
    ];
    for (path, body, status) in sent {
        assert_eq!(seen.send(gateway, "POST", path, &body.to_string()), status, "{path} {body}");
    }
}

/// What the commands say: to those who may look at everything, to those who sent the wrong password, and to those whose new
/// password is refused.
fn commands(gateway: &Doorward, seen: &mut Seen) {
    let lists: [&[&str]; 9] = [
        &["user", "list"],
        &["session", "list"],
        &["key", "list"],
        &["role", "list"],
        &["realm", "list"],
        &["app", "list"],
        &["audit", "list"],
        &["session", "mine"],
        &["user", "create", "wilma"],
    ];
    let (new, wrong) = (seen.secret(&mark("by-command")), seen.secret(&mark("wrong-at-command")));
    for arguments in lists {
        for json in [false, true] {
            let mut all = arguments.to_vec();
            all.extend(json.then_some("--json"));
            let told = command(gateway, &all, &[("DOORWARD_NEW_PASSWORD", &new)]);
            assert_eq!(seen.find(format!("{told:?}").as_bytes()), None, "{arguments:?} {told:#?}");
            assert!(told.code == Some(0) || arguments.contains(&"wilma"), "{arguments:?} {told:#?}");
        }
        let told = command(gateway, arguments, &[("DOORWARD_PASSWORD", &wrong)]);
        assert_ne!(told.code, Some(0), "{arguments:?}");
        assert_eq!(seen.find(format!("{told:?}").as_bytes()), None, "{arguments:?} {told:#?}");
    }
    let weak = seen.secret(&format!("{MARK}{MARK}{MARK}"));
    let told = command(gateway, &["user", "create", "winnie"], &[("DOORWARD_NEW_PASSWORD", &weak[..9])]);
    assert_ne!(told.code, Some(0), "{told:?}");
    assert!(!format!("{told:?}").contains(&weak[..9]), "{told:?}");
}

/// What the commands for files say, and the backup's bytes.
fn files(gateway: &Doorward, seen: &Seen) {
    let (data, copy) = (gateway.data(), gateway.folder().join("copy"));
    let data = data.to_str().unwrap();
    let runs: [&[&str]; 3] = [
        &["backup", copy.to_str().unwrap(), "--data", data],
        &["audit", "verify", "--data", data],
        &["audit", "verify", "--data", data, "--json"],
    ];
    for arguments in runs {
        let told = process::run(BINARY, arguments, &[], "");
        assert_eq!(told.code, Some(0), "{arguments:?} {told:#?}");
        assert_eq!(seen.find(format!("{told:?}").as_bytes()), None, "{told:#?}");
    }
    assert!(copy.exists(), "a backup was made");
    assert_clean_files(seen, gateway.folder());
}

/// Every line of the audit log over HTTP.
fn audit_lines(gateway: &Doorward) -> Vec<String> {
    let (mut lines, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = as_admin(gateway.address(), "GET", &format!("/audit?limit=100{after}"), "");
        assert_eq!(status, 200, "{page}");
        let Some(last) = page.as_array().unwrap().last() else { return lines };
        after = format!("&after={}", last["id"]);
        lines.extend(page.as_array().unwrap().iter().map(Value::to_string));
    }
}

#[test]
fn asvs_110_no_field_for_a_credential_is_ever_seen_again() {
    let backend = Recorder::start();
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n[login]\nattempts_per_user = 100\nattempts_per_address = 10000\n\
         [log]\nrequests = true\nformat = \"json\"\n[audit]\nfile = \"audit.jsonl\"\n",
        backend.url()
    );
    let mut gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let mut seen = Seen { answers: Vec::new(), secrets: vec![PASSWORD.to_owned()] };
    let token = fields_of_users(&gateway, &mut seen);
    odd_bodies(&gateway, &mut seen);
    wrong_places(&gateway, &mut seen);
    other_operations(&gateway, &mut seen);
    commands(&gateway, &mut seen);

    let lines = audit_lines(&gateway);
    assert!(lines.len() > 10, "{}", lines.len());
    for line in lines {
        assert_eq!(seen.find(line.as_bytes()), None, "{line}");
    }
    assert!(seen.answers.len() > 100);
    for answer in &seen.answers {
        assert_eq!(seen.find(&answer.raw), None, "{}", String::from_utf8_lossy(&answer.raw));
        assert!(answer.status < 500, "{}", String::from_utf8_lossy(&answer.raw));
    }
    files(&gateway, &seen);
    let ended = gateway.terminate();
    for line in ended.stderr.lines().chain(ended.stdout.lines()) {
        assert_eq!(seen.find(line.as_bytes()), None, "{line}");
        assert!(!line.contains(MARK), "{line}");
    }
    assert!(is_there(&gateway.folder().join("audit.jsonl")), "the copy of the audit log was searched, too");
    let forwarded: Vec<u8> = backend.requests().iter().flat_map(|request| request.head.clone()).collect();
    let forwarded = String::from_utf8_lossy(&forwarded).into_owned();
    // A query is the backend's, but for what is ours in it; a header that nobody knows is, too.
    for own in ["apiKey=", "Proxy-Authorization", &token] {
        assert!(!forwarded.contains(own), "{own} went to the backend: {forwarded}");
    }
}

fn is_there(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.len() > 0)
}

/// As servlets write it (security.md row 16). The path of a log line and of a denial's audit line is what was asked for.
#[test]
fn asvs_16_a_token_in_the_parameter_of_a_path_is_not_seen_again() {
    let backend = Recorder::start();
    let mut gateway = crate::common::gateway(&backend, "[log]\nrequests = true");
    let mut seen = Seen { answers: Vec::new(), secrets: Vec::new() };
    new_user(gateway.address(), "walter", "a good long password", &[]);
    let token = log_in(gateway.address(), "walter", "a good long password");
    seen.secret(&token);
    for target in ["/api/session;id=", "/api/session;jsessionid=", "/api/x;token=", "/nowhere;id="] {
        let target = format!("{target}{token}");
        let _any = seen.ask(&gateway, raw::request("GET", &target, &[], ""));
        let _denied = seen.ask(&gateway, crate::common::session_bytes("GET", &target, &token));
    }
    for line in audit_lines(&gateway) {
        assert_eq!(seen.find(line.as_bytes()), None, "{line}");
    }
    for line in gateway.terminate().stderr.lines() {
        assert_eq!(seen.find(line.as_bytes()), None, "{line}");
    }
}

/// An operation that failed and gives back what it was given.
fn refused<T>(with: T) -> Result<(), T> {
    Err(with)
}

/// Whatever panics with a credential in its hand prints its type and no more: `unwrap`, `expect` and `assert!` all do it by
/// `Debug`.
#[test]
fn asvs_110_a_panic_tells_no_credential() {
    use zeroize::Zeroizing;

    let name = || Username::presented("walter").unwrap();
    let password = || Password::presented(Zeroizing::new(mark("in-a-panic")));
    let presented = || Presented {
        session: Some(SessionToken::from_text(&mark("in-a-panic"))),
        password: Some(PresentedPassword {
            realm: auth::RealmChoice::Named("native".into()),
            username: name(),
            password: password(),
        }),
        bearer: Some(BearerText::new(mark("in-a-panic"))),
        key: Some(Some(KeyText::from_random(&[0xab; 32]))),
        ..Presented::default()
    };
    let panics: [Box<dyn Fn() + std::panic::UnwindSafe>; 4] = [
        Box::new(move || panic!("{:?}", presented())),
        Box::new(move || refused(presented()).unwrap()),
        Box::new(move || {
            refused(Evidence::Password { username: name(), password: password().unwrap() }).unwrap();
        }),
        Box::new(|| refused(PasswordHash::from_phc(&mark("in-a-panic"))).expect("a hash")),
    ];
    for panics in panics {
        let told = std::panic::catch_unwind(panics).unwrap_err();
        let told = told.downcast_ref::<String>().expect("a panic with a text");
        assert!(!told.contains(MARK) && !told.contains("abab"), "{told}");
        assert!(["Presented", "Password"].iter().any(|name| told.contains(name)), "{told}");
    }
}
