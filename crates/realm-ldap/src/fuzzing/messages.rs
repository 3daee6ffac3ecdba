//! What servers send, by two other readers: one of our own that goes by recursion, and ldap3's.
//!
//! Only with the feature `fuzzing`, and in tests. Must never share code with `net/inspection.rs`, whose second opinion it is.

use ldap3::asn1::{PL, StructureTag, parse_tag};

use crate::net::{Improper, Inspection, MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_NESTING};

/// Why a reader does not come to the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// There is more to come.
    Short,
    /// It is none.
    Bad,
}

/// What one message has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    levels: usize,
    elements: usize,
}

/// The first byte is how long the pieces are, the others come from a server. What passes is read as the same messages by
/// all three, within the limits, in whatever pieces it comes; nothing else passes.
pub fn messages(data: &[u8]) {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let mut whole = Inspection::new();
    let verdict = whole.look(bytes);
    let mut in_pieces = Inspection::new();
    let mut pieces = bytes.chunks(usize::from(piece).max(1));
    assert_eq!(pieces.try_for_each(|piece| in_pieces.look(piece)), verdict);
    let mut rest = bytes;
    let stop = loop {
        if rest.is_empty() {
            break None;
        }
        match message(rest) {
            Ok((seen, length)) => {
                assert!(length <= MAX_MESSAGE_BYTES && seen.levels <= MAX_NESTING);
                let (after, tag) = parse_tag(&rest[..length]).expect("ldap3 reads what passes");
                let mut same = Seen::default();
                count(&tag, 1, &mut same);
                assert_eq!((after.len(), same), (0, seen));
                rest = &rest[length..];
            }
            Err(stop) => break Some(stop),
        }
    };
    match verdict {
        Ok(()) if whole.is_between_messages() => assert_eq!(stop, None),
        Ok(()) => {
            assert_eq!(stop, Some(Stop::Short));
            assert!(parse_tag(rest).is_err_and(|error| error.is_incomplete()), "ldap3 waits for the rest");
        }
        Err(Improper::TooLong | Improper::TooDeep | Improper::TooMany | Improper::NoMessage(_)) => {
            assert_eq!(stop, Some(Stop::Bad));
        }
    }
}

fn count(tag: &StructureTag, level: usize, seen: &mut Seen) {
    seen.levels = seen.levels.max(level);
    seen.elements += 1;
    if let PL::C(inner) = &tag.payload {
        inner.iter().for_each(|inner| count(inner, level + 1, seen));
    }
}

/// The first message, and its length.
fn message(bytes: &[u8]) -> Result<(Seen, usize), Stop> {
    let mut seen = Seen::default();
    let mut tags = Vec::new();
    let length = element(bytes, MAX_MESSAGE_BYTES, 1, &mut seen, &mut tags)?;
    if tags.len() < 2 { Err(Stop::Bad) } else { Ok((seen, length)) }
}

/// The element at the beginning, which may have so many bytes; its length. Members of the message are added to `members`.
fn element(
    bytes: &[u8],
    most: usize,
    level: usize,
    seen: &mut Seen,
    members: &mut Vec<u8>,
) -> Result<usize, Stop> {
    let byte =
        |at: usize| if at >= most { Err(Stop::Bad) } else { bytes.get(at).copied().ok_or(Stop::Short) };
    let tag = byte(0)?;
    seen.levels = seen.levels.max(level);
    seen.elements += 1;
    if tag & 0x1f == 0x1f || level > MAX_NESTING || seen.elements > MAX_ELEMENTS {
        return Err(Stop::Bad);
    }
    if level == 2 {
        members.push(tag);
    }
    let is_right = match (level, members.len()) {
        (1, _) => tag == 0x30,
        (2, 1) => tag == 2,
        (2, 2) => [1, 4, 5, 19, 24, 25].contains(&(tag ^ 0x60)),
        (2, 3) => tag == 0xa0 || tag == 0x8a,
        (2, _) => false,
        _ => true,
    };
    if !is_right {
        return Err(Stop::Bad);
    }
    let first = usize::from(byte(1)?);
    let (begin, length) = if first < 0x80 {
        (2, first)
    } else {
        let digits = first - 0x80;
        if digits == 0 || digits > 4 {
            return Err(Stop::Bad);
        }
        let length = (2..2 + digits).try_fold(0, |length, at| Ok(length * 256 + usize::from(byte(at)?)))?;
        (2 + digits, length)
    };
    let is_odd_number = level == 2 && members.len() == 1 && !(1..=4).contains(&length);
    if begin + length > most || is_odd_number {
        return Err(Stop::Bad);
    }
    if tag & 0x20 == 0 {
        return if bytes.len() < begin + length { Err(Stop::Short) } else { Ok(begin + length) };
    }
    let mut at = begin;
    while at < begin + length {
        let rest = bytes.get(at..).unwrap_or_default();
        at += element(rest, begin + length - at, level + 1, seen, members)?;
    }
    Ok(at)
}
