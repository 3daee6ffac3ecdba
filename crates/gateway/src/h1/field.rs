//! Header fields: where they lie in the bytes that arrived, and which of them the gateway knows by name.
//!
//! Filled by the head parsers and the trailer parser, read by the way. Fields are spans into one shared slice
//! of the read buffer: nothing is copied, nothing is rebuilt. Must never change a byte and never join two
//! fields into one.

use bytes::Bytes;
use smallvec::SmallVec;

use super::fault::HeadFault;

/// How many fields are kept without an allocation; browsers send 12 to 20.
const INLINE_FIELDS: usize = 24;

/// Declares the fields the gateway knows by name, and how to find one from its bytes.
macro_rules! known_fields {
    ($($length:literal: $($variant:ident = $name:literal),+;)+) => {
        /// A field that some step of the way looks for. Found once, while parsing, so that nobody compares
        /// names later.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Known { $($($variant,)+)+ Other }

        impl Known {
            /// Which field this name is; names are compared without regard to ASCII case (RFC 9110 section
            /// 5.1).
            pub(crate) fn classify(name: &[u8]) -> Self {
                match name.len() {
                    $($length => {
                        $(if name.eq_ignore_ascii_case($name) { return Self::$variant; })+
                        Self::Other
                    })+
                    _ => Self::Other,
                }
            }

            /// All of them: their lengths, their names in lower case.
            pub(crate) const ALL: &'static [(usize, &'static [u8], Self)] =
                &[$($(($length, $name, Self::$variant),)+)+];
        }
    };
}

known_fields! {
    2: Te = b"te";
    3: Via = b"via";
    4: Host = b"host";
    6: Accept = b"accept", Cookie = b"cookie", Origin = b"origin",
        Expect = b"expect", Prefer = b"prefer", Server = b"server";
    7: Referer = b"referer", Upgrade = b"upgrade", Trailer = b"trailer";
    8: Location = b"location";
    9: XRealIp = b"x-real-ip", XApiKey = b"x-api-key", Forwarded = b"forwarded";
    10: Connection = b"connection", UserAgent = b"user-agent",
        KeepAlive = b"keep-alive", SetCookie = b"set-cookie";
    12: ContentType = b"content-type", MaxForwards = b"max-forwards";
    13: Authorization = b"authorization", CacheControl = b"cache-control";
    14: ContentLength = b"content-length", SecFetchSite = b"sec-fetch-site",
        Http2Settings = b"http2-settings";
    15: XForwardedFor = b"x-forwarded-for";
    16: ProxyConnection = b"proxy-connection", XForwardedHost = b"x-forwarded-host",
        XForwardedPort = b"x-forwarded-port", WwwAuthenticate = b"www-authenticate";
    17: TransferEncoding = b"transfer-encoding", XForwardedProto = b"x-forwarded-proto";
    18: ProxyAuthenticate = b"proxy-authenticate";
    19: ProxyAuthorization = b"proxy-authorization";
}

/// The names of the fields that the gateway knows, in lower case: they have a meaning, and cannot have another one. For those who
/// check in which fields backends are told something.
pub fn known_fields() -> impl Iterator<Item = &'static str> {
    // Names of fields are ASCII.
    Known::ALL.iter().filter_map(|(_, name, _)| std::str::from_utf8(name).ok())
}

/// Where one field lies in its block. Offsets fit 16 bits because a head is at most `MAX_HEAD` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name_start: u16,
    name_end: u16,
    value_start: u16,
    value_end: u16,
    known: Known,
}

/// One field as the way sees it.
#[derive(Clone, Copy)]
pub(crate) struct FieldRef<'a> {
    /// Which known field this is, or `Other`.
    pub(crate) known: Known,
    /// The name as sent: a token, in the sender's case.
    pub(crate) name: &'a [u8],
    /// The value without surrounding spaces and tabs; no control bytes except tab, obs-text possible.
    pub(crate) value: &'a [u8],
}

/// A field that may come once came more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

/// The spans of the fields of one block.
pub(crate) type Spans = SmallVec<[Field; INLINE_FIELDS]>;

/// A head or a trailer section: its bytes and where the fields are. No `Debug`: it carries credentials.
pub(crate) struct Block {
    bytes: Bytes,
    spans: Spans,
}

impl Block {
    /// Joins bytes with the spans that [`spans_of`] found in them.
    pub(super) fn new(bytes: Bytes, spans: Spans) -> Self {
        Self { bytes, spans }
    }

    /// All bytes of the block.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The fields in the order of their arrival.
    pub(crate) fn fields(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.spans.iter().map(|field| field.read(&self.bytes))
    }

    /// The values of every field of that name, in order.
    pub(crate) fn values(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().filter(move |field| field.known == known).map(|field| field.read(&self.bytes).value)
    }

    /// The value of a field that may come at most once.
    ///
    /// # Errors
    /// [`Repeated`] when it came twice, even with equal values: two readers could take different ones.
    pub(crate) fn sole(&self, known: Known) -> Result<Option<&[u8]>, Repeated> {
        sole(&self.bytes, &self.spans, known)
    }

    /// Whether a list-valued field (Connection, for one) has this member, compared without regard to case.
    pub(crate) fn lists(&self, known: Known, member: &[u8]) -> bool {
        lists(&self.bytes, &self.spans, known, member)
    }
}

impl Field {
    fn read<'a>(&self, bytes: &'a [u8]) -> FieldRef<'a> {
        FieldRef {
            known: self.known,
            name: &bytes[usize::from(self.name_start)..usize::from(self.name_end)],
            value: &bytes[usize::from(self.value_start)..usize::from(self.value_end)],
        }
    }
}

/// As [`Block::sole`], before the block exists.
pub(super) fn sole<'a>(bytes: &'a [u8], spans: &[Field], known: Known) -> Result<Option<&'a [u8]>, Repeated> {
    let mut found = spans.iter().filter(|field| field.known == known);
    match (found.next(), found.next()) {
        (first, None) => Ok(first.map(|field| field.read(bytes).value)),
        (_, Some(_)) => Err(Repeated),
    }
}

/// As [`Block::lists`], before the block exists.
pub(super) fn lists(bytes: &[u8], spans: &[Field], known: Known, member: &[u8]) -> bool {
    let mut found = spans.iter().filter(|field| field.known == known);
    found.any(|field| members(field.read(bytes).value).any(|each| each.eq_ignore_ascii_case(member)))
}

/// The members of a comma-separated list without surrounding spaces and tabs; empty members are left out
/// (RFC 9110 section 5.6.1).
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Removes the spaces and tabs at both ends; not other white space, which is never part of a valid value.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Turns what httparse found in `bytes` (the whole head, its last empty line included) into spans, and adds
/// the strictness that httparse lacks: every line ends with CR LF, so a bare LF anywhere is refused.
///
/// # Errors
/// [`HeadFault::LineEnd`] for a bare LF. `bytes` must be at most 65,535 long, else [`HeadFault::TooLarge`].
pub(super) fn spans_of(bytes: &[u8], headers: &[httparse::Header<'_>]) -> Result<Spans, HeadFault> {
    if u16::try_from(bytes.len()).is_err() {
        return Err(HeadFault::TooLarge);
    }
    if !bytes.ends_with(b"\r\n\r\n") {
        return Err(HeadFault::LineEnd);
    }
    let mut spans = Spans::new();
    for header in headers {
        let (name_start, name_end) = span(bytes, header.name.as_bytes());
        let (value_start, value_end) = span(bytes, header.value);
        // httparse lets no line feed into a name or a value: the two bytes before a name are the end of the
        // line above.
        if name_start < 2 || &bytes[usize::from(name_start) - 2..usize::from(name_start)] != b"\r\n" {
            return Err(HeadFault::LineEnd);
        }
        let known = Known::classify(header.name.as_bytes());
        spans.push(Field { name_start, name_end, value_start, value_end, known });
    }
    Ok(spans)
}

/// Where `part`, a slice of `whole`, begins and ends in it. `whole` is at most 65,535 bytes long.
pub(super) fn span(whole: &[u8], part: &[u8]) -> (u16, u16) {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    let end = start + part.len();
    debug_assert!(end <= whole.len() && end <= usize::from(u16::MAX));
    (start as u16, end as u16)
}

/// Whether the bytes are a token (RFC 9110 section 5.6.2), as methods and field names must be.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether the bytes can be sent as a field's value: visible bytes, spaces, tabs and obs-text, without a
/// space or tab at either end (RFC 9110 section 5.5).
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    let allowed = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    bytes.iter().all(allowed) && trim(bytes).len() == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (length, name, known) in Known::ALL {
            assert_eq!(*length, name.len(), "{known:?} stands under the wrong length");
            assert_eq!(Known::classify(name), *known);
            assert_eq!(Known::classify(&name.to_ascii_uppercase()), *known);
        }
        assert_eq!(Known::classify(b"hosts"), Known::Other);
        assert_eq!(Known::classify(b"hos_"), Known::Other);
        assert_eq!(Known::classify(b""), Known::Other);
    }

    #[test]
    fn lists_are_split_at_commas_and_trimmed() {
        let found: Vec<&[u8]> = members(b" close ,, \tX-A,").collect();
        assert_eq!(found, [&b"close"[..], b"X-A"]);
    }

    #[test]
    fn field_values_have_no_control_bytes_and_no_space_at_the_ends() {
        assert!(is_field_value(b""));
        assert!(is_field_value(b"a\tb \xff"));
        for bad in [&b" a"[..], b"a\t", b"a\rb", b"a\nb", b"a\0b", b"a\x7fb", b"\x1b"] {
            assert!(!is_field_value(bad), "{bad:?}");
        }
    }

    #[test]
    fn tokens_have_no_separators() {
        assert!(is_token(b"X-Forwarded_User.1"));
        for bad in [&b""[..], b"a b", b"a:b", b"a@b", b"\xc3\xa4", b"a\0"] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }
}
