//! What a server may say: LDAP messages (RFC 4511 section 4.1.1), looked at byte by byte before ldap3 reads them.
//!
//! Called by `relay.rs` with everything that a server sends. ldap3's reader goes into nested structures by recursion to any
//! depth, and takes messages of any length; what passes here it reads as the same messages, within [`MAX_NESTING`],
//! [`MAX_MESSAGE_BYTES`] and [`MAX_ELEMENTS`]. Must never recurse, allocate, panic, or keep a byte of what it looked at.

use thiserror::Error;

/// Bytes of one message at the most, with its header. An entry with [`crate::limits::MAX_GROUPS`] groups of
/// [`crate::limits::MAX_DN_BYTES`] each has room in it, and as much again.
pub(crate) const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// Levels of elements within elements in one message at the most, the message itself being the first. The deepest that LDAP
/// has is the value of an attribute of an entry, at the sixth.
pub(crate) const MAX_NESTING: usize = 12;
/// Elements of one message at the most: sixteen times as many as an entry with [`crate::limits::MAX_GROUPS`] groups has. In
/// memory each costs 48 bytes, and once more while ldap3 copies it; in a message it costs two.
pub(crate) const MAX_ELEMENTS: usize = 64 * 1024;

/// The message, and what stands between an element's first two.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// Message numbers go to 2^31 - 1 (RFC 4511 section 4.1.1.1).
const MAX_NUMBER_BYTES: usize = 4;
/// Bytes of a length in its long form at the most: Active Directory always writes four.
const MAX_LENGTH_DIGITS: u8 = 4;
/// The tag says that its number follows. LDAP has no such tag, and ldap3 reads it another way.
const LONG_TAG: u8 = 0x1f;
/// Is in the tag of what has elements within.
const CONSTRUCTED: u8 = 0x20;
/// What a server says to a bind or to a search, or when it hangs up (RFC 4511 appendix B): bind response, entry, end of a
/// search, reference, extended response, intermediate response.
const ANSWERS: [u8; 6] = [0x61, 0x64, 0x65, 0x73, 0x78, 0x79];
/// What may follow: controls, or an object identifier, which Active Directory puts there when it hangs up.
const ENDINGS: [u8; 2] = [0xa0, 0x8a];

const TOO_LONG_WITHIN: &str = "an element is longer than what it is in";

/// What a server said is no message, or one that is beyond a limit: in words for the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Improper {
    /// The message is too long.
    #[error("the server sent a message of more than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// Too many levels.
    #[error("the server sent a message that is nested more than {MAX_NESTING} levels deep")]
    TooDeep,
    /// Too many elements.
    #[error("the server sent a message of more than {MAX_ELEMENTS} elements")]
    TooMany,
    /// What is no BER as LDAP has it (RFC 4511 section 5.1), or no message.
    #[error("the server sent what is no LDAP message: {0}")]
    NoMessage(&'static str),
}

/// Looks at what one server sends over one connection, in whatever pieces it comes.
#[derive(Debug)]
pub(crate) struct Inspection {
    next: Next,
    /// Bytes of the present message so far.
    at: usize,
    /// Where each element ends that has others within and is not over, the outermost first.
    ends: [usize; MAX_NESTING],
    /// How many of them there are.
    depth: usize,
    /// Elements of the present message so far, itself among them.
    elements: usize,
    /// Those that are its own members.
    members: usize,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// An element's first.
    Tag,
    /// A length's first, of the element with this tag.
    Length { tag: u8 },
    /// One of so many digits of a length, and what those before it say.
    Digit { tag: u8, left: u8, length: usize },
    /// Content that has nothing within, up to there.
    Content { end: usize },
}

impl Inspection {
    /// Before the first byte.
    pub(crate) fn new() -> Self {
        Self { next: Next::Tag, at: 0, ends: [0; MAX_NESTING], depth: 0, elements: 0, members: 0 }
    }

    /// Looks at what came next. After a fault the connection is of no use: what follows could be anything.
    pub(crate) fn look(&mut self, mut bytes: &[u8]) -> Result<(), Improper> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Next::Content { end } = self.next {
                let length = bytes.len().min(end - self.at);
                bytes = &bytes[length..];
                self.advance(length)?;
                continue;
            }
            bytes = rest;
            self.look_at_header(byte)?;
        }
        Ok(())
    }

    /// Whether the last message is whole.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn is_between_messages(&self) -> bool {
        self.at == 0
    }

    fn look_at_header(&mut self, byte: u8) -> Result<(), Improper> {
        self.at += 1;
        match self.next {
            Next::Tag => {
                self.begin(byte)?;
                self.expect(Next::Length { tag: byte })
            }
            Next::Length { tag } if byte & 0x80 == 0 => self.enter(tag, usize::from(byte)),
            Next::Length { tag } => {
                let digits = byte & 0x7f;
                if !(1..=MAX_LENGTH_DIGITS).contains(&digits) {
                    return Err(Improper::NoMessage("a length has a form that LDAP has not"));
                }
                self.expect(Next::Digit { tag, left: digits, length: 0 })
            }
            Next::Digit { tag, left, length } => {
                // Four digits at the most; and where they don't fit, the number is only ever compared with a smaller one.
                let length = length.saturating_mul(256).saturating_add(usize::from(byte));
                match left {
                    1 => self.enter(tag, length),
                    _ => self.expect(Next::Digit { tag, left: left - 1, length }),
                }
            }
            Next::Content { .. } => Ok(()),
        }
    }

    /// The header goes on.
    fn expect(&mut self, next: Next) -> Result<(), Improper> {
        if self.at >= self.enclosing_end() {
            return Err(Improper::NoMessage(TOO_LONG_WITHIN));
        }
        self.next = next;
        Ok(())
    }

    /// An element begins.
    fn begin(&mut self, tag: u8) -> Result<(), Improper> {
        if tag & LONG_TAG == LONG_TAG {
            return Err(Improper::NoMessage("an element has a tag that LDAP has not"));
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(Improper::TooMany);
        }
        if self.depth == MAX_NESTING {
            return Err(Improper::TooDeep);
        }
        match self.depth {
            0 if tag != SEQUENCE => return Err(Improper::NoMessage("it does not begin as one")),
            1 => {
                self.members += 1;
                let is_right = match self.members {
                    1 => tag == INTEGER,
                    2 => ANSWERS.contains(&tag),
                    3 => ENDINGS.contains(&tag),
                    _ => false,
                };
                if !is_right {
                    return Err(Improper::NoMessage("it is neither an answer to a bind nor to a search"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The header is over; so much content follows.
    fn enter(&mut self, tag: u8, length: usize) -> Result<(), Improper> {
        let end = self.at.saturating_add(length);
        if end > self.enclosing_end() {
            return Err(match self.depth {
                0 => Improper::TooLong,
                _ => Improper::NoMessage(TOO_LONG_WITHIN),
            });
        }
        if self.depth == 1 && self.members == 1 && !(1..=MAX_NUMBER_BYTES).contains(&length) {
            return Err(Improper::NoMessage("its number is none"));
        }
        if tag & CONSTRUCTED == 0 {
            self.next = Next::Content { end };
        } else {
            self.ends[self.depth] = end;
            self.depth += 1;
            self.next = Next::Tag;
        }
        self.advance(0)
    }

    /// So much content is over, and with it perhaps what it is in.
    fn advance(&mut self, length: usize) -> Result<(), Improper> {
        self.at += length;
        if let Next::Content { end } = self.next {
            if self.at < end {
                return Ok(());
            }
            self.next = Next::Tag;
        }
        while self.depth > 0 && self.at == self.ends[self.depth - 1] {
            self.depth -= 1;
            if self.depth == 0 {
                if self.members < 2 {
                    return Err(Improper::NoMessage("there is nothing in it"));
                }
                *self = Self::new();
            }
        }
        Ok(())
    }

    /// Where the innermost element ends that is not over; the farthest that a message may reach, where there is none.
    fn enclosing_end(&self) -> usize {
        match self.depth {
            0 => MAX_MESSAGE_BYTES,
            depth => self.ends[depth - 1],
        }
    }
}

#[cfg(test)]
mod tests;
