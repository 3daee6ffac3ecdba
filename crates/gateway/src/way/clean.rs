//! Step 2, clean: one normal form of the path, hop-by-hop and identity fields removed, the client's address settled.
//! What is ambiguous is a 400; nothing is guessed. Later steps and dialects see the request only through [`Clean`].

use std::borrow::Cow;
use std::net::IpAddr;

use auth::path::normalise;
use auth::permission::Method;

use super::accept::{Arrived, Peer};
use crate::cookies;
use crate::forward_auth::{self, Stated};
use crate::h1::{self, Known, RequestHead};
use crate::house::House;
use crate::query;
use crate::refusal::Refusal;

/// Hops of `X-Forwarded-For` that are looked at behind trusted proxies.
const MAX_FORWARDED_HOPS: usize = 32;

/// The methods that go on, for `Allow`.
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A request with one reading.
pub struct Clean<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) peer: Peer,
    /// The path where it was not normal as it came.
    normalised: Option<Box<str>>,
    /// What a proxy asks about: then that is the request, and nothing is forwarded.
    stated: Option<Box<Stated>>,
    method: Method,
    client: IpAddr,
    secure: bool,
    host: Option<Box<str>>,
    peer_trusted: bool,
    /// Which fields survive, one bit for each place.
    kept: u128,
    /// Whether it came with fields that only the gateway, or a proxy before it, may set.
    told_of_others: bool,
}

/// Cleans a request.
pub(super) fn clean<'a>(house: &House, arrived: &'a Arrived) -> Result<Clean<'a>, Refusal> {
    let Arrived { head, peer } = arrived;
    let peer = *peer;
    let method = method(head.method())?;
    let path = normalise(path_of(head)).map_err(Refusal::Path)?;
    let peer_trusted = house.trusts(peer.address.ip());
    let stated = match house.asked(&path).filter(|_| peer_trusted) {
        None => None,
        Some(asked) => Some(Box::new(forward_auth::read(head, method, asked)?)),
    };
    let normalised = match path {
        Cow::Borrowed(_) => None,
        Cow::Owned(path) => Some(path.into_boxed_str()),
    };
    let (kept, told_of_others) = kept(house, head)?;
    let (client, secure, host) = if peer_trusted {
        (
            forwarded_client(house, head, peer.address.ip()),
            forwarded_secure(head).unwrap_or(peer.tls),
            forwarded_host(head),
        )
    } else {
        (peer.address.ip(), peer.tls, None)
    };
    let (method, secure, host) = match &stated {
        None => (method, secure, host),
        Some(stated) => (stated.method, stated.secure.unwrap_or(secure), stated.host.clone().or(host)),
    };
    Ok(Clean {
        head,
        peer,
        normalised,
        stated,
        method,
        client: client.to_canonical(),
        secure,
        host,
        peer_trusted,
        kept,
        told_of_others,
    })
}

/// Whether a request that could not be cleaned came to where proxies ask.
pub(super) fn is_asked(house: &House, arrived: &Arrived) -> bool {
    normalise(path_of(&arrived.head)).is_ok_and(|path| house.asked(&path).is_some())
}

pub(crate) fn method(name: &[u8]) -> Result<Method, Refusal> {
    match name {
        // Known to HTTP, never for us: one echoes credentials, the other makes a tunnel (security.md row 75, case 34).
        b"TRACE" | b"CONNECT" => Err(Refusal::MethodNotAllowed { allow: METHODS }),
        name => Method::parse(name).ok_or(Refusal::MethodUnknown),
    }
}

/// The path of a head as it came, without the query: credentials travel in queries.
pub(super) fn path_of(head: &RequestHead) -> &[u8] {
    h1::path_of(head.path_and_query())
}

/// Removes hop-by-hop fields (RFC 9110 section 7.6.1) and the clients' copies of ours.
fn kept(house: &House, head: &RequestHead) -> Result<(u128, bool), Refusal> {
    let named = named(head)?;
    let (mut kept, mut told_of_others) = (0u128, false);
    for (place, field) in head.fields().enumerate() {
        let hop_by_hop = matches!(
            field.known,
            Known::Connection
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::TransferEncoding
                | Known::ContentLength
                | Known::Te
                | Known::Trailer
                | Known::Upgrade
                | Known::Http2Settings
                | Known::ProxyAuthorization
                | Known::ProxyAuthenticate
        ) || named.iter().any(|name| name.eq_ignore_ascii_case(field.name));
        let own = house.own_names.hold(field.known, field.name);
        told_of_others |= own;
        if !hop_by_hop && !own {
            kept |= 1 << place;
        }
    }
    Ok((kept, told_of_others))
}

/// The fields that the client calls hop-by-hop.
fn named(head: &RequestHead) -> Result<smallvec::SmallVec<[&[u8]; 8]>, Refusal> {
    let mut named = smallvec::SmallVec::new();
    for (count, member) in head.values(Known::Connection).flat_map(h1::members).enumerate() {
        if count == h1::MAX_CONNECTION_MEMBERS {
            return Err(Refusal::BadRequest("Connection has too many members"));
        }
        if !protected(member) {
            named.push(member);
        }
    }
    Ok(named)
}

/// Fields that a client may not have removed by naming them in `Connection` (security.md case 8).
fn protected(member: &[u8]) -> bool {
    ["host", "cookie", "authorization", "content-type", "content-length", "transfer-encoding"]
        .iter()
        .any(|name| member.eq_ignore_ascii_case(name.as_bytes()))
}

/// The first address, counted from us, that is not a trusted proxy. What cannot be read ends the search there: it never
/// changes who is let in (security.md case 7).
fn forwarded_client(house: &House, head: &RequestHead, peer: IpAddr) -> IpAddr {
    let mut client = peer;
    let lists: Vec<&[u8]> = head.values(Known::XForwardedFor).collect();
    let hops = lists.iter().rev().flat_map(|list| list.rsplit(|&b| b == b','));
    for hop in hops.take(MAX_FORWARDED_HOPS) {
        let hop = std::str::from_utf8(h1::trim(hop)).ok().and_then(|hop| hop.parse::<IpAddr>().ok());
        let Some(hop) = hop else { break };
        client = hop;
        if !house.trusts(hop) {
            break;
        }
    }
    client
}

fn forwarded_secure(head: &RequestHead) -> Option<bool> {
    match head.sole(Known::XForwardedProto).ok()?? {
        b"https" => Some(true),
        b"http" => Some(false),
        _ => None,
    }
}

fn forwarded_host(head: &RequestHead) -> Option<Box<str>> {
    let host = head.sole(Known::XForwardedHost).ok()??;
    let host = h1::is_host(host).then(|| std::str::from_utf8(host).ok()).flatten()?;
    (!host.is_empty()).then(|| Box::from(host))
}

impl Clean<'_> {
    /// The path, in the one form in which it is judged and forwarded.
    #[must_use]
    pub fn path(&self) -> &str {
        match (&self.stated, &self.normalised) {
            (Some(stated), _) => &stated.path,
            (None, Some(path)) => path,
            // A path that came in normal form is ASCII.
            (None, None) => std::str::from_utf8(path_of(self.head)).unwrap_or("/"),
        }
    }

    /// Whether a proxy that holds the request asks about it: whether it may pass, and who it is.
    pub(crate) fn is_question(&self) -> bool {
        self.stated.is_some()
    }

    /// The query without its `?`, as it came; `None` where there is no `?`.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        let target = match &self.stated {
            Some(stated) => &stated.target,
            None => self.head.path_and_query(),
        };
        memchr::memchr(b'?', target).map(|at| &target[at + 1..])
    }

    /// The values of a query parameter (`application/x-www-form-urlencoded`), decoded, in order.
    pub fn query_values<'q>(&'q self, name: &'q str) -> impl Iterator<Item = Vec<u8>> + 'q {
        query::values(self.query().unwrap_or_default(), name.as_bytes())
    }

    /// The names of the query's parameters, decoded, in order. An empty parameter has none.
    pub fn query_names(&self) -> impl Iterator<Item = Vec<u8>> {
        query::names(self.query().unwrap_or_default())
    }

    /// The query as it came, without what [`query_values`](Self::query_values) would find under one of these names; empty
    /// where nothing is left of it.
    #[must_use]
    pub fn query_without(&self, names: &[&str]) -> String {
        let mut rest = Vec::new();
        query::without(self.query().unwrap_or_default(), names, &mut rest);
        // A target is of ASCII (`h1/request.rs`).
        String::from_utf8(rest).unwrap_or_default()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The client's address: the socket's, or what a trusted proxy reports.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// Whether the client's side is TLS: ours, or a trusted proxy's.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host that the client asked for: the target's own, else `Host`, or what a trusted proxy reports.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref().or_else(|| self.asked_host())
    }

    /// Whether the request comes from this machine, and from nobody behind it: a proxy on this machine that is not a
    /// trusted one would make every client look local, and so would a page in a browser on this machine whose name
    /// somebody lets point here (DNS rebinding; security.md case 32).
    #[must_use]
    pub fn is_local(&self) -> bool {
        let says = |which: fn(&h1::FieldRef<'_>) -> bool| self.head.fields().any(|field| which(&field));
        // Proxies that say nothing of themselves speak HTTP/1.0 by default.
        let through_somebody =
            self.told_of_others || !self.head.version_1_1() || says(|f| f.known == Known::Via);
        let by_a_page = says(|field| matches!(field.known, Known::Origin | Known::SecFetchSite));
        let by_our_name = || self.asked_host().is_some_and(is_name_of_this_machine);
        self.peer.address.ip().to_canonical().is_loopback()
            && self.client.is_loopback()
            && !through_somebody
            && (!by_a_page || by_our_name())
    }

    pub(crate) fn asked_host(&self) -> Option<&str> {
        let host = self.head.authority().or_else(|| self.head.values(Known::Host).next())?;
        std::str::from_utf8(host).ok()
    }

    /// Whether the peer is a trusted proxy, so that its report of the hops before it is passed on.
    pub(crate) fn peer_trusted(&self) -> bool {
        self.peer_trusted
    }

    /// The values of a field, in order; names are compared without regard to case. Removed fields are not seen.
    pub fn values<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q [u8]> {
        self.fields()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value)
    }

    /// The values of the cookies called exactly `name`, in order, of all `Cookie` fields (RFC 6265bis: a client may
    /// send several lines).
    pub fn cookies<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q [u8]> {
        self.fields()
            .filter(|field| field.known == Known::Cookie)
            .flat_map(|field| cookies::pairs(field.value))
            .filter(move |(cookie, _)| *cookie == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The fields that survived.
    pub(crate) fn fields(&self) -> impl Iterator<Item = h1::FieldRef<'_>> {
        self.head
            .fields()
            .enumerate()
            .filter(|(place, _)| self.kept >> place & 1 == 1)
            .map(|(_, field)| field)
    }

    pub(crate) fn only(&self, known: Known) -> Option<&[u8]> {
        self.fields().find(|field| field.known == known).map(|field| field.value)
    }
}

/// Whether a `Host` can mean no machine but this one (RFC 6761 section 6.3).
fn is_name_of_this_machine(host: &str) -> bool {
    if let Ok(address) = host.parse::<std::net::SocketAddr>() {
        return address.ip().is_loopback();
    }
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return address.is_loopback();
    }
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_names_few_fields() {
        // Those that are protected, and those of a second line, count as well.
        for (first, fits) in [(h1::MAX_CONNECTION_MEMBERS - 2, true), (h1::MAX_CONNECTION_MEMBERS - 1, false)]
        {
            let list = vec!["x"; first].join(",");
            let text =
                format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {list}\r\nConnection: host, y\r\n\r\n");
            let head = h1::take_request(&mut bytes::BytesMut::from(text.as_bytes())).unwrap().unwrap();
            match named(&head) {
                Ok(named) => assert!(fits && named.len() == first + 1),
                Err(refusal) => assert!(!fits && refusal.reason_id() == "bad_request"),
            }
        }
    }

    #[test]
    fn asvs_16_the_path_that_is_logged_has_no_query() {
        for (target, path) in [
            ("/a/b?apiKey=CANARY?x", "/a/b"),
            ("/?CANARY", "/"),
            ("http://h/x?apiKey=CANARY", "/x"),
            ("/a", "/a"),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let head = h1::take_request(&mut bytes::BytesMut::from(text.as_bytes())).unwrap().unwrap();
            assert_eq!(path_of(&head), path.as_bytes());
        }
    }

    #[test]
    fn case_32_names_of_this_machine_and_of_others() {
        for own in
            ["localhost", "LocalHost:80", "a.localhost", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:8764"]
        {
            assert!(is_name_of_this_machine(own), "{own}");
        }
        for other in [
            "",
            "localhost.evil",
            "evil.test:80",
            "127.0.0.1.evil.test",
            "notlocalhost",
            "10.0.0.1",
            "[::2]:1",
        ] {
            assert!(!is_name_of_this_machine(other), "{other}");
        }
    }
}
