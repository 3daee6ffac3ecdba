//! What can be wrong with what a peer sent, in the words of HTTP/1.1.
//!
//! Made by the parsers of this folder, turned into answers by the way. Never contains a byte of the message
//! itself: these values reach logs.

use std::fmt;

/// Why a request head was refused. Every one of these ends the client's connection after the answer, because
/// what follows in the stream can no longer be trusted (RFC 9112 section 2.2 and 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// The request line is not `METHOD SP target SP HTTP/1.x` (RFC 9112 section 3).
    RequestLine,
    /// The target has a forbidden byte, or is in none of the accepted forms (RFC 9112 section 3.2).
    Target,
    /// The target is longer than [`MAX_TARGET`](super::MAX_TARGET).
    TargetTooLong,
    /// The method is not a token, or longer than [`MAX_METHOD`](super::MAX_METHOD).
    Method,
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// A line does not end with CR LF, or a CR stands alone (RFC 9112 section 2.2).
    LineEnd,
    /// A field line has a bad name, a space before its colon, is folded, or has a control byte (RFC 9112
    /// section 5).
    Field,
    /// More than [`MAX_FIELDS`](super::MAX_FIELDS) fields, or, from a backend, more than
    /// [`MAX_CONNECTION_MEMBERS`](super::MAX_CONNECTION_MEMBERS) members of Connection.
    TooManyFields,
    /// The head is longer than [`MAX_HEAD`](super::MAX_HEAD).
    TooLarge,
    /// No Host, two Hosts, or one that is no `host[:port]` (RFC 9112 section 3.2).
    Host,
    /// Content-Length and Transfer-Encoding together, or Transfer-Encoding in HTTP/1.0 (RFC 9112 section
    /// 6.1).
    Framing,
    /// Content-Length is repeated, no plain decimal number, or too large (RFC 9112 section 6.3).
    ContentLength,
    /// Transfer-Encoding is empty, repeated, or `chunked` is not the last coding and exactly once.
    TransferEncoding,
    /// A transfer coding that this gateway does not know (RFC 9112 section 6.1).
    UnknownCoding,
    /// The head did not arrive within the header time-out.
    Timeout,
}

impl HeadFault {
    /// The status code of the answer.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::RequestLine
            | Self::Target
            | Self::LineEnd
            | Self::Field
            | Self::Host
            | Self::Framing
            | Self::ContentLength
            | Self::TransferEncoding => 400,
            Self::Timeout => 408,
            Self::TargetTooLong => 414,
            Self::TooManyFields | Self::TooLarge => 431,
            Self::Method | Self::UnknownCoding => 501,
            Self::Version => 505,
        }
    }

    /// The stable name for logs.
    pub(crate) const fn reason_id(self) -> &'static str {
        match self {
            Self::RequestLine => "request_line_malformed",
            Self::Target => "target_malformed",
            Self::TargetTooLong => "target_too_long",
            Self::Method => "method_unknown",
            Self::Version => "version_unsupported",
            Self::LineEnd => "line_end_malformed",
            Self::Field => "field_malformed",
            Self::TooManyFields => "too_many_fields",
            Self::TooLarge => "head_too_large",
            Self::Host => "host_malformed",
            Self::Framing => "framing_conflict",
            Self::ContentLength => "content_length_malformed",
            Self::TransferEncoding => "transfer_encoding_malformed",
            Self::UnknownCoding => "transfer_coding_unknown",
            Self::Timeout => "head_timeout",
        }
    }
}

impl fmt::Display for HeadFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason_id())
    }
}

impl std::error::Error for HeadFault {}

/// Why a request body could not be read to its end. Every one ends the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// Longer than the caller allows.
    TooLarge,
    /// No byte arrived within the body time-out, or too few over a longer time.
    Timeout,
    /// The chunked coding is malformed (RFC 9112 section 7.1).
    Malformed,
    /// The client closed or reset the connection.
    Gone,
}

impl BodyFault {
    /// The stable name for logs.
    pub(crate) const fn reason_id(self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::Timeout => "body_timeout",
            Self::Malformed => "body_malformed",
            Self::Gone => "client_gone",
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason_id())
    }
}

impl std::error::Error for BodyFault {}

/// The client is no longer there, or does not take what is sent to it within the write time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("client_gone")
    }
}

impl std::error::Error for Gone {}
