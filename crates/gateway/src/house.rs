//! Everything the way needs to know that is not in the request: the mounts, their routes and backends, the kernel, the
//! journal. Made by the binary from the settings; replaced whole when they are read again.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use auth::permission::{Matcher, Matrix, Method, Pattern, Permission};
use auth::{Clock, Kernel, Scope, Signatory};
use ipnet::IpNet;
use rustls::ClientConfig;

use crate::dialect::Dialect;
use crate::forward_auth::Asked;
use crate::identity::{self, OwnNames, Trailers, passing_trailers};
use crate::identity_token::{IdentityToken, RouteIdentity};
use crate::journal::Journal;
use crate::refusal::Refusal;
use crate::session_cookies::SessionCookies;
use crate::upstream::{Address, Upstream};

/// How long a backend that could not be reached is passed over while another one is there.
const SHUNNED: Duration = Duration::from_secs(5);

/// Backends are numbered through the life of the process, so that settings that are read again never meet the pooled
/// connections of other ones.
static NEXT_BACKEND: AtomicUsize = AtomicUsize::new(0);

/// What a house is made of.
pub struct HouseParts {
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// Who signs what backends are told.
    pub signatory: Arc<dyn Signatory>,
    /// The mounts, in any order; the longest path that fits counts.
    pub mounts: Vec<Mount>,
    /// Peers whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where trusted proxies ask about the requests that they hold: `/.doorward/auth`.
    pub asked_at: Box<str>,
    /// Whether the administration has a listener of its own.
    pub separate_administration: bool,
    /// Who writes requests down.
    pub journal: Arc<dyn Journal>,
}

/// See [`HouseParts`].
pub struct House {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) signatory: Arc<dyn Signatory>,
    mounts: Vec<Mounted>,
    trusted_proxies: Vec<IpNet>,
    asked_at: Box<str>,
    pub(crate) separate_administration: bool,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) own_names: Arc<OwnNames>,
    /// Every field that no backend has from a client, as it is usually written: for proxies that forward by themselves.
    pub(crate) kept_back: Vec<Box<str>>,
    /// Which trailer fields may pass.
    pub(crate) trailers: Trailers,
    /// Whose session cookies come where.
    pub(crate) session_cookies: SessionCookies,
}

/// A mount in its house, with what follows for it from the others.
pub(crate) struct Mounted {
    mount: Mount,
    /// Every path that some backend could take for one of this mount; `None` for the mount that takes all.
    territory: Option<Pattern>,
    /// The names of the session cookies that clients send here.
    pub(crate) session_cookies: Vec<Box<str>>,
}

impl Deref for Mounted {
    type Target = Mount;

    fn deref(&self) -> &Mount {
        &self.mount
    }
}

impl House {
    /// A house of these parts. There is at least one mount: its dialect answers what belongs to none.
    #[must_use]
    pub fn new(parts: HouseParts) -> Self {
        let mut mounts = parts.mounts;
        assert!(!mounts.is_empty(), "the settings refuse a gateway without a mount");
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        let told = mounts.iter().flat_map(|mount| mount.dialect.identity_names());
        let signed = mounts.iter().flat_map(Mount::identity_tokens).filter_map(IdentityToken::own_name);
        let told: Vec<&str> = told.chain(signed).collect();
        let kept_back = identity::kept_back(told.iter().copied());
        let own_names = Arc::new(OwnNames::new(told));
        let session_cookies = SessionCookies::of(&mounts);
        let mounted = mounts.into_iter().map(|mount| Mounted {
            territory: mount.territory(),
            session_cookies: session_cookies.sent_to(&mount.path),
            mount,
        });
        Self {
            mounts: mounted.collect(),
            session_cookies,
            trailers: passing_trailers(Arc::clone(&own_names), Arc::clone(&parts.kernel)),
            own_names,
            kept_back,
            kernel: parts.kernel,
            signatory: parts.signatory,
            trusted_proxies: parts.trusted_proxies,
            asked_at: parts.asked_at,
            separate_administration: parts.separate_administration,
            journal: parts.journal,
        }
    }

    /// Whether this peer's `X-Forwarded-*` is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        // A listener of both families shows IPv4 peers as IPv6 ones.
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }

    /// What is asked where proxies ask, if `path` is there.
    pub(crate) fn asked<'p>(&self, path: &'p str) -> Option<Asked<'p>> {
        let below = path.strip_prefix(&*self.asked_at)?;
        if below.is_empty() {
            Some(Asked::InFields)
        } else {
            below.starts_with('/').then_some(Asked::InPath(below))
        }
    }

    /// The present time as `Date` wants it (RFC 9110 section 5.6.7).
    pub(crate) fn date(&self) -> String {
        let seconds = i64::try_from(self.kernel.clock().wall().as_millis() / 1_000).unwrap_or(0);
        let stamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&stamp).unwrap_or_default()
    }

    /// The mount of a path, and the path below it. The longest that fits counts.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where none fits; [`Refusal::BadRequest`] where the path is nearly that of a longer mount: a
    /// backend could read `/API/x` or `/api;a/x` as `/api/x`, and it must not get there by another mount's rules.
    pub(crate) fn mount<'p>(&self, path: &'p str) -> Result<(&Mounted, &'p str), Refusal> {
        for mount in &self.mounts {
            if let Some(below) = auth::path::below_mount(path, &mount.path) {
                return Ok((mount, below));
            }
            if mount.territory.as_ref().is_some_and(|territory| territory.covers_loosely(path, "")) {
                return Err(Refusal::BadRequest("the path is nearly that of a mount"));
            }
        }
        Err(Refusal::NotFound)
    }

    /// The dialect for requests that reached no mount: the one of the mount that is not ours and has the shortest path.
    pub(crate) fn fallback(&self) -> &dyn Dialect {
        let mut mounts = self.mounts.iter().rev();
        let last = mounts.clone().find(|mount| mount.backend.is_some()).or_else(|| mounts.next());
        &*last.expect("a house has a mount").dialect
    }
}

/// A path of the gateway, how its clients speak, and what is behind it.
pub struct Mount {
    /// Where it begins: `/api`; without a trailing slash, `/` for all.
    pub path: Box<str>,
    /// Where its sessions count.
    pub scope: Scope,
    /// How its clients speak.
    pub dialect: Arc<dyn Dialect>,
    /// The first that matches wins.
    pub routes: Vec<Route>,
    /// Where requests go that match no route. `None`: the mount has endpoints of our own only. Without an address: only proxies
    /// with backends of their own ask about them.
    pub backend: Option<Arc<Backends>>,
    /// Whether the backend sees the path without the mount.
    pub strip: bool,
    /// Which of its requests are no activity.
    pub no_refresh: NoRefresh,
    /// The signed word about who it is that its backends get, if they get one.
    pub identity_token: Option<IdentityToken>,
}

impl Mount {
    /// The route of a method and a path below the mount, and whether it is open to everybody.
    pub(crate) fn route(&self, method: Method, below: &str) -> (Option<&Route>, bool) {
        route(&self.routes, method, below)
    }

    /// Whether the settings let this request extend the session's idle time; the dialect has a say of its own.
    pub(crate) fn counts(&self, method: Method, below: &str) -> bool {
        !self.no_refresh.exempts(method, below)
    }

    /// The signed word about who it is that a route's backend gets, if it gets one.
    pub(crate) fn identity_token<'r>(&'r self, route: Option<&'r Route>) -> Option<&'r IdentityToken> {
        match route.map(|route| &route.identity) {
            None | Some(RouteIdentity::AsMount) => self.identity_token.as_ref(),
            Some(RouteIdentity::Off) => None,
            Some(RouteIdentity::Token(token)) => Some(token),
        }
    }

    /// All of them.
    fn identity_tokens(&self) -> impl Iterator<Item = &IdentityToken> {
        self.routes.iter().filter_map(|route| self.identity_token(Some(route))).chain(&self.identity_token)
    }

    /// See [`Mounted`].
    fn territory(&self) -> Option<Pattern> {
        Pattern::parse(&format!("{}/**", self.path)).ok().filter(|_| &*self.path != "/")
    }
}

/// The requests of a mount that are no activity: they pass as others do and do not extend the session's idle time. For
/// what clients ask without a person behind it: polls, heartbeats.
#[derive(Debug, Default)]
pub struct NoRefresh(Option<Matcher>);

impl NoRefresh {
    /// The requests whose method and path below the mount are covered by one of `rules`, matched as strictly as a
    /// permission is: a path with two readings is exempt only in both. `#ID` matches nothing, as it is asked before
    /// anybody is known.
    #[must_use]
    pub fn new(rules: &[Permission]) -> Self {
        Self((!rules.is_empty()).then(|| Matcher::compile(rules)))
    }

    fn exempts(&self, method: Method, below: &str) -> bool {
        let covers = |matcher: &Matcher| matcher.find(method, below, "", Matrix::Strict, |_| true).is_some();
        self.0.as_ref().is_some_and(covers)
    }
}

/// The route of a method and a path below the mount, and whether it is open to everybody.
///
/// A public route is open only where no earlier route that is not could be meant: a backend may read `/Private` or
/// `/private;x` as `/private`, and what was put first to keep people out keeps them out in every spelling.
fn route<'r>(routes: &'r [Route], method: Method, below: &str) -> (Option<&'r Route>, bool) {
    let Some(place) = routes.iter().position(|route| route.takes(method, below)) else {
        return (None, false);
    };
    let route = &routes[place];
    let kept_out = |earlier: &Route| !earlier.public && earlier.could_take(method, below);
    (Some(route), route.public && !routes[..place].iter().any(kept_out))
}

/// A part of a mount with terms of its own.
pub struct Route {
    rule: Permission,
    matcher: Matcher,
    /// Whether no login is needed.
    pub(crate) public: bool,
    /// Where it goes, if not to the mount's backend.
    pub(crate) backend: Option<Arc<Backends>>,
    identity: RouteIdentity,
}

impl Route {
    /// A route for the methods and paths of `rule`. It is matched as strictly as a permission is: a path with two
    /// readings takes it only if both are on it.
    #[must_use]
    pub fn new(rule: &Permission, public: bool, backend: Option<Arc<Backends>>) -> Self {
        let (matcher, identity) = (Matcher::compile([rule]), RouteIdentity::AsMount);
        Self { matcher, rule: rule.clone(), public, backend, identity }
    }

    /// The same route, whose backends get this signed word about who it is.
    #[must_use]
    pub fn with_identity(self, identity: RouteIdentity) -> Self {
        Self { identity, ..self }
    }

    /// The rule by which these routes of a mount open this to everybody, if they do: for those who have it explained.
    #[must_use]
    pub fn public_rule<'r>(routes: &'r [Self], method: Method, below: &str) -> Option<&'r Permission> {
        let (route, public) = route(routes, method, below);
        Some(&route.filter(|_| public)?.rule)
    }

    fn takes(&self, method: Method, below: &str) -> bool {
        self.matcher.find(method, below, "", Matrix::Strict, |_| true).is_some()
    }

    fn could_take(&self, method: Method, below: &str) -> bool {
        self.rule.methods().grants(method) && self.rule.pattern().covers_loosely(below, "")
    }
}

/// One or more backends that serve the same, taken in turns.
pub struct Backends {
    members: Vec<Member>,
    turn: AtomicUsize,
}

struct Member {
    upstream: Upstream,
    shunned_until: AtomicU64,
}

impl Backends {
    /// The backends at these addresses (`http://host:port`, `https://…`), which have `answer` to begin an answer.
    /// `tls` verifies the certificates of the `https` ones.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn new<'a>(
        addresses: impl IntoIterator<Item = &'a str>,
        answer: Duration,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, String> {
        let mut members = Vec::new();
        for text in addresses {
            let id = NEXT_BACKEND.fetch_add(1, Ordering::Relaxed);
            let address = Address::parse(text).map_err(|fault| format!("{text}: {fault}"))?;
            let mut upstream = Upstream::new(id, address, tls).map_err(|fault| format!("{text}: {fault}"))?;
            upstream.timeouts.answer = answer;
            upstream.timeouts.stall = answer;
            members.push(Member { upstream, shunned_until: AtomicU64::new(0) });
        }
        Ok(Self { members, turn: AtomicUsize::new(0) })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The backends in the order in which this request tries them: in turns, those that could not be reached lately last.
    pub(crate) fn order(&self, clock: &dyn Clock) -> impl Iterator<Item = (usize, &Upstream)> {
        let count = self.members.len();
        let first = if count == 1 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) % count };
        let now = if count == 1 { 0 } else { clock.now().as_millis() };
        let in_turn = move |shunned: bool| {
            (0..count)
                .map(move |i| (first + i) % count)
                .filter(move |&i| (self.members[i].shunned_until.load(Ordering::Relaxed) > now) == shunned)
        };
        in_turn(false).chain(in_turn(true)).map(|i| (i, &self.members[i].upstream))
    }

    /// The first backend's `host[:port]`: what a request is for that names no host.
    pub(crate) fn authority(&self) -> &str {
        self.members.first().map_or("", |member| member.upstream.address.authority())
    }

    /// Notes that this backend could not be reached.
    pub(crate) fn shun(&self, member: usize, clock: &dyn Clock) {
        if self.members.len() > 1 {
            let until = clock.now().plus(SHUNNED).as_millis();
            self.members[member].shunned_until.store(until, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_activity_is_matched_strictly() {
        let rules: Vec<Permission> = ["GET:/status/**", "*:/users/#ID", "POST:/poll:!/poll/x"]
            .iter()
            .map(|rule| rule.parse().unwrap())
            .collect();
        let rules = NoRefresh::new(&rules);
        for (method, below) in [
            (Method::Get, "/status"),
            (Method::Get, "/status/a/b"),
            (Method::Get, "/status/a;b=c"),
            (Method::Post, "/poll"),
        ] {
            assert!(rules.exempts(method, below), "{method} {below}");
        }
        for (method, below) in [
            (Method::Post, "/status"),
            (Method::Get, "/Status"),
            (Method::Get, "/status;x"),
            (Method::Get, "/statuses"),
            (Method::Post, "/poll/"),
            (Method::Post, "/poll/x"),
            (Method::Get, "/users/"),
            (Method::Get, "/users/#ID"),
            (Method::Get, "/users/ada"),
            (Method::Options, "*"),
            (Method::Get, ""),
        ] {
            assert!(!rules.exempts(method, below), "{method} {below}");
        }
    }

    #[test]
    fn without_rules_everything_is_activity() {
        for rules in [NoRefresh::default(), NoRefresh::new(&[])] {
            assert!(rules.0.is_none());
            assert!(!rules.exempts(Method::Get, "/status"));
        }
    }
}
