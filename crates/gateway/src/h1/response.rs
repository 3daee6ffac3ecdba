//! The head of a backend's answer, read as strictly as a request's.
//!
//! Called by the upstream side with what has arrived so far. Must never pass a head on whose body could end
//! in two places: such an answer becomes a 502 and its connection is thrown away (RFC 9112 section 6.3).

use std::mem::MaybeUninit;

use bytes::BytesMut;

use super::fault::HeadFault;
use super::field::{self, Block, FieldRef, Known, members};
use super::framing::{Framing, framing};
use super::{MAX_CONNECTION_MEMBERS, MAX_FIELDS, MAX_HEAD};

/// A response head that has exactly one reading. No `Debug`: it carries cookies.
pub(crate) struct ResponseHead {
    block: Block,
    status: u16,
    reason: (u16, u16),
    framing: Framing,
    keep_alive: bool,
}

impl ResponseHead {
    /// The status code, 100 to 999.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase as sent, possibly empty; no control bytes except tab, obs-text possible.
    pub(crate) fn reason(&self) -> &[u8] {
        &self.block.bytes()[usize::from(self.reason.0)..usize::from(self.reason.1)]
    }

    /// The declared framing, whether or not the answer has a body.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the backend wants to keep the connection (RFC 9112 section 9.3).
    pub(crate) fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The fields in the order of their arrival.
    pub(crate) fn fields(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.block.fields()
    }

    /// The values of every field of that name, in order.
    pub(crate) fn values(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.block.values(known)
    }
}

/// Takes one response head off the front of `buffer`, interim answers (1xx) included. `Ok(None)`: more bytes
/// are needed.
///
/// # Errors
/// Any [`HeadFault`]: the answer is malformed and the connection of no further use.
pub(crate) fn take_response(buffer: &mut BytesMut) -> Result<Option<ResponseHead>, HeadFault> {
    let mut headers = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    // Empty lines before a status line have no reading in RFC 9112; httparse would skip them.
    if matches!(buffer.first(), Some(b'\r' | b'\n')) {
        return Err(HeadFault::LineEnd);
    }
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        buffer,
        &mut headers,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() >= MAX_HEAD => return Err(HeadFault::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooManyFields),
        Err(httparse::Error::Version) => return Err(HeadFault::Version),
        Err(httparse::Error::Status | httparse::Error::Token) => return Err(HeadFault::RequestLine),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => return Err(HeadFault::Field),
        Err(httparse::Error::NewLine) => return Err(HeadFault::LineEnd),
    };
    if length > MAX_HEAD {
        return Err(HeadFault::TooLarge);
    }
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(HeadFault::RequestLine);
    };
    if status < 100 {
        return Err(HeadFault::RequestLine);
    }
    let bytes = &buffer[..length];
    let spans = field::spans_of(bytes, response.headers)?;
    let reason = reason(bytes)?;
    let version_1_1 = version == 1;
    let framing = framing(bytes, &spans, version_1_1)?;
    let lists = |member| field::lists(bytes, &spans, Known::Connection, member);
    let keep_alive = !lists(b"close") && (version_1_1 || lists(b"keep-alive"));
    let block = Block::new(buffer.split_to(length).freeze(), spans);
    if block.values(Known::Connection).flat_map(members).nth(MAX_CONNECTION_MEMBERS).is_some() {
        return Err(HeadFault::TooManyFields);
    }
    Ok(Some(ResponseHead { block, status, reason, framing, keep_alive }))
}

/// Where the reason phrase lies: after `HTTP/1.1 200`, a space that may be missing, up to the end of the
/// line. httparse has checked the bytes, but shows nothing of a phrase with obs-text.
fn reason(bytes: &[u8]) -> Result<(u16, u16), HeadFault> {
    const STATUS_END: usize = b"HTTP/1.1 200".len();
    let end = memchr::memchr(b'\n', bytes).ok_or(HeadFault::LineEnd)?;
    let line = bytes[..end].strip_suffix(b"\r").ok_or(HeadFault::LineEnd)?;
    let phrase = line.get(STATUS_END..).ok_or(HeadFault::RequestLine)?;
    Ok(field::span(bytes, phrase.strip_prefix(b" ").unwrap_or(phrase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &[u8]) -> Result<Option<ResponseHead>, HeadFault> {
        take_response(&mut BytesMut::from(text))
    }

    fn fault(text: &[u8]) -> HeadFault {
        match take(text) {
            Err(fault) => fault,
            Ok(_) => panic!("accepted: {}", text.escape_ascii()),
        }
    }

    #[test]
    fn a_usual_answer_is_read() {
        let text =
            b"HTTP/1.1 404 Not  Found\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\nrest";
        let mut buffer = BytesMut::from(&text[..]);
        let head = take_response(&mut buffer).unwrap().unwrap();
        assert_eq!((head.status(), head.reason()), (404, &b"Not  Found"[..]));
        assert_eq!(head.framing(), Framing::Length(5));
        assert!(head.keep_alive());
        assert_eq!(head.values(Known::SetCookie).collect::<Vec<_>>(), [b"a=b", b"c=d"]);
        assert_eq!(head.fields().count(), 3);
        assert_eq!(&buffer[..], b"rest");
    }

    #[test]
    fn an_answer_in_pieces_needs_more_at_every_cut() {
        let text = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
        for cut in 0..text.len() {
            assert!(take(&text[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn reasons_may_be_missing_or_hold_obs_text() {
        for (line, reason) in
            [(&b"HTTP/1.1 200"[..], &b""[..]), (b"HTTP/1.1 200 ", b""), (b"HTTP/1.0 200 gr\xfcn", b"gr\xfcn")]
        {
            let text = [line, b"\r\n\r\n"].concat();
            let head = take(&text).unwrap().unwrap();
            assert_eq!(head.reason(), reason);
        }
    }

    #[test]
    fn asvs_86_a_folded_field_of_the_backend_is_refused() {
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), HeadFault::Field);
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), HeadFault::Field);
    }

    #[test]
    fn bare_line_feeds_and_empty_lines_are_refused() {
        assert_eq!(fault(b"HTTP/1.1 200 OK\nA: b\r\n\r\n"), HeadFault::LineEnd);
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nA: b\n\r\n"), HeadFault::LineEnd);
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nA: b\r\n\n"), HeadFault::LineEnd);
        assert_eq!(fault(b"\r\nHTTP/1.1 200 OK\r\n\r\n"), HeadFault::LineEnd);
    }

    #[test]
    fn asvs_89_bad_framing_of_the_backend_is_refused() {
        let with = |fields: &str| fault(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes());
        assert_eq!(with("Content-Length: +5"), HeadFault::ContentLength);
        assert_eq!(with("Content-Length: 5\r\nContent-Length: 5"), HeadFault::ContentLength);
        assert_eq!(with("Content-Length: 5\r\nTransfer-Encoding: chunked"), HeadFault::Framing);
        assert_eq!(with("Transfer-Encoding: gzip, chunked"), HeadFault::UnknownCoding);
        assert_eq!(fault(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HeadFault::Framing);
    }

    #[test]
    fn nonsense_status_lines_are_refused() {
        assert_eq!(fault(b"HTTP/2.0 200 OK\r\n\r\n"), HeadFault::Version);
        assert_eq!(fault(b"HTTP/1.1 20 OK\r\n\r\n"), HeadFault::RequestLine);
        assert_eq!(fault(b"HTTP/1.1 099 OK\r\n\r\n"), HeadFault::RequestLine);
        assert_eq!(fault(b"HTTP/1.1 2000 OK\r\n\r\n"), HeadFault::RequestLine);
        assert_eq!(fault(b"<html>"), HeadFault::Version);
    }

    #[test]
    fn connection_names_few_fields() {
        for (count, fits) in [(MAX_CONNECTION_MEMBERS, true), (MAX_CONNECTION_MEMBERS + 1, false)] {
            let text = format!("HTTP/1.1 200 OK\r\nConnection: {}\r\n\r\n", vec!["x"; count].join(",, "));
            assert_eq!(
                take(text.as_bytes()).map(|head| head.is_some()),
                fits.then_some(true).ok_or(HeadFault::TooManyFields)
            );
            let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "Connection: x\r\n".repeat(count));
            assert_eq!(take(text.as_bytes()).is_ok(), fits);
        }
    }

    #[test]
    fn keep_alive_follows_version_and_connection() {
        let keeps = |text: &[u8]| take(text).unwrap().unwrap().keep_alive();
        assert!(keeps(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!keeps(b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n"));
        assert!(!keeps(b"HTTP/1.0 200 OK\r\n\r\n"));
        assert!(keeps(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"));
    }
}
