//! THE path of a request: read once, and the same bytes are matched against the permissions and forwarded.
//!
//! Called by the gateway's clean step (every request) and by `permission` (literals of a pattern follow the same rules).
//! Must never guess: what two servers could read differently is refused here, so that no backend can serve something
//! else than was allowed. Must never decode twice, and knows nothing about HTTP.
//!
//! Normal form: begins with `/`; escapes of unreserved bytes (RFC 3986 2.3) are decoded, all other escapes have upper-case
//! hex digits (RFC 3986 6.2.2.1 and 6.2.2.2), every other byte stays as it came. Nothing is ever merged, resolved or removed:
//! a path that would need that is a fault (`security.md` 2a, rows 1, 2 and 4).

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

#[cfg(test)]
mod tests;

/// Longest path, in bytes as it came.
pub const MAX_PATH: usize = 8 * 1024;

/// Most segments of a path; the empty one after a trailing `/` counts.
pub const MAX_SEGMENTS: usize = 128;

/// Why a path is refused. The texts are for people who read logs; they quote at most one byte of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum PathFault {
    /// There is no path at all.
    #[error("the path is empty")]
    Empty,
    /// `*`, `http://h/admin` and other targets that are not a path.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// More than [`MAX_PATH`] bytes.
    #[error("the path is longer than {MAX_PATH} bytes")]
    TooLong,
    /// More than [`MAX_SEGMENTS`] segments.
    #[error("the path has more than {MAX_SEGMENTS} segments")]
    TooManySegments,
    /// A byte that RFC 3986 does not let stand unescaped in a path, or that servers disagree about.
    #[error("the byte 0x{0:02x} may not stand in a path")]
    ForbiddenByte(u8),
    /// `%` without two hexadecimal digits.
    #[error("a `%` is not followed by two hexadecimal digits")]
    MalformedEscape,
    /// `%00` to `%1F`, and `%7F`.
    #[error("the path contains the control byte 0x{0:02x}, escaped")]
    EscapedControl(u8),
    /// `%2F`: some backends split there, some do not.
    #[error("the path contains an escaped `/`")]
    EscapedSlash,
    /// `%5C`: some backends read it as `/`.
    #[error("the path contains an escaped `\\`")]
    EscapedBackslash,
    /// The decoded bytes are not UTF-8 (lone and overlong bytes included).
    #[error("the escapes of the path are not UTF-8")]
    NotUtf8,
    /// `//`, or a segment of nothing but blanks, which some backends trim to nothing.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..` in any spelling, with parameters or blanks around it too.
    #[error("the path has a `.` or `..` segment")]
    DotSegment,
    /// Parameters without a segment before them (`/;a/admin`), which some backends strip to nothing.
    #[error("the path has a segment that is only parameters")]
    OnlyParameters,
}

/// A path in its normal form; there is no other way to make one than [`NormalPath::parse`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NormalPath(Box<str>);

impl NormalPath {
    /// Reads the path part of a request target (no query) and keeps its normal form. One scan, one copy; where the copy
    /// matters, [`normalise`] borrows what is normal already.
    ///
    /// # Errors
    /// The [`PathFault`] found first; each of them is the client's mistake.
    pub fn parse(input: &[u8]) -> Result<NormalPath, PathFault> {
        Ok(NormalPath(normalise(input)?.into()))
    }

    /// The path as it is matched and forwarded. ASCII, begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, still escaped. `/` has one, empty; `/a/` has `a` and an empty one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        segments(&self.0)
    }

    /// See [`below_mount`].
    #[must_use]
    pub fn strip_prefix(&self, mount: &str) -> Option<&str> {
        below_mount(&self.0, mount)
    }
}

impl fmt::Debug for NormalPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for NormalPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether the bytes are in normal form already, so that they can be forwarded and matched where they lie.
///
/// # Errors
/// As [`NormalPath::parse`], also where the path is not normal.
pub fn is_normal(input: &[u8]) -> Result<bool, PathFault> {
    Ok(matches!(normalise(input)?, Cow::Borrowed(_)))
}

/// The normal form; borrowed, without any allocation, when the bytes are in it already.
///
/// # Errors
/// As [`NormalPath::parse`].
pub fn normalise(input: &[u8]) -> Result<Cow<'_, str>, PathFault> {
    let scan = scan(input)?;
    let normal = if scan.rewrite {
        Cow::Owned(String::from_utf8(rewrite(input)).map_err(|_| PathFault::NotUtf8)?)
    } else {
        Cow::Borrowed(std::str::from_utf8(input).map_err(|_| PathFault::NotUtf8)?)
    };
    if scan.beyond_ascii && String::from_utf8(decode(normal.as_bytes())).is_err() {
        return Err(PathFault::NotUtf8);
    }
    // Judged on the normal form, where every spelling of a dot is a dot.
    check_segments(&normal)?;
    Ok(normal)
}

/// The segments of a normal path, or of the part of it below a mount.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// What is left of a normal path below a mount: begins with `/`, and is `/` for the mount itself. `None` where the mount does
/// not end at the end of a segment: `/api` takes `/api` and `/api/x`, never `/apix`. The mount `/` takes everything. The mount
/// itself must be in normal form and, unless it is `/`, without a trailing `/`.
#[must_use]
pub fn below_mount<'path>(path: &'path str, mount: &str) -> Option<&'path str> {
    if mount == "/" {
        return path.starts_with('/').then_some(path);
    }
    match path.strip_prefix(mount)? {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

/// What the first pass learned.
struct Scan {
    /// Some escape is not in its normal form.
    rewrite: bool,
    /// Some escape stands for a byte above 0x7f.
    beyond_ascii: bool,
}

/// First pass: every byte and every escape is one that may stand in a path.
fn scan(input: &[u8]) -> Result<Scan, PathFault> {
    match input.first() {
        None => return Err(PathFault::Empty),
        Some(_) if input.len() > MAX_PATH => return Err(PathFault::TooLong),
        Some(b'/') => {}
        Some(_) => return Err(PathFault::NotAbsolute),
    }
    let mut scan = Scan { rewrite: false, beyond_ascii: false };
    let mut rest = input.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            if !MAY_STAND[usize::from(byte)] {
                return Err(PathFault::ForbiddenByte(byte));
            }
            continue;
        }
        let (Some(&high), Some(&low)) = (rest.next(), rest.next()) else {
            return Err(PathFault::MalformedEscape);
        };
        let decoded = escaped(high, low).ok_or(PathFault::MalformedEscape)?;
        match decoded {
            0x00..=0x1f | 0x7f => return Err(PathFault::EscapedControl(decoded)),
            b'/' => return Err(PathFault::EscapedSlash),
            b'\\' => return Err(PathFault::EscapedBackslash),
            0x80.. => scan.beyond_ascii = true,
            _ => {}
        }
        scan.rewrite |= is_unreserved(decoded) || high.is_ascii_lowercase() || low.is_ascii_lowercase();
    }
    Ok(scan)
}

/// Second pass, only where the first found something to change: one decoding of the unreserved, upper case for the others.
fn rewrite(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut rest = input;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                match escaped(*high, *low) {
                    Some(decoded) if is_unreserved(decoded) => output.push(decoded),
                    _ => output.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]),
                }
                rest = after;
            }
            _ => output.push(*first),
        }
    }
    output
}

/// Last pass: the segments, as every backend would see them.
fn check_segments(normal: &str) -> Result<(), PathFault> {
    let mut rest = segments(normal).enumerate().peekable();
    while let Some((index, segment)) = rest.next() {
        if index >= MAX_SEGMENTS {
            return Err(PathFault::TooManySegments);
        }
        // A trailing `/` is fine, and `/` is nothing else.
        if segment.is_empty() && rest.peek().is_none() {
            break;
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// Refuses a segment that some backend would resolve, merge or strip away. Backends strip `;…` before or after decoding, and
/// some trim blanks afterwards, so both are taken off, in the escaped spelling too, before the rest is judged.
fn check_segment(segment: &str) -> Result<(), PathFault> {
    // Nearly every segment begins with a letter or a digit, and is done here.
    match segment.as_bytes().first() {
        None => return Err(PathFault::EmptySegment),
        Some(b'.' | b';' | b'%') => {}
        Some(_) => return Ok(()),
    }
    let name = without_parameters(segment);
    if name.is_empty() {
        return Err(PathFault::OnlyParameters);
    }
    // Trimmed as the most eager backends do it: every white space of Unicode.
    let decoded = String::from_utf8(decode(name.as_bytes())).map_err(|_| PathFault::NotUtf8)?;
    match decoded.trim() {
        "" => Err(PathFault::EmptySegment),
        "." | ".." => Err(PathFault::DotSegment),
        _ => Ok(()),
    }
}

/// The segment of a normal path without its parameters: up to the first `;` or `%3B`.
pub(crate) fn without_parameters(segment: &str) -> &str {
    let end = segment.find(';').unwrap_or(segment.len());
    let name = &segment[..end];
    name.find("%3B").map_or(name, |escaped_end| &name[..escaped_end])
}

/// The bytes that a backend gets when it decodes once. The input is normal or at least has well-formed escapes.
pub fn decode(normal: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(normal.len());
    let mut rest = normal;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                output.extend(escaped(*high, *low));
                rest = after;
            }
            _ => output.push(*first),
        }
    }
    output
}

/// The byte that `%` and two hexadecimal digits stand for.
pub(crate) fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// RFC 3986 2.3: the bytes whose escape means the same as the byte.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The bytes that may stand in a path unescaped. `[` and `]` are not in RFC 3986's `pchar`, but many clients send them and no
/// server we know reads them differently.
const MAY_STAND: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte as usize] = !matches!(
            byte,
            b'\\' | b'#' | b'?' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | b'%'
        );
        byte += 1;
    }
    table
};
