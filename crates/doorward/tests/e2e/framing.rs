//! Hostile framing: whatever bytes come, the backend sees whole requests in the order in which they were answered, or
//! nothing.

mod generated;
mod matrix;

use std::net::SocketAddr;
use std::time::Duration;

use testkit::backend::{Recorder, Request};
use testkit::raw::{Answer, Raw};
use testkit::reply::Reply;

/// The request that follows each case on its connection.
const MARKER: &str = "/api/marker";

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The marker was answered.
    Marker,
    /// The peer closed.
    Closed,
    /// The peer waits for more.
    Waits,
}

/// What was answered to some bytes with the marker behind them, on a connection of their own.
#[derive(Debug)]
struct Played {
    answers: Vec<Answer>,
    end: End,
}

impl Played {
    /// The targets that the backend says it was asked for.
    fn echoed(&self) -> Vec<&str> {
        self.answers.iter().filter_map(|answer| answer.header("x-target")).collect()
    }

    /// Whether everything was taken, and as so many requests.
    fn was_taken(&self, requests: usize) -> bool {
        self.end == End::Marker && self.echoed().len() == requests + 1
    }
}

/// A backend that says in a header what it was asked for.
fn echoing() -> Recorder {
    let backend = Recorder::start();
    backend.script(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nX-Target: {}\r\n", request.target);
        match request.method.as_str() {
            "HEAD" => Reply::raw(format!("{head}\r\n")),
            _ => Reply::raw(format!("{head}Content-Length: 2\r\n\r\nok")),
        }
    });
    backend
}

/// Sends the bytes and the marker, and reads answers until the marker's, the end, or `patience`. The marker is for `host`.
fn play(address: SocketAddr, bytes: &[u8], host: &str, patience: Duration) -> Played {
    let mut client = Raw::connect(address);
    client.read_timeout(patience);
    let marker = format!("GET {MARKER} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut played = Played { answers: Vec::new(), end: End::Closed };
    // Whoever refuses early may close before everything is sent; the answer counts.
    let _may_be_closed = client.try_send([bytes, marker.as_bytes()].concat());
    let method = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    loop {
        let method = if played.answers.is_empty() { method } else { "GET" };
        match client.try_read_answer_to(method) {
            Ok(answer) => {
                let marked = answer.header("x-target") == Some(MARKER);
                played.answers.push(answer);
                if marked {
                    played.end = End::Marker;
                    return played;
                }
            }
            Err(why) if why.contains("os error 11") || why.contains("timed out") => {
                played.end = End::Waits;
                return played;
            }
            Err(_) => return played,
        }
    }
}

/// Takes what has arrived at the backend since the last time: the whole requests.
fn arrived(backend: &Recorder) -> Vec<Request> {
    let whole = backend.requests().into_iter().filter(|request| request.complete).collect();
    backend.forget();
    whole
}

/// Checks what must hold whatever was sent: the backend has seen what was answered, in that order, and nothing else; a
/// connection ends with a refusal, or where the client wished it.
fn check(case: &str, played: &Played, backend: &Recorder) -> Vec<Request> {
    let seen = arrived(backend);
    check_seen(case, played, &seen);
    assert_eq!(backend.complaints(), Vec::<String>::new(), "{case}");
    seen
}

fn check_seen(case: &str, played: &Played, seen: &[Request]) {
    let targets: Vec<_> = seen.iter().map(|request| request.target.as_str()).collect();
    let echoed = played.echoed();
    match played.end {
        // The backend may be about to answer, or wait for the rest.
        End::Waits => assert!(targets.starts_with(&echoed), "{case}: {targets:?} seen, {echoed:?} answered"),
        End::Marker | End::Closed => assert_eq!(targets, echoed, "{case}"),
    }
    for answer in &played.answers {
        let refused = answer.status >= 400;
        assert!(!refused || answer.header("x-target").is_none(), "{case}: {}", answer.head_text());
    }
    if played.end == End::Closed {
        let last = played.answers.last().unwrap_or_else(|| panic!("{case}: closed without an answer"));
        // A client that has asked for it is closed on without a refusal.
        let told = last.status >= 400 || last.header("connection") == Some("close");
        assert!(told, "{case}: closed after {}", last.head_text());
    }
}
