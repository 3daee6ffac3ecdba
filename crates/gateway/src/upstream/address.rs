//! Where a backend is and how patiently it is asked.
//!
//! Made once from the settings, shared by all workers. Must never hold a connection: those belong to a
//! worker's pool.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::h1::is_host;

/// The address of a backend, from `http://host[:port]` or `https://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
}

/// Why a text is not the address of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressFault {
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// What follows is no `host[:port]`.
    Host,
    /// Something follows the host: paths belong to routes.
    Path,
}

impl fmt::Display for AddressFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheme => "the address of a backend begins with http:// or https://",
            Self::Host => "the address of a backend is http://host:port",
            Self::Path => "the address of a backend has no path",
        })
    }
}

impl std::error::Error for AddressFault {}

impl Address {
    /// Reads an address. The port is 80 or 443 where none is given; a lone `/` may follow.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub(crate) fn parse(text: &str) -> Result<Self, AddressFault> {
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            _ => return Err(AddressFault::Scheme),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(AddressFault::Path);
        }
        if !is_host(authority.as_bytes()) {
            return Err(AddressFault::Host);
        }
        // `is_host` has checked the shape: a colon after the last bracket is the port's.
        let bracket = authority.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match authority[bracket..].find(':') {
            Some(colon) => (&authority[..bracket + colon], authority[bracket + colon + 1..].parse().ok()),
            None => (authority, Some(if secure { 443 } else { 80 })),
        };
        let port = port.ok_or(AddressFault::Host)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { secure, host, port, authority: authority.to_owned() })
    }

    /// The host, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65,535.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `host[:port]` as written: what a Host field for this backend says.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

/// How long a backend is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection: name, TCP and TLS together.
    pub(crate) connect: Duration,
    /// From the end of the request to the end of the answer's head.
    pub(crate) answer: Duration,
    /// Without the backend taking or giving a byte.
    pub(crate) stall: Duration,
}

impl Default for Timeouts {
    /// 5 s, 60 s, 60 s.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { connect: Duration::from_secs(5), answer: minute, stall: minute }
    }
}

/// One backend.
pub(crate) struct Upstream {
    /// Which backend of the settings it is: small and unique, an index into each worker's pool.
    pub(crate) id: usize,
    /// Where it is.
    pub(crate) address: Address,
    /// How long it is waited for.
    pub(crate) timeouts: Timeouts,
    /// The most connections one worker has to it, busy and idle together.
    pub(crate) max_connections: usize,
    /// The most idle connections one worker keeps to it.
    pub(crate) max_idle: usize,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Upstream {
    /// The most connections of one worker to one backend, unless the settings say otherwise.
    pub(crate) const MAX_CONNECTIONS: usize = 1024;
    /// The most idle connections of one worker to one backend, unless the settings say otherwise.
    pub(crate) const MAX_IDLE: usize = 128;

    /// A backend with the usual limits. `tls` is used for `https` addresses, and always verifies the
    /// certificate against the address's host.
    ///
    /// # Errors
    /// [`AddressFault::Host`] when TLS is asked for and the host is no name that a certificate can be for.
    pub(crate) fn new(id: usize, address: Address, tls: &Arc<ClientConfig>) -> Result<Self, AddressFault> {
        let tls = if address.secure {
            let name = match address.host.parse::<Ipv6Addr>() {
                Ok(address) => ServerName::from(std::net::IpAddr::V6(address)),
                Err(_) => ServerName::try_from(address.host.clone()).map_err(|_| AddressFault::Host)?,
            };
            Some((TlsConnector::from(Arc::clone(tls)), name))
        } else {
            None
        };
        let timeouts = Timeouts::default();
        Ok(Self {
            id,
            address,
            timeouts,
            max_connections: Self::MAX_CONNECTIONS,
            max_idle: Self::MAX_IDLE,
            tls,
        })
    }

    /// A backend that is spoken to in plain HTTP, whatever its address says.
    #[cfg(test)]
    pub(super) fn plain(id: usize, address: Address) -> Self {
        Self {
            id,
            address,
            timeouts: Timeouts::default(),
            max_connections: Self::MAX_CONNECTIONS,
            max_idle: Self::MAX_IDLE,
            tls: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, secure, host, port) in [
            ("http://a", false, "a", 80),
            ("https://a/", true, "a", 443),
            ("HTTP://127.0.0.1:8764", false, "127.0.0.1", 8764),
            ("http://[::1]:9", false, "::1", 9),
            ("https://[2001:db8::1]", true, "2001:db8::1", 443),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.secure, address.host(), address.port()), (secure, host, port), "{text}");
            assert!(text.contains(address.authority()) && !address.authority().contains('/'), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, fault) in [
            ("", AddressFault::Scheme),
            ("a:80", AddressFault::Scheme),
            ("ftp://a", AddressFault::Scheme),
            ("http://", AddressFault::Host),
            ("http://a:0", AddressFault::Host),
            ("http://a:65536", AddressFault::Host),
            ("http://user@a", AddressFault::Host),
            ("http://a/b", AddressFault::Path),
            ("http://a?b", AddressFault::Path),
            ("http://a//", AddressFault::Path),
        ] {
            assert_eq!(Address::parse(text), Err(fault), "{text}");
        }
    }
}
