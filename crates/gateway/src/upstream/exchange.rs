//! One request to a backend, up to the head of its answer.
//!
//! Called by the way's forward step; [`relay`](super::relay) does the rest. Everything happens in the client
//! connection's own task: the request goes out in one write, and while the answer is awaited the rest of the
//! body flows and the client is watched. Must never send a request twice unless nobody can tell (RFC 9110
//! section 9.2.2).

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::address::{Timeouts, Upstream};
use super::fault::UpstreamFault;
use super::pool::{Lease, Pool};
use super::upload::{Stopped, Upload};
use crate::h1::chunked::TrailerFilter;
use crate::h1::client::{CONTINUE, READ_AHEAD};
use crate::h1::io::make_room;
use crate::h1::timer::{Patience, Wait};
use crate::h1::{BodyFault, Client, Framing, Known, RequestBody, ResponseHead, take_response};

/// The most interim answers (1xx) before an answer.
pub(crate) const MAX_INFORMATIONAL: u8 = 8;
/// How long the backend may consider whether it wants a body, before the client is asked for it regardless
/// (RFC 9110 section 10.1.1 leaves this to us).
pub(crate) const CONTINUE_TIME: Duration = Duration::from_secs(1);
/// The read buffer while an answer's head is awaited.
const ANSWER_BUFFER: usize = 16 * 1024;
/// The least room to read an answer into.
const ANSWER_ROOM: usize = 4 * 1024;

/// What to send, and how.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a, 'f> {
    /// Request line and fields, each line with its CR LF, without the framing fields and the last empty line.
    pub(crate) head: &'a [u8],
    /// Whether sending the request twice is the same as sending it once (RFC 9110 section 9.2.2).
    pub(crate) idempotent: bool,
    /// Whether the method is HEAD: the answer has no body whatever it declares.
    pub(crate) head_request: bool,
    /// Whether the request carries credentials that bind a connection (NTLM, Negotiate): it is then not used
    /// again.
    pub(crate) binds_connection: bool,
    /// The most body bytes; more is [`BodyFault::TooLarge`].
    pub(crate) body_limit: u64,
    /// Whether the request goes out without its body, which stays with the client.
    pub(crate) bodiless: bool,
    /// Which trailer fields may pass, in both directions.
    pub(crate) trailers: TrailerFilter<'f>,
}

/// An answer whose head has arrived.
pub(crate) struct Answered<'f> {
    pub(super) head: ResponseHead,
    pub(super) lease: Lease,
    pub(super) upload: Upload<'f>,
    pub(super) timeouts: Timeouts,
    pub(super) max_idle: usize,
    pub(super) head_request: bool,
    pub(super) binds_connection: bool,
    pub(super) trailers: TrailerFilter<'f>,
}

impl Answered<'_> {
    /// The head of the answer.
    pub(crate) fn head(&self) -> &ResponseHead {
        &self.head
    }
}

/// Sends a request and waits for the head of its answer. The body streams meanwhile.
///
/// # Errors
/// [`UpstreamFault`]. Nothing was written to the client then, except perhaps `100 Continue`. After
/// [`UpstreamFault::Unreachable`] and [`UpstreamFault::Saturated`] nothing of the body was taken: another
/// backend may be asked.
pub(crate) async fn exchange<'f>(
    client: &mut Client,
    body: &mut RequestBody,
    pool: &Pool,
    upstream: &Upstream,
    forward: Forward<'_, 'f>,
) -> Result<Answered<'f>, UpstreamFault> {
    let result = run(client, body, pool, upstream, forward).await;
    if let Err(UpstreamFault::ClientGone | UpstreamFault::ClientBody(_)) = result {
        client.close();
    }
    result
}

async fn run<'f>(
    client: &mut Client,
    body: &mut RequestBody,
    pool: &Pool,
    upstream: &Upstream,
    forward: Forward<'_, 'f>,
) -> Result<Answered<'f>, UpstreamFault> {
    let mut lease = pool.lease(upstream).await?;
    let out = &mut lease.connection().out;
    let begun = Upload::begin(client, body, forward, out);
    let mut upload = match begun {
        Ok(upload) => upload,
        Err(fault) => {
            // Nothing was sent: a client cannot cost the pool its connections.
            lease.give_back(upstream.max_idle);
            return Err(UpstreamFault::ClientBody(fault));
        }
    };
    loop {
        let mut attempt = Attempt {
            client,
            body,
            lease: &mut lease,
            upload: &mut upload,
            timeouts: &upstream.timeouts,
            patience: Patience::default(),
            interim: CONTINUE.len(),
            informational: 0,
            heard: false,
        };
        let result = poll_fn(|context| attempt.poll(context)).await;
        let heard = attempt.heard;
        match result {
            Ok(head) => return Ok(answered(client, upstream, forward, head, lease, upload)),
            // A pooled connection may have been closed by the backend while the request was on its way. That
            // is no failure of the request: once, and only if it cannot have had an effect that a second one
            // doubles.
            Err(UpstreamFault::Broke)
                if lease.is_pooled() && !heard && forward.idempotent && upload.is_replayable() =>
            {
                let out = std::mem::take(&mut lease.connection().out);
                drop(lease);
                lease = match pool.lease_fresh(upstream).await {
                    Ok(lease) => lease,
                    // To the caller, a backend that cannot be reached has taken nothing, and another may be
                    // asked. What was taken of a body cannot be asked for again.
                    Err(_) if body.framing() != Framing::Undeclared => return Err(UpstreamFault::Broke),
                    Err(fault) => return Err(fault),
                };
                lease.connection().out = out;
                upload.rewind(body);
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// The head has arrived: decides what becomes of a body that has not all been sent.
fn answered<'f>(
    client: &mut Client,
    upstream: &Upstream,
    forward: Forward<'_, 'f>,
    head: ResponseHead,
    lease: Lease,
    mut upload: Upload<'f>,
) -> Answered<'f> {
    if upload.is_held() {
        // The answer came instead of a leave: whether the client will send the body, nobody knows.
        upload.stop();
    }
    if !upload.is_complete() && (!head.keep_alive() || !upload.is_open()) {
        client.close();
    }
    Answered {
        binds_connection: forward.binds_connection || binds_connection(&head),
        head,
        lease,
        upload,
        timeouts: upstream.timeouts,
        max_idle: upstream.max_idle,
        head_request: forward.head_request,
        trailers: forward.trailers,
    }
}

/// Whether the backend authenticates the connection instead of the request: then the next user on it would
/// inherit the identity of this one.
fn binds_connection(head: &ResponseHead) -> bool {
    head.values(Known::WwwAuthenticate).any(|value| {
        let scheme = value.split(|byte| matches!(byte, b' ' | b',')).next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"NTLM") || scheme.eq_ignore_ascii_case(b"Negotiate")
    })
}

/// One try on one connection.
struct Attempt<'a, 'f> {
    client: &'a mut Client,
    body: &'a mut RequestBody,
    lease: &'a mut Lease,
    upload: &'a mut Upload<'f>,
    timeouts: &'a Timeouts,
    patience: Patience,
    /// How much of `100 Continue` was written to the client; its length when there is nothing to write.
    interim: usize,
    informational: u8,
    /// Whether a byte of the answer has arrived.
    heard: bool,
}

/// What the backend said.
#[expect(clippy::large_enum_variant, reason = "lives for one step; a box would be an allocation per request")]
enum Said {
    /// The head of its answer.
    Answer(ResponseHead),
    /// That the body may come.
    Continue,
}

impl Attempt<'_, '_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<ResponseHead, UpstreamFault>> {
        loop {
            let asking = self.poll_ask(context)?.is_pending();
            match self.upload.poll(self.client, self.body, self.lease.connection(), context) {
                Poll::Ready(Err(Stopped::Client(BodyFault::Gone))) => {
                    return Poll::Ready(Err(UpstreamFault::ClientGone));
                }
                Poll::Ready(Err(Stopped::Client(fault))) => {
                    return Poll::Ready(Err(UpstreamFault::ClientBody(fault)));
                }
                // A backend that takes no more may have answered: the reading below tells.
                Poll::Ready(Ok(()) | Err(Stopped::Backend)) | Poll::Pending => {}
            }
            if self.upload.take_progress() {
                self.patience.renew();
            }
            match self.poll_answer(context)? {
                Poll::Ready(Said::Answer(head)) => return Poll::Ready(Ok(head)),
                Poll::Ready(Said::Continue) => {
                    self.ask();
                    continue;
                }
                Poll::Pending => {}
            }
            if self.poll_watch(context)?.is_ready() {
                continue;
            }
            ready!(self.poll_patience(asking, context))?;
        }
    }

    /// Asks the client for its body.
    fn ask(&mut self) {
        self.interim = 0;
        self.go_ahead();
    }

    fn go_ahead(&mut self) {
        self.body.stop_expecting();
        self.upload.release();
    }

    /// Writes what is left of `100 Continue`.
    fn poll_ask(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UpstreamFault>> {
        while self.interim < CONTINUE.len() {
            let sent = ready!(self.client.io.poll_send(&CONTINUE[self.interim..], context));
            self.interim += sent.map_err(|_| UpstreamFault::ClientGone)?;
            if self.interim == CONTINUE.len() {
                // What TLS keeps back goes out with the answer at the latest; it is one record.
                let drained = self.client.io.poll_drain(context);
                if let Poll::Ready(Err(_)) = drained {
                    return Poll::Ready(Err(UpstreamFault::ClientGone));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the backend's answer.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Said, UpstreamFault>> {
        let connection = self.lease.connection();
        loop {
            if !connection.read.is_empty()
                && let Some(head) = take_response(&mut connection.read).map_err(UpstreamFault::Malformed)?
            {
                match head.status() {
                    101 => return Poll::Ready(Err(UpstreamFault::Interim)),
                    100..=199 => {
                        self.informational += 1;
                        if self.informational > MAX_INFORMATIONAL {
                            return Poll::Ready(Err(UpstreamFault::Interim));
                        }
                        if head.status() == 100 && self.upload.is_held() {
                            return Poll::Ready(Ok(Said::Continue));
                        }
                        continue;
                    }
                    _ => return Poll::Ready(Ok(Said::Answer(head))),
                }
            }
            make_room(&mut connection.read, ANSWER_ROOM, ANSWER_BUFFER);
            match ready!(connection.io.poll_fill(&mut connection.read, context)) {
                Ok(1..) => self.heard = true,
                Ok(0) | Err(_) => return Poll::Ready(Err(UpstreamFault::Broke)),
            }
        }
    }

    /// Watches the client while its body is not being read: has it gone, or begun to send? Ready: look again.
    fn poll_watch(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UpstreamFault>> {
        ready!(poll_watch(self.client, self.upload, context))?;
        if self.upload.is_held() {
            // It sends without waiting for leave. It will not need to be asked.
            self.go_ahead();
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing can move: decides how long to wait, and what it means when that is over. Ready: look again.
    fn poll_patience(&mut self, asking: bool, context: &mut Context<'_>) -> Poll<Result<(), UpstreamFault>> {
        let (wait, within) = match (asking, self.upload.is_open(), self.upload.waiting()) {
            (true, _, _) => (Wait::Client, self.client.limits().write_timeout),
            (false, true, Wait::Body) => (Wait::Body, self.client.limits().body_timeout),
            (false, true, Wait::Continue) => (Wait::Continue, CONTINUE_TIME),
            (false, true, _) => (Wait::Backend, self.timeouts.stall),
            (false, false, _) => (Wait::Answer, self.timeouts.answer),
        };
        let silent = self.patience.until(wait, within);
        let deadline = if wait == Wait::Body { self.upload.deadline(silent) } else { silent };
        ready!(self.client.timer.poll_until(deadline, context));
        match wait {
            Wait::Continue => self.ask(),
            Wait::Body => return Poll::Ready(Err(UpstreamFault::ClientBody(BodyFault::Timeout))),
            Wait::Client => return Poll::Ready(Err(UpstreamFault::ClientGone)),
            _ => return Poll::Ready(Err(UpstreamFault::TooSlow)),
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads ahead from a client whose body is not being read, a little, to notice when it goes away. What is
/// read is the beginning of its next request, or of a body that it sends unasked. Ready: something was read.
///
/// # Errors
/// [`UpstreamFault::ClientGone`].
pub(super) fn poll_watch(
    client: &mut Client,
    upload: &Upload<'_>,
    context: &mut Context<'_>,
) -> Poll<Result<(), UpstreamFault>> {
    let upload_reads = upload.is_open() && upload.waiting() == Wait::Body;
    if upload_reads || client.read.len() >= READ_AHEAD {
        return Poll::Pending;
    }
    make_room(&mut client.read, 1, ANSWER_ROOM);
    match ready!(client.io.poll_fill(&mut client.read, context)) {
        Ok(1..) => Poll::Ready(Ok(())),
        Ok(0) | Err(_) => Poll::Ready(Err(UpstreamFault::ClientGone)),
    }
}
