//! How long a message body is: Content-Length and Transfer-Encoding, read strictly.
//!
//! Used by both head parsers. Must never prefer one framing over another: two readings of one message are how
//! requests are smuggled, so whatever has two readings is refused (RFC 9112 section 6.3).

use super::fault::HeadFault;
use super::field::{Field, Known, Repeated, members, sole};

/// The largest Content-Length: what fits a signed 64-bit number, as every backend can read it.
pub(crate) const MAX_CONTENT_LENGTH: u64 = i64::MAX as u64;

/// The framing that a head declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Neither Content-Length nor Transfer-Encoding.
    Undeclared,
    /// `Content-Length` with this many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Reads the framing fields of a head.
///
/// # Errors
/// [`HeadFault::Framing`], [`HeadFault::ContentLength`], [`HeadFault::TransferEncoding`] or
/// [`HeadFault::UnknownCoding`].
pub(super) fn framing(bytes: &[u8], spans: &[Field], version_1_1: bool) -> Result<Framing, HeadFault> {
    let coding = match sole(bytes, spans, Known::TransferEncoding) {
        Ok(coding) => coding,
        Err(Repeated) => return Err(HeadFault::TransferEncoding),
    };
    let length = match sole(bytes, spans, Known::ContentLength) {
        Ok(length) => length,
        Err(Repeated) => return Err(HeadFault::ContentLength),
    };
    match (coding, length) {
        (None, None) => Ok(Framing::Undeclared),
        (None, Some(value)) => content_length(value).map(Framing::Length),
        (Some(_), Some(_)) => Err(HeadFault::Framing),
        (Some(_), None) if !version_1_1 => Err(HeadFault::Framing),
        (Some(value), None) => transfer_encoding(value),
    }
}

/// A Content-Length: decimal digits and nothing else.
///
/// # Errors
/// [`HeadFault::ContentLength`] for anything else, including `5,5`, and above [`MAX_CONTENT_LENGTH`].
pub(crate) fn content_length(value: &[u8]) -> Result<u64, HeadFault> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(HeadFault::ContentLength);
    }
    let mut number = 0_u64;
    for digit in value {
        let next = number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0')));
        number = next.filter(|number| *number <= MAX_CONTENT_LENGTH).ok_or(HeadFault::ContentLength)?;
    }
    Ok(number)
}

fn transfer_encoding(value: &[u8]) -> Result<Framing, HeadFault> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let count = members(value).filter(chunked).count();
    match members(value).last() {
        None => Err(HeadFault::TransferEncoding),
        Some(_) if count == 0 => Err(HeadFault::UnknownCoding),
        // Something other than chunked comes first: known to be framed, but in a coding that is not ours to
        // undo.
        Some(last) if count == 1 && chunked(&last) && members(value).count() > 1 => {
            Err(HeadFault::UnknownCoding)
        }
        Some(_) => Err(HeadFault::TransferEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_length_is_digits_up_to_the_limit() {
        assert_eq!(content_length(b"0"), Ok(0));
        assert_eq!(content_length(b"0042"), Ok(42));
        assert_eq!(content_length(b"9223372036854775807"), Ok(MAX_CONTENT_LENGTH));
        let bad: [&[u8]; 12] = [
            b"",
            b"+5",
            b"-5",
            b"0x5",
            b"5,5",
            b"5,6",
            b"5 5",
            b"5.0",
            b"9223372036854775808",
            b"18446744073709551616",
            b"99999999999999999999999",
            b"\xd9\xa5",
        ];
        for each in bad {
            assert_eq!(content_length(each), Err(HeadFault::ContentLength), "{each:?}");
        }
    }

    #[test]
    fn only_a_single_chunked_is_a_transfer_encoding() {
        assert_eq!(transfer_encoding(b"chunked"), Ok(Framing::Chunked));
        assert_eq!(transfer_encoding(b"ChUnKeD"), Ok(Framing::Chunked));
        for (value, fault) in [
            (&b""[..], HeadFault::TransferEncoding),
            (b",", HeadFault::TransferEncoding),
            (b"chunked, gzip", HeadFault::TransferEncoding),
            (b"chunked, chunked", HeadFault::TransferEncoding),
            (b"chunked,", HeadFault::TransferEncoding),
            (b",chunked", HeadFault::TransferEncoding),
            (b"gzip, chunked", HeadFault::UnknownCoding),
            (b"xchunked", HeadFault::UnknownCoding),
            (b"identity", HeadFault::UnknownCoding),
            (b"chunked;q=1", HeadFault::UnknownCoding),
            (b"\"chunked\"", HeadFault::UnknownCoding),
            (b"chunked\x0b", HeadFault::UnknownCoding),
        ] {
            assert_eq!(transfer_encoding(value), Err(fault), "{value:?}");
        }
    }
}
