//! Clients and backends that hold on to what they have: time limits and numbers of connections.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::backend::Recorder;
use testkit::patience::wait_until;
use testkit::process::Doorward;
use testkit::raw::{self, Raw};
use testkit::reply::Reply;

use crate::common::{BINARY, code, open_gateway};

/// The gateway's patience with heads, bodies and readers (CIS NGINX 5.2.1, 2.4.3), and a margin for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_secs(5);

/// Drips these bytes, one each half second, until the gateway closes; gives what came back.
fn drip(gateway: &Doorward, begin: &[u8], dripped: u8) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let mut client = Raw::connect(gateway.address());
    client.send(begin);
    client.read_timeout(Duration::from_millis(500));
    let mut came = Vec::new();
    while began.elapsed() < PATIENCE + MARGIN {
        let _closed_already = client.try_send([dripped]);
        match client.read_some() {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => came.extend(bytes),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    (came, began.elapsed())
}

/// Row 118: head and body have ten seconds, and so has a client that does not read. All of it at the same time, because
/// it takes that long; meanwhile everybody else is served.
#[test]
fn case_39_slow_clients_are_closed_and_nobody_else_notices() {
    let backend = Recorder::start();
    backend.script(|request| match request.target.as_str() {
        "/api/endless" => Reply::endless(),
        _ => Reply::answer("200 OK", &[], "ok"),
    });
    let gateway = open_gateway(&[&backend], "");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let heads: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| drip(&gateway, b"GET /api/x HTTP/1.1\r\nHost: a\r\nX-Drip: ", b'x')))
            .collect();
        let silent = scope.spawn(|| {
            let mut client = Raw::connect(gateway.address());
            let began = Instant::now();
            (client.is_closed_by_peer(), began.elapsed())
        });
        let body = scope.spawn(|| {
            let mut client = Raw::connect(gateway.address());
            let began = Instant::now();
            client.send(raw::request("POST", "/api/x", &[("Content-Length", "1000")], ""));
            client.send("half");
            (client.read_answer().status, began.elapsed())
        });
        let reader = scope.spawn(|| {
            let mut client = Raw::connect(gateway.address());
            client.send(raw::request("GET", "/api/endless", &[], ""));
            // Nothing is read: the gateway gives up, and its backend connection with it.
            let before =
                backend.wait("the endless one", |all| all.iter().any(|r| r.target == "/api/endless"));
            assert!(!before.is_empty());
            let began = Instant::now();
            let limit = PATIENCE + MARGIN;
            let ended = testkit::patience::wait_until_within(limit, || {
                (backend.open_connections() <= 1).then_some(())
            });
            (ended.is_some(), began.elapsed())
        });
        let others = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                let began = Instant::now();
                assert_eq!(raw::once(gateway.address(), raw::request("GET", "/api/x", &[], "")).status, 200);
                slowest = slowest.max(began.elapsed());
                std::thread::sleep(Duration::from_millis(20));
            }
            slowest
        });
        let heads: Vec<_> = heads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        let (silent, body, reader) = (silent.join(), body.join(), reader.join());
        done.store(true, Ordering::SeqCst);
        let slowest = others.join().unwrap();
        assert!(slowest < Duration::from_secs(3), "others waited {slowest:?}");
        for head in heads {
            let (came, took) = head.unwrap();
            assert!(came.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&came));
            assert!((PATIENCE - Duration::from_secs(1)..PATIENCE + MARGIN).contains(&took), "{took:?}");
        }
        let (closed, took) = silent.unwrap();
        assert!(closed && took < PATIENCE + MARGIN, "silent: {took:?}");
        let (status, took) = body.unwrap();
        assert!(status == 408 && took < PATIENCE + MARGIN, "body: {status} after {took:?}");
        let (ended, took) = reader.unwrap();
        assert!(ended, "reader: after {took:?}");
    });
}

/// A backend that accepts and never answers, with one file for each connection.
fn black_hole() -> (std::net::SocketAddr, Arc<Mutex<Vec<std::net::TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&held);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            kept.lock().unwrap().push(stream);
        }
    });
    (address, held)
}

/// A worker has at most 1,024 connections to one backend; the next request is told so at once.
#[test]
fn asvs_114_a_backend_has_only_so_many_connections() {
    const MOST: usize = 1024;
    let limits = getrlimit(Resource::Nofile);
    let enough = limits.maximum.unwrap_or(u64::MAX).min(8_192);
    if limits.current.is_some_and(|current| current < enough) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: limits.maximum }).unwrap();
    }
    let (address, held) = black_hole();
    let gateway = Doorward::new(BINARY)
        .settings(&format!(
            "workers = 1\n[[mount]]\npath = \"/api\"\nupstream = \"http://{address}\"\n\
             [[mount.route]]\npath = \"/**\"\npublic = true\n"
        ))
        .start();
    let clients: Vec<Raw> = (0..MOST)
        .map(|_| {
            let mut client = Raw::connect(gateway.address());
            client.send(raw::request("GET", "/api/x", &[], ""));
            client
        })
        .collect();
    let all = wait_until(|| (held.lock().unwrap().len() == MOST).then_some(()));
    assert!(all.is_some(), "{} connections", held.lock().unwrap().len());
    let mut client = Raw::connect(gateway.address());
    for _ in 0..3 {
        client.send(raw::request("POST", "/api/x", &[], ""));
        let answer = client.read_answer();
        assert_eq!((answer.status, code(&answer).as_str()), (503, "overloaded"));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(held.lock().unwrap().len(), MOST);
    // When the others go, there is room again.
    drop(clients);
    let room = wait_until(|| {
        client.read_timeout(Duration::from_millis(200));
        client.send(raw::request("GET", "/api/x", &[], ""));
        client.try_read_answer_to("GET").is_err().then_some(())
    });
    assert!(room.is_some(), "a request goes through to the backend again");
}
