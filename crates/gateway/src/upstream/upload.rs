//! The request on its way to the backend: its head and its body, as far as it has come.
//!
//! Begun by `exchange`, and finished by `relay` when the backend answers before it has everything. Must never
//! hold more of a body than one read buffer, and never send a body that the client was not asked for.

use std::io::Write as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::exchange::Forward;
use crate::h1::chunked::{TrailerFilter, encode_chunk, encode_end};
use crate::h1::client::{BODY_BUFFER, BODY_ROOM};
use crate::h1::io::make_room;
use crate::h1::timer::{Wait, now};
use crate::h1::{BodyFault, Client, Framing, RequestBody};

/// How many bytes of its body a client delivers at the least ...
const LEAST_PORTION: u64 = 4 * 1024;
/// ... in this much time that it was waited for: a body that drips has an end.
const PORTION_TIME: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The head is sent; the body waits for the backend's leave.
    Held,
    /// The body is being sent.
    Flowing,
    /// Everything is sent.
    Complete,
    /// Nothing more will be sent.
    Stopped,
}

/// Why an upload ended before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The backend takes nothing more.
    Backend,
    /// The client's body cannot be read on.
    Client(BodyFault),
}

/// How fast a client delivers its body. Only the time in which nobody but the client is waited for counts.
struct Pace {
    /// How much of the body had arrived when this portion began.
    from: u64,
    /// What is left of the portion's time when the present wait began.
    left: Duration,
    /// Since when the client is waited for, where it is.
    since: Option<Instant>,
}

impl Pace {
    fn begin() -> Self {
        Self { from: 0, left: PORTION_TIME, since: None }
    }

    /// The client is waited for, and `bytes` of the body have arrived.
    fn wait(&mut self, bytes: u64) {
        if bytes - self.from >= LEAST_PORTION {
            *self = Self { from: bytes, ..Self::begin() };
        }
        self.since.get_or_insert_with(now);
    }

    /// Something has arrived.
    fn rest(&mut self) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now() - since);
        }
    }
}

/// The request's way out.
pub(super) struct Upload<'f> {
    stage: Stage,
    /// Whether the request goes out without its body.
    bodiless: bool,
    sent: usize,
    /// Whether `out` still holds everything that was taken from the client for this request.
    replayable: bool,
    unflushed: bool,
    progress: bool,
    waiting: Wait,
    pace: Pace,
    bytes: u64,
    limit: u64,
    trailers: TrailerFilter<'f>,
}

impl<'f> Upload<'f> {
    /// Puts head, framing and what has arrived of the body into the connection's buffer, to be sent in one
    /// write.
    ///
    /// # Errors
    /// [`BodyFault`] when what has arrived is malformed or too large; nothing was sent then.
    pub(super) fn begin(
        client: &mut Client,
        body: &mut RequestBody,
        forward: Forward<'_, 'f>,
        out: &mut Vec<u8>,
    ) -> Result<Self, BodyFault> {
        let Forward { head, body_limit: limit, bodiless, trailers, .. } = forward;
        out.clear();
        out.extend_from_slice(head);
        match if bodiless { Framing::Undeclared } else { body.framing() } {
            Framing::Undeclared => {}
            Framing::Length(length) => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "Content-Length: {length}\r\n");
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        let stage = if body.expects_continue() && !bodiless { Stage::Held } else { Stage::Flowing };
        let mut upload = Self {
            stage,
            bodiless,
            sent: 0,
            replayable: true,
            unflushed: true,
            progress: false,
            waiting: Wait::Backend,
            pace: Pace::begin(),
            bytes: 0,
            limit,
            trailers,
        };
        if bodiless {
            return Ok(upload);
        }
        if let Framing::Length(length) = body.framing()
            && length > limit
        {
            return Err(BodyFault::TooLarge);
        }
        if stage == Stage::Flowing && !body.is_complete() {
            upload.take(client, body, out)?;
        }
        Ok(upload)
    }

    /// Moves what has arrived of the body to `out`, in the body's own framing.
    fn take(
        &mut self,
        client: &mut Client,
        body: &mut RequestBody,
        out: &mut Vec<u8>,
    ) -> Result<(), BodyFault> {
        let chunked = body.framing() == Framing::Chunked;
        let mut count = 0;
        body.take(&mut client.read, |piece| {
            count += piece.len() as u64;
            if chunked {
                encode_chunk(piece, out);
            } else {
                out.extend_from_slice(piece);
            }
        })?;
        self.bytes += count;
        if self.bytes > self.limit {
            return Err(BodyFault::TooLarge);
        }
        if chunked && body.is_complete() {
            encode_end(body.trailer().as_ref(), self.trailers, out);
        }
        Ok(())
    }

    /// Sends on. Ready when everything is sent; [`waiting`](Self::waiting) says for whom it is pending.
    pub(super) fn poll(
        &mut self,
        client: &mut Client,
        body: &mut RequestBody,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        if matches!(self.stage, Stage::Complete | Stage::Stopped) {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.poll_steps(client, body, connection, context));
        self.stage = if result.is_ok() { Stage::Complete } else { Stage::Stopped };
        Poll::Ready(result)
    }

    fn poll_steps(
        &mut self,
        client: &mut Client,
        body: &mut RequestBody,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        loop {
            ready!(self.poll_send_out(connection, context))?;
            if self.stage == Stage::Held {
                ready!(self.poll_flush(connection, context))?;
                self.waiting = Wait::Continue;
                return Poll::Pending;
            }
            if self.bodiless || body.is_complete() {
                ready!(self.poll_flush(connection, context))?;
                return Poll::Ready(Ok(()));
            }
            // From here on bytes leave the client's buffer that are not kept.
            let run = body.plain_run(&client.read);
            if run > 0 {
                self.waiting = Wait::Backend;
                self.replayable = false;
                let sent = ready!(connection.io.poll_send(&client.read[..run], context))
                    .map_err(|_| Stopped::Backend)?;
                body.consume_plain(&mut client.read, sent);
                self.bytes += sent as u64;
                self.unflushed = true;
                self.progress = true;
            } else if !client.read.is_empty() {
                self.replayable = false;
                connection.out.clear();
                self.sent = 0;
                self.take(client, body, &mut connection.out).map_err(Stopped::Client)?;
                if connection.out.is_empty() {
                    ready!(self.poll_read(client, connection, context))?;
                }
            } else {
                ready!(self.poll_read(client, connection, context))?;
            }
        }
    }

    /// Reads more of the body from the client.
    fn poll_read(
        &mut self,
        client: &mut Client,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        ready!(self.poll_flush(connection, context))?;
        self.waiting = Wait::Body;
        make_room(&mut client.read, BODY_ROOM, BODY_BUFFER);
        match client.io.poll_fill(&mut client.read, context) {
            Poll::Ready(Ok(1..)) => {
                self.pace.rest();
                self.progress = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(Stopped::Client(BodyFault::Gone))),
            Poll::Pending => {
                self.pace.wait(self.bytes);
                Poll::Pending
            }
        }
    }

    fn poll_send_out(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        self.waiting = Wait::Backend;
        while let Some(rest @ [_, ..]) = connection.out.get(self.sent..) {
            let sent = ready!(connection.io.poll_send(rest, context)).map_err(|_| Stopped::Backend)?;
            self.sent += sent;
            self.unflushed = true;
            self.progress = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        if self.unflushed {
            self.waiting = Wait::Backend;
            ready!(connection.io.poll_drain(context)).map_err(|_| Stopped::Backend)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// For whom the upload waits: the client ([`Wait::Body`]), the backend ([`Wait::Backend`]) or the
    /// backend's leave ([`Wait::Continue`]).
    pub(super) fn waiting(&self) -> Wait {
        self.waiting
    }

    /// Until when a client that is waited for has to deliver more: no later than `silent`, and sooner where it is slow.
    pub(super) fn deadline(&self, silent: Instant) -> Instant {
        self.pace.since.map_or(silent, |since| silent.min(since + self.pace.left))
    }

    /// Whether something moved since this was asked last.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Whether the body waits for the backend's leave.
    pub(super) fn is_held(&self) -> bool {
        self.stage == Stage::Held
    }

    /// The body may be sent.
    pub(super) fn release(&mut self) {
        if self.is_held() {
            self.stage = Stage::Flowing;
        }
    }

    /// Nothing more is sent.
    pub(super) fn stop(&mut self) {
        if self.stage != Stage::Complete {
            self.stage = Stage::Stopped;
        }
    }

    /// Whether every byte of the request was sent.
    pub(super) fn is_complete(&self) -> bool {
        self.stage == Stage::Complete
    }

    /// Whether there is more to send and it can be.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Held | Stage::Flowing)
    }

    /// Body bytes that were taken from the client.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the request can be sent again on another connection from what is in the buffer.
    pub(super) fn is_replayable(&self) -> bool {
        self.replayable
    }

    /// Starts again with what is in the buffer.
    pub(super) fn rewind(&mut self, body: &RequestBody) {
        self.sent = 0;
        self.unflushed = true;
        // Connecting anew was not the client's time.
        self.pace.since = None;
        let held = body.expects_continue() && !self.bodiless;
        self.stage = if held { Stage::Held } else { Stage::Flowing };
    }
}
