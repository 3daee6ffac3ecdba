//! What happens when the backend, or the client, does not do its part.

use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::backend::Recorder;
use testkit::patience::{Gate, wait_until};
use testkit::raw::{self, Raw};
use testkit::reply::Reply;

use crate::common::{code, open_gateway};

/// A backend that closes the connection instead of answering each request to `/api/drop`, after `first`.
fn dropping(first: &'static str) -> Recorder {
    let backend = Recorder::start();
    backend.script(move |request| match request.target.as_str() {
        "/api/drop" => Reply::raw(first).close(),
        _ => Reply::answer("200 OK", &[], "fine"),
    });
    backend
}

#[test]
fn contract_a_request_is_sent_twice_only_where_nobody_can_tell() {
    // (method, whether the connection has served before, what the backend says first) → (status, times it was sent)
    for (method, pooled, first, status, times) in [
        ("GET", true, "", 502, 2),
        ("PUT", true, "", 502, 2),
        ("DELETE", true, "", 502, 2),
        ("OPTIONS", true, "", 502, 2),
        ("POST", true, "", 502, 1),
        ("PATCH", true, "", 502, 1),
        ("GET", false, "", 502, 1),
        ("GET", true, "HTTP/1.1 2", 502, 1),
        ("GET", true, "HTTP/1.1 100 Continue\r\n\r\n", 502, 1),
    ] {
        let backend = dropping(first);
        let gateway = open_gateway(&[&backend], "");
        let mut client = Raw::connect(gateway.address());
        if pooled {
            client.send(raw::request("GET", "/api/warm", &[], ""));
            assert_eq!(client.read_answer().status, 200);
        }
        client.send(raw::request(method, "/api/drop", &[], if method == "GET" { "" } else { "body" }));
        let answer = client.read_answer();
        let sent = backend.requests().iter().filter(|request| request.target == "/api/drop").count();
        assert_eq!((answer.status, sent), (status, times), "{method}, pooled: {pooled}, first: {first:?}");
        assert_eq!(code(&answer), "bad-gateway");
    }
}

#[test]
fn contract_the_second_try_has_the_whole_request() {
    let backend = Recorder::start();
    let asked = AtomicUsize::new(0);
    backend.script(move |request| match request.target.as_str() {
        "/api/drop" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Reply::new().close(),
        _ => Reply::answer("200 OK", &[], request.body_text()),
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    for target in ["/api/warm", "/api/drop"] {
        client.send(raw::request("PUT", target, &[], "the whole body"));
        assert_eq!(client.read_answer().body_text(), "the whole body");
    }
}

#[test]
fn contract_dead_pooled_connections_are_noticed_before_they_are_used() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    for round in 1..=3 {
        client.send(raw::request("POST", "/api/x", &[], "not to be sent twice"));
        assert_eq!(client.read_answer().status, 200);
        assert_eq!(backend.requests().len(), round);
        backend.close_connections();
    }
    assert_eq!(backend.connections(), 3);
}

#[test]
fn contract_a_slow_backend_is_504_and_a_dead_one_502() {
    let (backend, gate) = (Recorder::start(), Gate::new());
    let held = gate.clone();
    backend.script(move |_| Reply::new().hold(&held));
    let gateway = open_gateway(&[&backend], "upstream_timeout = \"300ms\"");
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request("GET", "/api/x", &[], ""));
    let answer = client.read_answer();
    assert_eq!((answer.status, code(&answer).as_str()), (504, "gateway-timeout"));
    gate.open();
    let address = backend.stop();
    for method in ["GET", "POST"] {
        client.send(raw::request(method, "/api/x", &[], ""));
        let answer = client.read_answer();
        assert_eq!((answer.status, code(&answer).as_str()), (502, "bad-gateway"), "{method}");
    }
    let _again = Recorder::start_at(address);
    client.send(raw::request("POST", "/api/x", &[], ""));
    assert_eq!(client.read_answer().status, 200, "nothing is remembered of a single backend");
}

#[test]
fn contract_backends_take_turns_and_a_dead_one_is_passed_over() {
    let (one, two) = (Recorder::start(), Recorder::start());
    let gateway = open_gateway(&[&one, &two], "");
    let mut client = Raw::connect(gateway.address());
    let mut ask = |body: &str| {
        client.send(raw::request("POST", "/api/x", &[], body));
        client.read_answer().status
    };
    for _ in 0..10 {
        assert_eq!(ask("body"), 200);
    }
    assert_eq!((one.wait_for(5).len(), two.wait_for(5).len()), (5, 5));
    drop(one);
    for _ in 0..10 {
        assert_eq!(ask("still the same body"), 200);
    }
    assert_eq!(two.wait_for(15).len(), 15);
    assert!(two.requests()[5..].iter().all(|request| request.body_text() == "still the same body"));
    drop(two);
    assert_eq!(ask("nobody is left"), 502);
}

#[test]
fn contract_an_answer_that_breaks_off_never_looks_whole() {
    let backend = Recorder::start();
    backend.script(|request| match request.target.as_str() {
        "/api/length" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close(),
        "/api/chunked" => {
            Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").close()
        }
        "/api/size" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").reset(),
    });
    let gateway = open_gateway(&[&backend], "");
    for target in ["/api/length", "/api/chunked", "/api/size", "/api/reset"] {
        let mut client = Raw::connect(gateway.address());
        client.send(raw::request("GET", target, &[], ""));
        let head = client.read_head();
        assert_eq!(head.status, 200);
        // In order or torn: what arrives is not complete either way.
        let mut rest = Vec::new();
        while let Ok(bytes @ [_, ..]) = client.read_some().as_deref() {
            rest.extend_from_slice(bytes);
        }
        assert!(
            !rest.ends_with(b"0\r\n\r\n") && rest.len() < 10,
            "{target}: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }
    // A client of HTTP/1.0 takes the end of the connection for the end of the answer: it must not come in order.
    let mut client = Raw::connect(gateway.address());
    client.send("GET /api/chunked HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    assert!(client.read_to_end().is_err(), "a reset, not an end");
}

#[test]
fn asvs_89_malformed_answers_are_502() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        // Row 86: an obsolete folded line.
        "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "not HTTP at all\r\n\r\n",
    ];
    let backend = Recorder::start();
    backend.script(move |request| {
        let number: usize = request.target.trim_start_matches("/api/").parse().unwrap();
        Reply::raw(heads[number])
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    for (number, head) in heads.iter().enumerate() {
        client.send(raw::request("GET", &format!("/api/{number}"), &[], ""));
        let answer = client.read_answer();
        assert_eq!((answer.status, code(&answer).as_str()), (502, "bad-gateway"), "{head:?}");
    }
    // None of those connections was used again.
    assert_eq!(backend.connections(), heads.len());
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    backend.script(move |_| Reply::raw(&huge));
    client.send(raw::request("GET", "/api/x", &[], ""));
    assert_eq!(client.read_answer().status, 502, "a head without an end");
}

#[test]
fn contract_a_client_that_leaves_takes_its_backend_connection_along() {
    let (backend, gate) = (Recorder::start(), Gate::new());
    let held = gate.clone();
    backend.script(move |request| match request.target.as_str() {
        "/api/endless" => Reply::endless(),
        _ => Reply::new().hold(&held).send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    });
    let gateway = open_gateway(&[&backend], "");
    let quiet = gateway.open_files();
    // While the answer is awaited, in the middle of the upload, in the middle of the download.
    for bytes in [
        raw::request("GET", "/api/hold", &[], ""),
        raw::request("POST", "/api/hold", &[("Content-Length", "1000")], ""),
        raw::request("GET", "/api/endless", &[], ""),
    ] {
        backend.forget();
        let before = backend.requests().len();
        let mut client = Raw::connect(gateway.address());
        client.send(&bytes);
        let _arrived = backend.wait("request", |requests| requests.len() > before);
        drop(client);
        // The recorder sees the end only where it reads or writes; the gateway's own sockets tell at once.
        let gone = wait_until(|| (gateway.open_files() <= quiet).then_some(()));
        assert!(gone.is_some(), "{} files open, {quiet} before", gateway.open_files());
    }
    gate.open();
    assert!(backend.wait_for_open_connections(0));
}
