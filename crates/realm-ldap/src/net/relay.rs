//! What stands between a server and ldap3: every byte of the server's is looked at first.
//!
//! Called by `connection.rs`, which runs it beside ldap3's own task, over a pair of sockets. Must never pass on a piece with a
//! fault in it, hold back one that has none, or keep a password longer than it takes to send it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use zeroize::{Zeroize, Zeroizing};

use super::fault::{Fault, FaultKind};
use super::inspection::{Improper, Inspection};

/// Bytes of a server's that are read at a time: as many as a record of TLS has at the most.
const SERVER_PIECE_BYTES: usize = 16 * 1024;
/// Bytes of a request that are read at a time; as a rule, that is all of it.
const REQUEST_PIECE_BYTES: usize = 2 * 1024;

/// What a connection and its relay know of each other.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Binds and searches that are under way.
    asking: AtomicUsize,
    /// Pieces of the server's so far.
    heard: AtomicUsize,
    fault: OnceLock<Improper>,
}

/// An answer is waited for, as long as this lives.
#[derive(Debug)]
pub(super) struct Asking<'a>(&'a Line);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// Something is about to be asked.
    pub(super) fn ask(&self) -> Asking<'_> {
        // The request goes through a queue to whom the answer comes from, so this is seen before.
        self.asking.fetch_add(1, Ordering::Relaxed);
        Asking(self)
    }

    /// What the server said that ended the connection.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get().map(|improper| {
            let kind = match improper {
                Improper::TooLong | Improper::TooMany => FaultKind::TooLarge,
                Improper::TooDeep | Improper::NoMessage(_) => FaultKind::Improper,
            };
            Fault::new(kind, improper.to_string())
        })
    }

    /// How often the server said something that it may say.
    pub(super) fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }

    fn is_quiet(&self) -> bool {
        self.asking.load(Ordering::Relaxed) == 0
    }
}

/// Passes on what they say until one of them ends, or the server says what it may not. Then both are closed, and ldap3 still
/// reads what was passed on before.
pub(super) async fn relay<S: AsyncRead + AsyncWrite>(server: S, mut reader: UnixStream, line: &Line) {
    let (from_server, to_server) = tokio::io::split(server);
    let (requests, answers) = reader.split();
    tokio::select! {
        () = pass_answers(from_server, answers, line) => {}
        () = pass_requests(requests, to_server) => {}
    }
}

async fn pass_answers(mut server: impl AsyncRead + Unpin, mut reader: impl AsyncWrite + Unpin, line: &Line) {
    let mut inspection = Inspection::new();
    let mut piece = vec![0; SERVER_PIECE_BYTES];
    while let Ok(length @ 1..) = server.read(&mut piece).await {
        // All that a server says unasked is that it hangs up (RFC 4511 section 4.4). Who says more would keep us busy for nothing.
        if line.is_quiet() {
            return;
        }
        if let Err(improper) = inspection.look(&piece[..length]) {
            // Nobody else sets it.
            let _is_first = line.fault.set(improper);
            return;
        }
        line.heard.fetch_add(1, Ordering::Relaxed);
        if reader.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

async fn pass_requests(mut reader: impl AsyncRead + Unpin, mut server: impl AsyncWrite + Unpin) {
    let mut piece = Zeroizing::new(vec![0; REQUEST_PIECE_BYTES]);
    while let Ok(length @ 1..) = reader.read(&mut piece).await {
        let sent = server.write_all(&piece[..length]).await;
        // It may be a password, and the connection may live for long.
        piece[..length].zeroize();
        if sent.is_err() || server.flush().await.is_err() {
            return;
        }
    }
}
