//! What must never be seen again once it was sent: every kind of credential is sent with a mark of its own, and then
//! everything that the gateway wrote is searched (asvs_110). And what strangers write must not write our log (asvs_111),
//! which says who did what and when (asvs_109).

mod fields;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testkit::backend::Recorder;
use testkit::process::{self, Doorward};
use testkit::raw::{self, Answer};

use super::common::{
    BINARY, PASSWORD, as_admin, basic, log_in, login_bytes, new_user, session_bytes, with_session,
};

/// What every mark has in it.
const MARK: &str = "kanarienvogel";

/// A secret that nobody has by accident.
fn mark(name: &str) -> String {
    format!("{MARK}-{name}-8f2e61")
}

/// Everything that was sent to the gateway and came back from it, so far.
struct Seen {
    answers: Vec<Answer>,
    secrets: Vec<String>,
}

impl Seen {
    fn ask(&mut self, gateway: &Doorward, bytes: Vec<u8>) -> &Answer {
        self.answers.push(raw::once(gateway.address(), bytes));
        self.answers.last().expect("just put there")
    }

    fn secret(&mut self, secret: &str) -> String {
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }

    /// Whether this text has a secret in it, as it is or as Basic would have written it.
    fn find(&self, text: &[u8]) -> Option<&str> {
        let has = |needle: &[u8]| !needle.is_empty() && text.windows(needle.len()).any(|part| part == needle);
        self.secrets.iter().map(String::as_str).find(|secret| has(secret.as_bytes()))
    }
}

/// Sends every kind of credential, wrong and right, to every kind of place.
fn show_everything(gateway: &Doorward, seen: &mut Seen) {
    let json = [("Content-Type", "application/json")];
    let password = seen.secret(&mark("password"));
    assert_eq!(seen.ask(gateway, login_bytes("admin", &password)).status, 401);
    assert_eq!(seen.ask(gateway, login_bytes("nobody", &password)).status, 401);
    let malformed = format!("{{\"username\":\"admin\",\"password\":\"{password}\"");
    assert_eq!(seen.ask(gateway, raw::request("POST", "/api/session", &json, &malformed)).status, 400);
    let form = format!("username=admin&password={password}");
    let as_form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(seen.ask(gateway, raw::request("POST", "/api/session", &as_form, &form)).status, 400);
    let target = format!("/api/session?username=admin&password={password}");
    assert_eq!(seen.ask(gateway, raw::request("POST", &target, &json, "")).status, 400);
    for shown in
        [mark("basic"), format!("{}\0x", mark("basic-control")), format!("{}:x", mark("basic-colon"))]
    {
        let value = basic("admin", &shown);
        seen.secret(&shown);
        seen.secret(value.strip_prefix("Basic ").expect("Basic"));
        assert_eq!(
            seen.ask(gateway, raw::request("GET", "/api/x", &[("Authorization", &value)], "")).status,
            401
        );
    }
    let colonless = seen.secret(&STANDARD.encode(mark("colonless")));
    let headers = [
        ("Cookie", format!("id={}", seen.secret(&mark("cookie"))), 401),
        ("Cookie", format!("id={}; id={}", mark("cookie"), seen.secret(&mark("cookie-two"))), 400),
        ("Cookie", format!("id={} {}", mark("cookie"), seen.secret(&mark("cookie-odd"))), 401),
        ("Authorization", format!("Bearer {}", seen.secret(&mark("bearer"))), 401),
        ("Authorization", format!("Negotiate {}", seen.secret(&mark("negotiate"))), 401),
        ("Authorization", format!("Basic {colonless}"), 401),
        ("Authorization", format!("Basic {}", seen.secret(&mark("not-base64"))), 401),
        ("x-api-key", seen.secret(&mark("api-key")), 401),
        ("apiKey", seen.secret(&mark("api-key-two")), 401),
    ];
    for (name, value, status) in headers {
        for target in ["/api/x", "/api/users", "/api/session"] {
            let told = seen.ask(gateway, raw::request("GET", target, &[(name, &value)], "")).status;
            assert_eq!(told, status, "{name}: {value} at {target}");
        }
        // Where nobody looks at credentials, and where nothing is.
        for target in ["/api", "/.doorward/health", "/nowhere", "/api/%zz", "/api/../x"] {
            let _any = seen.ask(gateway, raw::request("GET", target, &[(name, &value)], ""));
        }
    }
    let key = seen.secret(&mark("api-key-query"));
    assert_eq!(
        seen.ask(gateway, raw::request("GET", &format!("/api/x?apiKey={key}&a=b"), &[], "")).status,
        401
    );
    let first = json!({ "password": seen.secret(&mark("late-start")), "setupToken": seen.secret(&mark("setup-token")) });
    assert_eq!(seen.ask(gateway, raw::request("POST", "/api", &json, &first.to_string())).status, 409);
}

/// Keys of `admin`'s, used in every way there is; the first is taken back again.
fn use_keys(gateway: &Doorward, seen: &mut Seen) {
    let mut ids = Vec::new();
    for number in 0..2 {
        let body = json!({ "name": format!("key {number}"), "permissions": ["GET:/**"] }).to_string();
        // The one answer that shows a key is not among those that are searched.
        let (status, made) = as_admin(gateway.address(), "POST", "/api-keys", &body);
        assert_eq!(status, 201, "{made}");
        let key = seen.secret(made["key"].as_str().unwrap());
        seen.secret(key.strip_prefix("dwk_").expect("the form of a key"));
        for name in ["x-api-key", "apiKey", "Cookie", "Authorization"] {
            let value = match name {
                "Cookie" => format!("id={key}"),
                "Authorization" => format!("Bearer {key}"),
                _ => key.clone(),
            };
            for target in
                ["/api/x", "/api/session", "/api/api-keys", "/api/api-keys?limit=1", "/nowhere", "/api/%zz"]
            {
                let _any = seen.ask(gateway, raw::request("GET", target, &[(name, &value)], ""));
            }
        }
        for target in ["/api/x?a=b&apiKey=", "/api/api-keys?limit=1&apiKey=", "/api/%zz?apiKey="] {
            let _any = seen.ask(gateway, raw::request("GET", &format!("{target}{key}"), &[], ""));
        }
        // In a body: what is wrong with it is told without repeating it.
        for body in [json!({ "name": "x", "key": key }), json!({ "name": "x", "userId": key })] {
            let (status, told) = as_admin(gateway.address(), "POST", "/api-keys", &body.to_string());
            assert_eq!((status, seen.find(told.to_string().as_bytes())), (400, None), "{told}");
        }
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let (status, listed) = as_admin(gateway.address(), "GET", "/api-keys", "");
    assert_eq!((status, listed.as_array().unwrap().len()), (200, 2));
    assert_eq!(seen.find(listed.to_string().as_bytes()), None, "{listed}");
    assert_eq!(as_admin(gateway.address(), "DELETE", &format!("/api-keys/{}", ids[0]), "").0, 204);
}

/// New passwords for users, good ones and bad ones, and the user's own requests with them.
fn set_passwords(gateway: &Doorward, seen: &mut Seen) -> String {
    let password = seen.secret(&mark("new-password"));
    let id = new_user(gateway.address(), "alice", &password, &["search"]);
    let token = log_in(gateway.address(), "alice", &password);
    seen.secret(&token);
    let shown = seen.secret(&basic("alice", &password));
    assert_eq!(
        seen.ask(gateway, raw::request("GET", "/api/query/x", &[("Authorization", &shown)], "")).status,
        200
    );
    assert_eq!(seen.ask(gateway, session_bytes("GET", "/api/session", &token)).status, 200);
    for (field, value) in [
        ("password", format!("{}{}", mark("too-long"), "x".repeat(1_024))),
        ("passwordConfirm", mark("other")),
    ] {
        seen.secret(&mark("too-long"));
        seen.secret(&mark("other"));
        let mut body = json!({ "password": seen.secret(&mark("confirmed")) });
        body[field] = value.into();
        let (status, told) = as_admin(gateway.address(), "PATCH", &format!("/users/{id}"), &body.to_string());
        assert_eq!(status, 400, "{told}");
        assert_eq!(seen.find(told.to_string().as_bytes()), None, "{told}");
    }
    let changed = json!({ "password": seen.secret(&mark("changed-password")) });
    let (status, told) = as_admin(gateway.address(), "PATCH", &format!("/users/{id}"), &changed.to_string());
    assert_eq!((status, seen.find(told.to_string().as_bytes())), (200, None), "{told}");
    let own = json!({ "password": seen.secret(&mark("own")), "currentPassword": seen.secret(&mark("wrong-current")) });
    let admin = seen.secret(&basic("admin", PASSWORD));
    let listed = raw::once(
        gateway.address(),
        raw::request("GET", "/api/users?username=admin", &[("Authorization", &admin)], ""),
    );
    let listed: Value = serde_json::from_slice(&listed.body).unwrap();
    let target = format!("/users/{}", listed[0]["id"].as_str().unwrap());
    let (status, told) = as_admin(gateway.address(), "PATCH", &target, &own.to_string());
    assert!(status >= 400 && seen.find(told.to_string().as_bytes()).is_none(), "{told}");
    log_in(gateway.address(), "alice", &mark("changed-password"))
}

fn assert_clean_files(seen: &Seen, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_clean_files(seen, &path);
        } else {
            assert_eq!(seen.find(&std::fs::read(&path).unwrap()), None, "in {}", path.display());
        }
    }
}

#[test]
fn asvs_110_no_secret_is_ever_seen_again() {
    let backend = Recorder::start();
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n[login]\nattempts_per_user = 100\nattempts_per_address = 10000\n[log]\nrequests = true\n",
        backend.url()
    );
    for format in ["json", "text"] {
        let settings = format!("{settings}format = \"{format}\"\n");
        let mut gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let mut seen = Seen { answers: Vec::new(), secrets: vec![PASSWORD.to_owned()] };
        show_everything(&gateway, &mut seen);
        use_keys(&gateway, &mut seen);
        let token = set_passwords(&gateway, &mut seen);
        seen.secret(&token);
        let copy = gateway.folder().join("copy");
        let data = gateway.data();
        let made = process::run(
            BINARY,
            &["backup", copy.to_str().unwrap(), "--data", data.to_str().unwrap()],
            &[],
            "",
        );
        assert_eq!((made.code, seen.find(format!("{made:?}").as_bytes())), (Some(0), None));
        let listed = with_session(
            gateway.address(),
            "GET",
            "/api/sessions",
            &log_in(gateway.address(), "admin", PASSWORD),
        );
        assert_eq!((listed.status, seen.find(&listed.raw)), (200, None), "{listed:?}");
        gateway.hangup();
        let _said = gateway.wait_for_log("settings_reloaded");
        let ended = gateway.terminate();

        assert!(
            seen.secrets.len() > 20 && ended.stderr.lines().count() > 80,
            "something was shown and logged"
        );
        for answer in &seen.answers {
            assert_eq!(seen.find(&answer.raw), None, "{}", String::from_utf8_lossy(&answer.raw));
        }
        for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            for line in text.lines() {
                assert_eq!(seen.find(line.as_bytes()), None, "{stream}: {line}");
                assert!(!line.contains(MARK), "{stream}: {line}");
            }
        }
        assert_clean_files(&seen, gateway.folder());
    }
    let forwarded: Vec<u8> = backend.requests().iter().flat_map(|request| request.head.clone()).collect();
    assert!(
        !forwarded.is_empty()
            && [MARK, "dwk_"].iter().all(|part| !String::from_utf8_lossy(&forwarded).contains(part)),
        "no backend saw one"
    );
}

#[test]
fn asvs_110_secrets_of_the_first_start_are_not_seen_again() {
    let backend = Recorder::start();
    let settings = format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url());
    let start = |name: &str, value: &str| Doorward::new(BINARY).settings(&settings).environment(name, value);
    // The variable, a file, and a password that nobody could log in with.
    let mut gateway = start("DOORWARD_ADMIN_PASSWORD", &mark("variable")).start();
    let _token = log_in(gateway.address(), "admin", &mark("variable"));
    let file = gateway.folder().join("password");
    std::fs::write(&file, mark("file")).unwrap();
    let mut other = start("DOORWARD_ADMIN_PASSWORD_FILE", file.to_str().unwrap()).start();
    let _token = log_in(other.address(), "admin", &mark("file"));
    std::fs::remove_file(&file).unwrap();
    let refused = start("DOORWARD_ADMIN_PASSWORD", &format!("{}{}", mark("long"), "x".repeat(1_024)))
        .try_start()
        .unwrap_err();
    assert_eq!(refused.code, Some(1));
    for ended in [gateway.terminate(), other.terminate(), refused] {
        assert!(!format!("{ended:?}").contains(MARK), "{ended:#?}");
    }
    // Over HTTP: the password is not seen; the one-time token is on stderr, where it must be, once.
    let mut third = Doorward::new(BINARY).settings(&settings).start();
    let body = json!({ "password": mark("http"), "setupToken": mark("token") }).to_string();
    let answer = raw::once(
        third.address(),
        raw::request("POST", "/api", &[("Content-Type", "application/json")], &body),
    );
    assert_eq!(answer.status, 201);
    let ended = third.terminate();
    assert!(!format!("{ended:?}{answer:?}").contains(MARK), "{ended:#?}");
    assert_eq!(ended.stderr.matches("setupToken").count(), 1);
}

/// Everything that could end a line, begin one, or speak to a terminal.
const NASTY: &str =
    "a\r\nb\u{1b}[31m\u{2028}\u{2029}\u{85}\0\u{7}\u{202e}\"}\n{\"event\":\"login\",\"forged\":true}";

/// Whether a character ends a line or speaks to a terminal somewhere.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}')
}

/// The log of a gateway that has ended, each line read.
fn read_log(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            assert!(!line.chars().any(acts), "a character that acts in {line:?}");
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
        })
        .collect()
}

/// Names, paths and agents that want to write our log.
fn send_nasty(gateway: &Doorward) -> usize {
    let address = gateway.address();
    let mut requests = vec![login_bytes(NASTY, "some password"), login_bytes(&format!("admin{NASTY}"), "x")];
    let credential = STANDARD.encode(format!("{}:x", NASTY.replace(':', "")));
    requests.push(raw::request("GET", "/api/x", &[("Authorization", &format!("Basic {credential}"))], ""));
    let encoded: String = NASTY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    requests.push(raw::request("GET", &format!("/api/{encoded}"), &[], ""));
    requests.push(raw::request(
        "GET",
        &format!("/api/x?realmName={encoded}"),
        &[("Authorization", &basic("a", "b"))],
        "",
    ));
    requests.push(raw::request(
        "POST",
        &format!("/api/session?realmName={encoded}"),
        &[("Content-Type", "application/json")],
        "{\"username\":\"a\",\"password\":\"b\"}",
    ));
    for byte in ["\u{1b}", "\u{2028}", "\0", "\u{7f}", "\u{85}", "\u{7}"] {
        requests.push(format!("GET /api/a{byte}b HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes());
        requests.push(format!("G{byte}T /api/x HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes());
        requests.push(raw::request("GET", "/api/x", &[("User-Agent", &format!("a{byte}b"))], ""));
        requests.push(raw::request("GET", "/api/x", &[("Host", &format!("a{byte}b"))], ""));
        requests.push(raw::request("GET", "/api/x", &[("X-Forwarded-For", &format!("1.2.3.4{byte}"))], ""));
    }
    for request in &requests {
        let status = raw::once(address, request).status;
        assert!(
            (400..500).contains(&status) || status == 501,
            "{status} for {}",
            String::from_utf8_lossy(request)
        );
    }
    requests.len()
}

#[test]
fn asvs_111_nobody_writes_our_log() {
    let backend = Recorder::start();
    for format in ["json", "text"] {
        let settings = format!(
            "[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n[log]\nformat = \"{format}\"\n",
            backend.url()
        );
        let mut gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let sent = send_nasty(&gateway);
        let agent = [("User-Agent", "a\u{1b}[31m\u{2028}b"), ("Content-Type", "application/json")];
        let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
        let with_agent = raw::once(gateway.address(), raw::request("POST", "/api/session", &agent, &body));
        let text = gateway.terminate().stderr;
        assert!(with_agent.status == 201 || with_agent.status == 400, "{with_agent:?}");
        if format == "text" {
            for line in text.lines() {
                assert!(!line.chars().any(acts), "{line:?}");
                assert!(line.starts_with("20") && line.as_bytes()[10] == b'T', "a line of its own: {line:?}");
            }
            continue;
        }
        let lines = read_log(&text);
        assert!(lines.iter().all(|line| line.get("forged").is_none()));
        let requests = lines.iter().filter(|line| line["event"] == "request").count();
        assert_eq!(requests, sent + 1, "one line for each request");
        let names: Vec<_> = lines
            .iter()
            .filter(|line| line["event"] == "login_failed")
            .map(|line| &line["user.name"])
            .collect();
        assert!(names.contains(&&Value::from(NASTY)), "the name is there, whole: {names:?}");
    }
}

/// The first line of this event that has all these fields.
fn line<'a>(lines: &'a [Value], event: &str, fields: &[(&str, &str)]) -> &'a Value {
    let has = |line: &&Value| {
        line["event"] == event && fields.iter().all(|(name, value)| line[*name].as_str() == Some(value))
    };
    lines.iter().find(has).unwrap_or_else(|| panic!("no {event} with {fields:?} in {lines:#?}"))
}

#[test]
fn asvs_109_logins_refusals_and_ends_are_logged_with_who_what_and_when() {
    let backend = Recorder::start();
    let mut gateway = super::common::gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", PASSWORD, &["search"]);
    let token = log_in(address, "alice", PASSWORD);
    assert_eq!(raw::once(address, login_bytes("alice", "not it at all")).status, 401);
    assert_eq!(raw::once(address, login_bytes("nobody", "not it at all")).status, 401);
    assert_eq!(with_session(address, "PUT", "/api/users/x", &token).status, 403);
    assert_eq!(with_session(address, "DELETE", "/api/session", &token).status, 204);
    assert_eq!(with_session(address, "GET", "/api/x?secret=in-a-query", &token).status, 401);
    let lines = read_log(&gateway.terminate().stderr);
    let from = ("client.address", "127.0.0.1");
    let login =
        line(&lines, "login", &[("user.name", "alice"), ("user.id", &id), ("realm.name", "native"), from]);
    let session = login["session.id"].as_str().unwrap();
    line(&lines, "login_failed", &[("user.name", "alice"), ("reason", "wrong_password"), from]);
    line(&lines, "login_failed", &[("user.name", "nobody"), ("reason", "unknown_user"), from]);
    line(
        &lines,
        "denied",
        &[("user.id", &id), ("action", "PUT /api/users/x"), ("reason", "forbidden"), from],
    );
    line(&lines, "session_ended", &[("session.id", session), ("user.id", &id), ("reason", "logout")]);
    line(&lines, "directory_changed", &[("operation", "user.create")]);
    let used =
        line(&lines, "request", &[("session.id", session), ("user.id", &id), ("http.method", "PUT"), from]);
    assert_eq!((&used["http.status"], &used["http.path"]), (&403.into(), &"/api/users/x".into()));
    let late = line(&lines, "request", &[("http.path", "/api/x")]);
    assert_eq!(late["http.status"], 401);
    for line in &lines {
        let at = line["at"].as_str().unwrap();
        assert!(
            at.len() == 24 && at.ends_with('Z') && at.as_bytes()[10] == b'T',
            "UTC with milliseconds: {at}"
        );
        assert!(!line.to_string().contains("in-a-query"), "queries are not logged: {line}");
    }
}
