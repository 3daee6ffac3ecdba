//! A backend that records the exact bytes that arrive and answers as the test says.
//!
//! Called by end-to-end tests. Must never repair what arrives: a request that is not plainly well-formed is kept as
//! a complaint, answered 400 and cut off.
//!
//! ```no_run
//! # use testkit::{Recorder, Reply};
//! let backend = Recorder::start();
//! backend.script(|request| match request.target.as_str() {
//!     "/slow" => Reply::new().reset(),
//!     _ => Reply::json("{}"),
//! });
//! // … requests …
//! let first = backend.wait_for(1).remove(0);
//! assert_eq!(first.header("host"), Some("127.0.0.1"));
//! ```
#![allow(clippy::expect_used, reason = "a backend that cannot start is a failed test; the message says why")]

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::patience::{PATIENCE, Watched};
use crate::reply::{Reply, Step};
use crate::wire::{self, Framing, Incoming, Trouble};

/// Most body bytes of one request that are kept, raw and decoded each; more are counted and dropped.
pub const KEPT_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Number of the connection it came on, from 0 in order of arrival.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The target as written.
    pub target: String,
    /// Header lines in order and spelling as they came, one character per byte.
    pub headers: Vec<(String, String)>,
    /// The head's exact bytes, with its empty line.
    pub head: Vec<u8>,
    /// The body's exact bytes on the wire, chunk sizes and trailers included (up to [`KEPT_BODY_BYTES`]).
    pub raw_body: Vec<u8>,
    /// The body's content (up to [`KEPT_BODY_BYTES`]).
    pub body: Vec<u8>,
    /// Length of the content, also where it was not kept.
    pub body_length: u64,
    /// Trailers, in order.
    pub trailers: Vec<(String, String)>,
    /// Whether the request has arrived to its end.
    pub complete: bool,
}

impl Request {
    /// The value of a header, if it is there exactly once.
    ///
    /// # Panics
    /// When the header is there more than once: a test that asks for "the" value wants to know.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::single(&self.headers, name)
    }

    /// All values of a header, in order.
    #[must_use]
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        wire::values(&self.headers, name)
    }

    /// The head as text, one character per byte.
    #[must_use]
    pub fn head_text(&self) -> String {
        wire::latin(&self.head)
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn body_text(&self) -> &str {
        str::from_utf8(&self.body).expect("the request's body is UTF-8")
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;
type EarlyScript = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

#[derive(Default)]
struct Seen {
    // Keyed by their number in order of arrival, so that forgetting some moves none.
    requests: BTreeMap<usize, Request>,
    arrived: usize,
    complaints: Vec<String>,
    accepted: usize,
    open: HashMap<usize, TcpStream>,
}

impl Seen {
    fn listed(&self) -> Vec<Request> {
        self.requests.values().cloned().collect()
    }
}

struct Shared {
    seen: Watched<Seen>,
    script: Mutex<Arc<Script>>,
    early: Mutex<Arc<EarlyScript>>,
    sends_continue: AtomicBool,
    stopping: AtomicBool,
    sent: AtomicU64,
}

/// The recording backend. Dropping it closes everything.
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<std::thread::JoinHandle<()>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts on a free loopback port.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Starts at an address: that of an earlier [`Recorder`], for a backend that comes back.
    ///
    /// # Panics
    /// When the address is taken.
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the recording backend's address is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            seen: Watched::new(Seen::default()),
            script: Mutex::new(Arc::new(default_answer)),
            early: Mutex::new(Arc::new(|_| None)),
            sends_continue: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            sent: AtomicU64::new(0),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, as settings want it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, answers each complete request with what `script` says. The default is `200` with a small JSON
    /// that names the method and the target.
    pub fn script(&self, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *locked(&self.shared.script) = Arc::new(script);
    }

    /// From now on, asks `script` as soon as a head is there, before its body is read and before any
    /// `100 Continue`; on `Some`, that reply is performed at once ([`Reply::read_body`] reads the body) and the
    /// other script is not asked.
    /// Where the body stays unread, the connection is closed after the reply.
    pub fn script_early(&self, script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        *locked(&self.shared.early) = Arc::new(script);
    }

    /// Whether `Expect: 100-continue` is answered by `100 Continue` before the body is read (default: yes).
    pub fn send_continue(&self, whether: bool) {
        self.shared.sends_continue.store(whether, Ordering::SeqCst);
    }

    /// All requests so far, also incomplete ones, in order of their heads' arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen.read(Seen::listed)
    }

    /// Waits until `count` requests are complete and gives all.
    ///
    /// # Panics
    /// After [`PATIENCE`], with what is there.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<Request> {
        self.wait(&format!("{count} complete requests"), |requests| {
            requests.iter().filter(|request| request.complete).count() >= count
        })
    }

    /// Waits until the requests so far (also incomplete ones) satisfy `enough` and gives them.
    ///
    /// # Panics
    /// After [`PATIENCE`], with what is there.
    pub fn wait(&self, what: &str, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let found =
            self.shared.seen.wait_within(PATIENCE, |seen| Some(seen.listed()).filter(|all| enough(all)));
        let Some(found) = found else {
            let heads: Vec<_> = self.requests().iter().map(Request::head_text).collect();
            panic!("no {what} in {PATIENCE:?}; heads: {heads:#?}; complaints: {:?}", self.complaints());
        };
        found
    }

    /// Forgets the complete requests so far.
    pub fn forget(&self) {
        self.shared.seen.change(|seen| seen.requests.retain(|_, request| !request.complete));
    }

    /// What arrived and was not well-formed. A test of a gateway that is to forward only clean requests asserts
    /// that this is empty.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.shared.seen.read(|seen| seen.complaints.clone())
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.seen.read(|seen| seen.accepted)
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.seen.read(|seen| seen.open.len())
    }

    /// Waits until exactly `count` connections are open; says whether that came true within [`PATIENCE`].
    #[must_use]
    pub fn wait_for_open_connections(&self, count: usize) -> bool {
        self.shared.seen.wait_within(PATIENCE, |seen| (seen.open.len() == count).then_some(())).is_some()
    }

    /// Bytes handed to the kernel so far, over all connections: shows whether somebody reads an endless answer.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Closes all open connections, as a backend does with idle ones, and goes on listening. Waits until each is
    /// gone, so that the next request meets dead pooled connections.
    pub fn close_connections(&self) {
        self.shared.seen.read(|seen| {
            for stream in seen.open.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        });
        assert!(self.wait_for_open_connections(0), "backend connections are still busy after {PATIENCE:?}");
    }

    /// Stops listening and closes all connections. The address can be given to [`Recorder::start_at`].
    pub fn stop(mut self) -> SocketAddr {
        self.end();
        self.address
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _wakes_the_acceptor = TcpStream::connect(self.address);
        let _panicked = acceptor.join();
        self.shared.seen.read(|seen| {
            for stream in seen.open.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn default_answer(request: &Request) -> Reply {
    let body = format!("{{\"method\":{:?},\"target\":{:?}}}", request.method, request.target);
    if request.method != "HEAD" {
        return Reply::json(&body);
    }
    let length = body.len();
    Reply::raw(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ))
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let _best_effort = stream.set_nodelay(true);
        let Ok(second_handle) = stream.try_clone() else {
            continue;
        };
        let number = shared.seen.change(|seen| {
            let number = seen.accepted;
            seen.accepted += 1;
            seen.open.insert(number, second_handle);
            number
        });
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let incoming = Incoming::new(stream);
            let mut conversation = Conversation { incoming, number, shared: &shared, torn: false };
            while conversation.one_request() {}
            // A FIN at once, while the second handle still exists; a torn connection must end by RST alone.
            if !conversation.torn {
                let _already_closed = conversation.incoming.stream().shutdown(Shutdown::Both);
            }
            drop(conversation);
            shared.seen.change(|seen| seen.open.remove(&number));
        });
    }
}

struct Conversation<'a> {
    incoming: Incoming<TcpStream>,
    number: usize,
    shared: &'a Shared,
    torn: bool,
}

impl Conversation<'_> {
    /// Serves one request; says whether the connection goes on.
    fn one_request(&mut self) -> bool {
        let head = match self.incoming.take_head() {
            Ok(head) => head,
            Err(Trouble::Closed) => return false,
            Err(trouble) => return self.complain(&trouble),
        };
        let (request, framing) = match parse_request(&head, self.number) {
            Ok(parsed) => parsed,
            Err(trouble) => return self.complain(&trouble),
        };
        let mut body = if request.complete { Body::Read } else { Body::Waiting(framing) };
        let at = self.shared.seen.change(|seen| {
            let at = seen.arrived;
            seen.arrived += 1;
            seen.requests.insert(at, request.clone());
            at
        });
        let early = Arc::clone(&locked(&self.shared.early));
        if let Some(reply) = early(&request) {
            let goes_on = self.perform(reply, at, &mut body);
            if body != Body::Read {
                self.linger();
                return false;
            }
            return goes_on && !wants_close(&request);
        }
        let expects =
            request.header_values("expect").iter().any(|value| value.eq_ignore_ascii_case("100-continue"));
        if expects
            && self.shared.sends_continue.load(Ordering::SeqCst)
            && !self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        {
            return false;
        }
        if !self.read_body(at, &mut body) {
            return false;
        }
        let whole = self.shared.seen.read(|seen| seen.requests.get(&at).cloned()).unwrap_or(request);
        let script = Arc::clone(&locked(&self.shared.script));
        self.perform(script(&whole), at, &mut body) && !wants_close(&whole)
    }

    fn read_body(&mut self, at: usize, body: &mut Body) -> bool {
        let Body::Waiting(framing) = *body else {
            return true;
        };
        *body = Body::Read;
        let seen = &self.shared.seen;
        let result = self.incoming.take_body(framing, &mut |piece| {
            seen.change(|seen| {
                let Some(request) = seen.requests.get_mut(&at) else {
                    return;
                };
                request.body_length += piece.content.len() as u64;
                keep(&mut request.raw_body, piece.raw);
                keep(&mut request.body, piece.content);
            });
        });
        match result {
            Ok(trailers) => {
                seen.change(|seen| {
                    if let Some(request) = seen.requests.get_mut(&at) {
                        request.trailers = trailers;
                        request.complete = true;
                    }
                });
                true
            }
            Err(trouble @ Trouble::Malformed(_)) => self.complain(&trouble),
            // A client that goes away in the middle is no mistake of the gateway; the request stays incomplete.
            Err(Trouble::Closed | Trouble::Broken(_)) => false,
        }
    }

    fn perform(&mut self, reply: Reply, at: usize, body: &mut Body) -> bool {
        reply.steps.into_iter().all(|step| match step {
            Step::Send(bytes) => self.send(&bytes),
            Step::Repeat { block, times } => (0..times).all(|_| self.send(&block)),
            Step::Hold(gate) => gate.wait(),
            Step::ReadBody => self.read_body(at, body),
            Step::Echo => {
                self.echo();
                false
            }
            Step::Close => false,
            Step::Reset => {
                let linger = socket2::SockRef::from(&*self.incoming.stream());
                let _best_effort = linger.set_linger(Some(Duration::ZERO));
                // A second handle keeps the socket open: it goes first, so that the last close sends the RST.
                self.shared.seen.change(|seen| seen.open.remove(&self.number));
                self.torn = true;
                false
            }
        })
    }

    fn echo(&mut self) {
        loop {
            let bytes = self.incoming.take(self.incoming.pending().len());
            if !self.send(&bytes) || !matches!(self.incoming.fill(), Ok(1..)) {
                return;
            }
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.incoming.stream().write(bytes) {
                Ok(written @ 1..) => {
                    self.shared.sent.fetch_add(written as u64, Ordering::SeqCst);
                    bytes = &bytes[written..];
                }
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    fn complain(&mut self, trouble: &Trouble) -> bool {
        let text = format!("connection {}: {trouble}", self.number);
        self.shared.seen.change(|seen| seen.complaints.push(text));
        self.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        self.linger();
        false
    }

    /// Reads away what is still coming, so that closing does not tear the answer out of the peer's hands.
    fn linger(&mut self) {
        if self.torn {
            return;
        }
        let _best_effort = self.incoming.stream().shutdown(Shutdown::Write);
        let _best_effort = self.incoming.stream().set_read_timeout(Some(Duration::from_millis(200)));
        let mut rest = [0; 4096];
        while matches!(self.incoming.stream().read(&mut rest), Ok(1..)) {}
    }
}

#[derive(PartialEq, Eq)]
enum Body {
    Waiting(Framing),
    Read,
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT_BODY_BYTES.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
}

fn wants_close(request: &Request) -> bool {
    wire::values(&request.headers, "connection")
        .into_iter()
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

fn parse_request(head: &[u8], connection: usize) -> Result<(Request, Framing), Trouble> {
    let (line, headers) = wire::parse_head(head)?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = parts.as_slice() else {
        return Err(Trouble::Malformed(format!("request line {line:?}")));
    };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain(method) || !plain(target) {
        return Err(Trouble::Malformed(format!("request line {line:?}")));
    }
    if wire::values(&headers, "host").len() != 1 {
        return Err(Trouble::Malformed(format!("not exactly one Host in {headers:?}")));
    }
    let framing = wire::framing(&headers, Framing::None)?;
    let request = Request {
        connection,
        method: (*method).to_owned(),
        target: (*target).to_owned(),
        complete: framing == Framing::None,
        headers,
        head: head.to_vec(),
        ..Request::default()
    };
    Ok((request, framing))
}

#[cfg(test)]
mod tests;
