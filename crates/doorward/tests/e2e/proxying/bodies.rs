//! Bodies in both directions: streaming, `Expect`, trailers, early answers.

use testkit::backend::Recorder;
use testkit::patience::Gate;
use testkit::process::Doorward;
use testkit::raw::{self, Raw};
use testkit::reply::Reply;

use crate::common::{PASSWORD, code, gateway, log_in, open_gateway};

/// What is streamed in each direction.
const STREAMED: u64 = 2 * 1024 * 1024 * 1024;
/// By how much the gateway may grow meanwhile.
const GROWTH_KIB: u64 = 32 * 1024;

fn grows_little(gateway: &Doorward, work: impl FnOnce()) {
    let before = gateway.rss_kib();
    work();
    let grown = gateway.peak_rss_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grew by {grown} KiB");
}

/// A gateway that has just served somebody, so that what it needs anyway is there.
fn warm(backend: &Recorder) -> Doorward {
    let gateway = open_gateway(&[backend], "");
    assert_eq!(raw::once(gateway.address(), raw::request("POST", "/api/warm", &[], "x")).status, 200);
    gateway
}

#[test]
fn contract_two_gibibytes_up_in_constant_memory() {
    let backend = Recorder::start();
    let gateway = warm(&backend);
    grows_little(&gateway, || {
        let mut client = Raw::connect(gateway.address());
        client.send(raw::request("PUT", "/api/up", &[("Content-Length", &STREAMED.to_string())], ""));
        let block = vec![b'u'; 1024 * 1024];
        for _ in 0..STREAMED / block.len() as u64 {
            client.send(&block);
        }
        assert_eq!(client.read_answer().status, 200);
    });
    assert_eq!(backend.wait_for(2)[1].body_length, STREAMED);
}

#[test]
fn contract_two_gibibytes_down_in_constant_memory() {
    let backend = Recorder::start();
    let gateway = warm(&backend);
    backend.script(|_| Reply::large(STREAMED));
    grows_little(&gateway, || {
        let mut client = Raw::connect(gateway.address());
        client.send(raw::request("GET", "/api/down", &[], ""));
        assert_eq!(client.read_head().header("content-length"), Some(STREAMED.to_string().as_str()));
        client.skip(STREAMED);
        client.send(raw::request("HEAD", "/api/next", &[], ""));
        assert_eq!(client.read_answer_to("HEAD").status, 200);
    });
}

#[test]
fn contract_chunks_stream_both_ways_and_nobody_buffers_for_a_slow_reader() {
    let backend = Recorder::start();
    let gateway = warm(&backend);
    backend.script(|_| Reply::endless());
    grows_little(&gateway, || {
        let mut client = Raw::connect(gateway.address());
        client.send(raw::request("GET", "/api/endless", &[], ""));
        assert_eq!(client.read_head().header("transfer-encoding"), Some("chunked"));
        client.skip(256 * 1024 * 1024);
        // The client stops reading: the backend is stopped by the sockets between, not by our memory.
        let mut sent = backend.sent_bytes();
        let stopped = testkit::patience::wait_until(|| {
            let now = backend.sent_bytes();
            (std::mem::replace(&mut sent, now) == now).then_some(())
        });
        assert!(stopped.is_some());
    });
    grows_little(&gateway, || {
        let mut client = Raw::connect(gateway.address());
        backend.script(|_| Reply::answer("200 OK", &[], "done"));
        client.send(raw::request("POST", "/api/chunks", &[("Transfer-Encoding", "chunked")], ""));
        let mut chunk = b"100000;ext=ignored\r\n".to_vec();
        chunk.resize(chunk.len() + 0x10_0000, b'c');
        chunk.extend_from_slice(b"\r\n");
        for _ in 0..256 {
            client.send(&chunk);
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.read_answer().body_text(), "done");
    });
    let up = backend.wait("the chunks", |all| {
        all.iter().any(|request| request.complete && request.target == "/api/chunks")
    });
    let up = up.iter().find(|request| request.target == "/api/chunks").unwrap();
    assert_eq!((up.body_length, up.header("content-length")), (256 * 1024 * 1024, None));
    assert!(!up.raw_body.windows(4).any(|window| window == b";ext"), "extensions are not passed on");
}

#[test]
fn contract_bodies_pass_untouched_whatever_they_say_they_are() {
    let backend = Recorder::start();
    backend.script(|request| {
        let mut reply = Reply::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            request.body.len()
        ));
        reply = reply.send(&request.body);
        reply
    });
    let gateway = open_gateway(&[&backend], "");
    let body: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    for encoding in ["UTF-8", "gzip", "br, nonsense", "identity"] {
        // Vendor clients send chunks with `Content-Encoding: UTF-8` (fusion.md).
        let mut bytes = raw::request(
            "POST",
            "/api/x",
            &[("Content-Encoding", encoding), ("Transfer-Encoding", "chunked")],
            "",
        );
        for piece in body.chunks(999) {
            bytes.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let answer = raw::once(gateway.address(), bytes);
        assert_eq!((answer.header("content-encoding"), &answer.body), (Some("gzip"), &body));
        let request = backend.requests().pop().unwrap();
        assert_eq!((request.header("content-encoding"), &request.body), (Some(encoding), &body));
        assert_eq!(request.header_values("transfer-encoding"), ["chunked"]);
    }
}

#[test]
fn contract_a_client_that_expects_100_is_asked_when_the_backend_asks() {
    let backend = Recorder::start();
    let gateway = open_gateway(&[&backend], "");
    let expecting =
        raw::request("POST", "/api/x", &[("Expect", "100-continue"), ("Content-Length", "4")], "");
    // The backend asks at once; then it says nothing, and the client is asked after a second all the same.
    for asks in [true, false] {
        backend.send_continue(asks);
        let mut client = Raw::connect(gateway.address());
        client.send(&expecting);
        assert_eq!(client.read_answer().status, 100, "asks: {asks}");
        assert_eq!(backend.requests().last().unwrap().body_length, 0, "nothing was made up");
        client.send("body");
        assert_eq!(client.read_answer().status, 200);
        assert_eq!(backend.requests().last().unwrap().body_text(), "body");
        client.send(raw::request("GET", "/api/next", &[], ""));
        assert_eq!(client.read_answer().status, 200);
    }
    // A client that does not wait is not asked.
    let mut client = Raw::connect(gateway.address());
    client.send([&expecting[..], b"body"].concat());
    let answer = client.read_answer();
    assert!(matches!(answer.status, 100 | 200));
    // The backend answers instead: the body never comes, and nobody knows where the next request would begin.
    backend.script_early(|_| Some(Reply::answer("413 Content Too Large", &[], "no")));
    let mut client = Raw::connect(gateway.address());
    client.send(&expecting);
    let answer = client.read_answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(client.is_closed_by_peer());
}

#[test]
fn contract_a_denied_upload_is_denied_before_it_begins() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    for (cookie, status) in [("id=", 401), ("id=00000000-0000-0000-0000-000000000000", 401)] {
        let mut client = Raw::connect(gateway.address());
        let fields = [("Expect", "100-continue"), ("Content-Length", "1000000000"), ("Cookie", cookie)];
        client.send(raw::request("POST", "/api/x", &fields, ""));
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        assert!(client.is_closed_by_peer());
    }
    // One that is already under way is answered as well, and the answer is not lost to a reset.
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request("POST", "/api/x", &[("Content-Length", "1000000")], ""));
    let _may_be_closed = client.try_send(vec![b'x'; 1_000_000]);
    assert_eq!(code(&client.read_answer()), "unauthorized");
    assert_eq!((backend.connections(), backend.requests().len()), (0, 0));
    // A small one is read away, and the connection goes on.
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request("POST", "/api/x", &[], "small"));
    assert_eq!(client.read_answer().status, 401);
    client.send(raw::request("GET", "/api", &[], ""));
    assert_eq!(client.read_answer().status, 200);
}

#[test]
fn asvs_92_trailers_pass_except_those_that_frame_route_or_identify() {
    let backend = Recorder::start();
    backend.script(|request| {
        let own: Vec<_> = request.trailers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(own, [("X-Checksum", "abc")]);
        Reply::chunked(
            &["body"],
            &[("X-Sum", "1"), ("Content-Length", "9"), ("Set-Cookie", "id=x"), ("Location", "/y")],
        )
    });
    let gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let cookie = format!("id={token}");
    let fields = [("Transfer-Encoding", "chunked"), ("TE", "trailers, deflate"), ("Cookie", cookie.as_str())];
    let mut bytes = raw::request("POST", "/api/x", &fields, "");
    bytes.extend_from_slice(
        b"1\r\na\r\n0\r\nX-Checksum: abc\r\nfusion-user-name: root\r\nFusion_User_Id: 1\r\nX.Forwarded.User: root\r\n\
          Host: b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nCookie: id=1\r\nAuthorization: Basic YTpi\r\n\
          X-Forwarded-For: 6.6.6.6\r\nConnection: close\r\nX-Real-IP: 6.6.6.6\r\nContent-Type: a/b\r\nTE: x\r\n\r\n",
    );
    let answer = raw::once(gateway.address(), bytes);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body_text(), "body");
    let names: Vec<_> = answer.trailers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.first(), Some(&"X-Sum"));
    assert!(!names.contains(&"Content-Length") && !names.contains(&"Set-Cookie"), "{names:?}");
    let request = backend.wait_for(1).remove(0);
    assert_eq!(request.header("fusion-user-name"), Some("admin"));
    assert_eq!((request.header("te"), request.header("connection")), (Some("trailers"), Some("TE")));
}

#[test]
fn contract_an_answer_before_the_end_of_the_upload_arrives_at_once() {
    let (backend, gate) = (Recorder::start(), Gate::new());
    let held = gate.clone();
    backend.script_early(move |request| match request.target.as_str() {
        "/api/refuse" => Some(Reply::answer("403 Forbidden", &[], "no need")),
        "/api/both" => Some(
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly")
                .read_body()
                .hold(&held)
                .send("late"),
        ),
        _ => None,
    });
    let gateway = open_gateway(&[&backend], "");
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request("POST", "/api/refuse", &[("Content-Length", "100000000")], ""));
    let answer = client.read_answer();
    assert_eq!((answer.status, answer.body_text()), (403, "no need"));

    // Both directions at the same time: the answer begins, the rest of the body follows, the answer ends.
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request("POST", "/api/both", &[("Content-Length", "300000")], ""));
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_exactly(5), b"early");
    client.send(vec![b'x'; 300_000]);
    let whole =
        backend.wait("the whole body", |all| all.iter().any(|request| request.body_length == 300_000));
    assert!(!whole.is_empty());
    gate.open();
    assert_eq!(client.read_exactly(4), b"late");
    client.send(raw::request("GET", "/api/next", &[], ""));
    assert_eq!(client.read_answer().status, 200, "both were whole: the connection goes on");
}

#[test]
fn contract_interim_answers_are_kept_from_the_client_and_bounded() {
    let backend = Recorder::start();
    backend.script(|request| {
        let hints = if request.target == "/api/few" { 8 } else { 9 };
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(hints);
        Reply::raw(early).send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    });
    let gateway = open_gateway(&[&backend], "");
    let few = raw::once(gateway.address(), raw::request("GET", "/api/few", &[], ""));
    assert_eq!((few.status, few.body_text()), (200, "ok"));
    assert_eq!(raw::once(gateway.address(), raw::request("GET", "/api/many", &[], "")).status, 502);
}
