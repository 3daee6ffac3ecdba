//! What no question gets: an answer for a stranger, two readings, an endpoint of ours, a way to a backend.

use testkit::Recorder;
use testkit::process::Doorward;
use testkit::raw::{self, Raw};

use super::{ASKED_AT, ENGINE, FORMS, Form, LONG, Stage, start};
use crate::common::{BINARY, PASSWORD, as_admin, basic};

#[test]
fn case_5_a_stranger_is_not_answered_whatever_he_states() {
    let backend = Recorder::start();
    for trusted in ["", "trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.2\"]\n"] {
        let gateway = start(&format!(
            "{trusted}[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n\
             [[mount]]\npath = \"/\"\ndialect = \"plain\"\nupstream = \"{url}\"\n\
             [[mount.route]]\npath = \"/open/**\"\npublic = true\n",
            url = backend.url()
        ));
        let shown = basic("admin", PASSWORD);
        let forged = [("Authorization", shown.as_str()), ("X-Forwarded-For", "127.0.0.2")];
        for form in FORMS {
            for (method, target) in [("GET", "/x"), ("GET", "/open/x"), ("POST", "/api/x"), ("GET", "/")] {
                for fields in [&forged[..], &[]] {
                    let answer = form.ask(gateway.address(), method, target, fields);
                    assert_eq!(answer.status, 403, "{form:?} {method} {target}");
                    for name in ["x-forwarded-user", "cookie", "x-envoy-auth-headers-to-remove"] {
                        assert_eq!(answer.header(name), None, "{form:?} {method} {target}");
                    }
                }
            }
        }
        let answer = raw::once(gateway.address(), raw::request("GET", ASKED_AT, &[], ""));
        assert_eq!(answer.status, 403);
        assert!(answer.body_text().contains("only a proxy of trusted_proxies"), "{}", answer.body_text());
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn case_5_two_statements_are_one_too_many() {
    let stage = Stage::new();
    let shown = basic("admin", PASSWORD);
    let who = ("Authorization", shown.as_str());
    let forwarded = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/open/x")];
    let original = [("X-Original-Method", "GET"), ("X-Original-URI", "/open/x")];
    let url = ("X-Original-URL", "http://h/open/x");
    let status = |at: &str, fields: &[(&str, &str)]| {
        let all = [fields, &[who]].concat();
        stage.ask("GET", at, &all).status
    };
    assert_eq!((status(ASKED_AT, &forwarded), status(ASKED_AT, &original)), (200, 200));
    for fields in [
        &[forwarded, original].concat()[..],
        &[forwarded[0], forwarded[1], original[1]],
        &[forwarded[0], forwarded[1], original[0]],
        &[forwarded[0], forwarded[1], url],
        &[original[0], original[1], url],
        &[original[0], original[1], forwarded[0]],
        &[original[0], url, forwarded[0]],
        &[forwarded[0], forwarded[1], forwarded[1]],
        &[forwarded[0], forwarded[0], forwarded[1]],
        &[original[0], original[1], ("x-original-uri", "/open/x")],
        &[original[0]],
        &[original[1]],
        &[forwarded[1]],
        &[forwarded[0], original[1]],
        &[url],
        &[],
    ] {
        assert_eq!(status(ASKED_AT, fields), 400, "{fields:?}");
    }
    let below = format!("{ASKED_AT}/open/x");
    assert_eq!(status(&below, &[]), 200);
    for field in [forwarded[0], forwarded[1], original[0], original[1], url] {
        assert_eq!(status(&below, &[field]), 400, "{field:?}");
    }
    assert_eq!(status(&format!("{ASKED_AT}?a"), &forwarded), 400, "a query of its own");
    stage.assert_nothing_forwarded("two statements");
}

#[test]
fn case_5_connection_takes_no_statement_away() {
    let stage = Stage::new();
    let fields = [
        ("Connection", "X-Original-URI, X-Original-Method, X-Forwarded-Uri"),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/open/x"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", "/b"),
    ];
    assert_eq!(stage.ask("GET", ASKED_AT, &fields).status, 400);
}

#[test]
fn case_5_an_endpoint_of_ours_is_never_vouched_for_and_nothing_is_done() {
    let backend = Recorder::start();
    let stage = Stage::new();
    let shown = basic("admin", PASSWORD);
    let login = serde_json::json!({ "username": "admin", "password": PASSWORD }).to_string();
    let form = "application/x-www-form-urlencoded";
    let sso = format!("grant_type=password&scope=ovirt-app-api&username=ada%40internal&password={LONG}");
    let count = || {
        let (status, list) = as_admin(stage.address(), "GET", "/sessions?limit=100", "");
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().len()
    };
    let before = count();
    for (method, target, kind, body) in [
        ("POST", "/api/session?realmName=native", "application/json", login.as_str()),
        ("POST", "/api/session", "application/json", &login),
        ("GET", "/api/session", "", ""),
        ("PUT", "/api/session", "", ""),
        ("DELETE", "/api/session", "", ""),
        ("GET", "/api/users", "", ""),
        (
            "POST",
            "/api/users",
            "application/json",
            "{\"username\":\"eve\",\"password\":\"a long password of hers\"}",
        ),
        ("POST", "/.doorward/session", "application/json", &login),
        ("GET", "/.doorward/session", "", ""),
        ("GET", "/.doorward/health", "", ""),
        ("GET", "/.doorward/users", "", ""),
        ("POST", "/oauth2/token", form, "grant_type=client_credentials"),
        ("GET", "/oauth2/keys", "", ""),
        ("GET", "/.well-known/jwks.json", "", ""),
        ("POST", "/ovirt-engine/sso/oauth/token", form, &sso),
    ] {
        for how in FORMS {
            let fields = [("Authorization", shown.as_str()), ("Content-Type", kind)];
            let fields = if kind.is_empty() { &fields[..1] } else { &fields };
            for body in [body, ""] {
                let answer = raw::once(stage.address(), how.question_with(method, target, fields, body));
                assert_eq!(answer.status, 403, "{how:?} {method} {target}: {}", answer.head_text());
                assert_eq!(answer.header("set-cookie"), None, "{how:?} {method} {target}");
            }
        }
    }
    assert_eq!(count(), before, "no session began");
    let (_, users) = as_admin(stage.address(), "GET", "/users", "");
    assert!(!users.to_string().contains("\"eve\""), "{users}");
    stage.assert_nothing_forwarded("endpoints of ours");
    drop(backend);
}

#[test]
fn case_1_a_stated_path_with_two_readings_is_a_400() {
    let stage = Stage::new();
    let shown = basic("admin", PASSWORD);
    for target in [
        "/a/../b",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a//b",
        "//a",
        "/..",
        "/api/../x",
        "/open/..;/x",
        "/a/;x/b",
        "/open/%2e%2e/x",
        "/open/x%00",
    ] {
        for form in FORMS {
            let answer = form.ask(stage.address(), "GET", target, &[("Authorization", &shown)]);
            assert_eq!(answer.status, 400, "{form:?} {target}");
        }
    }
    for form in FORMS {
        for (method, status) in
            [("TRACE", 405), ("CONNECT", if form == Form::Path { 400 } else { 405 }), ("get", 501)]
        {
            let answer = form.ask(stage.address(), method, "/open/x", &[("Authorization", &shown)]);
            assert_eq!(answer.status, status, "{form:?} {method}");
        }
    }
    stage.assert_nothing_forwarded("paths with two readings");
}

#[test]
fn case_5_a_question_reaches_no_backend_whatever_body_it_has() {
    let stage = Stage::new();
    for target in ["/x", "/api/x", &format!("{ENGINE}/x")] {
        let who = basic(if target.starts_with(ENGINE) { "admin@internal" } else { "admin" }, PASSWORD);
        for body in ["GET /api/smuggled HTTP/1.1\r\nHost: h\r\n\r\n", "x"] {
            let bytes = Form::Forwarded.question_with("POST", target, &[("Authorization", &who)], body);
            let answer = raw::once(stage.address(), bytes);
            assert_eq!(answer.status, 200, "{target}: {}", answer.head_text());
            let bytes = Form::Path.question_with("POST", target, &[("Authorization", &who)], body);
            assert_eq!(raw::once(stage.address(), bytes).status, 200, "{target}");
        }
    }
    stage.assert_nothing_forwarded("bodies");
}

/// A proxy that keeps the body and still announces it (nginx with `proxy_pass_request_body off` alone) would have the next question's
/// first bytes read as that body, and what comes after them, which is a client's to choose, as the question.
#[test]
fn case_35_nothing_follows_on_a_connection_after_a_body_that_is_announced() {
    let stage = Stage::new();
    let shown = basic("admin", PASSWORD);
    let inner = format!("GET {ASKED_AT}/open/x HTTP/1.0");
    for (uri, status) in [("/x", 200), ("/a//b", 400), ("/api/session", 403)] {
        let next = format!(
            "GET {ASKED_AT} HTTP/1.1\r\nHost: h\r\nX-Original-Method: GET\r\nX-Original-URI: /secret\r\nUser-Agent: {inner}\r\n\r\n"
        );
        let length = next.find(&inner).unwrap();
        let announced = format!(
            "GET {ASKED_AT} HTTP/1.1\r\nHost: h\r\nX-Original-Method: POST\r\nX-Original-URI: {uri}\r\n\
             Authorization: {shown}\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut client = Raw::connect(stage.address());
        client.send(announced);
        let answer = client.read_answer();
        assert_eq!(answer.status, status, "{uri}");
        assert!(answer.head_text().contains("Connection: close"), "{uri}: {}", answer.head_text());
        // Whether it still takes bytes is the system's affair.
        let _ = client.try_send(&next);
        assert!(client.is_closed_by_peer(), "{uri}");
    }
    // An empty one is none.
    let mut client = Raw::connect(stage.address());
    for _ in 0..3 {
        client.send(Form::Original.question_with("POST", "/x", &[("Authorization", &shown)], ""));
        assert_eq!(client.read_answer().status, 200);
    }
}

#[test]
fn t11_the_administrations_listener_answers_questions_about_mounts() {
    let backend = Recorder::start();
    let settings = format!(
        "admin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [[mount]]\npath = \"/api\"\nupstream = \"{}\"\n",
        backend.url()
    );
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .listeners(2)
        .start();
    let shown = basic("admin", PASSWORD);
    let fields = [("Authorization", shown.as_str())];
    for address in gateway.addresses() {
        for form in FORMS {
            assert_eq!(form.ask(address, "GET", "/api/x", &fields).status, 200, "{form:?}");
            assert_eq!(form.ask(address, "GET", "/api/x", &[]).status, 401, "{form:?}");
            assert_eq!(form.ask(address, "GET", "/api/users", &fields).status, 403, "{form:?}");
        }
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn asvs_47_wrong_passwords_count_for_the_client_and_not_for_the_proxy() {
    let backend = Recorder::start();
    let gateway = start(&format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[login]\nattempts_per_user = 100\nattempts_per_address = 10\n\
         [[mount]]\npath = \"/\"\ndialect = \"plain\"\nupstream = \"{}\"\n",
        backend.url()
    ));
    let asked = |form: Form, client: &str, name: &str, password: &str| {
        let shown = basic(name, password);
        let fields = [("X-Forwarded-For", client), ("Authorization", shown.as_str())];
        form.ask(gateway.address(), "GET", "/x", &fields)
    };
    for attempt in 0..10 {
        let form = FORMS[attempt % FORMS.len()];
        assert_eq!(asked(form, "203.0.113.7", &format!("user-{attempt}"), "wrong").status, 401);
    }
    for form in FORMS {
        let late = asked(form, "203.0.113.7", "user-x", "wrong");
        assert_eq!(late.status, 429, "{form:?}");
        assert!(late.header("retry-after").is_some(), "{form:?}");
        // What a client wrote before the proxy's own word does not make it another one.
        assert_eq!(asked(form, "198.51.100.1, 203.0.113.7", "user-x", "wrong").status, 429, "{form:?}");
        assert_eq!(asked(form, "203.0.113.8", "admin", PASSWORD).status, 200, "{form:?}");
    }
}
