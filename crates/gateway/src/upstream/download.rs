//! The answer on its way to the client: head, body, trailers, as far as they have come.
//!
//! Driven by `relay`. Must never hold more of a body than one read buffer, and never end an answer cleanly
//! that the backend did not end.

use std::io::Write as _;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;

use super::connection::Connection;
use crate::h1::chunked::{Decoder, TrailerFilter, encode_chunk, encode_end};
use crate::h1::client::{BODY_BUFFER, BODY_ROOM};
use crate::h1::io::make_room;
use crate::h1::timer::Wait;
use crate::h1::{Client, Framing, Gone};

/// Where the body ends.
enum Source {
    /// It has.
    Ended,
    /// After this many bytes.
    Length(u64),
    /// Where the chunked coding says.
    Chunked(Decoder),
    /// Where the backend closes.
    Close,
    /// Nowhere: the backend broke off.
    Broken,
}

/// How the body is framed for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// As it comes: with a length, or up to the close.
    Plain,
    /// In chunks.
    Chunked,
}

/// The answer's way out.
pub(super) struct Download<'f> {
    source: Source,
    target: Target,
    ends_with_close: bool,
    out: Vec<u8>,
    sent: usize,
    begun: bool,
    unflushed: bool,
    progress: bool,
    waiting: Wait,
    bytes: u64,
    trailers: TrailerFilter<'f>,
}

impl<'f> Download<'f> {
    /// Begins with a head that lacks framing, Connection and the last empty line. `bodiless`: the answer has
    /// no body whatever it declares (HEAD, 204, 304).
    pub(super) fn begin(
        client: &mut Client,
        status: u16,
        framing: Framing,
        bodiless: bool,
        mut head: Vec<u8>,
        trailers: TrailerFilter<'f>,
    ) -> Self {
        let (source, target, ends_with_close) = match (bodiless, framing) {
            (true, _) => (Source::Ended, Target::Plain, false),
            (false, Framing::Length(0)) => (Source::Ended, Target::Plain, false),
            (false, Framing::Length(length)) => (Source::Length(length), Target::Plain, false),
            (false, framing) => {
                let source =
                    if framing == Framing::Chunked { Source::Chunked(Decoder::new()) } else { Source::Close };
                let target = if client.version_1_1() { Target::Chunked } else { Target::Plain };
                (source, target, target == Target::Plain)
            }
        };
        if ends_with_close {
            client.close();
        }
        match framing {
            // A 204 has neither field (RFC 9110 section 8.6, RFC 9112 section 6.1).
            _ if status == 204 => {}
            Framing::Length(length) => {
                // Writing to a vector cannot fail.
                let _ = write!(head, "Content-Length: {length}\r\n");
            }
            _ if target == Target::Chunked => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::Chunked if bodiless && status != 304 && client.version_1_1() => {
                head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            Framing::Chunked | Framing::Undeclared => {}
        }
        head.extend_from_slice(client.connection_field());
        head.extend_from_slice(b"\r\n");
        Self {
            source,
            target,
            ends_with_close,
            out: head,
            sent: 0,
            begun: false,
            unflushed: true,
            progress: false,
            waiting: Wait::Client,
            bytes: 0,
            trailers,
        }
    }

    /// Sends on. Ready when everything there is was sent, whether or not the backend [broke
    /// off](Self::is_broken).
    ///
    /// # Errors
    /// [`Gone`] when the client takes nothing more.
    pub(super) fn poll(
        &mut self,
        client: &mut Client,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        if !self.begun {
            // The first piece of the body goes out with the head. If it is not there yet, the head does not
            // wait.
            if connection.read.is_empty() && self.is_running() {
                let _ = self.poll_read(connection, context);
            }
            self.move_buffered(connection, true);
            self.begun = true;
        }
        loop {
            ready!(self.poll_send_out(client, context))?;
            if !self.is_running() {
                ready!(self.poll_flush(client, context))?;
                return Poll::Ready(Ok(()));
            }
            if connection.read.is_empty() {
                ready!(self.poll_flush(client, context))?;
                ready!(self.poll_read(connection, context));
            } else if let Source::Length(left) = &mut self.source {
                self.waiting = Wait::Client;
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(connection.read.len());
                let sent = ready!(client.io.poll_send(&connection.read[..run], context)).map_err(|_| Gone)?;
                connection.read.advance(sent);
                self.bytes += sent as u64;
                *left -= sent as u64;
                if *left == 0 {
                    self.source = Source::Ended;
                }
                self.unflushed = true;
                self.progress = true;
                continue;
            }
            self.move_buffered(connection, false);
        }
    }

    /// Moves what the backend has sent to `out`, framed for the client. A plain run with a length is only
    /// moved when `first`: later ones are sent from where they are.
    fn move_buffered(&mut self, connection: &mut Connection, first: bool) {
        let Self { source, target, out, bytes, .. } = self;
        let mut push = |piece: &[u8]| {
            *bytes += piece.len() as u64;
            match target {
                Target::Chunked => encode_chunk(piece, out),
                Target::Plain => out.extend_from_slice(piece),
            }
        };
        let read = &mut connection.read;
        if read.is_empty() {
            return;
        }
        match source {
            Source::Length(left) if first => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                push(&read[..run]);
                read.advance(run);
                *left -= run as u64;
                if *left == 0 {
                    self.source = Source::Ended;
                }
            }
            Source::Ended | Source::Broken | Source::Length(_) => {}
            Source::Close => {
                push(read);
                read.clear();
            }
            Source::Chunked(decoder) => match decoder.decode(read, &mut push) {
                Err(_) => self.source = Source::Broken,
                Ok(decoded) => {
                    read.advance(decoded.consumed);
                    if decoded.finished {
                        if *target == Target::Chunked {
                            encode_end(decoder.trailer().as_ref(), self.trailers, out);
                        }
                        self.source = Source::Ended;
                    }
                }
            },
        }
    }

    /// Reads once from the backend; its end is the body's end or the body's breaking off.
    fn poll_read(&mut self, connection: &mut Connection, context: &mut Context<'_>) -> Poll<()> {
        self.waiting = Wait::Download;
        make_room(&mut connection.read, BODY_ROOM, BODY_BUFFER);
        match ready!(connection.io.poll_fill(&mut connection.read, context)) {
            Ok(1..) => self.progress = true,
            Ok(0) if matches!(self.source, Source::Close) => {
                if self.target == Target::Chunked {
                    encode_end(None, self.trailers, &mut self.out);
                }
                self.source = Source::Ended;
            }
            Ok(0) | Err(_) => self.source = Source::Broken,
        }
        Poll::Ready(())
    }

    fn poll_send_out(&mut self, client: &mut Client, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.waiting = Wait::Client;
        while let Some(rest @ [_, ..]) = self.out.get(self.sent..) {
            self.sent += ready!(client.io.poll_send(rest, context)).map_err(|_| Gone)?;
            self.unflushed = true;
            self.progress = true;
        }
        self.out.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, client: &mut Client, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if self.unflushed {
            self.waiting = Wait::Client;
            ready!(client.io.poll_drain(context)).map_err(|_| Gone)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn is_running(&self) -> bool {
        !matches!(self.source, Source::Ended | Source::Broken)
    }

    /// The backend is given up: what comes of it is not complete.
    pub(super) fn break_off(&mut self) {
        self.source = Source::Broken;
    }

    /// Whether the backend broke off before the end of the body.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.source, Source::Broken)
    }

    /// Whether the client takes the end of the connection for the end of the body.
    pub(super) fn ends_with_close(&self) -> bool {
        self.ends_with_close
    }

    /// For whom the download waits: the client ([`Wait::Client`]) or the backend ([`Wait::Download`]).
    pub(super) fn waiting(&self) -> Wait {
        self.waiting
    }

    /// Whether something moved since this was asked last.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Body bytes that were taken from the backend for the client.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The buffer, for the next head.
    pub(super) fn into_scratch(self) -> Vec<u8> {
        self.out
    }
}
