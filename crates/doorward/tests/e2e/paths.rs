//! Paths in every disguise: nothing protected is forwarded, and what is forwarded is what was judged (security.md 2a).

use testkit::backend::Recorder;
use testkit::process::Doorward;
use testkit::raw::{self, Raw};

use crate::common::{BINARY, PASSWORD, code, create_user_with, gateway, log_in};

/// Path list A of security.md, for the protected part `admin` of a mount; `@` stands for the mount.
const LIST_A: &[&str] = &[
    "@/admin",
    "@/admin/",
    "@//admin",
    "//@/admin",
    "@/./admin",
    "@/x/../admin",
    "@/x/..;/admin",
    "@/admin;a=b",
    "@/;a/admin",
    "@/%61dmin",
    "@/%2561dmin",
    "@/x%2f..%2fadmin",
    "@/x%5c..%5cadmin",
    "@/x\\..\\admin",
    "@/admin%2f",
    "@/admin%00",
    "@/admin%0a",
    "@/admin%09",
    "@/admin.",
    "@/admin%2e",
    "@/ADMIN",
    "@/admin?",
    "@/admin#",
    "@/admin%23",
    "@/admin%3f",
    "@/%c0%aeadmin",
    "@/%e0%80%afadmin",
    "@/admin/..%3b/",
    "http://h@/admin",
    "http://h:80/@/admin",
    "http://h@//admin",
    "*",
    "",
    "@/%",
    "@/%zz",
    "@/\u{17f}tatus/../admin",
    "@/%c5%bftatus/../admin",
    "@/admin%20",
    "@/%20admin",
    "@/admin*",
    "@/*",
    "@/**",
    "@/%2a%2a",
    // … and below what is allowed.
    "@/public/../admin",
    "@/public/..%2fadmin",
    "@/public/%2e%2e/admin",
    "@/public/.%2e/admin",
    "@/public/..;/admin",
    "@/public/..;a=b/admin",
    "@/public/%2e%2e;/admin",
    "@/public;/../admin",
    "@/public/..%5cadmin",
    "@/public/..\\admin",
    "@/public/..%00/admin",
    "@/public/..%0a/admin",
    "@/public/..%09/admin",
    "@/public/..%20/admin",
    "@/public/.. /admin",
    "@/public/%252e%252e/admin",
    "@/public/..%252fadmin",
    "@/public/..%c0%afadmin",
    "@/public/%c0%ae%c0%ae/admin",
    "@/public/x/../../admin",
    "@/public//../admin",
    "@/public/./../admin",
    "@/public/..//admin",
    "@/public/...//admin",
    "@/public#/../admin",
    "@/public%23/../admin",
    "@/public?/../admin",
    "@/public%3f/../admin",
    "@/public/%ef%bc%8e%ef%bc%8e/admin",
    "@/public/..%3b/admin",
    "@/public/..%u2215admin",
    "@/public/..%ef%bc%8fadmin",
    "@/public/%uff0e%uff0e/admin",
    "@/admin/../public/x",
    "@/public/secret",
    "@/public/secret/",
    "@/public/secret/x",
    "@/public/Secret/x",
    "@/public/%73ecret/x",
    "@/public/secret;a=b/x",
    "@/public/;/secret/x",
    "@/public//secret/x",
    "@/public/./secret",
    "@/public/x/../secret/y",
    "@/public/secret%20/x",
    "@/public/secret%00",
    "@/public/secret%2fx",
    "@/public/secret%3bx",
    "@/public/secret./x",
    "@/public/secret%2e",
    "@/public/%2573ecret",
    "@/public/s%65cret?x=/public/y",
    "@/public/SECRET",
    "@/public/\u{17f}ecret/x",
    "@/public/%C5%BFecret/x",
    "@/public/x;/../secret",
];

/// How backends read a path before they serve it (security.md 2a, row 1): each of these is somebody's. Nobody sane decodes
/// twice: `%252e` stays as it is (row 77).
fn readings(target: &str) -> Vec<String> {
    let path = target.split('?').next().unwrap_or_default();
    let decoded = String::from_utf8_lossy(&unescape(path.as_bytes())).into_owned();
    let mut all = Vec::new();
    for text in [path.to_owned(), decoded] {
        let stripped: Vec<_> =
            text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
        let cut = text.split(['\0', '\n']).next().unwrap_or_default().to_owned();
        for spelling in [text.clone(), stripped.join("/"), text.replace('\\', "/"), cut] {
            all.push(resolve(&spelling));
            all.push(resolve(&spelling.to_lowercase()));
            all.push(resolve(
                &spelling
                    .split('/')
                    .map(|segment| segment.trim().trim_end_matches('.'))
                    .collect::<Vec<_>>()
                    .join("/"),
            ));
        }
    }
    all
}

/// Empty and `.` segments go, `..` takes the one before along.
fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| text[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Who may `GET:/public/**` and not `/public/secret/**`, on a connection of his own.
struct Walker<'g> {
    gateway: &'g Doorward,
    client: Raw,
    cookie: String,
}

impl<'g> Walker<'g> {
    fn new(gateway: &'g Doorward) -> Self {
        create_user_with(gateway, "walker", &["GET:/public/**:!/public/secret/**;!/public/secret"]);
        let token = log_in(gateway.address(), "walker", PASSWORD);
        Self { gateway, client: Raw::connect(gateway.address()), cookie: format!("id={token}") }
    }

    /// Asks for a target; connects again where the answer ended the connection.
    fn ask(&mut self, method: &str, target: &str) -> u16 {
        self.client.send(raw::request(method, target, &[("Cookie", &self.cookie)], ""));
        let answer = self.client.read_answer_to(method);
        if answer.header("connection") == Some("close") {
            self.client = Raw::connect(self.gateway.address());
        }
        if answer.status != 200 {
            let expected = match answer.status {
                400 => "bad-request",
                403 => "forbidden",
                404 => "not-found",
                405 => "method-not-allowed",
                414 => "uri-too-long",
                other => panic!("{method} {target:?}: {other} {}", answer.body_text()),
            };
            assert_eq!(code(&answer), expected, "{target:?}");
        }
        answer.status
    }
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whatever reached the backend is public in every reading, and no reading makes a secret of it.
fn check_forwarded(backend: &Recorder) -> Vec<String> {
    let mut targets: Vec<_> = backend.requests().into_iter().map(|request| request.target).collect();
    targets.sort();
    targets.dedup();
    for target in &targets {
        for reading in readings(target) {
            assert!(
                is_below(&reading.to_lowercase(), "/api/public"),
                "{target:?} can be read as {reading:?}"
            );
            assert!(
                !is_below(&reading.to_lowercase(), "/api/public/secret"),
                "{target:?} can be read as {reading:?}"
            );
        }
    }
    assert_eq!(backend.complaints(), Vec::<String>::new());
    targets
}

/// What was forwarded is in the form in which it was judged: asked for once more, it is the same.
fn check_fixed(walker: &mut Walker<'_>, backend: &Recorder, targets: &[String]) {
    for target in targets {
        backend.forget();
        assert_eq!(walker.ask("GET", target), 200, "{target:?}");
        assert_eq!(backend.requests().pop().map(|request| request.target).as_deref(), Some(target.as_str()));
    }
}

#[test]
fn case_1_list_a_reaches_nothing_protected() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let mut walker = Walker::new(&gateway);
    for target in [
        "/api/public/x",
        "/api/public/x/y?z=/admin",
        "/api/public",
        "/api/public/a%20b",
        "/api/public/secrets",
    ] {
        assert_eq!(walker.ask("GET", target), 200, "{target}: else the rest shows nothing");
    }
    for listed in LIST_A {
        // The target's bytes are sent as they are, also where they are no target.
        let bytes = listed.replace('@', "/api");
        for target in [bytes.clone(), format!("{bytes}?q=/public/x"), bytes.replacen("/api", "/API", 1)] {
            let status = walker.ask("GET", &target);
            assert!(matches!(status, 200 | 400 | 403 | 404), "{target:?}: {status}");
        }
        assert_ne!(walker.ask("POST", &bytes), 200, "POST {bytes:?}");
    }
    let slashes = format!("/api/public{}admin", "/".repeat(8_000));
    assert_eq!(walker.ask("GET", &slashes), 400);
    assert_eq!(walker.ask("GET", &format!("/api/public{}", "/x".repeat(8_200))), 414);
    let targets = check_forwarded(&backend);
    assert!(targets.len() >= 5, "{targets:?}");
    check_fixed(&mut walker, &backend, &targets);
}

/// The same with a real nginx, which decodes, resolves and merges before it opens a file.
#[test]
fn case_1_nginx_serves_nothing_protected() {
    let secret = "SECRET";
    let plan = ["/api/admin", "/api/public/secret", "/api/admin./x"].iter().fold(
        testkit::Nginx::new(),
        |plan, folder| {
            plan.file(&format!("{folder}/index.html"), secret).file(&format!("{folder}/x"), secret)
        },
    );
    let nginx = plan.file("/api/public/x", "public").start();
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", nginx.url()))
        .start();
    let cookie = Walker::new(&gateway).cookie;
    let ask =
        |target: &str| raw::once(gateway.address(), raw::request("GET", target, &[("Cookie", &cookie)], ""));
    assert_eq!(ask("/api/public/x").body_text(), "public");
    for listed in LIST_A {
        let target = listed.replace('@', "/api");
        for target in
            [target.clone(), format!("{target}/"), format!("{target}/x"), format!("{target}/index.html")]
        {
            let answer = ask(&target);
            assert!(!answer.body.starts_with(secret.as_bytes()), "{target:?}: {}", answer.head_text());
        }
    }
}

/// Paths put together from everything that somebody reads in his own way.
#[test]
fn case_1_generated_paths_reach_nothing_protected() {
    const PIECES: &[&str] = &[
        "/", "/", "/", "/public", "/public", "/public", "admin", "secret", "x", ".", "..", "%2e", "%2E%2e",
        "%2f", "%5c", "\\", ";", ";a=b", "%3b", "%3B", "//", "%00", "%0a", "%09", "%20", "%25", "%252e",
        "%252f", "#", "%23", "?", "%3f", "*", "%c0%ae", "%c3%a9", "SECRET", "Public", "%70ublic", "s%65cret",
        ":", "@", "~", "%7e", "%7E", "&", "=", "+", ",", "%ff", "%", "%zz", "secret.", "public",
    ];
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let mut walker = Walker::new(&gateway);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut passed = 0;
    for _ in 0..6_000 {
        let mut target = String::from(if below(3) == 0 { "/api" } else { "/api/public/" });
        for _ in 0..=below(6) {
            target.push_str(PIECES[below(PIECES.len())]);
        }
        // The mount's own status is public and not the backend's.
        if !matches!(target.split('?').next(), Some("/api" | "/api/")) && walker.ask("GET", &target) == 200 {
            passed += 1;
        }
    }
    assert!(passed > 300, "a generator that is always refused shows nothing: {passed}");
    let targets = check_forwarded(&backend);
    check_fixed(&mut walker, &backend, &targets);
}

#[test]
fn case_2_case_4_hashes_and_odd_bytes() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    create_user_with(&gateway, "bar", &["GET:/foo/*/bar"]);
    let cookie = format!("id={}", log_in(gateway.address(), "bar", PASSWORD));
    let ask = |target: &[u8]| {
        let head =
            [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\nCookie: ", cookie.as_bytes(), b"\r\n\r\n"].concat();
        raw::once(gateway.address(), head).status
    };
    for (status, target) in [
        (200, "/api/foo/x/bar"),
        // `%23` is a byte like others: one segment, never the end of the path.
        (200, "/api/foo/secret%23/bar"),
        (403, "/api/foo/secret%23/../bar2"),
        (403, "/api/foo/secret%23x"),
        (400, "/api/foo/secret#/bar"),
        (400, "/api/foo#/../bar"),
        (400, "/api/foo/x%0a/bar"),
        (400, "/api/foo/x/bar%0a"),
        (403, "/api/foo/x/bar%20"),
        (403, "/api/foo/x/bar/"),
        (403, "/api/foo/x/Bar"),
        (403, "/api/foo/x/y/bar"),
        (400, "/api/foo//bar"),
        // `*` in a request is a segment of that name, not a pattern.
        (200, "/api/foo/*/bar"),
        (403, "/api/*/x/bar"),
        (403, "/api/foo/**"),
    ] {
        let status_now = ask(target.as_bytes());
        // A path with a dot segment is refused before anybody asks who may.
        let expected = if target.contains("/../") { 400 } else { status };
        assert_eq!(status_now, expected, "{target}");
    }
    for byte in (0..=0x20_u8).chain(0x7f..=0xff) {
        let target = [b"/api/foo/", &[byte][..], b"/bar"].concat();
        assert_eq!(ask(&target), 400, "{byte:#04x}");
    }
    assert_eq!(backend.wait_for(3).len(), 3);
}

/// A mount with one public route, and everything somebody could say to make it two.
#[test]
fn case_5_public_doors_cannot_be_stretched() {
    let backend = Recorder::start();
    let route = "[[mount.route]]\npath = \"/status/**\"\nmethods = [\"GET\"]\npublic = true\n\
                 [[mount.route]]\npath = \"/health\"\nmethods = [\"GET\"]\npublic = true";
    let gateway = gateway(&backend, route);
    let ask = |method: &str, target: &str, fields: &[(&str, &str)]| {
        raw::once(gateway.address(), raw::request(method, target, fields, "")).status
    };
    for target in ["/api/status", "/api/status/x", "/api/health", "/api/health?x=y"] {
        assert_eq!((ask("GET", target, &[]), ask("HEAD", target, &[])), (200, 200), "{target}");
    }
    // A public door looks at no credentials, also not at bad ones.
    assert_eq!(ask("GET", "/api/health", &[("Authorization", "Basic !!!"), ("Cookie", "id=x; id=y")]), 200);
    let public = backend.requests().len();
    for target in [
        "/api/private;/status/x",
        "/api/private/status",
        "/api/private:/status/x",
        "/api/private/:/health",
        "/api/healthz",
        "/api/health/",
        "/api/health/x",
        "/api/health;x",
        "/api/health.json",
        "/api/health%20",
        "/api/Health",
        "/api/status.json",
        "/api/statusx/y",
        "/api/status;x/y",
        "/api/STATUS/x",
        "/api/%73tatu%53/x",
        "/api/status%3b/x",
    ] {
        assert_eq!(ask("GET", target, &[]), 401, "{target}");
    }
    for target in [
        "/api/status/../private",
        "/api/status/%2e%2e/private",
        "/api/status/..;/private",
        "/api/status/..%2fprivate",
        "/api/status//private",
        "/api/status/..%5cprivate",
        "/api/status#/../private",
        "/api/./status/x",
        "/api/health%00",
        "/api/health%0a",
    ] {
        assert_eq!(ask("GET", target, &[]), 400, "{target}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(ask(method, "/api/status/x", &[]), 401, "{method}");
    }
    // No header chooses the rule.
    for (name, value) in [
        ("User-Agent", "kube-probe/1.30"),
        ("User-Agent", "GoogleHC/1.0"),
        ("X-Original-URI", "/api/health"),
        ("X-Original-URL", "/api/health"),
        ("X-Forwarded-Uri", "/api/health"),
        ("X-Rewrite-URL", "/api/health"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Method", "GET"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-HTTP-Method", "GET"),
        ("X-Method-Override", "GET"),
        ("X-Forwarded-Path", "/api/health"),
        ("X-Forwarded-Prefix", "/api/status"),
        ("Referer", "http://a/api/health"),
        ("Forwarded", "for=127.0.0.1;host=a"),
        ("X-Override-URL", "/api/health"),
        ("Host", "health"),
        ("X-Accel-Redirect", "/api/health"),
        ("X-Middleware-Subrequest", "middleware"),
        ("X-Real-IP", "127.0.0.1"),
    ] {
        assert_eq!(ask("GET", "/api/private", &[(name, value)]), 401, "{name}");
        assert_eq!(ask("POST", "/api/health", &[(name, value)]), 401, "{name}");
    }
    assert_eq!(backend.requests().len(), public, "nothing of all that was forwarded");
}

#[test]
fn case_3_rules_see_the_path_only() {
    let backend = Recorder::start();
    let route = "[[mount.route]]\npath = \"/*/status\"\npublic = true";
    let gateway = gateway(&backend, route);
    create_user_with(&gateway, "reader", &["GET:/readable/**:!/readable/x"]);
    let cookie = format!("id={}", log_in(gateway.address(), "reader", PASSWORD));
    let ask = |target: &str, cookie: &str| {
        raw::once(gateway.address(), raw::request("GET", target, &[("Cookie", cookie)], "")).status
    };
    assert_eq!(ask("/api/x/status", ""), 200);
    for target in [
        "/api/private?x=/status",
        "/api/private?/x/status",
        "/api/private?x=/api/x/status",
        "/api?/x/status/y",
    ] {
        let expected = if target.starts_with("/api?") { 200 } else { 401 };
        assert_eq!(ask(target, ""), expected, "{target}: the mount itself is its status, and ours");
    }
    for (status, target) in [
        (403, "/api/private?/readable/y"),
        (403, "/api/private?path=/readable/y"),
        (403, "/api/readable/x?/y"),
        (200, "/api/readable/y?/../private"),
        (200, "/api/readable/y?a=/readable/x#no".split('#').next().unwrap_or_default()),
        (200, "/api/readable/y??/%2e%2e/x"),
    ] {
        assert_eq!(ask(target, &cookie), status, "{target}");
    }
    let targets: Vec<_> = backend.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(
        targets,
        [
            "/api/x/status",
            "/api/readable/y?/../private",
            "/api/readable/y?a=/readable/x",
            "/api/readable/y??/%2e%2e/x"
        ],
        "the query is forwarded as it came"
    );
}

/// `%252e` is the text `%2e`, and stays so; what is decoded is decoded before it is judged, and forwarded as judged.
#[test]
fn asvs_77_paths_are_decoded_once() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let mut walker = Walker::new(&gateway);
    for (asked, forwarded) in [
        ("/api/public/%252e%252e/admin", "/api/public/%252e%252e/admin"),
        ("/api/public/%2561", "/api/public/%2561"),
        ("/api/%70ubli%63/%61%7e%2D", "/api/public/a~-"),
        ("/api/public/%c3%a9%3b%20", "/api/public/%C3%A9%3B%20"),
        ("/api/public/a%2523", "/api/public/a%2523"),
        ("/api/public/a%25", "/api/public/a%25"),
    ] {
        assert_eq!(walker.ask("GET", asked), 200, "{asked}");
        assert_eq!(backend.requests().pop().map(|request| request.target).as_deref(), Some(forwarded));
    }
    assert_eq!(walker.ask("GET", "/api/public/%2e%2e/admin"), 400);
    assert_eq!(walker.ask("GET", "/api/%2570ublic/x"), 403);
}

/// The gateway's own public endpoints, and what lies near them.
#[test]
fn case_5_the_gateways_own_doors_open_nothing_behind_them() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let ask = |method: &str, target: &str| {
        raw::once(gateway.address(), raw::request(method, target, &[], "")).status
    };
    assert_eq!((ask("GET", "/api"), ask("GET", "/api/")), (200, 200));
    for (status, method, target) in [
        (404, "GET", "/"),
        (404, "GET", "/apix"),
        (400, "GET", "/API"),
        (404, "GET", "/ap%69x"),
        (400, "GET", "//api/x"),
        (400, "GET", "/x/../api/x"),
        (401, "GET", "/api/x"),
        (401, "GET", "/api/users"),
        (401, "GET", "/api/roles"),
        (401, "GET", "/api/sessions"),
        (405, "PUT", "/api"),
        (405, "DELETE", "/api"),
        (405, "PUT", "/api/session"),
        (401, "GET", "/api/session"),
        (204, "DELETE", "/api/session"),
        (401, "GET", "/api/Session"),
        (401, "GET", "/api/sessio%6e"),
        (400, "GET", "/api//"),
        (400, "GET", "/api//x"),
        (401, "GET", "/api/;x"),
    ] {
        let expected = if target == "/api/;x" { 400 } else { status };
        assert_eq!(ask(method, target), expected, "{method} {target}");
    }
    assert_eq!(backend.connections(), 0);
}
