//! Fields that say who somebody is, where he comes from, or what he may: nobody but the gateway says so (security.md 2b).

mod cookies;
mod forwarded;
mod told;

use testkit::backend::{Recorder, Request};
use testkit::process::Doorward;
use testkit::raw::{self, Raw};

use crate::common::{PASSWORD, gateway, log_in};

/// Every field that tells the backend who asks, or over what, or for which host or path.
const IDENTITY: &[&str] = &[
    "fusion-user-id",
    "fusion-user-name",
    "fusion-user",
    "fusion-realm",
    "fusion-roles",
    "X-Forwarded-User",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Server",
    "Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-HTTP-Method",
    "Remote-User",
    "X-Remote-User",
    "X-Auth-User",
    "X-Auth-Request-User",
    "X-Client-IP",
    "True-Client-IP",
];

/// What the gateway itself tells of a user.
const TOLD: &[&str] = &[
    "fusion-user-id",
    "fusion-user-name",
    "X-Forwarded-User",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
];

fn squeezed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Spellings of a name: what stands between its words, and its letters' case.
fn spellings(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for separator in
        ["-", "_", ".", "", "--", "__", "-_", "~", "!", "+", "*", "'", "$", "%", "&", "^", "`", "|", "#"]
    {
        let joined = name.replace('-', separator);
        let every_other = |from: usize| {
            let turn = |(at, c): (usize, char)| {
                if at % 2 == from { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            };
            joined.chars().enumerate().map(turn).collect::<String>()
        };
        all.extend([
            joined.clone(),
            joined.to_lowercase(),
            joined.to_uppercase(),
            every_other(0),
            every_other(1),
        ]);
        all.extend(["-@", "@-", "_@_", ".@", "@.", "@__"].map(|around| around.replace('@', &joined)));
        for at in 1..joined.len().min(8) {
            let (start, end) = joined.split_at(at);
            all.push(format!("{start}_{end}"));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// What the backend may see of identity: the gateway's own words, once each.
fn check_identity(request: &Request, case: &str) {
    for (name, value) in &request.headers {
        let Some(own) = IDENTITY.iter().find(|own| squeezed(own) == squeezed(name)) else { continue };
        assert!(TOLD.contains(own), "{case}: {name}: {value}");
        assert_eq!(request.header_values(name).len(), 1, "{case}: {name}");
        assert!(!value.contains("FORGED"), "{case}: {name}: {value}");
    }
    let values: Vec<_> = ["fusion-user-name", "X-Forwarded-User", "X-Forwarded-For"]
        .iter()
        .map(|name| request.header(name))
        .collect();
    assert_eq!(values, [Some("admin"), Some("admin"), Some("127.0.0.1")], "{case}");
}

struct Stage {
    backend: Recorder,
    gateway: Doorward,
    cookie: String,
}

impl Stage {
    fn new() -> Self {
        let backend = Recorder::start();
        let gateway = gateway(&backend, "");
        let cookie = format!("id={}", log_in(gateway.address(), "admin", PASSWORD));
        Self { backend, gateway, cookie }
    }

    /// The bytes of a request of `admin`'s with these lines in its head.
    fn bytes(&self, lines: &str) -> Vec<u8> {
        format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\nCookie: {}\r\n{lines}\r\n", self.cookie).into_bytes()
    }

    /// Has such a request forwarded; what the backend saw.
    fn seen(&self, lines: &str) -> Request {
        let answer = raw::once(self.gateway.address(), self.bytes(lines));
        assert_eq!(answer.status, 200, "{lines}: {}", answer.body_text());
        self.backend.requests().pop().unwrap()
    }
}

#[test]
fn case_6_asvs_76_asvs_100_no_spelling_of_an_identity_header_reaches_the_backend() {
    let stage = Stage::new();
    let mut client = Raw::connect(stage.gateway.address());
    let all: Vec<String> = IDENTITY.iter().flat_map(|name| spellings(name)).collect();
    assert!(all.len() > 10_000, "{}", all.len());
    for batch in all.chunks(90) {
        let lines: String = batch.iter().map(|name| format!("{name}: FORGED\r\n")).collect();
        client.send(stage.bytes(&lines));
        let answer = client.read_answer();
        assert_eq!(answer.status, 200, "{lines}: {}", answer.body_text());
    }
    let seen = stage.backend.requests();
    assert_eq!(seen.len(), all.len().div_ceil(90));
    for request in &seen {
        check_identity(request, &request.head_text());
        assert!(!request.head_text().contains("FORGED"), "{}", request.head_text());
    }
}

#[test]
fn case_6_twice_empty_folded_and_with_odd_blanks() {
    let stage = Stage::new();
    for name in IDENTITY {
        for lines in [
            format!("{name}:\r\n"),
            format!("{name}: FORGED\r\n{name}: FORGED\r\n"),
            format!("{}: FORGED\r\nX: y\r\n{name}:\tFORGED \r\n", name.to_uppercase()),
            format!("{name}: \u{e9}FORGED\r\n"),
        ] {
            check_identity(&stage.seen(&lines), &lines);
        }
        // Behind a folded line, before a blank, with a no-break space: these are no fields at all.
        for lines in [
            format!("X: y\r\n {name}: FORGED\r\n"),
            format!("{name} : FORGED\r\n"),
            format!("{name}\u{a0}: FORGED\r\n"),
            format!("\u{a0}{name}: FORGED\r\n"),
            format!("X: y\r{name}: FORGED\r\n"),
            format!("X: y\n{name}: FORGED\r\n"),
        ] {
            let bytes = stage.bytes(&lines);
            assert_eq!(raw::once(stage.gateway.address(), bytes).status, 400, "{lines:?}");
        }
    }
    // To a public door nobody is anybody: nothing is told, and nothing of the client's stays.
    let public = gateway(&stage.backend, "[[mount.route]]\npath = \"/open\"\npublic = true");
    let lines: String = IDENTITY.iter().map(|name| format!("{name}: FORGED\r\n")).collect();
    let bytes = format!("GET /api/open HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    assert_eq!(raw::once(public.address(), bytes).status, 200);
    let seen = stage.backend.requests().pop().unwrap();
    assert!(
        !seen.head_text().contains("FORGED") && seen.header("fusion-user-id").is_none(),
        "{}",
        seen.head_text()
    );
}

#[test]
fn case_8_asvs_93_connection_cannot_take_our_fields_away() {
    let stage = Stage::new();
    let named = "fusion-user-id, fusion-user-name, X-Forwarded-User, X-Forwarded-For, X-Forwarded-Host, X-Auth-User, Cookie, Host, Via, \
                 Authorization, Content-Type, Content-Length, Transfer-Encoding, X-Mine";
    for lines in [
        format!("Connection: {named}\r\n"),
        format!("Connection:\r\nConnection: {named}\r\n"),
        format!("connection: keep-alive\r\nCONNECTION: ,, {named} ,\r\n"),
        format!("Connection: {}\r\n", named.to_lowercase()),
        format!("Proxy-Connection: {named}\r\nKeep-Alive: timeout=5\r\n"),
    ] {
        let request = stage.seen(&format!("{lines}X-Mine: hop\r\nX-Other: stays\r\nContent-Type: a/b\r\n"));
        check_identity(&request, &lines);
        let (host, kind, other) =
            (request.header("host"), request.header("content-type"), request.header("x-other"));
        assert_eq!((host, kind, other), (Some("a.test"), Some("a/b"), Some("stays")), "{lines}");
        assert_eq!(request.header("via"), Some("1.1 doorward"));
        // The named field is for this hop only (RFC 9110 section 7.6.1), and so is Connection itself.
        assert_eq!(request.header("x-mine").is_some(), lines.starts_with("Proxy"), "{lines}");
        for hop in ["connection", "proxy-connection", "keep-alive"] {
            assert_eq!(request.header(hop), None, "{lines}");
        }
    }
    // A length that is named away still frames the body.
    let bytes = raw::request(
        "POST",
        "/api/x",
        &[("Cookie", &stage.cookie), ("Connection", "Content-Length, close")],
        "hello",
    );
    assert_eq!(raw::once(stage.gateway.address(), bytes).status, 200);
    let request = stage.backend.requests().pop().unwrap();
    assert_eq!((request.header("content-length"), request.body_text()), (Some("5"), "hello"));
}

#[test]
fn case_9_repeated_fields_that_decide_are_refused() {
    let stage = Stage::new();
    let ask = |lines: &str| {
        raw::once(stage.gateway.address(), format!("GET /api/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).status
    };
    for lines in [
        "Authorization: Basic YTpi\r\nAuthorization: Basic Yzpk\r\n",
        "Authorization: Basic YTpi\r\nauthorization: Bearer x\r\n",
    ] {
        assert_eq!(ask(lines), 400, "{lines}");
    }
    let good = &stage.cookie;
    for lines in [
        format!("Cookie: {good}; id=00000000-0000-0000-0000-000000000000\r\n"),
        format!("Cookie: {good}\r\nCookie: id=x\r\n"),
        format!("Cookie: id=x; {good}\r\n"),
    ] {
        assert_eq!(ask(&lines), 400, "{lines}");
    }
    assert_eq!(
        ask(&format!("Cookie: {good}; {good}\r\nCookie: {good}; id=\r\n")),
        200,
        "one session, shown often"
    );
}

#[test]
fn case_10_bytes_that_are_no_text_change_nothing() {
    // Whoever shows more than a hundred tokens that are none is answered late: a gateway for every sixteen bytes.
    for first in (0x80..=0xff_u8).step_by(16) {
        bytes_that_are_no_text(first..=first + 15);
    }
}

fn bytes_that_are_no_text(bytes: std::ops::RangeInclusive<u8>) {
    let stage = Stage::new();
    let ask = |head: Vec<u8>| raw::once(stage.gateway.address(), head);
    let with = |line: &[u8], cookie: &str| {
        let start = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n");
        [start.as_bytes(), line, b"\r\n\r\n"].concat()
    };
    for byte in bytes {
        let odd = [b"X-Odd: a", &[byte, byte][..], b"b"].concat();
        assert_eq!(ask(with(&odd, &stage.cookie)).status, 200);
        let seen = stage.backend.requests().pop().unwrap();
        assert_eq!(seen.header("x-odd").unwrap().chars().nth(1), Some(char::from(byte)), "passed as it came");
        check_identity(&seen, &format!("{byte:#04x}"));
        // In a name it is no field; in what decides, it is nobody.
        assert_eq!(ask(with(&[b"X-", &[byte][..], b": y"].concat(), &stage.cookie)).status, 400);
        let forwarded = stage.backend.requests().len();
        for line in [
            [b"Cookie: id=", &[byte; 36][..]].concat(),
            [b"Authorization: Basic ", &[byte; 8][..]].concat(),
            [b"Authorization: Bearer ", &[byte; 8][..]].concat(),
            [b"x-api-key: ", &[byte; 8][..]].concat(),
            [b"Cookie: ", &[byte][..], b"id=00000000-0000-0000-0000-000000000000"].concat(),
        ] {
            let status = ask(with(&line, "other=1")).status;
            assert_eq!(status, 401, "{}", line.escape_ascii());
        }
        assert_eq!(stage.backend.requests().len(), forwarded);
        stage.backend.forget();
    }
}

#[test]
fn asvs_69_what_the_gateway_consumes_goes_no_further() {
    let stage = Stage::new();
    let secret = "Y2FuYXJ5OmNhbmFyeQ";
    let request = stage.seen(&format!(
        "Authorization: Negotiate {secret}\r\nX-Api-Key: {secret}\r\napikey: {secret}\r\nProxy-Authorization: Basic {secret}\r\nX-Mine: 1\r\n"
    ));
    let head = request.head_text();
    assert!(!head.contains(secret) && !head.contains(stage.cookie.trim_start_matches("id=")), "{head}");
    assert_eq!(request.header("cookie"), None, "nothing was left of it");
    assert_eq!(request.header("x-mine"), Some("1"));
}
