//! Free loopback ports that stay ours while a process is started, stopped and started again on them.
//!
//! Called by `process` and `nginx`. Must never hand the same port to two tests at a time.
#![allow(clippy::expect_used, reason = "a test without a port has failed; the message says why")]

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that nobody else is given while this value lives.
///
/// The reservation is a bound socket with `SO_REUSEPORT` that does not listen: the kernel sends it nothing, gives the
/// port to nobody who asks for "any port", and lets a listener of the same user with `SO_REUSEPORT` (which is how
/// the gateway listens) bind beside it. While nobody listens, a connection to it is refused, as it should be.
#[derive(Debug)]
pub struct Reservation {
    address: SocketAddr,
    _socket: Socket,
}

impl Reservation {
    /// Reserves a free port.
    ///
    /// # Panics
    /// When the system has no loopback port left.
    #[must_use]
    pub fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a TCP socket");
        socket.set_reuse_port(true).expect("SO_REUSEPORT");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("a free loopback port");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address: address.as_socket().expect("an IPv4 address"), _socket: socket }
    }

    /// The reserved address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A free port without a reservation, for a program that binds it without `SO_REUSEPORT`: whoever calls this must
/// be ready to try again with another one.
#[must_use]
pub fn free_port() -> SocketAddr {
    Reservation::take().address()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::TcpStream;

    #[test]
    fn reserved_ports_differ_refuse_connections_and_can_be_listened_on() {
        let taken: Vec<_> = (0..200).map(|_| Reservation::take()).collect();
        let different: HashSet<_> = taken.iter().map(Reservation::address).collect();
        assert_eq!(different.len(), taken.len());
        let address = taken[0].address();
        assert!(TcpStream::connect(address).is_err());

        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_reuse_port(true).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(8).unwrap();
        assert!(TcpStream::connect(address).is_ok());
    }
}
