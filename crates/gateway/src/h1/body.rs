//! The body of one request: how much of it is still to come, and how to take it out of what has arrived.
//!
//! Made by [`Client::next`](super::Client::next), read by `Client::read_whole` and by the upstream side. Must
//! never read from a socket itself, and never take a byte that belongs to the next request.

use bytes::{Buf as _, BytesMut};

use super::chunked::Decoder;
use super::fault::BodyFault;
use super::field::Block;
use super::framing::Framing;

/// A request body that is being read.
pub(crate) struct RequestBody {
    framing: Framing,
    source: Source,
    expects_continue: bool,
}

enum Source {
    /// This many bytes are to come.
    Length(u64),
    Chunked(Decoder),
    /// Everything was read; the decoder is kept for its trailer.
    Complete(Option<Decoder>),
}

impl RequestBody {
    /// The body that a head declares. `expects_continue`: the client waits for `100 Continue` and nobody sent
    /// it yet.
    pub(super) fn new(framing: Framing, expects_continue: bool) -> Self {
        let source = match framing {
            Framing::Undeclared | Framing::Length(0) => Source::Complete(None),
            Framing::Length(length) => Source::Length(length),
            Framing::Chunked => Source::Chunked(Decoder::new()),
        };
        let expects_continue = expects_continue && !matches!(source, Source::Complete(_));
        Self { framing, source, expects_continue }
    }

    /// The framing that the client declared.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether every byte of the body was read.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.source, Source::Complete(_))
    }

    /// Whether the client still waits for `100 Continue`.
    pub(crate) fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// `100 Continue` was sent, or the client went ahead without it.
    pub(crate) fn stop_expecting(&mut self) {
        self.expects_continue = false;
    }

    /// Bytes still to come, where the client has declared them.
    pub(crate) fn declared_rest(&self) -> Option<u64> {
        match self.source {
            Source::Length(left) => Some(left),
            Source::Chunked(_) => None,
            Source::Complete(_) => Some(0),
        }
    }

    /// How many bytes at the front of `buffer` are body as it is, to be sent on without a copy; 0 for a
    /// chunked body.
    pub(crate) fn plain_run(&self, buffer: &BytesMut) -> usize {
        match self.source {
            Source::Length(left) => usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len()),
            Source::Chunked(_) | Source::Complete(_) => 0,
        }
    }

    /// Removes `count` bytes, at most a plain run, that were used elsewhere.
    pub(crate) fn consume_plain(&mut self, buffer: &mut BytesMut, count: usize) {
        buffer.advance(count);
        if let Source::Length(left) = &mut self.source {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.source = Source::Complete(None);
            }
        }
    }

    /// Takes what `buffer` holds of the body and gives it to `sink` piece by piece.
    ///
    /// # Errors
    /// [`BodyFault::Malformed`] for a bad chunked coding.
    pub(crate) fn take(&mut self, buffer: &mut BytesMut, sink: impl FnMut(&[u8])) -> Result<(), BodyFault> {
        self.take_and(buffer, |_| {}, sink)
    }

    fn take_and(
        &mut self,
        buffer: &mut BytesMut,
        wipe: impl Fn(&mut [u8]),
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), BodyFault> {
        match &mut self.source {
            Source::Complete(_) => {}
            Source::Length(_) => {
                let run = self.plain_run(buffer);
                if run > 0 {
                    sink(&buffer[..run]);
                    wipe(&mut buffer[..run]);
                    self.consume_plain(buffer, run);
                }
            }
            Source::Chunked(decoder) => {
                let decoded = decoder.decode(buffer, sink).map_err(|_| BodyFault::Malformed)?;
                wipe(&mut buffer[..decoded.consumed]);
                buffer.advance(decoded.consumed);
                if decoded.finished {
                    let decoder = std::mem::replace(decoder, Decoder::new());
                    self.source = Source::Complete(Some(decoder));
                }
            }
        }
        Ok(())
    }

    /// As [`take`](Self::take), and overwrites in `buffer` what it has taken: for bodies that may be a
    /// secret.
    ///
    /// # Errors
    /// As `take`.
    pub(super) fn take_wiped(
        &mut self,
        buffer: &mut BytesMut,
        sink: impl FnMut(&[u8]),
    ) -> Result<(), BodyFault> {
        self.take_and(buffer, |used| used.fill(0), sink)
    }

    /// The trailer fields of a complete chunked body, if it had any.
    pub(crate) fn trailer(&self) -> Option<Block> {
        match &self.source {
            Source::Complete(Some(decoder)) => decoder.trailer(),
            Source::Complete(None) | Source::Length(_) | Source::Chunked(_) => None,
        }
    }
}
