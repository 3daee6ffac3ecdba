//! The contract's part "Status and first start" (`fusion.md`) and "First start" (`config.md`): who may set `admin`'s
//! password, once, and how.

use std::net::SocketAddr;

use testkit::{Answer, Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, ask, basic, code, log_in, login_bytes, with_session};

const SET: &str = r#"{"password":"correct horse battery"}"#;

/// A gateway whose first start is still to come.
fn fresh(backend: &Recorder, top: &str) -> Doorward {
    let settings = format!("{top}\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url());
    Doorward::new(BINARY).settings(settings.trim_start()).start()
}

fn set(address: SocketAddr, headers: &[(&str, &str)], body: &str) -> Answer {
    ask(address, "POST", "/api", headers, body)
}

fn status(address: SocketAddr) -> serde_json::Value {
    let answer = ask(address, "GET", "/api", &[], "");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json; charset=utf-8"))
    );
    serde_json::from_slice(&answer.body).unwrap()
}

/// The one-time token that the log of a first start shows.
pub(crate) fn setup_token(gateway: &Doorward) -> String {
    let line = gateway.wait_for_log("nobody_can_log_in");
    let (_, rest) = line.split_once(r#"setupToken\":\""#).expect("the token stands in the line");
    rest.split('\\').next().unwrap().to_owned()
}

#[test]
fn contract_the_status_before_and_after_the_first_start() {
    let backend = Recorder::start();
    let mut gateway = fresh(&backend, "");
    let address = gateway.address();
    let before = status(address);
    let keys: Vec<_> = before.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["version", "enabledRealms", "initMeta", "startTime", "status"]);
    assert_eq!(before["enabledRealms"], serde_json::json!([{ "name": "native", "realmType": "native" }]));
    assert_eq!(
        (&before["initMeta"], &before["version"]),
        (&serde_json::Value::Null, &env!("CARGO_PKG_VERSION").into())
    );
    assert!(before["startTime"].as_str().unwrap().ends_with('Z') && before["status"].is_object());
    let answer = set(address, &[], SET);
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (201, Some("0"), 0));
    assert_eq!(answer.header("set-cookie"), None);
    let after = status(address);
    assert_eq!(after["initMeta"]["version"], env!("CARGO_PKG_VERSION"));
    let at = after["initMeta"]["initializedAt"].as_str().unwrap();
    assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
    let token = log_in(address, "admin", PASSWORD);
    assert_eq!(with_session(address, "GET", "/api/collections", &token).status, 200);
    // Done is done, for the same password too, and after a crash.
    for body in [SET, r#"{"password":"another good password"}"#] {
        let again = set(address, &[], body);
        assert_eq!((again.status, code(&again).as_str()), (409, "conflict"));
    }
    gateway.kill();
    gateway.restart();
    assert_eq!(set(gateway.address(), &[], SET).status, 409);
    assert_eq!(status(gateway.address())["initMeta"], after["initMeta"]);
    assert_eq!(with_session(gateway.address(), "GET", "/api/session", &token).status, 200);
    assert!(!gateway.log_lines().iter().any(|line| line.contains("setupToken")));
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn contract_credentials_sent_along_are_ignored_not_refused() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    let shown = basic("admin", "wrong");
    let headers: [&[(&str, &str)]; 5] = [
        &[("Authorization", &shown)],
        &[("Authorization", "Basic !!!"), ("Authorization", "x")],
        &[("Cookie", "id=x")],
        &[("Cookie", "id=a; id=b"), ("Cookie", "id=c")],
        &[("Authorization", "Bearer x"), ("x-api-key", "y")],
    ];
    for headers in headers {
        for (method, target) in
            [("GET", "/api"), ("GET", "/api/"), ("HEAD", "/api"), ("GET", "/api?realmName=x")]
        {
            assert_eq!(
                ask(gateway.address(), method, target, headers, "").status,
                200,
                "{method} {target} {headers:?}"
            );
        }
    }
    assert_eq!(set(gateway.address(), headers[3], SET).status, 201);
    let put = ask(gateway.address(), "PUT", "/api", &[], "");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD, POST")));
}

#[test]
fn asvs_55_before_the_first_start_nobody_can_log_in() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    for (user, password) in
        [("admin", "admin"), ("admin", "password123"), ("admin", PASSWORD), ("root", "root")]
    {
        let answer = testkit::raw::once(gateway.address(), login_bytes(user, password));
        assert_eq!((answer.status, code(&answer).as_str()), (401, "invalid-credentials"), "{user}");
        let shown = basic(user, password);
        assert_eq!(ask(gateway.address(), "GET", "/api/x", &[("Authorization", &shown)], "").status, 401);
    }
    assert!(gateway.log_lines().iter().any(|line| line.contains("nobody_can_log_in")), "and the log says so");
    assert!(backend.requests().is_empty());
}

#[test]
fn asvs_51_a_weak_password_is_refused_and_the_next_one_is_taken() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    let long = "x1".repeat(513);
    for weak in [
        "",
        "short",
        "1234567",
        "password",
        "Password123!",
        "aaaaaaaaaaaa",
        "          ",
        "\0\0\0\0\0\0\0\0",
        &long,
    ] {
        let answer = set(gateway.address(), &[], &serde_json::json!({ "password": weak }).to_string());
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (400, "invalid-password"),
            "{weak:?}: {}",
            answer.body_text()
        );
    }
    for body in [
        "{}",
        "[]",
        r#"["correct horse battery"]"#,
        "{",
        r#"{"password":null}"#,
        r#"{"password":"a","password":"b"}"#,
    ] {
        let answer = set(gateway.address(), &[], body);
        assert_eq!((answer.status, code(&answer).as_str()), (400, "bad-request"), "{body}");
    }
    let form = set(
        gateway.address(),
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "password=correct+horse",
    );
    assert_eq!((form.status, code(&form).as_str()), (400, "bad-request"));
    let typed = set(gateway.address(), &[("Content-Type", "text/plain")], SET);
    assert_eq!((typed.status, code(&typed).as_str()), (415, "unsupported-media-type"));
    assert_eq!(status(gateway.address())["initMeta"], serde_json::Value::Null);
    assert_eq!(set(gateway.address(), &[], SET).status, 201);
}

/// Only from this machine: whatever says that there is somebody behind the peer makes it "elsewhere".
#[test]
fn asvs_57_from_elsewhere_it_takes_the_one_time_token() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    let address = gateway.address();
    let token = setup_token(&gateway);
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    let elsewhere: [(&str, &str); 10] = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", ""),
        ("Forwarded", "for=203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("X-Real-IP", "203.0.113.9"),
        ("x-forwarded-for", "127.0.0.1, 127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", "8764"),
    ];
    for header in elsewhere {
        let answer = set(address, &[header], SET);
        assert_eq!((answer.status, code(&answer).as_str()), (403, "forbidden"), "{header:?}");
        for wrong in [
            "",
            "x",
            &token[1..],
            &token.to_uppercase().replace(|c: char| c.is_ascii_digit(), "f"),
            &format!("{token} "),
        ] {
            let body = serde_json::json!({ "password": PASSWORD, "setupToken": wrong }).to_string();
            assert_eq!(set(address, &[header], &body).status, 403, "{header:?} {wrong:?}");
        }
    }
    assert_eq!(status(address)["initMeta"], serde_json::Value::Null);
    // A page of another site cannot do it in the operator's browser either.
    for header in [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.test")] {
        assert_eq!(set(address, &[header], SET).status, 403, "{header:?}");
    }
    let body = serde_json::json!({ "password": PASSWORD, "setupToken": token }).to_string();
    assert_eq!(set(address, &[elsewhere[0]], &body).status, 201);
    assert_eq!(set(address, &[elsewhere[0]], &body).status, 409, "once");
    log_in(address, "admin", PASSWORD);
}

/// Case 32, "loopback is no protection": a page whose name an attacker lets point at 127.0.0.1 (DNS rebinding) speaks to
/// its own origin, from this machine. Browsers say `Origin`, and such a page cannot have a name of this machine.
#[test]
fn case_32_a_page_in_the_operators_browser_is_local_only_by_a_name_of_this_machine() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    for host in
        ["evil.test:8764", "127.0.0.1.evil.test:8764", "localhost.evil.test", "notlocalhost", "10.0.0.1:8764"]
    {
        for header in [("Origin", format!("http://{host}")), ("Sec-Fetch-Site", "same-origin".to_owned())] {
            let answer = set(gateway.address(), &[("Host", host), (header.0, &header.1)], SET);
            assert_eq!((answer.status, code(&answer).as_str()), (403, "forbidden"), "{host} {header:?}");
        }
    }
    // Scripts say no origin, and may call this machine as they like; pages of this machine are this machine's.
    for (host, origin) in [
        ("my-own-name", None),
        ("localhost:8764", Some("http://localhost:8764")),
        ("127.0.0.1", Some("http://127.0.0.1")),
        ("[::1]:8764", Some("http://[::1]:8764")),
        ("gateway.localhost", Some("http://gateway.localhost")),
    ] {
        let mut headers = vec![("Host", host)];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let weak = set(gateway.address(), &headers, r#"{"password":"short"}"#);
        assert_eq!(code(&weak), "invalid-password", "{host}: it came as far as the password");
    }
}

#[test]
fn asvs_57_two_installations_have_different_tokens() {
    let backend = Recorder::start();
    let (first, mut second) = (fresh(&backend, ""), fresh(&backend, ""));
    let token = setup_token(&second);
    assert_ne!(setup_token(&first), token);
    // Nor does one of before a restart count.
    second.kill();
    second.restart();
    assert_ne!(setup_token(&second), token);
}

#[test]
fn case_7_behind_a_trusted_proxy_the_client_is_elsewhere() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "trusted_proxies = [\"127.0.0.1/32\"]");
    for client in ["203.0.113.9", "127.0.0.1"] {
        assert_eq!(set(gateway.address(), &[("X-Forwarded-For", client)], SET).status, 403, "{client}");
    }
}

#[test]
fn asvs_57_of_many_at_once_exactly_one_sets_the_password() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    let address = gateway.address();
    let passwords: Vec<_> = (0..6).map(|n| format!("a good long password {n}")).collect();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let set = |password: &String| {
            set(address, &[], &serde_json::json!({ "password": password }).to_string()).status
        };
        let threads: Vec<_> = passwords.iter().map(|password| scope.spawn(move || set(password))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409, 503].contains(status)), "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 201).unwrap();
    log_in(address, "admin", &passwords[winner]);
}

/// What the environment says counts where there is no password yet, and only there.
#[test]
fn contract_the_password_of_the_environment() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("password");
    std::fs::write(&file, "from the file, long enough\n").unwrap();
    let plan = |name: &str, value: &str| {
        let settings =
            format!("data = {data:?}\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url());
        Doorward::new(BINARY).settings(&settings).environment(name, value)
    };
    let works = |gateway: &Doorward, password: &str| {
        testkit::raw::once(gateway.address(), login_bytes("admin", password)).status
    };
    let first = plan("DOORWARD_ADMIN_PASSWORD_FILE", file.to_str().unwrap()).start();
    assert_eq!(works(&first, "from the file, long enough"), 201);
    assert_eq!(set(first.address(), &[], SET).status, 409);
    assert!(!first.log_lines().iter().any(|line| line.contains("nobody_can_log_in")));
    drop(first);
    let second = plan("DOORWARD_ADMIN_PASSWORD", "another good password").start();
    assert_eq!(works(&second, "another good password"), 401);
    assert_eq!(works(&second, "from the file, long enough"), 201);
}

#[test]
fn contract_a_password_of_the_environment_that_cannot_be_used_does_not_start() {
    let missing = [
        ("DOORWARD_ADMIN_PASSWORD", "   ", "blanks"),
        ("DOORWARD_ADMIN_PASSWORD_FILE", "/nowhere/at/all", "/nowhere/at/all"),
    ];
    for (name, value, said) in missing {
        let settings = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n";
        let ended =
            Doorward::new(BINARY).settings(settings).environment(name, value).try_start().unwrap_err();
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains(said), "{ended:#?}");
    }
}

#[test]
fn case_38_the_first_start_takes_64_kib_and_no_more() {
    let backend = Recorder::start();
    let gateway = fresh(&backend, "");
    let padded = |length: usize| format!("{SET}{}", " ".repeat(length - SET.len()));
    assert_eq!(set(gateway.address(), &[], &padded(64 * 1024 + 1)).status, 413);
    assert_eq!(set(gateway.address(), &[], &padded(64 * 1024)).status, 201);
}
