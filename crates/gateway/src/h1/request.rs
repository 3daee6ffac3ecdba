//! The head of a request: httparse finds the pieces, this file refuses whatever two readers could read
//! differently.
//!
//! Called by [`Client`](super::Client) with what has arrived so far. Must never repair a request (RFC 9112
//! section 3) and never allocate for a usual one: the head stays a slice of the read buffer.

use std::mem::MaybeUninit;

use bytes::BytesMut;

use super::fault::HeadFault;
use super::field::{self, Block, Field, FieldRef, Known, Repeated, Spans};
use super::framing::{Framing, framing};
use super::host::is_host;
use super::{MAX_FIELDS, MAX_HEAD, MAX_METHOD, MAX_TARGET};

/// A request head that has exactly one reading. No `Debug`: it carries credentials.
pub(crate) struct RequestHead {
    block: Block,
    method_end: u16,
    target: (u16, u16),
    authority: (u16, u16),
    path_start: u16,
    version_1_1: bool,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
}

impl RequestHead {
    /// The method: a token of 1 to `MAX_METHOD` bytes, in the sender's case.
    pub(crate) fn method(&self) -> &[u8] {
        &self.block.bytes()[..usize::from(self.method_end)]
    }

    /// The whole request target as sent: visible ASCII without `#`. The way uses the authority and the path
    /// instead.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn target(&self) -> &[u8] {
        &self.block.bytes()[usize::from(self.target.0)..usize::from(self.target.1)]
    }

    /// Path and query: begins with `/`, or is `*` (OPTIONS only). What an absolute target without a path
    /// means is `/`, and `*` with OPTIONS (RFC 9112 section 3.2.4).
    pub(crate) fn path_and_query(&self) -> &[u8] {
        let rest = &self.block.bytes()[usize::from(self.path_start)..usize::from(self.target.1)];
        match rest {
            [] if self.method() == b"OPTIONS" => b"*",
            [] => b"/",
            rest => rest,
        }
    }

    /// The authority the request is for: of an absolute target, else the value of Host. `None` only for
    /// HTTP/1.0 without a Host. Always a valid `host[:port]`.
    pub(crate) fn authority(&self) -> Option<&[u8]> {
        let (start, end) = self.authority;
        (start < end).then(|| &self.block.bytes()[usize::from(start)..usize::from(end)])
    }

    /// Whether the request is HTTP/1.1; otherwise it is HTTP/1.0.
    pub(crate) fn version_1_1(&self) -> bool {
        self.version_1_1
    }

    /// The declared framing of the body.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client wants to keep the connection (RFC 9112 section 9.3).
    pub(crate) fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 section 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// The fields in the order of their arrival.
    pub(crate) fn fields(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.block.fields()
    }

    /// The values of every field of that name, in order.
    pub(crate) fn values(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.block.values(known)
    }

    /// The value of a field that may come at most once.
    ///
    /// # Errors
    /// [`Repeated`] when it came twice.
    pub(crate) fn sole(&self, known: Known) -> Result<Option<&[u8]>, Repeated> {
        self.block.sole(known)
    }

    /// Whether a list-valued field has this member, compared without regard to case.
    pub(crate) fn lists(&self, known: Known, member: &[u8]) -> bool {
        self.block.lists(known, member)
    }
}

/// Takes one request head off the front of `buffer`. `Ok(None)`: more bytes are needed.
///
/// # Errors
/// Any [`HeadFault`] but `Timeout`; `buffer` is then of no further use.
pub(crate) fn take_request(buffer: &mut BytesMut) -> Result<Option<RequestHead>, HeadFault> {
    // One empty line before the request line is tolerated: old clients send it after a body (RFC 9112 section
    // 2.2). It stays until a byte follows, so that a second one is seen as the second.
    if buffer.as_ref() == b"\r\n" {
        return Ok(None);
    }
    if buffer.starts_with(b"\r\n") {
        bytes::Buf::advance(buffer, 2);
    }
    let Some(parsed) = parse(buffer)? else { return Ok(None) };
    let Parsed { length, spans, method_end, target, version_1_1 } = parsed;
    let bytes = &buffer[..length];
    let framing = framing(bytes, &spans, version_1_1)?;
    let (authority, path_start) = aim(bytes, &spans, method_end, target, version_1_1)?;
    let keep_alive = keep_alive(bytes, &spans, version_1_1);
    let expects_continue = version_1_1
        && !matches!(framing, Framing::Undeclared | Framing::Length(0))
        && field::lists(bytes, &spans, Known::Expect, b"100-continue");
    let block = Block::new(buffer.split_to(length).freeze(), spans);
    Ok(Some(RequestHead {
        block,
        method_end,
        target,
        authority,
        path_start,
        version_1_1,
        framing,
        keep_alive,
        expects_continue,
    }))
}

struct Parsed {
    length: usize,
    spans: Spans,
    method_end: u16,
    target: (u16, u16),
    version_1_1: bool,
}

/// The pieces of the head, its lines and its request line checked.
fn parse(buffer: &[u8]) -> Result<Option<Parsed>, HeadFault> {
    if matches!(buffer.first(), Some(b'\r' | b'\n')) && buffer.len() > 1 {
        return Err(HeadFault::LineEnd);
    }
    let mut headers = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(buffer, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return incomplete(buffer).map(|()| None),
        Err(fault) => return Err(diagnose(buffer, fault)),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HeadFault::RequestLine);
    };
    if method.len() > MAX_METHOD {
        return Err(HeadFault::Method);
    }
    if target.len() > MAX_TARGET {
        return Err(HeadFault::TargetTooLong);
    }
    if length > MAX_HEAD {
        return Err(HeadFault::TooLarge);
    }
    let bytes = &buffer[..length];
    if !is_target(target.as_bytes()) {
        return Err(HeadFault::Target);
    }
    let spans = field::spans_of(bytes, request.headers)?;
    let (_, method_end) = field::span(bytes, method.as_bytes());
    let target = field::span(bytes, target.as_bytes());
    Ok(Some(Parsed { length, spans, method_end, target, version_1_1: version == 1 }))
}

/// Judges a head whose end has not arrived: what is already too much is refused now, not when it is complete.
pub(super) fn incomplete(buffer: &[u8]) -> Result<(), HeadFault> {
    let line_end = memchr::memchr(b'\n', buffer);
    let line = &buffer[..line_end.unwrap_or(buffer.len())];
    let method_end = memchr::memchr(b' ', line);
    if method_end.unwrap_or(line.len()) > MAX_METHOD {
        return Err(HeadFault::Method);
    }
    if let Some(method_end) = method_end {
        let rest = &line[method_end + 1..];
        if memchr::memchr(b' ', rest).unwrap_or(rest.len()) > MAX_TARGET {
            return Err(HeadFault::TargetTooLong);
        }
    }
    if buffer.len() >= MAX_HEAD { Err(HeadFault::TooLarge) } else { Ok(()) }
}

/// Finds the answer that fits what httparse refused. Only for refused requests: the usual request never comes
/// here.
fn diagnose(buffer: &[u8], fault: httparse::Error) -> HeadFault {
    match fault {
        httparse::Error::TooManyHeaders => return HeadFault::TooManyFields,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => return HeadFault::Field,
        httparse::Error::NewLine => return HeadFault::LineEnd,
        httparse::Error::Token | httparse::Error::Version | httparse::Error::Status => {}
    }
    let line = &buffer[..memchr::memchr(b'\n', buffer).unwrap_or(buffer.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return HeadFault::RequestLine;
    };
    let visible = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    let is_version = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    if !is_version || !visible(method) {
        HeadFault::RequestLine
    } else if !visible(target) {
        HeadFault::Target
    } else if !field::is_token(method) {
        HeadFault::Method
    } else if target.len() > MAX_TARGET {
        HeadFault::TargetTooLong
    } else {
        HeadFault::Version
    }
}

/// What the request is aimed at: the authority's span (empty: none) and where the path begins. A target is
/// `/path`, `http://authority/path`, or `*` with OPTIONS; authority-form, which only CONNECT uses, is refused
/// (RFC 9112 section 3.2).
fn aim(
    bytes: &[u8],
    spans: &[Field],
    method_end: u16,
    target: (u16, u16),
    version_1_1: bool,
) -> Result<((u16, u16), u16), HeadFault> {
    let host = match field::sole(bytes, spans, Known::Host) {
        Ok(Some(host)) if is_host(host) => field::span(bytes, host),
        Ok(None) if !version_1_1 => (0, 0),
        Ok(_) | Err(Repeated) => return Err(HeadFault::Host),
    };
    let (method, text) =
        (&bytes[..usize::from(method_end)], &bytes[usize::from(target.0)..usize::from(target.1)]);
    // Only CONNECT has a target in authority-form, and it has no other: with any other reader the bytes after
    // it would be a tunnel's, not the next request.
    if method == b"CONNECT" {
        return Err(HeadFault::Target);
    }
    match text {
        [b'/', ..] => Ok((host, target.0)),
        b"*" if method == b"OPTIONS" => Ok((host, target.0)),
        _ => {
            let absolute = Absolute::split(text).ok_or(HeadFault::Target)?;
            let authority = field::span(bytes, absolute.authority);
            Ok((authority, authority.1))
        }
    }
}

/// Whether a request target may be of these bytes. httparse lets UTF-8 and `#` into one. A
/// fragment is never sent (RFC 9110 section 7.1), and readers that cut it off disagree with readers that do not about which path is
/// asked for.
pub(crate) fn is_target(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
}

/// The path of a target that begins with it.
pub(crate) fn path_of(target: &[u8]) -> &[u8] {
    &target[..memchr::memchr(b'?', target).unwrap_or(target.len())]
}

/// What follows the path of a target: nothing, or a query with its `?`.
pub(crate) fn query_of(target: &[u8]) -> &[u8] {
    &target[path_of(target).len()..]
}

/// A target in absolute-form (RFC 9112 section 3.2.2).
pub(crate) struct Absolute<'t> {
    pub(crate) is_https: bool,
    pub(crate) authority: &'t [u8],
    /// Path and query; empty where the authority is all there is.
    pub(crate) rest: &'t [u8],
}

impl<'t> Absolute<'t> {
    /// Takes it apart. `None` where it is none, or has a query and no path: legal, never sent, and read in two ways.
    pub(crate) fn split(text: &'t [u8]) -> Option<Self> {
        let after = |scheme: &str| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
        };
        let (is_https, text) = match after("https://") {
            Some(rest) => (true, rest),
            None => (false, after("http://")?),
        };
        let end = text.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(text.len());
        let (authority, rest) = text.split_at(end);
        (is_host(authority) && !rest.starts_with(b"?")).then_some(Self { is_https, authority, rest })
    }
}

fn keep_alive(bytes: &[u8], spans: &[Field], version_1_1: bool) -> bool {
    let lists = |member| field::lists(bytes, spans, Known::Connection, member);
    !lists(b"close") && (version_1_1 || lists(b"keep-alive"))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
