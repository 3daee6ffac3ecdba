//! One connection to a backend.
//!
//! Made by the pool's lease, driven by `exchange` and `relay`. Must never be shared by two exchanges at a
//! time.

use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::address::Upstream;
use super::fault::{Unreachable, UpstreamFault};
use crate::h1::Io;

/// A buffer larger than this is given back when the connection becomes idle.
const IDLE_BUFFER: usize = 16 * 1024;

/// A connection and its buffers.
pub(super) struct Connection {
    /// The socket.
    pub(super) io: Io,
    /// What was read and not yet used.
    pub(super) read: BytesMut,
    /// What is to be sent: kept while the request may have to be sent again.
    pub(super) out: Vec<u8>,
}

impl Connection {
    /// A connection on a socket that is ready for a request.
    pub(super) fn new(io: Io) -> Box<Self> {
        Box::new(Self { io, read: BytesMut::new(), out: Vec::new() })
    }

    /// Connects: tries each address that the name has now, one after the other.
    ///
    /// # Errors
    /// [`UpstreamFault::Unreachable`].
    pub(super) async fn open(upstream: &Upstream) -> Result<Box<Self>, UpstreamFault> {
        let opening = Self::open_untimed(upstream);
        match tokio::time::timeout(upstream.timeouts.connect, opening).await {
            Ok(result) => result.map_err(UpstreamFault::Unreachable),
            Err(_) => Err(UpstreamFault::Unreachable(Unreachable::Timeout)),
        }
    }

    async fn open_untimed(upstream: &Upstream) -> Result<Box<Self>, Unreachable> {
        let address = &upstream.address;
        // A literal address is not looked up, and does not leave this thread.
        let found = tokio::net::lookup_host((address.host(), address.port())).await;
        let mut fault = Unreachable::Name;
        for address in found.map_err(|_| Unreachable::Name)? {
            let Ok(stream) = TcpStream::connect(address).await else {
                fault = Unreachable::Refused;
                continue;
            };
            // Requests are written whole; waiting to fill a segment only delays them.
            let _ = stream.set_nodelay(true);
            let Some((connector, name)) = &upstream.tls else { return Ok(Self::new(stream.into())) };
            match connector.connect(name.clone(), stream).await {
                Ok(stream) => return Ok(Self::new(stream.into())),
                Err(_) => fault = Unreachable::Tls,
            }
        }
        Err(fault)
    }

    /// Whether an idle connection can carry a request: nothing was read, and nothing is there to read. The
    /// backend has closed it, or speaks out of turn, when there is.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.read.is_empty() {
            return false;
        }
        self.read.reserve(1024);
        // Not waited for: whoever takes the connection registers its own waker.
        let mut context = Context::from_waker(Waker::noop());
        matches!(self.io.poll_fill(&mut self.read, &mut context), Poll::Pending)
    }

    /// Gives large buffers back before the connection becomes idle.
    pub(super) fn shrink(&mut self) {
        if self.read.capacity() > IDLE_BUFFER {
            self.read = BytesMut::new();
        }
        if self.out.capacity() > IDLE_BUFFER {
            self.out = Vec::new();
        }
    }
}
