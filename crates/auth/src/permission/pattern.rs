//! Path patterns: what an administrator writes, read once into segments.
//!
//! Called by `Permission` when an entry is read, by the matcher when it is compiled, and for exceptions on each request that
//! an entry with exceptions would cover. Must never accept what no normal path could match, nor what can be read in two ways.

use std::collections::HashSet;
use std::fmt;
use std::iter;

use super::error::{PatternFault, quote};
use crate::path::{self, MAX_SEGMENTS, PathFault};

/// Longest pattern, and longest value of a placeholder, in bytes as written.
pub(super) const MAX_PATTERN: usize = 1024;

/// Longest name of a placeholder, in bytes.
const MAX_PLACEHOLDER_NAME: usize = 64;

/// The caller's own user id, as a segment or as a value.
pub(super) const CALLER_ID: &str = "#ID";

/// A pattern of paths below the mount: literal segments, `*` (one segment, not empty), `{name}` (one segment, not empty, which
/// the entry may bind to values), `#ID` (the caller's own user id) and, at the end only, `**` (the rest, also none: `/a/**`
/// covers `/a`, `/a/` and `/a/b`). Literals follow the rules of [`crate::path`]; blanks and letters beyond ASCII may be
/// written as they are. A trailing `/` counts: `/a` does not cover `/a/`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Box<[Segment]>,
    text: Box<str>,
    key: Box<str>,
}

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// Exactly this segment, in normal form. Empty only at the end: a trailing `/`.
    Literal(Literal),
    /// `*`.
    Any,
    /// `{name}`.
    Placeholder(Box<str>),
    /// `#ID`.
    CallerId,
    /// `**`.
    Rest,
}

/// A literal segment, and the form in which exceptions compare it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Literal {
    pub(super) text: Box<str>,
    folded: Box<str>,
}

impl Segment {
    pub(super) fn is_placeholder(&self, name: &str) -> bool {
        matches!(self, Segment::Placeholder(own) if **own == *name)
    }
}

impl Pattern {
    /// Reads a pattern as an administrator wrote it.
    ///
    /// # Errors
    /// A [`PatternFault`] for the person who wrote it.
    pub fn parse(written: &str) -> Result<Pattern, PatternFault> {
        if written.len() > MAX_PATTERN {
            return Err(PatternFault::TooLong);
        }
        let Some(below) = written.strip_prefix('/') else {
            let fault = if written.is_empty() { PathFault::Empty } else { PathFault::NotAbsolute };
            return Err(fault.into());
        };
        let count = below.split('/').count();
        if count > MAX_SEGMENTS {
            return Err(PathFault::TooManySegments.into());
        }
        let mut segments = Vec::with_capacity(count);
        let mut names = HashSet::new();
        for (index, part) in below.split('/').enumerate() {
            let segment = read_segment(part, index + 1 == count)?;
            if let Segment::Placeholder(name) = &segment
                && !names.insert(name.clone())
            {
                return Err(PatternFault::RepeatedPlaceholder(quote(name)));
            }
            segments.push(segment);
        }
        let text = join(&segments, |name| format!("{{{name}}}"));
        let key = join(&segments, |_| "*".to_owned());
        Ok(Pattern { segments: segments.into(), text: text.into(), key: key.into() })
    }

    /// The pattern with its literals in normal form; reads back as an equal pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Equal for patterns that mean the same: placeholders are written `*`.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether some backend could take the path for one that the pattern covers: whatever the case of letters, with or
    /// without parameters, blanks and dots at the ends of segments, and a trailing `/`. For what keeps a request out
    /// only (exceptions, other mounts, earlier routes), where too much is safe. Does not allocate.
    #[must_use]
    pub fn covers_loosely(&self, path: &str, caller_id: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut found = path.split('/').skip(1);
        for segment in &self.segments {
            let covered = match segment {
                Segment::Rest => return true,
                Segment::Literal(literal) if literal.text.is_empty() => break,
                Segment::Literal(literal) => found.next().is_some_and(|part| {
                    !differs_at_once(part, &literal.folded) && means(part, literal.folded.chars())
                }),
                Segment::CallerId => {
                    !caller_id.is_empty()
                        && found.next().is_some_and(|part| means(part, caller_id.chars().flat_map(fold)))
                }
                Segment::Any | Segment::Placeholder(_) => found.next().is_some(),
            };
            if !covered {
                return false;
            }
        }
        found.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

fn read_segment(part: &str, last: bool) -> Result<Segment, PatternFault> {
    match part {
        "" if last => Ok(Segment::Literal(Literal { text: "".into(), folded: "".into() })),
        "" => Err(PathFault::EmptySegment.into()),
        "*" => Ok(Segment::Any),
        "**" if last => Ok(Segment::Rest),
        "**" => Err(PatternFault::RestNotLast),
        CALLER_ID => Ok(Segment::CallerId),
        _ if part.contains(['{', '}']) => read_placeholder(part).map(Segment::Placeholder),
        _ if part.contains('*') => Err(PatternFault::StarInside(quote(part))),
        _ => {
            let text = normalise_literal(part)?;
            let decoded = String::from_utf8(path::decode(text.as_bytes())).map_err(|_| PathFault::NotUtf8)?;
            let name = decoded.trim().trim_end_matches(is_ending);
            let folded = name.chars().flat_map(fold).collect::<String>();
            Ok(Segment::Literal(Literal { text, folded: folded.into() }))
        }
    }
}

fn read_placeholder(part: &str) -> Result<Box<str>, PatternFault> {
    part.strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|name| (1..=MAX_PLACEHOLDER_NAME).contains(&name.len()))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')))
        .map(Box::from)
        .ok_or_else(|| PatternFault::Placeholder(quote(part)))
}

/// One segment in normal form. People write blanks and letters beyond ASCII as they are; those are escaped first, everything
/// else must be what [`path::normalise`] accepts.
pub(super) fn normalise_literal(part: &str) -> Result<Box<str>, PatternFault> {
    if part.contains('#') {
        return Err(PatternFault::Hash(quote(part)));
    }
    let mut escaped = Vec::with_capacity(part.len() + 1);
    escaped.push(b'/');
    for byte in part.bytes() {
        if byte == b' ' || !byte.is_ascii() {
            escaped.extend(format!("%{byte:02X}").into_bytes());
        } else {
            escaped.push(byte);
        }
    }
    let normal = path::normalise(&escaped)?;
    Ok(normal[1..].into())
}

fn join(segments: &[Segment], placeholder: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for segment in segments {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(&literal.text),
            Segment::Any => text.push('*'),
            Segment::Placeholder(name) => text.push_str(&placeholder(name)),
            Segment::CallerId => text.push_str(CALLER_ID),
            Segment::Rest => text.push_str("**"),
        }
    }
    text
}

/// Whether the letters and digits at the beginning of the segment are not those of the folded name already: a comparison of
/// bytes that spares nearly every request the costly one.
fn differs_at_once(part: &str, folded_name: &str) -> bool {
    let mut wanted = folded_name.bytes();
    part.bytes()
        .take_while(u8::is_ascii_alphanumeric)
        .any(|found| wanted.next() != Some(found.to_ascii_lowercase()))
}

/// Whether a backend could read the escaped segment as the folded name: after decoding, folding, trimming, and ending it at a
/// `;`. Some file systems drop dots and blanks at the end of a name.
fn means(part: &str, mut folded_name: impl Iterator<Item = char>) -> bool {
    let mut found = decoded_chars(part).skip_while(|character| character.is_whitespace()).flat_map(fold);
    if !folded_name.by_ref().all(|wanted| found.next() == Some(wanted)) {
        return false;
    }
    found.find(|&character| !is_ending(character)).is_none_or(|character| character == ';')
}

/// What may follow a name without changing it for some backend.
fn is_ending(character: char) -> bool {
    character == '.' || character.is_whitespace()
}

/// Letters of either case, and those that become ASCII letters in one of the directions (ſ, the Kelvin sign), are the same.
fn fold(character: char) -> impl Iterator<Item = char> {
    // ASCII first: `to_uppercase` looks into a table for everything else.
    let (ascii, other) = if character.is_ascii() { (Some(character), None) } else { (None, Some(character)) };
    let folded = other.into_iter().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    ascii.map(|character| character.to_ascii_lowercase()).into_iter().chain(folded)
}

/// The characters of an escaped segment, decoded once, without allocating. Bytes that are not UTF-8 (no normal path has them)
/// become U+FFFD.
fn decoded_chars(part: &str) -> impl Iterator<Item = char> {
    let mut rest = part.as_bytes();
    let mut bytes = iter::from_fn(move || match rest {
        [] => None,
        [b'%', high, low, after @ ..] => {
            rest = after;
            Some(path::escaped(*high, *low).unwrap_or(b'%'))
        }
        [byte, after @ ..] => {
            rest = after;
            Some(*byte)
        }
    });
    iter::from_fn(move || {
        let first = bytes.next()?;
        let (start, following) = match first {
            0x00..=0x7f => return Some(char::from(first)),
            0xc0..=0xdf => (first & 0x1f, 1),
            0xe0..=0xef => (first & 0x0f, 2),
            _ => (first & 0x07, 3),
        };
        let code = bytes
            .by_ref()
            .take(following)
            .fold(u32::from(start), |code, byte| code << 6 | u32::from(byte & 0x3f));
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    })
}
