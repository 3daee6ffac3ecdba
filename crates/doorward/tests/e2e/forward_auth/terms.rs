//! The mount's and the route's terms hold for what is asked about: permissions, public routes, signed identity, `strip`, what is
//! activity; sessions that begin or end with a request.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::Recorder;
use testkit::raw::Answer;

use super::{ENGINE, FORMS, Form, LONG, Stage, log_in_plain, start};
use crate::common::{PASSWORD, ask, basic};

/// Every field of a 200 that says who it is.
const IDENTITY: [&str; 6] = [
    "x-forwarded-user",
    "x-forwarded-user-id",
    "x-forwarded-realm",
    "fusion-user-id",
    "x-who",
    "authorization",
];

fn told(answer: &Answer) -> Vec<&'static str> {
    IDENTITY.into_iter().filter(|name| answer.header(name).is_some()).collect()
}

/// For whom the token in this field is.
fn audience(answer: &Answer, name: &str) -> Option<Value> {
    let token = answer.header(name)?;
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    Some(serde_json::from_slice::<Value>(&claims).unwrap()["aud"].clone())
}

#[test]
fn t11_the_stated_method_and_path_are_what_is_permitted() {
    let stage = Stage::new();
    for mount in ["/api", ENGINE, ""] {
        let cookie = stage.log_in(mount, "ada", LONG);
        let fields = [("Cookie", cookie.as_str()), ("Prefer", "persistent-auth")];
        for form in FORMS {
            for (method, path, status) in [
                ("GET", "/a", 200),
                ("GET", "/a/b?c", 200),
                ("HEAD", "/a/b", 200),
                ("POST", "/a/b", 403),
                ("DELETE", "/a", 403),
                ("GET", "/b", 403),
                ("GET", "/ab", 403),
                ("GET", "/A/b", 403),
            ] {
                let target = format!("{mount}{path}");
                let answer = form.ask(stage.address(), method, &target, &fields);
                assert_eq!(answer.status, status, "{form:?} {method} {target}");
            }
        }
    }
    stage.assert_nothing_forwarded("permissions");
}

#[test]
fn t11_routes_and_the_signed_identity_hold_for_questions() {
    let stage = Stage::with(
        "identity_token = { audience = \"usual\", forward_auth = true }\n\
         [[mount.route]]\npath = \"/quiet/**\"\nidentity_token = false\n\
         [[mount.route]]\npath = \"/mine/**\"\nidentity_token = { audience = \"mine\", header = \"X-Who\" }\n\
         [[mount.route]]\npath = \"/other/**\"\n\
         identity_token = { audience = \"other\", header = \"X-Who\", forward_auth = true }\n",
        "",
    );
    let shown = basic("admin", PASSWORD);
    let plain = &IDENTITY[..3];
    for form in FORMS {
        let asked = |target: &str| {
            let answer = form.ask(stage.address(), "GET", target, &[("Authorization", &shown)]);
            assert_eq!(answer.status, 200, "{form:?} {target}");
            answer
        };
        let usual = asked("/x");
        assert_eq!(audience(&usual, "authorization"), Some(json!("usual")), "{form:?}");
        let removed = |answer: &Answer, name: &str| {
            let all = answer.header("x-envoy-auth-headers-to-remove").unwrap();
            all.split(", ").any(|one| one.eq_ignore_ascii_case(name))
        };
        assert!(!removed(&usual, "Authorization") && removed(&usual, "X-Who"), "{}", usual.head_text());
        for (target, own) in [("/quiet/x", None), ("/mine/x", None), ("/other/x", Some(json!("other")))] {
            let answer = asked(target);
            assert_eq!(audience(&answer, "x-who"), own, "{form:?} {target}");
            assert_eq!(answer.header("authorization"), None, "{form:?} {target}");
            assert!(removed(&answer, "Authorization"), "the client's own does not pass: {target}");
        }
        assert_eq!(told(&asked("/quiet/x")), plain);
        assert_eq!(told(&asked("/open/x")), [""; 0], "nobody is anybody on a public route");
        // Nor is there a token where nobody is logged in.
        let nobody = form.ask(stage.address(), "GET", "/open/x", &[]);
        assert_eq!((nobody.status, told(&nobody)), (200, vec![]), "{form:?}");
    }
    // The gateway itself tells its backends in each case.
    let direct = stage.ask("GET", "/mine/x", &[("Authorization", &shown)]);
    assert_eq!(direct.status, 200);
    assert!(stage.backend.wait_for(1)[0].header("x-who").is_some());
}

#[test]
fn t11_a_mount_may_have_no_backend_and_strip_changes_no_question() {
    let backend = Recorder::start();
    let settings = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n\
         [[mount]]\npath = \"/asked\"\ndialect = \"plain\"\nupstream = []\nstrip = true\n\
         [[mount.route]]\npath = \"/open/**\"\npublic = true\n\
         [[mount.route]]\npath = \"/served/**\"\nupstream = \"{url}\"\n\
         [[mount]]\npath = \"/stripped\"\ndialect = \"plain\"\nupstream = \"{url}\"\nstrip = true\n",
        url = backend.url()
    );
    let gateway = start(&settings);
    let address = gateway.address();
    let shown = basic("admin", PASSWORD);
    let fields = [("Authorization", shown.as_str())];
    for form in FORMS {
        for target in ["/asked", "/asked/x?y", "/asked/served/x", "/stripped/x"] {
            assert_eq!(form.ask(address, "GET", target, &fields).status, 200, "{form:?} {target}");
            assert_eq!(form.ask(address, "GET", target, &[]).status, 401, "{form:?} {target}");
        }
        assert_eq!(form.ask(address, "GET", "/asked/open/x", &[]).status, 200);
        assert_eq!(form.ask(address, "GET", "/elsewhere", &fields).status, 404);
    }
    assert!(backend.requests().is_empty());
    // What comes here itself finds a backend where there is one.
    for (target, status) in [("/asked/x", 404), ("/asked/open/x", 404), ("/asked/served/x", 200)] {
        assert_eq!(ask(address, "GET", target, &fields, "").status, status, "{target}");
    }
    assert_eq!(backend.wait_for(1)[0].target, "/served/x");
}

#[test]
fn asvs_7_a_question_is_activity_where_its_request_would_be() {
    let stage = Stage::with("no_refresh = [\"GET:/poll/**\"]\nno_refresh_query = \"quiet\"", "");
    let address = stage.address();
    let cases: Vec<_> = FORMS
        .into_iter()
        .flat_map(|form| {
            [
                (form, "GET", "/x", true),
                (form, "POST", "/poll/x", true),
                (form, "GET", "/poll/x", false),
                (form, "GET", "/x?a&quiet=true", false),
                (form, "GET", "/x?quiet=false", true),
                // The stated path's, not the question's.
                (form, "GET", "/poll", false),
            ]
        })
        .map(|case| (case, log_in_plain(address, "admin", PASSWORD)))
        .collect();
    let seen = |token: &str| {
        let jar = format!("doorward={token}");
        let answer = stage.ask("GET", "/.doorward/session?peek=true", &[("Cookie", &jar)]);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["session"]["lastSeenAt"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let before: Vec<_> = cases.iter().map(|(_, token)| seen(token)).collect();
    // Lists tell whole seconds.
    std::thread::sleep(Duration::from_millis(1_010));
    for ((form, method, target, _), token) in &cases {
        let jar = format!("doorward={token}");
        let answer = form.ask(address, method, target, &[("Cookie", &jar)]);
        assert_eq!(answer.status, 200, "{form:?} {method} {target}");
    }
    for (((form, method, target, counts), token), before) in cases.iter().zip(&before) {
        assert_eq!(seen(token) > *before, *counts, "{form:?} {method} {target}");
    }
}

#[test]
fn t11_what_ends_ends_for_the_next_question() {
    let stage = Stage::new();
    for (mount, end) in [("/api", "/api/session"), ("", "/.doorward/session")] {
        let cookie = stage.log_in(mount, "ada", LONG);
        let asked = |form: Form| {
            let target = format!("{mount}/a/x");
            form.ask(stage.address(), "GET", &target, &[("Cookie", &cookie)]).status
        };
        assert_eq!(FORMS.map(asked), [200; 4], "{mount}");
        let answer = stage.ask("DELETE", end, &[("Cookie", &cookie)]);
        assert!(matches!(answer.status, 200 | 204), "{}", answer.head_text());
        assert_eq!(FORMS.map(asked), [401; 4], "{mount}");
    }
}

#[test]
fn t11_a_session_of_the_engine_begins_and_ends_by_a_question() {
    let stage = Stage::new();
    let target = format!("{ENGINE}/a/x");
    let shown = basic("ada@internal", LONG);
    for form in FORMS {
        let asked = |fields: &[(&str, &str)]| form.ask(stage.address(), "GET", &target, fields);
        let once = asked(&[("Authorization", &shown)]);
        assert_eq!((once.status, once.set_cookie("JSESSIONID")), (200, None), "{form:?}");
        let goes_on = ("Prefer", "persistent-auth");
        let begun = asked(&[("Authorization", &shown), goes_on]);
        assert_eq!(begun.status, 200, "{form:?}");
        let cookie = format!("JSESSIONID={}", begun.set_cookie("JSESSIONID").expect("a session"));
        assert_eq!(asked(&[("Cookie", &cookie), goes_on]).status, 200);
        // As for the request itself: one that does not say that it goes on ends it.
        assert_eq!(asked(&[("Cookie", &cookie)]).status, 401);
        assert_eq!(asked(&[("Cookie", &cookie), goes_on]).status, 401, "{form:?}");
    }
    stage.assert_nothing_forwarded("sessions of the engine");
}

/// Over TLS, `plain` has another cookie: whether the client came by TLS is the proxy's word, in a field or in the stated URL.
#[test]
fn t11_the_stated_scheme_chooses_the_cookie() {
    let stage = Stage::new();
    let body = json!({ "username": "ada", "password": LONG }).to_string();
    let tls = ("X-Forwarded-Proto", "https");
    let begun = ask(stage.address(), "POST", "/.doorward/session", &[tls], &body);
    let cookie =
        format!("__Host-doorward={}", begun.set_cookie("__Host-doorward").expect("a cookie over TLS"));
    let status = |fields: &[(&str, &str)]| {
        stage.ask("GET", super::ASKED_AT, &[fields, &[("Cookie", &cookie)]].concat()).status
    };
    let original = [("X-Original-Method", "GET"), ("X-Original-URI", "/a/x")];
    assert_eq!((status(&[original[0], original[1], tls]), status(&original)), (200, 401));
    let url = |url| ("X-Original-URL", url);
    assert_eq!(status(&[original[0], url("https://h/a/x")]), 200);
    assert_eq!(status(&[original[0], url("http://h/a/x")]), 401);
    // The URL is what the proxy says of this request.
    assert_eq!(status(&[original[0], url("http://h/a/x"), tls]), 401);
}
