//! The chunked transfer coding (RFC 9112 section 7.1): a strict decoder that takes its input in any pieces,
//! and the words of the encoder.
//!
//! Used for request bodies from clients and answers from backends. What is decoded is always encoded anew: a
//! chunk extension or an odd spelling of a size never reaches the other side. Must never hold a body, only
//! its trailers.

use std::io::Write as _;

use bytes::Bytes;

use super::MAX_FIELDS;
use super::field::{Block, spans_of};

/// The most bytes of chunk extensions in one body. They mean nothing to anybody and are dropped; without a
/// limit they are a way to send for ever.
pub(crate) const MAX_CHUNK_EXTENSION: usize = 8 * 1024;

/// The most bytes of trailer fields after one body, their line ends included.
pub(crate) const MAX_TRAILER: usize = 8 * 1024;

/// The most hexadecimal digits of a chunk size: 16 fit 64 bits exactly, so a size cannot overflow.
pub(crate) const MAX_CHUNK_DIGITS: u8 = 16;

/// The coding is malformed, or over one of the limits above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkFault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before or within the digits of a size.
    Size,
    /// Within an extension, after its `;`.
    Extension,
    /// After the CR that ends a size line.
    SizeEnd,
    /// Within the data of a chunk.
    Data,
    /// Before the CR after the data.
    DataCarriageReturn,
    /// Before the LF after the data.
    DataLineFeed,
    /// After the last chunk, within the trailer section.
    Trailer,
    /// Everything was read.
    End,
}

/// Decodes one body.
pub(crate) struct Decoder {
    state: State,
    digits: u8,
    extension_bytes: u16,
    remaining: u64,
    trailer: Vec<u8>,
}

/// How far [`Decoder::decode`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of the input that were used up; the rest belongs to what follows the body.
    pub(crate) consumed: usize,
    /// Whether the body, its trailer section included, is complete.
    pub(crate) finished: bool,
}

impl Decoder {
    /// A decoder at the beginning of a body.
    pub(crate) fn new() -> Self {
        Self { state: State::Size, digits: 0, extension_bytes: 0, remaining: 0, trailer: Vec::new() }
    }

    /// Decodes as much of `input` as there is, and gives the data in it to `sink` piece by piece.
    ///
    /// # Errors
    /// [`ChunkFault`]; the decoder and the stream are then of no further use.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Decoded, ChunkFault> {
        let mut consumed = 0;
        while let Some(&byte) = input.get(consumed) {
            match self.state {
                State::End => break,
                State::Data => {
                    let left = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                    let length = left.min(input.len() - consumed);
                    sink(&input[consumed..consumed + length]);
                    consumed += length;
                    self.remaining -= length as u64;
                    if self.remaining == 0 {
                        self.state = State::DataCarriageReturn;
                    }
                    continue;
                }
                State::Trailer => self.trailer_byte(byte)?,
                State::Size
                | State::Extension
                | State::SizeEnd
                | State::DataCarriageReturn
                | State::DataLineFeed => {
                    self.line_byte(byte)?;
                }
            }
            consumed += 1;
        }
        Ok(Decoded { consumed, finished: self.state == State::End })
    }

    /// One byte of what stands between the data of two chunks.
    fn line_byte(&mut self, byte: u8) -> Result<(), ChunkFault> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, digit) if self.digits < MAX_CHUNK_DIGITS => {
                let value = char::from(digit).to_digit(16).ok_or(ChunkFault)?;
                self.remaining = self.remaining << 4 | u64::from(value);
                self.digits += 1;
                State::Size
            }
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, byte) if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => {
                self.extension_bytes += 1;
                if usize::from(self.extension_bytes) > MAX_CHUNK_EXTENSION {
                    return Err(ChunkFault);
                }
                State::Extension
            }
            (State::SizeEnd, b'\n') => {
                self.digits = 0;
                if self.remaining == 0 { State::Trailer } else { State::Data }
            }
            (State::DataCarriageReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size,
            _ => return Err(ChunkFault),
        };
        Ok(())
    }

    /// One byte after the last chunk: an empty line at once, or fields and an empty line.
    fn trailer_byte(&mut self, byte: u8) -> Result<(), ChunkFault> {
        if self.trailer.len() >= MAX_TRAILER {
            return Err(ChunkFault);
        }
        self.trailer.push(byte);
        if self.trailer == b"\r\n" {
            self.trailer.clear();
            self.state = State::End;
        } else if self.trailer.ends_with(b"\r\n\r\n") {
            self.state = State::End;
            self.read_trailer()?;
        } else if byte == b'\n' && !self.trailer.ends_with(b"\r\n") {
            return Err(ChunkFault);
        }
        Ok(())
    }

    fn read_trailer(&self) -> Result<Block, ChunkFault> {
        // The spans' check wants a line end before the first name, as a head has one.
        let bytes = [b"\r\n", self.trailer.as_slice()].concat();
        let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
        match httparse::parse_headers(&bytes[2..], &mut headers) {
            Ok(httparse::Status::Complete((length, found))) if length == self.trailer.len() => {
                let spans = spans_of(&bytes, found).map_err(|_| ChunkFault)?;
                Ok(Block::new(Bytes::from(bytes), spans))
            }
            _ => Err(ChunkFault),
        }
    }

    /// The trailer fields of a finished body; `None` when it had none. They are checked like the fields of a
    /// head.
    pub(crate) fn trailer(&self) -> Option<Block> {
        if self.state != State::End || self.trailer.is_empty() { None } else { self.read_trailer().ok() }
    }
}

/// Appends one chunk with this data, which must not be empty: an empty chunk would end the body.
pub(crate) fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    debug_assert!(!data.is_empty());
    if data.is_empty() {
        return;
    }
    encode_size(data.len(), out);
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the size line of a chunk.
fn encode_size(size: usize, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{size:x}\r\n");
}

/// Which trailer fields may pass: given a name, whether it may. Framing, routing and identity fields never
/// may (RFC 9110 section 6.5.1).
pub(crate) type TrailerFilter<'f> = &'f (dyn Fn(&[u8]) -> bool + Send + Sync);

/// Appends the end of a chunked body: the last chunk, those trailer fields that may pass, an empty line.
pub(crate) fn encode_end(trailer: Option<&Block>, may_pass: TrailerFilter<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for field in trailer.into_iter().flat_map(Block::fields).filter(|field| may_pass(field.name)) {
        out.extend_from_slice(field.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[path = "chunked_tests.rs"]
mod tests;
