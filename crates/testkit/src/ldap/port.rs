//! A loopback port held for a program that binds with `SO_REUSEADDR` and without `SO_REUSEPORT`, as slapd does.
//!
//! Called by `slapd` and `slow`. Must never listen: while nobody else does, a connection is refused, as it should be.
#![allow(clippy::expect_used, reason = "a test without a port has failed; the message says why")]

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that nobody else is given while this value lives.
///
/// The kernel gives a port to nobody who asks for "any" while a socket is bound to it, and lets a second socket bind it
/// where both have `SO_REUSEADDR` and neither listens yet. `ports::Reservation` does the same by `SO_REUSEPORT`, which
/// both sides would have to set.
#[derive(Debug)]
pub(crate) struct HeldPort {
    address: SocketAddr,
    _socket: Socket,
}

impl HeldPort {
    /// Holds a free port.
    pub(crate) fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a TCP socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free loopback port");
        // Only after binding: among sockets that all have it, the kernel hands one port out twice.
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address: address.as_socket().expect("an IPv4 address"), _socket: socket }
    }

    /// The held address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn held_ports_differ_refuse_connections_and_can_be_listened_on_again_and_again() {
        let held: Vec<_> = (0..200).map(|_| HeldPort::take()).collect();
        let different: HashSet<_> = held.iter().map(HeldPort::address).collect();
        assert_eq!(different.len(), held.len());
        let address = held[0].address();
        for _ in 0..3 {
            assert!(TcpStream::connect(address).is_err());
            let listener = TcpListener::bind(address).unwrap();
            assert!(TcpStream::connect(address).is_ok());
            drop(listener);
        }
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap() != address);
    }
}
