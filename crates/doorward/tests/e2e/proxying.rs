//! Forwarding, seen from both sides: connections, methods, failures, retries, balancing (issue 2, point 2).

mod bodies;
mod failures;
mod slow;

use testkit::backend::Recorder;
use testkit::raw::{self, Raw};
use testkit::reply::Reply;

use crate::common::{gateway, log_in, open_gateway, with_session};

#[test]
fn contract_connections_are_kept_on_both_sides() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    for _ in 0..2 {
        let mut client = Raw::connect(gateway.address());
        for number in 0..10 {
            let method = if number % 2 == 0 { "GET" } else { "POST" };
            let body = if number % 2 == 0 { "" } else { "some body" };
            client.send(raw::request(method, &format!("/api/{number}"), &[], body));
            let answer = client.read_answer();
            assert_eq!((answer.status, answer.header("connection")), (200, None));
        }
    }
    assert_eq!(backend.wait_for(20).len(), 20);
    assert_eq!((backend.connections(), backend.complaints()), (1, vec![]));
}

#[test]
fn contract_pipelined_requests_are_answered_in_order() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    let mut bytes = Vec::new();
    for number in 0..60 {
        let target = format!("/api/{number}");
        bytes.extend(match number % 3 {
            0 => raw::request("GET", &target, &[], ""),
            1 => raw::request("POST", &target, &[], "GET /api/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
            _ => {
                let mut chunked = raw::request("PUT", &target, &[("Transfer-Encoding", "chunked")], "");
                chunked.extend_from_slice(b"3\r\nabc\r\n0\r\n\r\n");
                chunked
            }
        });
    }
    client.send(&bytes);
    for number in 0..60 {
        let answer = client.read_answer();
        assert!(answer.body_text().contains(&format!("\"/api/{number}\"")), "{number}: {answer:?}");
    }
    let targets: Vec<_> = backend.wait_for(60).into_iter().map(|request| request.target).collect();
    assert_eq!(targets, (0..60).map(|number| format!("/api/{number}")).collect::<Vec<_>>());
    assert!(backend.complaints().is_empty());
}

#[test]
fn asvs_94_what_the_backend_sees() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", crate::common::PASSWORD);
    let cookie = format!("a=1; id={token}; b=2");
    let fields = [
        ("Host", "shop.test:8080"),
        ("Cookie", cookie.as_str()),
        ("If-None-Match", "\"abc\""),
        ("Accept-Encoding", "gzip, UTF-8"),
        ("X-Odd", "  two  blanks \t inside  "),
    ];
    let answer = raw::once(gateway.address(), raw::request("GET", "/api/x%7Ey?q=a%2Fb&r=%zz", &fields, ""));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("via"), Some("1.1 doorward"));
    let request = backend.wait_for(1).remove(0);
    let (id, name) = (request.header("fusion-user-id").unwrap(), request.header("fusion-user-name").unwrap());
    assert_eq!((id.len(), name), (36, "admin"));
    let expected = format!(
        "GET /api/x~y?q=a%2Fb&r=%zz HTTP/1.1\r\nHost: shop.test:8080\r\nCookie: a=1; b=2\r\n\
         If-None-Match: \"abc\"\r\nAccept-Encoding: gzip, UTF-8\r\nX-Odd: two  blanks \t inside\r\n\
         X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop.test:8080\r\n\
         fusion-user-id: {id}\r\nfusion-user-name: admin\r\nfusion-user-realm: native\r\nX-Forwarded-User: admin\r\nVia: 1.1 doorward\r\n\r\n"
    );
    assert_eq!(request.head_text(), expected);
}

#[test]
fn asvs_97_preconditions_and_their_answers_pass() {
    let backend = Recorder::start();
    backend.script(|request| {
        assert_eq!(request.header("if-none-match"), Some("\"1\""));
        Reply::raw("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 500\r\n\r\n")
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    for _ in 0..2 {
        client.send(raw::request("GET", "/api/x", &[("If-None-Match", "\"1\"")], ""));
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.header("etag"), answer.body.len()), (304, Some("\"1\""), 0));
    }
    // A declared length may come late, as a body that nobody owes: the connection is not used again.
    assert_eq!(backend.connections(), 2);
}

#[test]
fn contract_answers_without_a_body_leave_the_connections_usable() {
    let backend = Recorder::start();
    backend.script(|request| match request.target.as_str() {
        "/api/204" => Reply::raw("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        "/api/304" => Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
        "/api/head-length" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        "/api/head-chunked" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "/api/head-nothing" => Reply::raw("HTTP/1.1 200 OK\r\n\r\n"),
        "/api/empty" => Reply::answer("200 OK", &[], ""),
        _ => Reply::chunked(&["last"], &[]),
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    for (method, target, status, length) in [
        ("GET", "/api/204", 204, None),
        ("GET", "/api/304", 304, None),
        ("HEAD", "/api/head-length", 200, Some("1000000")),
        ("HEAD", "/api/head-chunked", 200, None),
        ("HEAD", "/api/head-nothing", 200, None),
        ("GET", "/api/empty", 200, Some("0")),
        ("GET", "/api/last", 200, None),
    ] {
        client.send(raw::request(method, target, &[], ""));
        let answer = client.read_answer_to(method);
        assert_eq!((answer.status, answer.header("content-length")), (status, length), "{target}");
    }
    client.send(raw::request("GET", "/api/last", &[], ""));
    assert_eq!(client.read_answer().body_text(), "last");
    // The two answers to HEAD that declare a body cost a connection each: it could come late.
    assert_eq!(backend.connections(), 3);
}

#[test]
fn contract_clients_of_http_1_0_are_served() {
    let backend = Recorder::start();
    backend.script(|request| match request.target.as_str() {
        "/api/chunked" => Reply::chunked(&["one ", "two"], &[("X-Trailer", "t")]),
        _ => Reply::answer("200 OK", &[], "length"),
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    client.send("GET /api/a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.read_answer();
    assert_eq!((answer.body_text(), answer.header("connection")), ("length", Some("keep-alive")));
    client.send("GET /api/chunked HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.read_answer();
    assert_eq!((answer.body_text(), answer.header("connection")), ("one two", Some("close")));
    assert!(answer.header("transfer-encoding").is_none() && client.is_closed_by_peer());

    let mut client = Raw::connect(gateway.address());
    client.send("GET /api/b HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_answer().status, 200, "Host came with HTTP/1.1");
    assert!(client.is_closed_by_peer());
    let request = backend.wait_for(3).remove(2);
    // What goes on is HTTP/1.1, and needs a Host (RFC 9112 section 3.2): the backend's own.
    assert_eq!(request.header("host"), Some(backend.address().to_string().as_str()));
    assert!(request.head_text().starts_with("GET /api/b HTTP/1.1\r\n"));
}

#[test]
fn asvs_95_max_forwards_is_honoured() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    let ask = |method, hops| {
        let answer =
            raw::once(gateway.address(), raw::request(method, "/api/x", &[("Max-Forwards", hops)], ""));
        (answer.status, answer.header("allow").is_some())
    };
    assert_eq!(ask("OPTIONS", "0"), (204, true));
    assert_eq!(backend.requests().len(), 0);
    assert_eq!(ask("OPTIONS", "3"), (200, false));
    // Elsewhere the field means nothing (RFC 9110 section 7.6.2), and passes as it came.
    assert_eq!(ask("GET", "0"), (200, false));
    let seen = backend.wait_for(2);
    let hops: Vec<_> = seen.iter().map(|request| request.header("max-forwards")).collect();
    assert_eq!(hops, [Some("2"), Some("0")]);
}

#[test]
fn asvs_75_only_the_methods_of_http_are_served() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    for (method, status) in [
        ("TRACE", 405),
        ("CONNECT", 400),
        ("GETX", 501),
        ("get", 501),
        ("PROPFIND", 501),
        ("PRI", 501),
        ("G!T", 501),
    ] {
        let answer = raw::once(gateway.address(), raw::request(method, "/api/x", &[], ""));
        assert_eq!(answer.status, status, "{method}");
    }
    let authority = raw::once(gateway.address(), "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
    assert_eq!(authority.status, 400);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = raw::once(gateway.address(), raw::request(method, "/api/x", &[], ""));
        assert_eq!(answer.status, 200, "{method}");
    }
    assert_eq!(backend.wait_for(6).len(), 6);
}

#[test]
fn case_34_no_upgrade_is_forwarded() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    for protocol in ["h2c", "websocket", "TLS/1.0", "foo, websocket"] {
        let mut client = Raw::connect(gateway.address());
        let fields = [
            ("Upgrade", protocol),
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let mut bytes = raw::request("GET", "/api/one", &fields, "");
        // What follows is the next request, whatever the first one wished.
        bytes.extend(raw::request("GET", "/api/two", &[], ""));
        client.send(bytes);
        let (one, two) = (client.read_answer(), client.read_answer());
        assert_eq!((one.status, two.status), (200, 200), "{protocol}");
        assert!(two.body_text().contains("/api/two"));
    }
    for request in backend.wait_for(8) {
        for name in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
    backend.script(|_| {
        Reply::raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n").echo()
    });
    let unasked = raw::once(gateway.address(), raw::request("GET", "/api/x", &[], ""));
    assert_eq!(unasked.status, 502, "a tunnel that nobody asked for");
}

#[test]
fn asvs_68_challenges_and_odd_answers_of_the_backend_pass_unchanged() {
    let backend = Recorder::start();
    backend.script(|request| match request.target.as_str() {
        "/api/401" => Reply::raw(
            "HTTP/1.1 401 Nope, not you\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
             WWW-Authenticate: Digest realm=\"y\", nonce=\"z\"\r\nContent-Length: 0\r\n\r\n",
        ),
        "/api/599" => Reply::answer("599 Odd", &[("X-A", "caf\u{e9}")], "odd"),
        _ => Reply::answer(
            "200 OK",
            &[("Server", "nginx/1.0"), ("Set-Cookie", "id=stolen"), ("Set-Cookie", "x=1")],
            "",
        ),
    });
    let gateway = open_gateway(&[&backend], "");
    let ask = |target: &str| raw::once(gateway.address(), raw::request("GET", target, &[], ""));
    let answer = ask("/api/401");
    assert_eq!((answer.status, answer.reason.as_str()), (401, "Nope, not you"));
    assert_eq!(
        answer.header_values("www-authenticate"),
        ["Basic realm=\"x\"", "Digest realm=\"y\", nonce=\"z\""]
    );
    assert_eq!(ask("/api/599").status, 599);
    let answer = ask("/api/x");
    assert_eq!(answer.header_values("set-cookie"), ["x=1"], "our cookie is ours to set");
    assert_eq!(answer.header_values("server"), ["nginx/1.0"]);
}

#[test]
fn asvs_99_what_we_add_is_little_and_a_backend_that_finds_it_too_long_is_heard() {
    let backend = Recorder::start();
    backend.script(|_| Reply::answer("431 Request Header Fields Too Large", &[], "too long"));
    let gateway = gateway(&backend, "");
    let cookie = format!("id={}", log_in(gateway.address(), "admin", crate::common::PASSWORD));
    let filler = "x".repeat(30_000);
    let host = "h".repeat(250);
    let bytes =
        raw::request("GET", "/api/x", &[("Host", &host), ("Cookie", &cookie), ("X-Long", &filler)], "");
    let answer = raw::once(gateway.address(), &bytes);
    assert_eq!((answer.status, answer.body_text()), (431, "too long"));
    let head = backend.wait_for(1).remove(0).head;
    assert!(head.len() < bytes.len() + 1_024, "{} became {}", bytes.len(), head.len());
}

#[test]
fn asvs_119_our_own_answers_name_no_version() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    for target in [
        "/api/x",
        "/api",
        "/nowhere",
        "/metrics",
        "/debug",
        "/debug/pprof",
        "/.doorward/metrics",
        "/server-status",
    ] {
        let answer = raw::once(gateway.address(), raw::request("GET", target, &[], ""));
        let head = answer.head_text().to_lowercase();
        assert!(!head.contains("server:") && !head.contains(env!("CARGO_PKG_VERSION")), "{head}");
        // Row 113: nothing of the machinery is on the public port.
        if !target.starts_with("/api") {
            assert_eq!(answer.status, 404, "{target}");
        }
    }
    let token = log_in(gateway.address(), "admin", crate::common::PASSWORD);
    assert_eq!(with_session(gateway.address(), "GET", "/api/x", &token).header("via"), Some("1.1 doorward"));
    assert_eq!(backend.wait_for(1).len(), 1);
}

#[test]
fn case_11_a_connection_that_knows_a_user_serves_no_other() {
    let backend = Recorder::start();
    backend.script(|_| Reply::answer("401 Unauthorized", &[("WWW-Authenticate", "NTLM TlRMTVNTUAAC")], ""));
    let gateway = open_gateway(&[&backend], "");
    for _ in 0..3 {
        let ntlm = [("Authorization", "NTLM TlRMTVNTUAAB")];
        assert_eq!(raw::once(gateway.address(), raw::request("GET", "/api/x", &ntlm, "")).status, 401);
    }
    let seen = backend.wait_for(3);
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(backend.connections(), 3);
}
