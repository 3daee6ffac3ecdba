//! How a connection to one server comes about: the address, TCP, TLS, and the name that must be in the certificate.
//!
//! Called by `server.rs` and by the rehearsal, step by step. Must never say a word in clear where the settings ask for TLS, and
//! never fall back to it; or hand ldap3 a socket that a server can write to.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::{Fault, FaultKind};
use super::start_tls;
use super::trust::Trust;
use crate::settings::{Server, Transport};

/// What ldap3 is told to be connected to. It has the socket already.
const NOWHERE: &str = "ldapi:///";

/// The longest that one address is tried alone (RFC 8305 section 8).
const LONGEST_HEAD_START: Duration = Duration::from_millis(250);

/// A connection that is secured as the settings ask, and nobody drives yet.
pub(crate) struct Secured {
    /// To the server.
    pub(super) channel: Channel,
    /// The server's certificate (DER), where there is TLS.
    pub(super) certificate: Option<Vec<u8>>,
    /// Whoever speaks LDAP, and what he is told what to ask by.
    pub(super) driven: LdapConnAsync,
    pub(super) ldap: Ldap,
    /// The other end of what he reads and writes.
    pub(super) reader: UnixStream,
}

/// What carries bytes to a server.
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The addresses of a server.
pub(crate) async fn resolve(server: &Server) -> Result<Vec<SocketAddr>, Fault> {
    let found = tokio::net::lookup_host((&*server.host, server.port)).await;
    let addresses: Vec<_> = found.map_err(|error| not_reached(&error.to_string()))?.collect();
    if addresses.is_empty() {
        return Err(not_reached("its name has no address"));
    }
    Ok(addresses)
}

/// TCP to the first of the addresses that takes it, where all of it may take so long. An address that does not answer holds
/// nobody up for longer than its head start, and may still be the one (RFC 8305 section 5).
pub(crate) async fn reach(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Fault> {
    let head_start = head_start(addresses.len(), limit);
    let mut untried = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut fault = not_reached("its name has no address");
    loop {
        let has_begun = untried.next().map(|address| attempts.spawn(TcpStream::connect(address))).is_some();
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => {
                    // Every request is one write, and somebody waits for its answer.
                    stream.set_nodelay(true).map_err(|error| not_reached(&error.to_string()))?;
                    return Ok(stream);
                }
                Some(Ok(Err(error))) => fault = not_reached(&error.to_string()),
                Some(Err(error)) => fault = not_reached(&error.to_string()),
                None => return Err(fault),
            },
            () = tokio::time::sleep(head_start), if has_begun => {}
        }
    }
}

/// How long one of so many addresses is tried before the next is tried as well: half of the time is left when the last one's
/// turn comes.
pub(super) fn head_start(addresses: usize, limit: Duration) -> Duration {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    LONGEST_HEAD_START.min(limit / 2 / addresses)
}

/// TLS over it, as the settings ask.
pub(crate) async fn secure(
    mut stream: TcpStream,
    server: &Server,
    transport: Transport,
    trust: &Trust,
) -> Result<Secured, Fault> {
    if transport == Transport::Plain {
        return over(Channel::Plain(stream), None).await;
    }
    let config = trust.config().await.map_err(|why| not_reached(&why))?;
    let name =
        ServerName::try_from(&*server.host).map_err(|error| not_reached(&error.to_string()))?.to_owned();
    if transport == Transport::StartTls {
        start_tls::ask(&mut stream).await.map_err(|why| not_reached(&why))?;
    }
    // A handshake's state is large, and most connections live long.
    let stream = Box::pin(TlsConnector::from(config).connect(name, stream)).await;
    let stream = stream.map_err(|error| not_reached(&error.to_string()))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.map(|certificate| certificate.to_vec());
    over(Channel::Tls(Box::new(stream)), certificate).await
}

/// LDAP over that, but for the relay between them.
async fn over(channel: Channel, certificate: Option<Vec<u8>>) -> Result<Secured, Fault> {
    let (reader, speaker) = pair().map_err(|error| not_reached(&error.to_string()))?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(speaker));
    let connecting = Box::pin(LdapConnAsync::with_settings(settings, NOWHERE));
    let (driven, ldap) = connecting.await.map_err(|error| Fault::of_connecting(&error))?;
    Ok(Secured { channel, certificate, driven, ldap, reader })
}

fn pair() -> std::io::Result<(UnixStream, StdUnixStream)> {
    let (ours, speaker) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, speaker))
}

fn not_reached(why: &str) -> Fault {
    Fault::new(FaultKind::NotReached, why)
}
