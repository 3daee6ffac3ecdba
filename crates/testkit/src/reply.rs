//! What the recording backend is told to do with a request: a list of steps, from raw bytes to a torn connection.
//!
//! Called by tests, performed by `backend`. Must never add or mend anything: the bytes go out as written here.

use crate::patience::Gate;

/// One thing that the backend does on its connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends the block again and again.
    Repeat { block: Vec<u8>, times: u64 },
    /// Waits until the test opens the gate.
    Hold(Gate),
    /// Reads the request's body to its end (where it was not read before the reply began).
    ReadBody,
    /// Sends back whatever arrives until the peer stops sending (for upgraded connections).
    Echo,
    /// Closes the connection in order (FIN).
    Close,
    /// Tears the connection (RST).
    Reset,
}

/// A scripted answer. Build it from left to right; the steps are performed in that order, and then the connection
/// waits for the next request unless a step ended it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub(crate) steps: Vec<Step>,
}

impl Reply {
    /// A reply that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A reply that begins with these raw bytes.
    #[must_use]
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::new().send(bytes)
    }

    /// A well-formed answer with `Content-Length`, for example `Reply::answer("200 OK", &[("A", "b")], "text")`.
    #[must_use]
    pub fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = head(status, headers, &format!("Content-Length: {}\r\n", body.len()));
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// `200 OK` with JSON.
    #[must_use]
    pub fn json(text: &str) -> Self {
        Self::answer("200 OK", &[("Content-Type", "application/json")], text)
    }

    /// `200 OK` in chunks, with trailers (an empty list for none).
    #[must_use]
    pub fn chunked(chunks: &[&str], trailers: &[(&str, &str)]) -> Self {
        let mut bytes = head("200 OK", &[], "Transfer-Encoding: chunked\r\n");
        for chunk in chunks {
            bytes.extend_from_slice(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
        }
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        Self::raw(bytes)
    }

    /// `200 OK` with `Content-Length: length` and so many bytes `x`, made as they are sent.
    #[must_use]
    pub fn large(length: u64) -> Self {
        const BLOCK: usize = 64 * 1024;
        let (times, rest) = (length / BLOCK as u64, length % BLOCK as u64);
        Self::raw(head("200 OK", &[], &format!("Content-Length: {length}\r\n")))
            .repeat(vec![b'x'; BLOCK], times)
            .repeat(b"x", rest)
    }

    /// `200 OK` in chunks that never end.
    #[must_use]
    pub fn endless() -> Self {
        let mut chunk = b"2000\r\n".to_vec();
        chunk.resize(chunk.len() + 0x2000, b'x');
        chunk.extend_from_slice(b"\r\n");
        Self::raw(head("200 OK", &[], "Transfer-Encoding: chunked\r\n")).repeat(chunk, u64::MAX)
    }

    /// … then sends these raw bytes.
    #[must_use]
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Send(bytes.as_ref().to_vec()))
    }

    /// … then sends the block so many times.
    #[must_use]
    pub fn repeat(self, block: impl AsRef<[u8]>, times: u64) -> Self {
        self.then(Step::Repeat { block: block.as_ref().to_vec(), times })
    }

    /// … then waits until the gate is open.
    #[must_use]
    pub fn hold(self, gate: &Gate) -> Self {
        self.then(Step::Hold(gate.clone()))
    }

    /// … then reads the request's body, in a reply that began before it ([`crate::Recorder::script_early`]).
    #[must_use]
    pub fn read_body(self) -> Self {
        self.then(Step::ReadBody)
    }

    /// … then sends back whatever arrives, until the peer stops.
    #[must_use]
    pub fn echo(self) -> Self {
        self.then(Step::Echo)
    }

    /// … then closes the connection in order.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// … then tears the connection, so that the peer's read fails.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

fn head(status: &str, headers: &[(&str, &str)], framing: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(framing);
    head.push_str("\r\n");
    head.into_bytes()
}
