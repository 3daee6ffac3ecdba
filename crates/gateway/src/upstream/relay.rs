//! A backend's answer, sent on to the client.
//!
//! Called by the way with the head it has made of the backend's. Streams the body down and whatever is left
//! of the request's body up, in constant memory. Must never give a connection back to the pool before both
//! are complete, and never let a client take half an answer for a whole one.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::address::Timeouts;
use super::download::Download;
use super::exchange::{Answered, poll_watch};
use super::pool::Lease;
use super::upload::{Stopped, Upload};
use crate::h1::timer::{Patience, Wait, now};
use crate::h1::{BodyFault, Client, Framing, RequestBody};

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client has the whole answer. `reuse`: its connection can carry another request.
    Complete {
        /// Whether to call [`Client::next`] again.
        reuse: bool,
    },
    /// The backend broke off or fell silent within the body; the client sees an answer that is cut off.
    BackendBroke,
    /// The client went away or stopped taking the answer.
    ClientGone,
}

/// What was relayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relayed {
    /// Body bytes towards the client.
    pub(crate) bytes_down: u64,
    /// Body bytes from the client.
    pub(crate) bytes_up: u64,
    /// How it ended.
    pub(crate) outcome: Outcome,
}

/// Sends an answer to the client. `head` is the status line and the fields, each line with its CR LF, without
/// framing fields, Connection and the last empty line: those are added here. Take it from
/// [`Client::scratch`].
pub(crate) async fn relay(
    client: &mut Client,
    answered: Answered<'_>,
    mut body: RequestBody,
    head: Vec<u8>,
) -> Relayed {
    let Answered {
        head: answer,
        mut lease,
        mut upload,
        timeouts,
        max_idle,
        head_request,
        binds_connection,
        trailers,
    } = answered;
    let status = answer.status();
    let bodiless = head_request || matches!(status, 204 | 304);
    let ends_with_close = !bodiless && answer.framing() == Framing::Undeclared;
    let may_follow = bodiless && !matches!(answer.framing(), Framing::Undeclared | Framing::Length(0));
    let mut download = Download::begin(client, status, answer.framing(), bodiless, head, trailers);
    let mut run = Run {
        client,
        body: &mut body,
        lease: &mut lease,
        upload: &mut upload,
        download: &mut download,
        timeouts: &timeouts,
        upload_patience: Patience::default(),
        download_patience: Patience::default(),
        downloaded: false,
        backend_keeps: answer.keep_alive() && !ends_with_close,
    };
    let end = poll_fn(|context| run.poll(context)).await;
    let outcome = match end {
        End::ClientGone => Outcome::ClientGone,
        End::Done if download.is_broken() => Outcome::BackendBroke,
        End::Done => Outcome::Complete { reuse: upload.is_complete() && !client.is_closing() },
    };
    if outcome != (Outcome::Complete { reuse: true }) {
        client.close();
    }
    if outcome == Outcome::BackendBroke && download.ends_with_close() {
        client.reset();
    }
    let whole = matches!(outcome, Outcome::Complete { .. }) && upload.is_complete();
    // An answer to HEAD, a 204 or a 304 has no body, but a faulty backend may send the one that it declares, and late:
    // the next user on the connection would get it for an answer. Backends that are not faulty declare one to HEAD
    // too, and nothing tells them apart in time: each such answer costs a new connection.
    let keeps = answer.keep_alive() && !ends_with_close && !may_follow && !binds_connection;
    if whole && keeps && lease.connection().read.is_empty() {
        lease.give_back(max_idle);
    }
    let relayed = Relayed { bytes_down: download.bytes(), bytes_up: upload.bytes(), outcome };
    client.keep_scratch(download.into_scratch());
    relayed
}

enum End {
    Done,
    ClientGone,
}

struct Run<'a, 'f> {
    client: &'a mut Client,
    body: &'a mut RequestBody,
    lease: &'a mut Lease,
    upload: &'a mut Upload<'f>,
    download: &'a mut Download<'f>,
    timeouts: &'a Timeouts,
    upload_patience: Patience,
    download_patience: Patience,
    /// Whether the whole answer was sent.
    downloaded: bool,
    /// Whether the backend keeps the connection, so that it may still want the rest of the body.
    backend_keeps: bool,
}

impl Run<'_, '_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if !self.downloaded {
                match self.download.poll(self.client, self.lease.connection(), context) {
                    Poll::Ready(Ok(())) => self.downloaded = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                    Poll::Pending => {}
                }
            }
            if self.downloaded && (self.download.is_broken() || !self.backend_keeps) {
                self.upload.stop();
            }
            match self.upload.poll(self.client, self.body, self.lease.connection(), context) {
                Poll::Ready(Err(Stopped::Client(BodyFault::Gone))) => return Poll::Ready(End::ClientGone),
                // The rest of the body has nowhere to go, or no meaning; the answer may still be whole.
                Poll::Ready(Ok(()) | Err(_)) | Poll::Pending => {}
            }
            if self.downloaded && !self.upload.is_open() {
                return Poll::Ready(End::Done);
            }
            match poll_watch(self.client, self.upload, context) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                Poll::Pending => {}
            }
            match self.poll_patience(context) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Nothing can move: decides how long to wait, and what it means when that is over. Ready without an end:
    /// look again.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<Option<End>> {
        if self.download.take_progress() {
            self.download_patience.renew();
        }
        if self.upload.take_progress() {
            self.upload_patience.renew();
        }
        let down = (!self.downloaded).then(|| match self.download.waiting() {
            Wait::Client => self.download_patience.until(Wait::Client, self.client.limits().write_timeout),
            wait => self.download_patience.until(wait, self.timeouts.stall),
        });
        let up = self.upload.is_open().then(|| match self.upload.waiting() {
            Wait::Body => {
                let silent = self.upload_patience.until(Wait::Body, self.client.limits().body_timeout);
                self.upload.deadline(silent)
            }
            wait => self.upload_patience.until(wait, self.timeouts.stall),
        });
        let Some(deadline) = down.into_iter().chain(up).min() else { return Poll::Ready(Some(End::Done)) };
        if self.client.timer.poll_until(deadline, context).is_pending() {
            return Poll::Pending;
        }
        let now = now();
        if up.is_some_and(|until| until <= now) {
            self.upload.stop();
        }
        if down.is_some_and(|until| until <= now) {
            if self.download.waiting() == Wait::Client {
                return Poll::Ready(Some(End::ClientGone));
            }
            self.download.break_off();
        }
        Poll::Ready(None)
    }
}
