//! Tests of the recording backend, by the raw client: each is the other's proof.

use super::*;
use crate::patience::Gate;
use crate::raw::{self, Raw};

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn the_exact_bytes_are_kept_and_a_json_answered() {
    let backend = Recorder::start();
    let bytes = "POST /a HTTP/1.1\r\nhOsT: x\r\nContent-Length: 5\r\n\r\nhello";
    let answer = raw::once(backend.address(), bytes);
    assert_eq!(answer.body_text(), r#"{"method":"POST","target":"/a"}"#);
    let request = backend.wait_for(1).remove(0);
    assert_eq!([request.head.as_slice(), &request.raw_body].concat(), bytes.as_bytes());
    assert_eq!((request.header("HOST"), request.body_text(), request.body_length), (Some("x"), "hello", 5));
    assert_eq!(request.headers[0].0, "hOsT");
    assert!(backend.complaints().is_empty());
}

#[test]
fn one_connection_serves_several_requests_and_pipelining_keeps_order() {
    let backend = Recorder::start();
    let mut client = Raw::connect(backend.address());
    client.send(format!("{GET}{GET}HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_eq!(client.read_answer().status, 200);
    assert_eq!(client.read_answer().status, 200);
    let head = client.read_answer_to("HEAD");
    assert!(head.body.is_empty() && head.header("content-length").is_some());
    assert!(client.is_closed_by_peer());
    assert_eq!(backend.connections(), 1);
    assert!(backend.wait_for_open_connections(0));
}

#[test]
fn chunked_bodies_and_trailers_go_both_ways() {
    let backend = Recorder::start();
    backend.script(|_| Reply::chunked(&["ab", "c"], &[("T", "2")]));
    let body = "1\r\nx\r\n2;e\r\nyz\r\n0\r\nA: b\r\n\r\n";
    let request = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let answer = raw::once(backend.address(), request);
    assert_eq!((answer.body_text(), answer.trailers.len()), ("abc", 1));
    let request = backend.wait_for(1).remove(0);
    assert_eq!((request.body_text(), request.raw_body.as_slice()), ("xyz", body.as_bytes()));
    assert_eq!(request.trailers, [("A".to_owned(), "b".to_owned())]);
}

#[test]
fn continue_comes_before_the_body_unless_turned_off() {
    let backend = Recorder::start();
    let head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    let mut client = Raw::connect(backend.address());
    client.send(head);
    assert_eq!(client.read_answer().status, 100);
    client.send("b");
    assert_eq!(client.read_answer().status, 200);
    backend.send_continue(false);
    client.send(head);
    client.send("b");
    assert_eq!(client.read_answer().status, 200);
}

#[test]
fn an_early_reply_comes_before_the_body() {
    let backend = Recorder::start();
    backend.script_early(|request| match request.target.as_str() {
        "/read" => Some(Reply::answer("413 Content Too Large", &[], "no").read_body()),
        "/close" => Some(Reply::answer("413 Content Too Large", &[], "no")),
        _ => None,
    });
    for (target, goes_on) in [("/read", true), ("/close", false)] {
        let mut client = Raw::connect(backend.address());
        client.send(format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"));
        assert_eq!(client.read_answer().status, 413);
        let _may_be_closed = client.try_send("abc");
        if goes_on {
            client.send(GET);
            assert_eq!(client.read_answer().status, 200);
        } else {
            assert!(client.is_closed_by_peer());
        }
    }
}

#[test]
fn a_reply_holds_until_told_and_may_end_in_the_middle() {
    let (backend, gate) = (Recorder::start(), Gate::new());
    backend.script({
        let gate = gate.clone();
        move |_| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").hold(&gate).send("def").close()
    });
    let mut client = Raw::connect(backend.address());
    client.send(GET);
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_exactly(3), b"abc");
    gate.open();
    assert_eq!(client.read_to_end().unwrap(), b"def");
}

#[test]
fn a_torn_connection_is_an_error_not_an_end() {
    let backend = Recorder::start();
    backend.script(|_| Reply::new().reset());
    let mut client = Raw::connect(backend.address());
    client.send(GET);
    assert!(client.read_to_end().is_err());
}

#[test]
fn large_and_endless_answers_are_made_while_they_are_read() {
    let backend = Recorder::start();
    backend.script(
        |request| {
            if request.target == "/large" { Reply::large(10_000_001) } else { Reply::endless() }
        },
    );
    let mut client = Raw::connect(backend.address());
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.read_head().header("content-length"), Some("10000001"));
    client.skip(10_000_001);
    client.send(GET);
    assert_eq!(client.read_head().status, 200);
    client.skip(1_000_000);
    assert!(backend.sent_bytes() > 11_000_000);
}

#[test]
fn what_is_ambiguous_is_a_complaint() {
    let lines = [
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Host: y\r\n",
        " folded: 1\r\n",
    ];
    for line in lines {
        let backend = Recorder::start();
        let mut client = Raw::connect(backend.address());
        client.send(format!("GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n"));
        assert_eq!(client.read_answer().status, 400, "{line:?}");
        assert!(client.is_closed_by_peer());
        assert_eq!(backend.complaints().len(), 1, "{line:?}");
    }
}

#[test]
fn bodies_beyond_the_kept_part_are_counted() {
    let backend = Recorder::start();
    let mut client = Raw::connect(backend.address());
    let length = KEPT_BODY_BYTES + 1;
    client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"));
    client.send(vec![b'x'; length]);
    assert_eq!(client.read_answer().status, 200);
    let request = backend.wait_for(1).remove(0);
    assert_eq!((request.body.len(), request.body_length), (KEPT_BODY_BYTES, length as u64));
}

#[test]
fn idle_connections_can_be_closed_and_the_backend_comes_back_on_its_port() {
    let backend = Recorder::start();
    let mut client = Raw::connect(backend.address());
    client.send(GET);
    assert_eq!(client.read_answer().status, 200);
    backend.forget();
    assert!(backend.requests().is_empty());
    backend.close_connections();
    assert!(client.is_closed_by_peer());
    let address = backend.stop();
    assert!(Raw::try_connect(address).is_err());
    let again = Recorder::start_at(address);
    assert_eq!(raw::once(again.address(), GET).status, 200);
}

#[test]
fn an_upgraded_connection_echoes() {
    let backend = Recorder::start();
    backend.script(|_| Reply::raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n").echo());
    let mut client = Raw::connect(backend.address());
    client.send(format!("{GET}early"));
    assert_eq!(client.read_answer().status, 101);
    assert_eq!(client.read_exactly(5), b"early");
    client.send("late");
    assert_eq!(client.read_exactly(4), b"late");
}
