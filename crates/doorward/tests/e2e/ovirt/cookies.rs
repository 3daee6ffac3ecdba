//! Cookies between the engine's mount and the mounts around it (security.md case 31): browsers send a session's cookie to every
//! mount below its path, and take a cookie for any path from any backend.

use testkit::backend::Request;
use testkit::raw::{self, Answer};
use testkit::{Doorward, Recorder, Reply};

use super::{API, Engine, PERSISTENT, id_of};
use crate::common::{BINARY, PASSWORD, basic, log_in_at};

/// A mount of the gateway's own dialect around the engine's, and another one within.
struct Nested {
    backend: Recorder,
    gateway: Doorward,
    /// The session of the mount around.
    outer: String,
    /// The session of the engine's.
    engine: String,
}

impl Nested {
    fn new() -> Self {
        let backend = Recorder::start();
        let url = backend.url();
        let mount = |path: &str, dialect: &str| {
            format!("[[mount]]\npath = \"{path}\"\ndialect = \"{dialect}\"\nupstream = \"{url}\"\n")
        };
        let settings =
            [mount("/", "fusion"), mount(API, "ovirt"), mount(&format!("{API}/v9"), "fusion")].concat();
        let gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let outer = log_in_at(gateway.address(), "");
        let mut nested = Self { backend, gateway, outer, engine: String::new() };
        let shown = basic("admin@internal", PASSWORD);
        let begun = nested.get(&format!("{API}/vms"), &[PERSISTENT, ("Authorization", &shown)]);
        nested.engine = id_of(&begun).expect("a session").to_owned();
        nested.backend.forget();
        nested
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        raw::once(self.gateway.address(), raw::request("GET", target, headers, ""))
    }

    /// What the backend sees of a request with this jar, by whoever `shown` says.
    fn seen(&self, target: &str, jar: &str, shown: &str) -> Request {
        let answer = self.get(target, &[PERSISTENT, ("Cookie", jar), ("Authorization", shown)]);
        assert_eq!(answer.status, 200, "{target} {jar}: {}", answer.body_text());
        let seen = self.backend.wait_for(1).remove(0);
        self.backend.forget();
        seen
    }

    /// Which of these a client is given, of an answer of the backend's to a request for `target`.
    fn passes<'c>(&self, target: &str, cookies: &[&'c str]) -> Vec<&'c str> {
        let lines: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
        self.backend
            .script(move |_| Reply::raw(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")));
        let (name, password) =
            if target.starts_with(API) { ("admin@internal", PASSWORD) } else { ("admin", PASSWORD) };
        let answer = self.get(target, &[("Authorization", &basic(name, password))]);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body_text());
        let given = answer.header_values("set-cookie");
        cookies.iter().copied().filter(|cookie| given.contains(cookie)).collect()
    }
}

#[test]
fn case_31_a_session_of_the_mount_around_is_not_the_engines_to_see() {
    let nested = Nested::new();
    let Nested { outer, engine, .. } = &nested;
    let jar = format!("a=1; id={outer}; JSESSIONID={engine}; b=2");
    let seen = nested.seen(&format!("{API}/vms"), &jar, "");
    assert_eq!((seen.header("cookie"), seen.header("x-forwarded-user")), (Some("a=1; b=2"), Some("admin")));
    assert!(!seen.head_text().contains(outer.as_str()), "{}", seen.head_text());
    // In lines of their own, and alone.
    let lines = format!(
        "GET {API}/vms HTTP/1.1\r\nHost: h\r\nPrefer: persistent-auth\r\nCookie: id={outer}\r\nCookie: JSESSIONID={engine}\r\n\
         Cookie: id=x; c=3\r\n\r\n"
    );
    assert_eq!(raw::once(nested.gateway.address(), lines).status, 200);
    assert_eq!(nested.backend.wait_for(1)[0].header_values("cookie"), ["c=3"]);
    nested.backend.forget();
    // Within the engine's mount, both are somebody's session.
    let shown = basic("admin", PASSWORD);
    let seen = nested.seen(&format!("{API}/v9/x"), &format!("JSESSIONID={engine}; a=1"), &shown);
    assert_eq!(seen.header("cookie"), Some("a=1"));
    // Around it, an application's cookie of that name is its own.
    let seen = nested.seen("/app/x", &format!("JSESSIONID=applications; id={outer}"), "");
    assert_eq!(seen.header("cookie"), Some("JSESSIONID=applications"));
}

#[test]
fn case_31_no_backend_plants_or_jams_a_session_of_another_mount() {
    let nested = Nested::new();
    let planted = format!("JSESSIONID={}; Path={API}", nested.engine);
    let jamming = "JSESSIONID=applications; Path=/; HttpOnly";
    let own = "JSESSIONID=applications; Path=/app";
    let around = [
        &*planted,
        jamming,
        "JSESSIONID=x; path=/ovirt-engine/",
        "JSESSIONID=x; Path=/ovirt%2Dengine/api/vms",
        "JSESSIONID=; Max-Age=0; Path=/; Domain=example.com",
        "id=x; Path=/app",
        own,
        "JSESSIONID=x; Path=/ovirt-engine/webadmin",
        "JSESSIONID=x; Path=/ovirt-engine/sso",
        "theme=dark; Path=/",
    ];
    assert_eq!(nested.passes("/app/x", &around), around[6..]);
    // Without a path: that of what was asked for.
    assert_eq!(nested.passes("/app/x", &["JSESSIONID=x; HttpOnly"]), ["JSESSIONID=x; HttpOnly"]);
    assert_eq!(nested.passes("/app", &["JSESSIONID=x; HttpOnly"]), [""; 0]);
    // Nor does the engine, of the mount around.
    assert_eq!(nested.passes(&format!("{API}/vms"), &["id=x; Path=/", "id=x", "ID=x"]), ["ID=x"]);
    // What old clients in Java read.
    nested
        .backend
        .script(|_| Reply::answer("200 OK", &[("Set-Cookie2", "JSESSIONID=x;Path=/;Version=1")], ""));
    let answer = nested.get("/app/x", &[("Cookie", &format!("id={}", nested.outer))]);
    assert_eq!((answer.status, answer.header("set-cookie2")), (200, None));
}

#[test]
fn asvs_31_nobody_keeps_an_answer_that_gives_or_takes_a_session() {
    let engine = Engine::new();
    engine.backend.script(|_| {
        let headers = [
            ("Cache-Control", "public, max-age=600"),
            ("cache-control", "s-maxage=600"),
            ("Expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
            ("Pragma", "cache"),
            ("CDN-Cache-Control", "max-age=600"),
            ("Surrogate-Control", "max-age=600"),
            ("X-Accel-Expires", "600"),
            ("Edge-Control", "max-age=600"),
            ("ETag", "\"1\""),
        ];
        Reply::answer("200 OK", &headers, "x")
    });
    let shown = super::login("ada");
    let begun = engine.get(&[PERSISTENT, ("Authorization", &shown)]);
    let cookie = format!("JSESSIONID={}", id_of(&begun).unwrap());
    let going_on = engine.get(&[PERSISTENT, ("Cookie", &cookie)]);
    let ended = engine.get(&[("Cookie", &cookie), ("Authorization", &shown)]);
    for answer in [&begun, &ended] {
        let head = answer.head_text();
        assert_eq!((answer.status, answer.header("etag")), (200, Some("\"1\"")), "{head}");
        assert_eq!(answer.header_values("cache-control"), ["no-store"], "{head}");
        let others = [
            "expires",
            "pragma",
            "cdn-cache-control",
            "surrogate-control",
            "x-accel-expires",
            "edge-control",
        ];
        assert_eq!(others.map(|name| answer.header(name)), [None; 6], "{head}");
    }
    // What gives and takes nothing is the backend's own affair.
    assert_eq!(going_on.header_values("cache-control"), ["public, max-age=600", "s-maxage=600"]);
    assert_eq!(going_on.header("expires"), Some("Thu, 01 Jan 2099 00:00:00 GMT"));
}

#[test]
fn asvs_16_the_engines_own_session_id_stays_with_it() {
    let engine = Engine::new();
    engine.backend.script(|_| {
        let headers =
            [("JSESSIONID", "INNER"), ("jsessionid", "INNER"), ("J_Session-Id", "INNER"), ("X-Own", "1")];
        Reply::answer("200 OK", &headers, "x")
    });
    let answer = engine.get(&[("Authorization", &super::login("ada"))]);
    assert_eq!((answer.status, answer.header("x-own")), (200, Some("1")));
    assert!(!answer.head_text().contains("INNER"), "{}", answer.head_text());
}
