//! Step 1, accept: the request as it came, with the facts of its connection. Does not look at the path.

use std::net::SocketAddr;

use crate::h1::{Client, RequestBody, RequestHead};
use crate::upstream::Pool;

/// The facts of a client's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The other end of the socket.
    pub(crate) address: SocketAddr,
    /// Whether the connection is TLS.
    pub(crate) tls: bool,
    /// Whether it came to the administration's own listener.
    pub(crate) administration: bool,
}

/// A request whose head has arrived.
pub(crate) struct Arrived {
    pub(crate) head: RequestHead,
    pub(crate) peer: Peer,
}

/// The client's end of the request: where its body comes from and the answer goes to.
pub(crate) struct Wire<'c> {
    pub(crate) client: &'c mut Client,
    pub(crate) body: RequestBody,
    pub(crate) pool: &'c Pool,
}

impl Wire<'_> {
    /// Takes no further request from the connection where this one announces a body that nobody reads: perhaps it never comes,
    /// and where the next request would begin nobody can know.
    pub(crate) fn pass_over_body(&mut self) {
        if !self.body.is_complete() {
            self.client.close();
        }
    }
}
