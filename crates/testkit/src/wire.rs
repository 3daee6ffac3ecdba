//! HTTP/1.1 framing, read naively and strictly from a socket: shared by the recording backend and the raw client.
//!
//! Called by `backend` and `raw`. Must never be lenient, and must never share code with the gateway: it is the
//! second opinion. What is not plainly well-formed is an error with words.

use std::fmt;
use std::io::{self, Read};

/// Longest head (request or status line plus header lines) that is read.
pub(crate) const HEAD_LIMIT: usize = 1024 * 1024;

/// Longest line between chunks (chunk size, or one trailer).
const LINE_LIMIT: usize = 64 * 1024;

/// Bytes asked from a socket at a time.
const READ_BYTES: usize = 64 * 1024;

/// Why a message could not be read.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The peer closed before the first byte of a message.
    Closed,
    /// The peer closed, or the socket failed, in the middle.
    Broken(String),
    /// The bytes are not a well-formed message.
    Malformed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the peer has closed"),
            Self::Broken(how) => write!(formatter, "broken off: {how}"),
            Self::Malformed(what) => write!(formatter, "malformed: {what}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A socket with the bytes that were read from it and not used yet.
pub(crate) struct Incoming<S> {
    stream: S,
    pending: Vec<u8>,
    start: usize,
}

impl<S: Read> Incoming<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, pending: Vec::new(), start: 0 }
    }

    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The bytes at hand.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.pending[self.start..]
    }

    /// Takes the first `count` bytes at hand.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.pending()[..count].to_vec();
        self.start += count;
        if self.start == self.pending.len() {
            self.pending.clear();
            self.start = 0;
        }
        taken
    }

    /// Reads once from the socket; 0 is the peer's end of sending.
    pub(crate) fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.pending.drain(..self.start);
            self.start = 0;
        }
        let before = self.pending.len();
        self.pending.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.pending[before..]);
        self.pending.truncate(before + read.as_ref().copied().unwrap_or(0));
        read
    }

    fn fill_or_broken(&mut self, inside: &str) -> Result<(), Trouble> {
        match self.fill()? {
            0 => Err(Trouble::Broken(format!("closed inside {inside}"))),
            _ => Ok(()),
        }
    }

    /// Takes a head including its empty line.
    pub(crate) fn take_head(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            if let Some(end) = find(self.pending(), b"\r\n\r\n") {
                return Ok(self.take(end + 4));
            }
            if self.pending().len() > HEAD_LIMIT {
                return Err(Trouble::Malformed(format!("head longer than {HEAD_LIMIT} bytes")));
            }
            match self.fill() {
                Ok(0) if self.pending().is_empty() => return Err(Trouble::Closed),
                Ok(0) => {
                    let seen = String::from_utf8_lossy(self.pending()).into_owned();
                    return Err(Trouble::Broken(format!("closed inside the head: {seen:?}")));
                }
                Ok(_) => {}
                Err(error) if self.pending().is_empty() && was_reset(&error) => return Err(Trouble::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_line(&mut self, inside: &str) -> Result<Vec<u8>, Trouble> {
        loop {
            if let Some(end) = find(self.pending(), b"\r\n") {
                return Ok(self.take(end + 2));
            }
            if self.pending().len() > LINE_LIMIT {
                return Err(Trouble::Malformed(format!("{inside} longer than {LINE_LIMIT} bytes")));
            }
            self.fill_or_broken(inside)?;
        }
    }

    /// Hands exactly `length` bytes to `each`, piece by piece as they arrive.
    fn pass(&mut self, mut length: u64, each: &mut impl FnMut(Piece<'_>)) -> Result<(), Trouble> {
        while length > 0 {
            if self.pending().is_empty() {
                self.fill_or_broken("the body")?;
            }
            let part = self.pending().len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let bytes = self.take(part);
            each(Piece { raw: &bytes, content: &bytes });
            length -= part as u64;
        }
        Ok(())
    }

    /// Reads a body of the given framing, piece by piece; gives the trailers.
    pub(crate) fn take_body(
        &mut self,
        framing: Framing,
        each: &mut impl FnMut(Piece<'_>),
    ) -> Result<Vec<(String, String)>, Trouble> {
        match framing {
            Framing::None => {}
            Framing::Length(length) => self.pass(length, each)?,
            Framing::Chunked => return self.take_chunks(each),
            Framing::ToEnd => loop {
                let rest = self.take(self.pending().len());
                each(Piece { raw: &rest, content: &rest });
                if self.fill()? == 0 {
                    break;
                }
            },
        }
        Ok(Vec::new())
    }

    fn take_chunks(&mut self, each: &mut impl FnMut(Piece<'_>)) -> Result<Vec<(String, String)>, Trouble> {
        loop {
            let line = self.take_line("a chunk's size")?;
            each(Piece { raw: &line, content: b"" });
            let size = chunk_size(&line)?;
            if size == 0 {
                break;
            }
            self.pass(size, each)?;
            let end = self.take_line("a chunk's end")?;
            if end != b"\r\n" {
                return Err(Trouble::Malformed("a chunk does not end after its size".into()));
            }
            each(Piece { raw: &end, content: b"" });
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.take_line("the trailers")?;
            each(Piece { raw: &line, content: b"" });
            if line == b"\r\n" {
                return Ok(trailers);
            }
            trailers.push(header_line(&line[..line.len() - 2])?);
        }
    }
}

/// A part of a body: its bytes on the wire, and what of them is content.
pub(crate) struct Piece<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body at all.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks up to one of size zero.
    Chunked,
    /// Until the peer stops sending (answers only).
    ToEnd,
}

/// A first line and its header lines, in order and spelling as they came.
pub(crate) type Head = (String, Vec<(String, String)>);

/// Splits a head into its first line and its header lines; refuses what RFC 9112 calls invalid.
pub(crate) fn parse_head(head: &[u8]) -> Result<Head, Trouble> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    let first = latin(lines[0]);
    let headers = lines[1..].iter().map(|line| header_line(line)).collect::<Result<Vec<_>, _>>()?;
    Ok((first, headers))
}

/// The framing that the headers declare; `absent` where they declare none.
pub(crate) fn framing(headers: &[(String, String)], absent: Framing) -> Result<Framing, Trouble> {
    let lengths = values(headers, "content-length");
    let codings = values(headers, "transfer-encoding");
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(absent),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| Trouble::Malformed(format!("Content-Length {length:?} is out of range"))),
        _ => Err(Trouble::Malformed(format!(
            "ambiguous framing: Content-Length {lengths:?}, Transfer-Encoding {codings:?}"
        ))),
    }
}

/// The values of a header, in order.
pub(crate) fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let own = headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
    own.map(|(_, value)| value.as_str()).collect()
}

/// The value of a header that may be there once at most: a test that asks for "the" value wants to know.
pub(crate) fn single<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = values(headers, name);
    assert!(found.len() <= 1, "header {name} more than once in {headers:?}");
    found.first().copied()
}

/// Where `needle` begins in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// Bytes as text, one character per byte: nothing of a header is lost or replaced.
pub(crate) fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn was_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn header_line(line: &[u8]) -> Result<(String, String), Trouble> {
    let shown = || String::from_utf8_lossy(line).into_owned();
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(|| Trouble::Malformed(format!("a header line without a colon: {:?}", shown())))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Trouble::Malformed(format!("a header name that is no token: {:?}", shown())));
    }
    if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err(Trouble::Malformed(format!("a control byte in a header: {:?}", shown())));
    }
    let value = latin(value);
    Ok((latin(name), value.trim_matches([' ', '\t']).to_owned()))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn chunk_size(line: &[u8]) -> Result<u64, Trouble> {
    let text = latin(line);
    let digits = text.trim_end_matches("\r\n").split(';').next().unwrap_or("");
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = if plain { u64::from_str_radix(digits, 16).ok() } else { None };
    size.ok_or_else(|| Trouble::Malformed(format!("a chunk's size of {text:?}")))
}

#[cfg(test)]
mod tests;
