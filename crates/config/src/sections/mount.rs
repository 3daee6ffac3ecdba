//! `[[mount]]`: a path, the dialect spoken below it, the backend behind it and its sessions' rules. `settings.rs` reads it;
//! the wiring makes mounts of it. It must never let a session live without an absolute limit.

use std::fmt;
use std::time::Duration;

use auth::RealmName;
use auth::permission::Permission;

use super::attribute_headers;
use super::identity_token::{self, IdentityToken, RouteIdentity, Written};
use super::no_refresh;
use super::ovirt::{self, Ovirt};
use super::own::{self, OwnEndpoint, first_duplicate};
use super::path::parse_mount_path;
use super::realm::parse_name;
use super::route::{self, Route};
use super::upstream::{self, Upstream};
use crate::document::reader::{Reader, Taken, choose};
use crate::document::tree::{Section, Value};
use crate::limits::{
    MAX_REALMS, MAX_ROUTES, MAX_SCOPE_BYTES, MAX_SESSION_TIME, MAX_SESSIONS_PER_USER, MIN_SESSION_TIME,
    UPSTREAM_TIMEOUT,
};
use crate::mistake::Report;
use crate::value::{Fault, duration_text, parse_duration};

pub(crate) const KEYS: &[&str] = &[
    "path",
    "dialect",
    "generation",
    "upstream",
    "idle_timeout",
    "max_lifetime",
    "cookie_secure",
    "cookie_same_site",
    "max_sessions_per_user",
    "at_session_cap",
    "no_refresh",
    "no_refresh_query",
    "upstream_timeout",
    "own",
    "strip",
    "basic_challenge",
    "realms",
    "attribute_headers",
    "identity_token",
    "session_scope",
    "profiles",
    "csrf_protection",
    "end_session",
    "route",
];

/// Which generation of the imitated product a `fusion` mount behaves like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Generation {
    /// 2.x.
    Two,
    /// 3.x.
    Three,
    /// 4.x.
    Four,
    /// 5.x and Managed Fusion; the default.
    Five,
}

/// The dialect spoken below a mount.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dialect {
    /// Lucidworks Fusion's Sessions API.
    Fusion(Generation),
    /// oVirt's authentication sessions.
    Ovirt,
    /// The dialect without history.
    Plain,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fusion(_) => "fusion",
            Self::Ovirt => "ovirt",
            Self::Plain => "plain",
        })
    }
}

impl Dialect {
    const fn path(self) -> &'static str {
        match self {
            Self::Fusion(_) => "/api",
            Self::Ovirt => "/ovirt-engine/api",
            Self::Plain => "/",
        }
    }

    /// The query flag of requests that are no activity: contract/fusion.md, "Timeouts".
    const fn no_refresh_query(self) -> Option<&'static str> {
        match self {
            Self::Fusion(_) => Some("_noSessionRefresh"),
            Self::Ovirt | Self::Plain => None,
        }
    }

    /// Idle and maximum time by default: contract/fusion.md "Timeouts", contract/ovirt.md "Lifetime".
    const fn times(self) -> (Duration, Duration) {
        const MINUTE: u64 = 60;
        let (idle, most) = match self {
            Self::Fusion(Generation::Five) | Self::Plain => (30 * MINUTE, 480 * MINUTE),
            Self::Fusion(_) => (60 * MINUTE, 480 * MINUTE),
            Self::Ovirt => (30 * MINUTE, 600 * MINUTE),
        };
        (Duration::from_secs(idle), Duration::from_secs(most))
    }
}

/// When the session cookie says `Secure`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CookieSecure {
    /// When the client's side is TLS; the default.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the session cookie's `SameSite` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    /// `SameSite=Lax`; the default but for `ovirt`.
    Lax,
    /// `SameSite=Strict`.
    Strict,
    /// `SameSite=None`.
    None,
    /// The attribute is left out; the default for `ovirt`, whose cookie has none.
    Off,
}

/// What becomes of a login of a user who has as many sessions as he may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtSessionCap {
    /// The session that idled longest makes room; the default but for `ovirt`.
    EndOldest,
    /// The session that idled longest of those that the same client began makes room; where there is none, the login is
    /// refused. The default for `ovirt` (contract/ovirt.md, Lifetime).
    EndOldestOfClient,
    /// The login is refused.
    Refuse,
}

/// A path of the gateway with a backend behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Its full name in mistakes, such as `mount[0]`.
    pub key: String,
    /// Where it is, in normal form: `/`, or without a slash at the end. The longest mount that fits a request wins.
    pub path: String,
    /// What is spoken below it; `fusion` of generation 5 by default.
    pub dialect: Dialect,
    /// The backends, at least one.
    pub upstream: Vec<Upstream>,
    /// How long a session lives without a request, 1 s to `max_lifetime`.
    pub idle_timeout: Duration,
    /// How long a session lives at the most, 1 s to 30 days.
    pub max_lifetime: Duration,
    /// When the cookie says `Secure`.
    pub cookie_secure: CookieSecure,
    /// What the cookie's `SameSite` says.
    pub cookie_same_site: SameSite,
    /// Sessions of one user at a time, up to 1,000,000; 0 = no cap, the default.
    pub max_sessions_per_user: u32,
    /// What happens at that cap; nothing where there is none.
    pub at_session_cap: AtSessionCap,
    /// Requests that do not count as activity: they pass, and the idle clock runs on. Up to 64, none by default.
    pub no_refresh: Vec<Permission>,
    /// The name of the query parameter whose value `true` has the same effect: `_noSessionRefresh` for `fusion`
    /// (contract/fusion.md), none for others. 1 to 64 letters, digits, `_`, `.` and `-`.
    pub no_refresh_query: Option<String>,
    /// How long a backend may take to begin its answer, 1 ms to 24 h; 60 s by default.
    pub upstream_timeout: Duration,
    /// What the gateway answers itself below the mount; everything it can by default.
    pub own: Vec<OwnEndpoint>,
    /// Whether the backend sees the path without the mount; false by default.
    pub strip: bool,
    /// Whether a 401 asks for Basic, so that browsers show their dialog; false by default.
    pub basic_challenge: bool,
    /// The realms that are asked in their order where a client names none, at least one; `native` by default.
    pub realms: Vec<RealmName>,
    /// The header fields that tell the backend what a user's realm says of him: the attribute's name and the field's. None by
    /// default.
    pub attribute_headers: Vec<(String, String)>,
    /// The signed token that tells the backend who asks; none by default.
    pub identity_token: Option<IdentityToken>,
    /// The name of the mounts that this one shares its sessions with; its sessions are its own where there is none, which is
    /// the default. 1 to 64 letters, digits, `_`, `.` and `-`.
    pub session_scope: Option<String>,
    /// What only the dialect `ovirt` has; its defaults for others.
    pub ovirt: Ovirt,
    /// Exceptions, in order; the first that matches wins.
    pub routes: Vec<Route>,
}

impl Mount {
    /// The mount that `serve` has without a settings file: `fusion`, generation 5, at `/api`.
    pub(crate) fn standard(upstream: Vec<Upstream>) -> Self {
        let dialect = Dialect::Fusion(Generation::Five);
        let (idle_timeout, max_lifetime) = dialect.times();
        Self {
            key: "mount[0]".to_owned(),
            path: dialect.path().to_owned(),
            dialect,
            upstream,
            idle_timeout,
            max_lifetime,
            cookie_secure: CookieSecure::Auto,
            cookie_same_site: SameSite::Lax,
            max_sessions_per_user: 0,
            at_session_cap: AtSessionCap::EndOldest,
            no_refresh: Vec::new(),
            no_refresh_query: dialect.no_refresh_query().map(str::to_owned),
            upstream_timeout: Duration::from_secs(60),
            own: OwnEndpoint::ALL.to_vec(),
            strip: false,
            basic_challenge: false,
            realms: vec![RealmName::native()],
            attribute_headers: Vec::new(),
            identity_token: None,
            session_scope: None,
            ovirt: Ovirt::default(),
            routes: Vec::new(),
        }
    }
}

/// Reads a mount. Its path is empty where it could not be read; the mistake is reported then. `upstream` is what the command
/// line says in place of the file.
pub(crate) fn read(section: &Section, report: &mut Report, upstream: Option<&Upstream>) -> Mount {
    let mut reader = section.read(KEYS, report);
    let dialect = dialect(&mut reader);
    let path = match reader.take_parsed("path", parse_mount_path) {
        Taken::Given(path) => path,
        Taken::Absent => dialect.path().to_owned(),
        Taken::Wrong => String::new(),
    };
    let (idle_timeout, max_lifetime) = times(&mut reader, dialect);
    let (cookie_secure, cookie_same_site) = cookie(&mut reader, dialect);
    let standard = Mount::standard(backends(&mut reader, upstream));
    let (max_sessions_per_user, at_session_cap) = session_cap(&mut reader, dialect);
    let (ovirt, profiles) = ovirt::read(&mut reader, dialect);
    let mut mount = Mount {
        key: section.key.clone(),
        path,
        dialect,
        idle_timeout,
        max_lifetime,
        cookie_secure,
        cookie_same_site,
        max_sessions_per_user,
        at_session_cap,
        no_refresh: no_refresh::read(&mut reader),
        no_refresh_query: no_refresh::read_query(&mut reader, dialect.no_refresh_query()),
        upstream_timeout: reader
            .take_duration("upstream_timeout", UPSTREAM_TIMEOUT, "")
            .or(standard.upstream_timeout),
        own: own::read(&mut reader),
        strip: reader.take_boolean("strip").or(standard.strip),
        basic_challenge: reader.take_boolean("basic_challenge").or(standard.basic_challenge),
        realms: realms(&mut reader),
        session_scope: session_scope(&mut reader),
        ovirt,
        ..standard
    };
    let routes = reader.take_sections("route", MAX_ROUTES);
    let attribute_headers = reader.take_section("attribute_headers");
    let identity = identity_token::take(&mut reader);
    reader.finish();
    if let Written::Table(table) = identity {
        mount.identity_token = identity_token::read(&table, report);
    }
    mount.attribute_headers = attribute_headers::read(attribute_headers, report);
    if let Some(profiles) = profiles {
        mount.ovirt.profiles = ovirt::read_profiles(&profiles, report);
    }
    mount.routes = read_routes(&routes, report);
    check_fields(&mount, report);
    mount
}

impl Mount {
    /// The tokens that its backends get, each with the section that says so: the mount's and those of its routes.
    pub(crate) fn identity_tokens(&self) -> impl Iterator<Item = (&str, &IdentityToken)> {
        let of_routes = self.routes.iter().filter_map(|route| match &route.identity_token {
            RouteIdentity::Token(token) => Some((route.key.as_str(), token)),
            RouteIdentity::AsMount | RouteIdentity::Off => None,
        });
        self.identity_token.iter().map(|token| (self.key.as_str(), token)).chain(of_routes)
    }
}

/// One field cannot say two things.
fn check_fields(mount: &Mount, report: &mut Report) {
    for (key, token) in mount.identity_tokens() {
        let same = |(_, field): &&(String, String)| field.eq_ignore_ascii_case(&token.header);
        if let Some((attribute, _)) = mount.attribute_headers.iter().find(same) {
            let message = format!("{:?} tells {attribute:?} already", token.header);
            report.add(&format!("{key}.identity_token.header"), message);
        }
    }
}

/// A name with no slash in it is no mount's path: mounts that do not say that they share do not.
fn session_scope(reader: &mut Reader<'_>) -> Option<String> {
    let taken = reader.take_parsed("session_scope", |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > MAX_SCOPE_BYTES || !text.chars().all(is_plain) {
            let message =
                format!("is no name for it: letters, digits, _, . and -, at most {MAX_SCOPE_BYTES}");
            return Err(Fault::new(message));
        }
        Ok(text.to_owned())
    });
    taken.given()
}

/// The realms that are asked where none is named.
fn realms(reader: &mut Reader<'_>) -> Vec<RealmName> {
    let taken = reader.take_list("realms", MAX_REALMS, |text| parse_name(text, RealmName::parse));
    let (is_wrong, realms) = (taken.is_wrong(), taken.given());
    let realms = realms.unwrap_or_else(|| vec![RealmName::native()]);
    if let Some(twice) = first_duplicate(&realms) {
        reader.mistake("realms", format!("\"{}\" stands in it twice", realms[twice]));
    }
    if realms.is_empty() && !is_wrong {
        reader.mistake("realms", "is empty: then nobody could log in without naming a realm");
    }
    realms
}

fn read_routes(sections: &[Section], report: &mut Report) -> Vec<Route> {
    let routes: Vec<Route> = sections.iter().filter_map(|section| route::read(section, report)).collect();
    for (index, route) in routes.iter().enumerate() {
        if let Some(first) = routes[..index].iter().find(|earlier| earlier.hides(route)) {
            report.add(&route.key, format!("is never reached: {} matches first", first.key));
        }
    }
    routes
}

fn backends(reader: &mut Reader<'_>, instead: Option<&Upstream>) -> Vec<Upstream> {
    let taken = upstream::read_or_none(reader);
    if let Some(instead) = instead {
        return vec![instead.clone()];
    }
    if taken.is_absent() {
        reader.mistake("upstream", "is missing: the backend's URL, such as \"http://127.0.0.1:9000\"");
    }
    taken.given().unwrap_or_default()
}

fn dialect(reader: &mut Reader<'_>) -> Dialect {
    let words =
        [("fusion", Dialect::Fusion(Generation::Five)), ("ovirt", Dialect::Ovirt), ("plain", Dialect::Plain)];
    let taken = reader.take_choice("dialect", &words);
    let wrong = taken.is_wrong();
    let dialect = taken.or(words[0].1);
    match generation(reader) {
        Taken::Given(generation) if matches!(dialect, Dialect::Fusion(_)) => Dialect::Fusion(generation),
        Taken::Given(_) if !wrong => {
            reader.mistake("generation", format!("means nothing to the dialect {dialect}: leave it out"));
            dialect
        }
        _ => dialect,
    }
}

fn generation(reader: &mut Reader<'_>) -> Taken<Generation> {
    const WORDS: [(&str, Generation); 4] =
        [("2", Generation::Two), ("3", Generation::Three), ("4", Generation::Four), ("5", Generation::Five)];
    if matches!(reader.peek("generation"), Some(Value::Integer(_))) {
        return match reader.take_integer("generation", 2..=5) {
            Taken::Given(number) => choose(&number.to_string(), &WORDS).map_or(Taken::Wrong, Taken::Given),
            Taken::Absent => Taken::Absent,
            Taken::Wrong => Taken::Wrong,
        };
    }
    reader.take_parsed("generation", |text| {
        choose(text, &WORDS).map_err(|fault| {
            let first = text.split('.').next().unwrap_or_default();
            let better = choose(first, &WORDS).is_ok().then(|| format!("\"{first}\""));
            Fault { better, ..fault }
        })
    })
}

/// `idle_timeout` and `max_lifetime`, each within its own limits and in order.
fn times(reader: &mut Reader<'_>, dialect: Dialect) -> (Duration, Duration) {
    let (idle_standard, most_standard) = dialect.times();
    let idle = reader.take_duration("idle_timeout", (MIN_SESSION_TIME, MAX_SESSION_TIME), "");
    let most = lifetime(reader);
    let (idle_timeout, max_lifetime) = (idle.or(idle_standard), most.or(most_standard));
    if idle_timeout <= max_lifetime || idle.is_wrong() || most.is_wrong() {
        return (idle_timeout, max_lifetime);
    }
    let (idle_text, most_text) = (duration_text(idle_timeout), duration_text(max_lifetime));
    match (idle, most) {
        (Taken::Absent, _) => reader.mistake(
            "max_lifetime",
            format!(
                "{most_text} is shorter than the default idle_timeout, {idle_text}: write an idle_timeout too"
            ),
        ),
        (_, Taken::Absent) => reader.mistake(
            "idle_timeout",
            format!(
                "{idle_text} is longer than the default max_lifetime, {most_text}: write a max_lifetime too"
            ),
        ),
        _ => reader.mistake("idle_timeout", format!("{idle_text} is longer than max_lifetime, {most_text}")),
    }
    (idle_timeout, max_lifetime)
}

/// The absolute limit cannot be switched off (NIST SP 800-63B-4 sections 2.1.3 and 5.2).
fn lifetime(reader: &mut Reader<'_>) -> Taken<Duration> {
    const ALWAYS: &str =
        "every session has an absolute limit, which cannot be switched off (NIST SP 800-63B-4)";
    if matches!(reader.peek("max_lifetime"), Some(Value::Integer(Some(0)) | Value::Boolean(false))) {
        let _ = reader.take_any("max_lifetime");
        reader.mistake("max_lifetime", format!("cannot be none: {ALWAYS}"));
        return Taken::Wrong;
    }
    reader.take_parsed("max_lifetime", |text| {
        if matches!(text, "none" | "off" | "never" | "unlimited" | "infinite" | "") {
            return Err(Fault::new(format!("is not possible: {ALWAYS}")));
        }
        let lifetime = parse_duration(text)?;
        if lifetime < MIN_SESSION_TIME {
            return Err(Fault::new(format!("is shorter than {}: {ALWAYS}", duration_text(MIN_SESSION_TIME))));
        }
        if lifetime > MAX_SESSION_TIME {
            return Err(Fault::new(format!("is longer than {}: {ALWAYS}", duration_text(MAX_SESSION_TIME))));
        }
        Ok(lifetime)
    })
}

/// `max_sessions_per_user` and what happens there. A word about a cap that is not there would let somebody believe in one.
fn session_cap(reader: &mut Reader<'_>, dialect: Dialect) -> (u32, AtSessionCap) {
    let cap = reader.take_integer("max_sessions_per_user", 0..=MAX_SESSIONS_PER_USER);
    let at_cap = reader.take_choice(
        "at_session_cap",
        &[
            ("end-oldest", AtSessionCap::EndOldest),
            ("end-oldest-of-client", AtSessionCap::EndOldestOfClient),
            ("refuse", AtSessionCap::Refuse),
        ],
    );
    if at_cap.given().is_some() && !cap.is_wrong() && cap.or(0) == 0 {
        let message = "has no effect: max_sessions_per_user is 0, which is no cap";
        reader.mistake("at_session_cap", message);
    }
    let standard =
        if dialect == Dialect::Ovirt { AtSessionCap::EndOldestOfClient } else { AtSessionCap::EndOldest };
    (u32::try_from(cap.or(0)).unwrap_or(u32::MAX), at_cap.or(standard))
}

fn cookie(reader: &mut Reader<'_>, dialect: Dialect) -> (CookieSecure, SameSite) {
    let secure = reader.take_choice(
        "cookie_secure",
        &[("auto", CookieSecure::Auto), ("always", CookieSecure::Always), ("never", CookieSecure::Never)],
    );
    let same_site = reader.take_choice(
        "cookie_same_site",
        &[
            ("lax", SameSite::Lax),
            ("strict", SameSite::Strict),
            ("none", SameSite::None),
            ("off", SameSite::Off),
        ],
    );
    if secure == Taken::Given(CookieSecure::Never) && same_site == Taken::Given(SameSite::None) {
        let message =
            "\"none\" needs a Secure cookie, and cookie_secure is \"never\": browsers drop such a cookie";
        reader.mistake("cookie_same_site", message);
    }
    let standard = if dialect == Dialect::Ovirt { SameSite::Off } else { SameSite::Lax };
    (secure.or(CookieSecure::Auto), same_site.or(standard))
}
