//! Sockets that listen. Each worker has its own on the same address (`SO_REUSEPORT`), so that the kernel shares
//! connections out and no worker wakes another.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::BACKLOG;

/// An address to listen on.
#[derive(Clone)]
pub struct Endpoint {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, with certificate and key, or none.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether this is the administration's own listener.
    pub administration: bool,
}

/// Opens the listeners of one endpoint, one for each worker, and says where they listen.
///
/// # Errors
/// The system's; also where another process listens there already, which `SO_REUSEPORT` alone would share silently.
pub(super) fn open(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let taken = socket(address, false)?;
    let address = taken.local_addr()?;
    drop(taken);
    let listeners = (0..workers).map(|_| socket(address, true)).collect::<io::Result<Vec<_>>>()?;
    Ok((address, listeners))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    // The probe listens too: two sockets may be bound to one address as long as neither does.
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Why an address cannot be listened on, for the operator.
#[must_use]
pub fn bind_error(address: SocketAddr, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; is another gateway running there?",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_an_address_and_nobody_else_does() {
        let (address, listeners) = open(SocketAddr::from(([127, 0, 0, 1], 0)), 3).unwrap();
        assert_eq!(listeners.len(), 3);
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
        let error = open(address, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(bind_error(address, &error).contains("another gateway"));
    }
}
