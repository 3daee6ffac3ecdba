//! Where a request comes from: the socket says so, or a proxy that the settings trust, and nobody else.

use testkit::backend::Recorder;
use testkit::process::Doorward;
use testkit::raw;

use crate::common::{BINARY, PASSWORD, log_in};

/// A gateway with these trusted proxies, its backend, and `admin`'s cookie.
fn trusting(proxies: &str) -> (Recorder, Doorward, String) {
    let backend = Recorder::start();
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&format!(
            "trusted_proxies = {proxies}\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n",
            backend.url()
        ))
        .start();
    let cookie = format!("id={}", log_in(gateway.address(), "admin", PASSWORD));
    (backend, gateway, cookie)
}

/// The forged and the malformed, beside what is usual.
fn forgeries() -> Vec<String> {
    let mut all: Vec<String> = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-For: foo",
        "X-Forwarded-For: ,,",
        "X-Forwarded-For:",
        "X-Forwarded-For: fe80::1%eth0",
        "X-Forwarded-For: 6.6.6.6:99999",
        "X-Forwarded-For: [::1]:80, unknown",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7",
        "X-Forwarded-For: \u{e9}",
        "X-Forwarded-For: 0177.0.0.1",
        "X-Forwarded-For: ::ffff:127.0.0.1",
        "X-Forwarded-For: 6.6.6.6,",
        "X-Forwarded-For: ' OR 1=1 --",
        "Forwarded: for=6.6.6.6;proto=https;host=evil",
        "Forwarded: for=\"_hidden\", for=",
        "X-Real-IP: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Proto: https, http",
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Host: evil test",
        "X-Forwarded-Host: a, b",
        "X-Forwarded-Port: 443",
        "X-Client-IP: 6.6.6.6",
        "True-Client-IP: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
        "X-Forwarded-For: 6.6.6.6 7.7.7.7",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("X-Forwarded-For: {}", vec!["6.6.6.6"; 1_000].join(", ")));
    all.push(format!("X-Forwarded-For: {}", vec!["127.0.0.1"; 1_000].join(",")));
    all
}

/// Case 7: from a peer that nobody trusts, all of it is replaced, and none of it decides anything.
#[test]
fn case_7_an_untrusted_peer_is_not_believed() {
    let (backend, gateway, cookie) = trusting("[]");
    for lines in forgeries() {
        let with = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n{lines}\r\n\r\n");
        assert_eq!(raw::once(gateway.address(), with).status, 200, "{lines}");
        let seen = backend.requests().pop().unwrap();
        let told = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| seen.header(name));
        assert_eq!(told, [Some("127.0.0.1"), Some("http"), Some("a.test")], "{lines}");
        assert!(
            !seen.head_text().contains("6.6.6.6") && !seen.head_text().contains("evil"),
            "{}",
            seen.head_text()
        );
        let without = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n\r\n");
        assert_eq!(raw::once(gateway.address(), without).status, 401, "{lines}");
    }
    let log = gateway.log_lines().join("\n");
    assert!(!log.contains("6.6.6.6") && !log.contains("7.7.7.7"), "the log has the socket's address");
}

/// From a trusted proxy, what it reports is extended and believed, up to the first hop that is not trusted; what cannot
/// be read changes nothing about who may.
#[test]
fn case_7_a_trusted_proxy_is_believed_as_far_as_it_goes() {
    let (backend, gateway, cookie) = trusting("[\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    for lines in forgeries() {
        let with = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n{lines}\r\n\r\n");
        assert_eq!(raw::once(gateway.address(), with).status, 200, "{lines}");
        let seen = backend.requests().pop().unwrap();
        let hops = seen.header("x-forwarded-for").unwrap();
        assert!(hops == "127.0.0.1" || hops.ends_with(", 127.0.0.1"), "{lines}: {hops}");
        assert_eq!(seen.header_values("x-forwarded-proto").len(), 1);
        assert!(
            seen.header("x-real-ip").is_none() && seen.header("forwarded").is_none(),
            "one way to say it"
        );
        let without = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n\r\n");
        assert_eq!(raw::once(gateway.address(), without).status, 401, "{lines}");
    }
    for (number, (hops, client)) in [
        ("6.6.6.6", "6.6.6.6"),
        ("6.6.6.6, 7.7.7.7", "7.7.7.7"),
        ("6.6.6.6, 7.7.7.7, 10.1.1.1", "7.7.7.7"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("6.6.6.6, junk, 10.1.1.1", "10.1.1.1"),
        ("junk", "127.0.0.1"),
        ("::ffff:6.6.6.6", "6.6.6.6"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/api/hops-{number}");
        let fields = [("Cookie", cookie.as_str()), ("X-Forwarded-For", hops)];
        assert_eq!(raw::once(gateway.address(), raw::request("GET", &path, &fields, "")).status, 200);
        let line = gateway.wait_for_log(&path);
        assert!(line.contains(&format!("\"client.address\":\"{client}\"")), "{hops}: {line}");
    }
    let fields =
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.test:444"), ("Cookie", cookie.as_str())];
    assert_eq!(raw::once(gateway.address(), raw::request("GET", "/api/x", &fields, "")).status, 200);
    let seen = backend.requests().pop().unwrap();
    let told = ["x-forwarded-proto", "x-forwarded-host", "host"].map(|name| seen.header(name));
    assert_eq!(told, [Some("https"), Some("shop.test:444"), Some("gateway.test")]);
}
