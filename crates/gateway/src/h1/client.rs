//! One client's connection: requests in, answers out, one after the other.
//!
//! The listener makes one per accepted connection, and the way drives it in a loop: [`Client::next`], then
//! one answer (by [`Client::write`] or by the upstream side's relay), then [`Client::settle`]; at the end
//! [`Client::linger`]. All of it runs in the connection's own task. Must never read further than one
//! request's answer is owed: pipelined requests wait in the read buffer, which is bounded.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWrite as _;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::body::RequestBody;
use super::fault::{BodyFault, Gone, HeadFault};
use super::io::{Io, make_room};
use super::request::{RequestHead, incomplete, take_request};
use super::timer::{Patience, Timer, Wait, now};

/// The read buffer of a connection that waits for a head.
const HEAD_BUFFER: usize = 4 * 1024;
/// The least room to read a head into.
const HEAD_ROOM: usize = 1024;
/// The read buffer while a body is streamed.
pub(crate) const BODY_BUFFER: usize = 64 * 1024;
/// The least room to read a body into.
pub(crate) const BODY_ROOM: usize = 16 * 1024;
/// A buffer larger than this is given back while the connection is idle.
const IDLE_BUFFER: usize = 16 * 1024;
/// Pipelined bytes that are read ahead while a backend is waited for; a client that sends more waits in its
/// socket.
pub(crate) const READ_AHEAD: usize = 16 * 1024;
/// The most of an unread body that is read and thrown away to keep a connection.
pub(crate) const MAX_DRAIN: u64 = 64 * 1024;
/// How long an unread body may take to arrive before the connection is given up instead.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// How long a body for one of our own endpoints may take as a whole, however steadily it drips: none of them takes more
/// than 256 KiB.
const WHOLE_BODY_TIME: Duration = Duration::from_secs(30);
/// How long a connection that was closed towards the client is still read, so that the answer is not lost to
/// a reset.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How many bytes are read, and thrown away, in that time.
const MAX_LINGER: u64 = 4 * 1024 * 1024;
/// What a client gets that waits before it sends its body.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long a client may keep its connection busy with nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From a request's first byte (on a new connection: from its start) to the end of its head.
    pub(crate) header_timeout: Duration,
    /// Between two requests.
    pub(crate) idle_timeout: Duration,
    /// Without a byte of a request body that is waited for.
    pub(crate) body_timeout: Duration,
    /// Without the client taking a byte of the answer.
    pub(crate) write_timeout: Duration,
}

impl Default for Limits {
    /// 10 s for head, body and answer (CIS NGINX 5.2.1, 2.4.3), 60 s between requests.
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self {
            header_timeout: ten,
            idle_timeout: Duration::from_secs(60),
            body_timeout: ten,
            write_timeout: ten,
        }
    }
}

/// Whether a connection can carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reuse {
    /// Call [`Client::next`] again.
    Keep,
    /// Call [`Client::linger`].
    Close,
}

/// One client's connection.
pub(crate) struct Client {
    /// For the upstream side: the socket.
    pub(crate) io: Io,
    /// For the upstream side: what was read and not yet used.
    pub(crate) read: BytesMut,
    /// For the upstream side: the connection's one timer.
    pub(crate) timer: Timer,
    limits: Limits,
    scratch: Vec<u8>,
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    seen: usize,
    first: bool,
    closing: bool,
    reset: bool,
    keep_alive: bool,
    version_1_1: bool,
}

impl Client {
    /// A client on a connection that was just accepted (and, for TLS, has shaken hands).
    pub(crate) fn new(io: Io, limits: Limits) -> Self {
        if let Io::Plain(stream) = &io {
            // Answers are written whole; waiting to fill a segment only delays them. A dead socket shows at
            // the read.
            let _ = stream.set_nodelay(true);
        }
        Self {
            io,
            read: BytesMut::new(),
            timer: Timer::default(),
            limits,
            scratch: Vec::new(),
            stop: None,
            seen: 0,
            first: true,
            closing: false,
            reset: false,
            keep_alive: false,
            version_1_1: true,
        }
    }

    /// Ends the connection between two requests once `stop` resolves; a request that has begun is still
    /// answered, with `Connection: close`.
    pub(crate) fn stop_when(&mut self, stop: impl Future<Output = ()> + Send + 'static) {
        self.stop = Some(Box::pin(stop));
    }

    /// The connection's limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the present request is HTTP/1.1.
    pub(crate) fn version_1_1(&self) -> bool {
        self.version_1_1
    }

    /// No further request is taken from this connection.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Ends the connection with a reset, so that the client does not take the end of the connection for the
    /// end of the answer.
    pub(crate) fn reset(&mut self) {
        self.closing = true;
        self.reset = true;
        self.io.reset_on_close();
    }

    /// Whether the connection ends after the present request, as far as is known now.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing || !self.keep_alive
    }

    /// The Connection field, line end included, for an answer to the present request; possibly empty.
    pub(crate) fn connection_field(&mut self) -> &'static [u8] {
        // A stop that was asked for meanwhile makes this answer the last.
        let _ = self.poll_stop(&mut Context::from_waker(Waker::noop()));
        match (self.is_closing(), self.version_1_1) {
            (true, _) => b"Connection: close\r\n",
            (false, true) => b"",
            (false, false) => b"Connection: keep-alive\r\n",
        }
    }

    /// As [`connection_field`](Self::connection_field), for an answer that leaves what is left of `body`
    /// unread: decides now whether [`settle`](Self::settle) will have to close, so that the answer says so.
    pub(crate) fn connection_field_after(&mut self, body: &RequestBody) -> &'static [u8] {
        if !can_drain(body) {
            self.closing = true;
        }
        self.connection_field()
    }

    /// An empty buffer to build an answer's head in. Relay gives it back, so that heads cost no allocation.
    pub(crate) fn scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }

    /// Gives the buffer of [`scratch`](Self::scratch) back.
    pub(crate) fn keep_scratch(&mut self, mut scratch: Vec<u8>) {
        if scratch.capacity() <= IDLE_BUFFER {
            scratch.clear();
            self.scratch = scratch;
        }
    }

    /// The next request. `None`: the client closed between requests, was idle too long, or a stop was asked
    /// for.
    ///
    /// # Errors
    /// A [`HeadFault`], to be answered; the connection then closes.
    pub(crate) async fn next(&mut self) -> Result<Option<(RequestHead, RequestBody)>, HeadFault> {
        if self.closing || (!self.first && !self.keep_alive) {
            return Ok(None);
        }
        self.seen = 0;
        let mut patience = Patience::default();
        let head = poll_fn(|context| self.poll_head(&mut patience, context)).await;
        let head = match head {
            Ok(Some(head)) => head,
            Ok(None) => {
                self.closing = true;
                return Ok(None);
            }
            Err(fault) => {
                self.closing = true;
                return Err(fault);
            }
        };
        self.first = false;
        self.keep_alive = head.keep_alive();
        self.version_1_1 = head.version_1_1();
        // A client that has begun to send did not wait.
        let body = RequestBody::new(head.framing(), head.expects_continue() && self.read.is_empty());
        Ok(Some((head, body)))
    }

    fn poll_head(
        &mut self,
        patience: &mut Patience,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<RequestHead>, HeadFault>> {
        loop {
            if self.read.len() > self.seen {
                // A head ends with a line feed: bytes without one cannot complete it, and a client that sends
                // byte by byte does not make the gateway parse the same bytes a thousand times.
                if self.seen == 0 || memchr::memchr(b'\n', &self.read[self.seen..]).is_some() {
                    if let Some(head) = take_request(&mut self.read)? {
                        return Poll::Ready(Ok(Some(head)));
                    }
                } else {
                    incomplete(&self.read)?;
                }
                self.seen = self.read.len();
            }
            make_room(&mut self.read, HEAD_ROOM, HEAD_BUFFER);
            match self.io.poll_fill(&mut self.read, context) {
                Poll::Ready(Ok(1..)) => continue,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(None)),
                Poll::Pending => {}
            }
            return self.poll_head_wait(patience, context);
        }
    }

    /// Nothing has arrived: decides how long to wait.
    fn poll_head_wait(
        &mut self,
        patience: &mut Patience,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<RequestHead>, HeadFault>> {
        let idle = self.read.is_empty();
        if idle && self.poll_stop(context).is_ready() {
            return Poll::Ready(Ok(None));
        }
        if idle && self.read.capacity() > IDLE_BUFFER {
            self.read = BytesMut::new();
        }
        let deadline = if idle && !self.first {
            patience.until(Wait::Request, self.limits.idle_timeout)
        } else {
            patience.until(Wait::Head, self.limits.header_timeout)
        };
        if self.timer.poll_until(deadline, context).is_pending() {
            return Poll::Pending;
        }
        // A lone empty line is what old clients send after a body: no request has begun.
        let begun = !idle && self.read.as_ref() != b"\r\n";
        Poll::Ready(if begun { Err(HeadFault::Timeout) } else { Ok(None) })
    }

    fn poll_stop(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(stop) = &mut self.stop else { return Poll::Pending };
        match stop.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.stop = None;
                self.closing = true;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reads a whole body of at most `limit` bytes, after `100 Continue` where the client waits for it. The
    /// bytes are wiped from the read buffer, as they may be a password; the caller wipes what it gets.
    ///
    /// # Errors
    /// [`BodyFault`]; the connection then closes.
    pub(crate) async fn read_whole(
        &mut self,
        body: &mut RequestBody,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, BodyFault> {
        let result = self.read_body(body, limit).await;
        if result.is_err() {
            self.closing = true;
        }
        result
    }

    async fn read_body(
        &mut self,
        body: &mut RequestBody,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, BodyFault> {
        if body.declared_rest().is_some_and(|rest| rest > limit as u64) {
            return Err(BodyFault::TooLarge);
        }
        if body.expects_continue() {
            self.write(CONTINUE).await.map_err(|Gone| BodyFault::Gone)?;
            body.stop_expecting();
        }
        // Reserved at once, so that growing leaves no copies of a secret behind.
        let mut whole = Zeroizing::new(Vec::with_capacity(limit.min(BODY_BUFFER)));
        let last = now() + WHOLE_BODY_TIME;
        loop {
            let mut fits = true;
            let taken = body.take_wiped(&mut self.read, |piece| {
                fits = fits && whole.len() + piece.len() <= limit;
                if fits {
                    whole.extend_from_slice(piece);
                }
            });
            taken?;
            if !fits {
                return Err(BodyFault::TooLarge);
            }
            if body.is_complete() {
                return Ok(whole);
            }
            let deadline = last.min(now() + self.limits.body_timeout);
            poll_fn(|context| self.poll_body(deadline, context)).await?;
        }
    }

    /// Reads more of a body into the read buffer.
    fn poll_body(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<Result<(), BodyFault>> {
        make_room(&mut self.read, HEAD_ROOM, HEAD_BUFFER);
        match self.io.poll_fill(&mut self.read, context) {
            Poll::Ready(Ok(1..)) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(BodyFault::Gone)),
            Poll::Pending => self.timer.poll_until(deadline, context).map(|()| Err(BodyFault::Timeout)),
        }
    }

    /// Writes a whole small answer, usually in one system call.
    ///
    /// # Errors
    /// [`Gone`]; the connection then closes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let mut patience = Patience::default();
        let mut sent = 0;
        let result = poll_fn(|context| self.poll_write(bytes, &mut sent, &mut patience, context)).await;
        if result.is_err() {
            self.closing = true;
        }
        result
    }

    fn poll_write(
        &mut self,
        bytes: &[u8],
        sent: &mut usize,
        patience: &mut Patience,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        loop {
            let step = match bytes.get(*sent..) {
                Some([]) | None => match self.io.poll_drain(context) {
                    Poll::Ready(result) => return Poll::Ready(result.map_err(|_| Gone)),
                    Poll::Pending => Poll::Pending,
                },
                Some(rest) => self.io.poll_send(rest, context),
            };
            match step {
                Poll::Ready(Ok(count)) => {
                    *sent += count;
                    patience.renew();
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone)),
                Poll::Pending => {
                    let deadline = patience.until(Wait::Client, self.limits.write_timeout);
                    return self.timer.poll_until(deadline, context).map(|()| Err(Gone));
                }
            }
        }
    }

    /// After the answer: reads the rest of a body that nobody read, if that is little and already under way,
    /// so that the next request starts where it should. Otherwise the connection has to close.
    pub(crate) async fn settle(&mut self, mut body: RequestBody) -> Reuse {
        if !self.is_closing() && !body.is_complete() && !self.drain(&mut body).await {
            self.closing = true;
        }
        if self.is_closing() { Reuse::Close } else { Reuse::Keep }
    }

    /// Whether the rest of the body was read within the limits of [`settle`](Self::settle).
    async fn drain(&mut self, body: &mut RequestBody) -> bool {
        if !can_drain(body) {
            return false;
        }
        let mut drained = 0_u64;
        // One deadline for all of it.
        let deadline = now() + DRAIN_TIME;
        loop {
            let before = self.read.len() as u64;
            if body.take(&mut self.read, |_| {}).is_err() {
                return false;
            }
            drained += before - self.read.len() as u64;
            if body.is_complete() {
                return true;
            }
            if drained > MAX_DRAIN || poll_fn(|context| self.poll_body(deadline, context)).await.is_err() {
                return false;
            }
        }
    }

    /// Closes the connection. After an answer that the client may not have read yet it is closed for writing
    /// first and read for a little while: closing a socket with unread bytes sends a reset, and the reset
    /// destroys the answer on its way (RFC 9112 section 9.6).
    pub(crate) async fn linger(mut self) {
        if self.reset {
            return;
        }
        let lingering = async {
            if poll_fn(|context| Pin::new(&mut self.io).poll_shutdown(context)).await.is_err() {
                return;
            }
            let mut read = self.read.len() as u64;
            while read <= MAX_LINGER {
                self.read.clear();
                make_room(&mut self.read, HEAD_ROOM, HEAD_BUFFER);
                match poll_fn(|context| self.io.poll_fill(&mut self.read, context)).await {
                    Ok(count) if count > 0 => read += count as u64,
                    _ => return,
                }
            }
        };
        // Whichever way it ends, the socket is closed here.
        let _ = tokio::time::timeout(LINGER_TIME, lingering).await;
    }
}

/// Whether an unread body may be worth reading. Whoever waits for `100 Continue` and gets a final answer may
/// or may not send the body: nobody can know what the next bytes are.
fn can_drain(body: &RequestBody) -> bool {
    !body.expects_continue() && body.declared_rest().is_none_or(|rest| rest <= MAX_DRAIN)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
