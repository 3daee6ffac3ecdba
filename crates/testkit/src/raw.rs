//! A client that sends exactly the bytes it is given and shows exactly the bytes that come back.
//!
//! Called by end-to-end tests. Must never add a header, follow a redirect, or retry.
//!
//! ```no_run
//! # use testkit::raw::{self, Raw};
//! # let address = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
//! let mut client = Raw::connect(address);
//! client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
//! let answer = client.read_answer();
//! assert_eq!((answer.status, answer.body_text()), (200, "hello"));
//! ```
#![allow(clippy::expect_used, reason = "what a test cannot send or read fails it; the message says why")]

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::patience::PATIENCE;
use crate::wire::{self, Framing, Incoming, Trouble};

/// An answer, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Header lines in order and spelling as they came, one character per byte.
    pub headers: Vec<(String, String)>,
    /// The content, with any chunks put together.
    pub body: Vec<u8>,
    /// Trailers of a chunked body, in order.
    pub trailers: Vec<(String, String)>,
    /// The exact bytes of the whole answer.
    pub raw: Vec<u8>,
}

impl Answer {
    /// The value of a header, if it is there exactly once.
    ///
    /// # Panics
    /// When the header is there more than once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::single(&self.headers, name)
    }

    /// All values of a header, in order.
    #[must_use]
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        wire::values(&self.headers, name)
    }

    /// The value that a `Set-Cookie` of this answer gives to the cookie `name`.
    #[must_use]
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        wire::values(&self.headers, "set-cookie").into_iter().find_map(|cookie| {
            let (own, value) = cookie.split(';').next()?.split_once('=')?;
            (own.trim() == name).then_some(value.trim())
        })
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn body_text(&self) -> &str {
        str::from_utf8(&self.body).expect("the answer's body is UTF-8")
    }

    /// The exact bytes of the head, with its empty line, as text.
    #[must_use]
    pub fn head_text(&self) -> String {
        let end = wire::find(&self.raw, b"\r\n\r\n").map_or(self.raw.len(), |at| at + 4);
        wire::latin(&self.raw[..end])
    }
}

/// A connection to the gateway. Bytes of later answers that came early are kept for the next read.
pub struct Raw {
    incoming: Incoming<TcpStream>,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Raw {
    /// Connects. Reads and writes give up after [`PATIENCE`].
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("no connection to {address}: {error}"))
    }

    /// Connects, or says why not.
    ///
    /// # Errors
    /// What the system says, for example a refused connection.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { incoming: Incoming::new(stream) })
    }

    /// The own address, which the gateway sees as its peer.
    ///
    /// # Panics
    /// When the socket has none.
    #[must_use]
    pub fn local_address(&mut self) -> SocketAddr {
        self.incoming.stream().local_addr().expect("a connected socket has an address")
    }

    /// Sets how long a read may take.
    ///
    /// # Panics
    /// When the system refuses, as it does for zero.
    pub fn read_timeout(&mut self, limit: Duration) {
        self.incoming.stream().set_read_timeout(Some(limit)).expect("a read time-out above zero");
    }

    /// Sends all bytes.
    ///
    /// # Panics
    /// When the peer does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the peer takes the bytes");
    }

    /// Sends all bytes, or says why not: for peers that may have closed already.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.incoming.stream().write_all(bytes.as_ref())
    }

    /// Stops sending (FIN) and goes on reading.
    pub fn finish_sending(&mut self) {
        let _already_closed = self.incoming.stream().shutdown(Shutdown::Write);
    }

    /// Reads one answer to a request that was not `HEAD`. A 1xx is an answer of its own.
    ///
    /// # Panics
    /// When the answer is malformed, ends early, or does not come within the read time-out.
    pub fn read_answer(&mut self) -> Answer {
        self.read_answer_to("GET")
    }

    /// Reads one answer to a request of this method: `HEAD` has no body, whatever the head says.
    ///
    /// # Panics
    /// As [`Raw::read_answer`].
    pub fn read_answer_to(&mut self, method: &str) -> Answer {
        self.try_read_answer_to(method).unwrap_or_else(|why| panic!("no whole answer: {why}"))
    }

    /// Reads one answer, or says in words why there is none.
    ///
    /// # Errors
    /// Text for the developer: closed, malformed, timed out.
    pub fn try_read_answer_to(&mut self, method: &str) -> Result<Answer, String> {
        self.take_answer(method).map_err(|trouble| trouble.to_string())
    }

    fn take_answer(&mut self, method: &str) -> Result<Answer, Trouble> {
        let mut answer = self.take_head()?;
        let framing = match answer.status {
            100..=199 | 204 | 304 => Framing::None,
            _ if method == "HEAD" => Framing::None,
            _ => wire::framing(&answer.headers, Framing::ToEnd)?,
        };
        let (raw, body) = (&mut answer.raw, &mut answer.body);
        answer.trailers = self.incoming.take_body(framing, &mut |piece| {
            raw.extend_from_slice(piece.raw);
            body.extend_from_slice(piece.content);
        })?;
        Ok(answer)
    }

    /// Reads one answer's head only; what follows is read by [`Raw::read_some`] or [`Raw::read_to_end`].
    ///
    /// # Panics
    /// As [`Raw::read_answer`].
    pub fn read_head(&mut self) -> Answer {
        self.take_head().unwrap_or_else(|trouble| panic!("no whole head: {trouble}"))
    }

    fn take_head(&mut self) -> Result<Answer, Trouble> {
        let raw = self.incoming.take_head()?;
        let (line, headers) = wire::parse_head(&raw)?;
        let mut parts = line.splitn(3, ' ');
        let (version, status, reason) = (parts.next(), parts.next(), parts.next());
        let status = status.filter(|text| text.len() == 3).and_then(|text| text.parse().ok());
        let (Some("HTTP/1.1" | "HTTP/1.0"), Some(status), Some(reason)) = (version, status, reason) else {
            return Err(Trouble::Malformed(format!("status line {line:?}")));
        };
        let reason = reason.to_owned();
        Ok(Answer { status, reason, headers, body: Vec::new(), trailers: Vec::new(), raw })
    }

    /// Reads what is there, at least one byte; empty when the peer has stopped sending.
    ///
    /// # Errors
    /// What the system says, for example the read time-out or a torn connection.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        if self.incoming.pending().is_empty() {
            self.incoming.fill()?;
        }
        Ok(self.incoming.take(self.incoming.pending().len()))
    }

    /// Reads exactly `count` bytes.
    ///
    /// # Panics
    /// When the peer stops before, or the read time-out is over.
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        while self.incoming.pending().len() < count {
            let read = self.incoming.fill().expect("bytes within the read time-out");
            assert!(read > 0, "the peer stopped after {} of {count} bytes", self.incoming.pending().len());
        }
        self.incoming.take(count)
    }

    /// Reads and drops `count` bytes in constant memory: for bodies of gigabytes.
    ///
    /// # Panics
    /// As [`Raw::read_exactly`].
    pub fn skip(&mut self, mut count: u64) {
        while count > 0 {
            if self.incoming.pending().is_empty() {
                let read = self.incoming.fill().expect("bytes within the read time-out");
                assert!(read > 0, "the peer stopped {count} bytes too early");
            }
            let part = self.incoming.pending().len().min(usize::try_from(count).unwrap_or(usize::MAX));
            drop(self.incoming.take(part));
            count -= part as u64;
        }
    }

    /// Reads until the peer stops sending.
    ///
    /// # Errors
    /// What the system says, for example the read time-out or a torn connection.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.incoming.fill()? > 0 {}
        Ok(self.incoming.take(self.incoming.pending().len()))
    }

    /// Whether the peer closes, in order or torn, without sending another byte, within [`PATIENCE`].
    #[must_use]
    pub fn is_closed_by_peer(&mut self) -> bool {
        if !self.incoming.pending().is_empty() {
            return false;
        }
        match self.incoming.fill() {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// Sends the bytes on a new connection and reads one answer.
///
/// # Panics
/// As [`Raw::connect`] and [`Raw::read_answer`].
#[must_use]
pub fn once(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
    let bytes = bytes.as_ref();
    let method = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    let mut client = Raw::connect(address);
    client.send(bytes);
    client.read_answer_to(method)
}

/// The bytes of a plain request: `Host`, the given headers, and `Content-Length` where there is a body.
#[must_use]
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("Host: gateway.test\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
