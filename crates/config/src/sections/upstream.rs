//! `upstream`: where a backend is. `mount.rs` and `route.rs` read it; the gateway connects to it. It must never resolve a
//! name or open a connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::own::first_duplicate;
use crate::document::reader::{Reader, Taken};
use crate::limits::MAX_UPSTREAMS;
use crate::value::Fault;

/// How a backend is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// HTTP in clear.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The origin of a backend: scheme, host and port (RFC 6454), no path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Upstream {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// An IP address (IPv6 without brackets) or a name in lower case.
    pub host: String,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl Upstream {
    /// Reads an origin such as `http://127.0.0.1:9000`; one trailing `/` is tolerated.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that begins with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse_upstream(text).map_err(|fault| fault.message)
    }

    /// Host and port as the `Host` header has them: IPv6 in brackets, the scheme's own port left out (RFC 9110 section 7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// The host as an address, where it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// Reads `upstream` of a route: one URL or a list.
pub(crate) fn read(reader: &mut Reader<'_>) -> Taken<Vec<Upstream>> {
    let taken = read_or_none(reader);
    if matches!(&taken, Taken::Given(list) if list.is_empty()) {
        reader.mistake("upstream", "is an empty list: at least one backend is needed");
        return Taken::Wrong;
    }
    taken
}

/// The same of a mount, whose list may be empty: then it is there for proxies that ask.
pub(crate) fn read_or_none(reader: &mut Reader<'_>) -> Taken<Vec<Upstream>> {
    let taken = reader.take_one_or_list("upstream", MAX_UPSTREAMS, parse_upstream);
    if let Taken::Given(list) = &taken
        && let Some(twice) = first_duplicate(list)
    {
        reader.mistake("upstream", format!("\"{}\" stands in it twice", list[twice]));
        return Taken::Wrong;
    }
    taken
}

/// Reads an origin. What has a `@` in it may hold a password, and is not quoted.
///
/// # Errors
/// A [`Fault`] where it is anything else than an origin.
pub(crate) fn parse_upstream(text: &str) -> Result<Upstream, Fault> {
    parse_origin(text).map_err(|fault| Fault { secret: text.contains('@'), ..fault })
}

fn parse_origin(text: &str) -> Result<Upstream, Fault> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
        Some(_) => {
            return Err(Fault::new("is not a backend's URL: only http:// and https:// can be spoken to"));
        }
        None => return Err(without_scheme(text)),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Fault::new("has user information in it: the gateway sends no credentials of its own"));
    }
    let (host, port) = host_and_port(authority, scheme)?;
    let upstream = Upstream { scheme, host, port };
    if !matches!(tail, "" | "/") {
        let message = "has more than an origin: requests are forwarded with their own path and query";
        return Err(Fault::with_better(message, format!("\"{upstream}\"")));
    }
    Ok(upstream)
}

fn without_scheme(text: &str) -> Fault {
    let message = "is not a URL such as \"http://127.0.0.1:9000\"";
    match host_and_port(text, Scheme::Http) {
        Ok(_) => Fault::with_better(message, format!("\"http://{text}\"")),
        Err(_) => Fault::new(message),
    }
}

fn host_and_port(authority: &str, scheme: Scheme) -> Result<(String, u16), Fault> {
    if let Some(inside) = authority.strip_prefix('[') {
        let (host, rest) = inside.split_once(']').ok_or_else(|| Fault::new("has a [ without its ]"))?;
        let host: Ipv6Addr = host.parse().map_err(|_| Fault::new("has no IPv6 address between [ and ]"))?;
        return Ok((host.to_string(), port(rest, scheme)?));
    }
    let end = authority.find(':').unwrap_or(authority.len());
    let (host, rest) = authority.split_at(end);
    let host = host.to_ascii_lowercase();
    if !is_host(&host) {
        return Err(Fault::new("has no valid host: an IP address (IPv6 in brackets) or a name"));
    }
    Ok((host, port(rest, scheme)?))
}

fn port(rest: &str, scheme: Scheme) -> Result<u16, Fault> {
    if rest.is_empty() {
        return Ok(scheme.port());
    }
    let digits = rest.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port @ 1..) => Ok(port),
        _ => Err(Fault::new("has no valid port: 1 to 65535")),
    }
}

/// A name of RFC 1123 section 2.1 (underscores tolerated), or a full IPv4 address. What merely looks like an address
/// (`127.1`, `0x7f.1`) is read differently by different resolvers, so it is refused.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return false;
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x"));
    !numeric || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins() {
        for (text, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
            ("HTTPS://Backend.Example", "https://backend.example"),
            ("http://a-b_c:80", "http://a-b_c"),
            ("https://[::1]:443", "https://[::1]"),
            ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
            ("http://h:65535", "http://h:65535"),
        ] {
            assert_eq!(Upstream::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_origin() {
        for text in [
            "",
            "http://",
            "http:///",
            "ftp://h",
            "unix:/run/s",
            "http://u:p@h",
            "http://h:0",
            "http://h:65536",
            "http://h:",
            "http://h:+80",
            "http://h:8o",
            "http://127.1",
            "http://0x7f.1",
            "http://1.2.3.256",
            "http://-a",
            "http://a..b",
            "http://a b",
            "http://h/api",
            "http://h?x",
            "http://h/#x",
            "http://[::1",
            "http://[::1]x",
            "http://[fe80::1%eth0]:80",
            "http://::1:80",
            "http://hö",
        ] {
            assert!(Upstream::parse(text).is_err(), "{text}");
        }
        assert_eq!(parse_upstream("h:9000").unwrap_err().better.as_deref(), Some("\"http://h:9000\""));
        assert_eq!(parse_upstream("http://h:1/api?x").unwrap_err().better.as_deref(), Some("\"http://h:1\""));
        assert!(Upstream::parse(&format!("http://{}", "a".repeat(63))).is_ok());
        assert!(Upstream::parse(&format!("http://{}", "a".repeat(64))).is_err());
    }

    proptest! {
        #[test]
        fn an_origin_is_read_back(text in "(http|https)://[a-z0-9.:\\[\\]-]{1,30}") {
            if let Ok(upstream) = Upstream::parse(&text) {
                prop_assert_eq!(Upstream::parse(&upstream.to_string()), Ok(upstream));
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Upstream::parse(&text);
        }
    }
}
