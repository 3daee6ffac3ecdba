//! The dialect: which credentials a request shows, what becomes of its session, how the backend is told who it is. Every path
//! below the mount is the backend's.

use auth::permission::{Matrix, Method};
use auth::trust::Authenticated;
use auth::{
    BearerText, Course, Opening, Origin, Presented, PresentedPassword, RealmChoice, RealmName, Reason,
    SessionCap, SessionLimits, SessionToken, Username,
};
use gateway::{Answer, Claim, Clean, Dialect, Refusal, Settled};
use std::time::Duration;

use super::accept::Form;
use super::cookie;
use super::prefer::Preferences;
use super::refusals::{self, Terms};
use crate::basic::{self, Basic, Scheme};
use crate::fusion::CookieSettings;
use crate::{shown, told};

/// The field by which a client asks for another idle time, in minutes.
const SESSION_TTL: &str = "session-ttl";

/// Where the engine was before its third generation; its 401 names another realm there.
const OLD_MOUNT: &str = "/api";

/// Which profile of a login name is which realm.
#[derive(Clone, Debug, Default)]
pub struct Profiles(Vec<(Box<str>, RealmName)>);

impl Profiles {
    /// These profiles and their realms.
    #[must_use]
    pub fn new(profiles: impl IntoIterator<Item = (Box<str>, RealmName)>) -> Self {
        Self(profiles.into_iter().collect())
    }

    /// Splits `user@profile` at the last `@`. Without a profile that is known, it is a user of no realm.
    ///
    /// # Errors
    /// Where nothing is before the `@`.
    pub(super) fn split(&self, login: &str) -> Result<(RealmChoice, Username), &'static str> {
        let (name, profile) = login.rsplit_once('@').unwrap_or((login, ""));
        let realm = self.0.iter().find(|(known, _)| **known == *profile);
        let realm = realm.map_or("", |(_, realm)| realm.as_str());
        let username = Username::presented(name).map_err(|_| "no usable user name")?;
        Ok((RealmChoice::Named(Box::from(realm)), username))
    }
}

/// What a dialect is made of: the mount's settings.
pub struct OvirtParts {
    /// The session cookie.
    pub cookie: CookieSettings,
    /// The limits of its sessions.
    pub limits: SessionLimits,
    /// Live sessions of one user at the most, and what happens to a login beyond that.
    pub cap: Option<SessionCap>,
    /// The query parameter by which a request says that it is no activity.
    pub no_refresh_query: Option<Box<str>>,
    /// The realms of the profiles.
    pub profiles: Profiles,
    /// Whether sessions may ask their clients to repeat the id.
    pub csrf_protection: bool,
    /// Whether a request that lets its session end is performed by it before (`persistent-auth` in 3.1).
    pub ends_after: bool,
    /// The header fields that tell the backend what the user's realm says of him: the attribute's name, the field's name.
    pub attribute_fields: Vec<(Box<str>, Box<str>)>,
}

/// The dialect of one mount.
pub struct Ovirt {
    parts: OvirtParts,
}

impl Ovirt {
    /// The dialect of a mount.
    #[must_use]
    pub fn new(parts: OvirtParts) -> Self {
        Self { parts }
    }

    /// The session table of the contract: what the preferences make of a session that is shown, and whether one begins.
    fn course(&self, preferences: Preferences, request: &Clean<'_>) -> Course {
        match preferences {
            Preferences { persistent: true, new: true, .. } => {
                Course::Renew(Box::new(self.opening(preferences, request)))
            }
            Preferences { persistent: true, .. } => {
                Course::Begin(Box::new(self.opening(preferences, request)))
            }
            _ if self.parts.ends_after => Course::Last,
            _ => Course::End,
        }
    }

    fn opening(&self, preferences: Preferences, request: &Clean<'_>) -> Opening {
        Opening {
            form: cookie::token,
            app: None,
            limits: limits(self.parts.limits, request.values(SESSION_TTL)),
            cap: self.parts.cap,
            origin: origin(request),
            is_guarded: self.parts.csrf_protection && preferences.csrf_protection,
        }
    }

    /// Reads the one `Authorization` field.
    fn read_credentials(&self, request: &Clean<'_>, presented: &mut Presented) -> Result<(), &'static str> {
        let mut authorizations = request.values("authorization");
        let Some(first) = authorizations.next() else { return Ok(()) };
        if authorizations.next().is_some() {
            return Err("two Authorization fields");
        }
        match basic::read(first) {
            Scheme::Basic(shown) => {
                let Basic { username, password } = shown?;
                let (realm, username) = self.parts.profiles.split(username.shown())?;
                presented.password = Some(PresentedPassword { realm, username, password });
            }
            Scheme::Bearer(token) => presented.bearer = Some(BearerText::new(token.to_owned())),
            Scheme::Other => {}
        }
        Ok(())
    }
}

impl Dialect for Ovirt {
    fn name(&self) -> &'static str {
        "ovirt"
    }

    fn claim(&self, _: Method, _: &str) -> Claim {
        Claim::Backend
    }

    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal> {
        let preferences = Preferences::read(request.values("prefer"));
        let shown = session(request)?;
        let mut presented = Presented {
            is_repeated: shown.is_some_and(|shown| repeats(request, shown)),
            session: shown.map(|shown| std::str::from_utf8(shown).ok().and_then(SessionToken::from_text)),
            course: self.course(preferences, request),
            ..Presented::default()
        };
        match self.read_credentials(request, &mut presented) {
            Ok(()) => Ok(presented),
            // A live session decides alone; without one, what cannot be read is a wrong password.
            Err(_) if presented.session.is_some() => Ok(presented),
            Err(what) => Err(Reason::MalformedCredentials(what).into()),
        }
    }

    fn credential_fields(&self) -> &'static [&'static str] {
        &[cookie::NAME]
    }

    fn is_bodiless(&self, method: Method) -> bool {
        // Clients in the field announce a body with GET that never comes (contract/ovirt.md, Parsing).
        matches!(method, Method::Get | Method::Head)
    }

    fn counts_as_activity(&self, request: &Clean<'_>, _: &str) -> bool {
        let flag = self.parts.no_refresh_query.as_deref();
        !flag.is_some_and(|flag| request.query_values(flag).any(|value| value == b"true"))
    }

    fn settle(&self, request: &Clean<'_>, settled: &Settled, field: &mut dyn FnMut(&str, &str)) {
        let (cookie, tls) = (&self.parts.cookie, request.secure());
        match &settled.begun {
            Some(token) => field("Set-Cookie", &cookie::give(cookie, token, tls)),
            None if settled.ended => field("Set-Cookie", &cookie::take(cookie, tls)),
            None => {}
        }
        if settled.in_session && Preferences::read(request.values("prefer")).persistent {
            field("Preference-Applied", "persistent-auth");
        }
        field("Vary", "Prefer");
    }

    fn refuse(&self, refusal: &Refusal, request: Option<&Clean<'_>>) -> Answer {
        let form = request.map_or(Form::Xml, |request| Form::preferred(request.values("accept")));
        let terms = Terms {
            challenge: if *self.parts.cookie.path == *OLD_MOUNT { "ENGINE" } else { "RESTAPI" },
            most_sessions: self.parts.cap.map_or(0, |cap| cap.most),
        };
        refusals::say(refusal, form, terms)
    }

    fn matrix(&self) -> Matrix {
        // The engine is a Java server: parameters say how an answer looks, not which resource it is of.
        Matrix::Stripped
    }

    fn session_cookie(&self) -> &str {
        cookie::NAME
    }

    fn identify(&self, known: &Authenticated, field: &mut dyn FnMut(&str, &str)) {
        told::forwarded(known, &self.parts.attribute_fields, field);
    }

    fn identity_names(&self) -> Vec<&str> {
        told::identity_names(told::FORWARDED_NAMES, &self.parts.attribute_fields)
    }
}

/// The session cookie that a request shows. An empty one is none. Every Java server of a host has one of this name: of several
/// values the one counts that could be ours; where several could, or none, they are refused.
fn session<'r>(request: &'r Clean<'_>) -> Result<Option<&'r [u8]>, Refusal> {
    shown::sole(request.cookies(cookie::NAME)).or_else(|two| {
        let ours = request.cookies(cookie::NAME).filter(|value| cookie::could_be_ours(value));
        Ok(Some(shown::sole(ours)?.ok_or(two)?))
    })
}

/// Whether the request says its session's id again in a field, as no page of another site can.
fn repeats(request: &Clean<'_>, shown: &[u8]) -> bool {
    let mut said = request.values(cookie::NAME);
    said.next().is_some_and(|said| said == shown) && said.next().is_none()
}

/// The limits of a session whose client asks for these idle minutes: a whole number from 1 on, once; anything else is ignored
/// (contract/ovirt.md, Parsing).
fn limits<'v>(limits: SessionLimits, mut asked: impl Iterator<Item = &'v [u8]>) -> SessionLimits {
    let minutes = asked.next().map(<[u8]>::trim_ascii).filter(|_| asked.next().is_none()).and_then(minutes);
    let idle_timeout = minutes.map_or(limits.idle_timeout, |idle| idle.min(limits.max_lifetime));
    SessionLimits { idle_timeout, ..limits }
}

fn minutes(text: &[u8]) -> Option<Duration> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than can be counted is more than any maximum.
    let minutes = std::str::from_utf8(text).ok()?.parse::<u32>().unwrap_or(u32::MAX);
    (minutes > 0).then(|| Duration::from_secs(60 * u64::from(minutes)))
}

/// Where a request comes from.
pub(super) fn origin(request: &Clean<'_>) -> Origin {
    let agent = request.values("user-agent").next().map(String::from_utf8_lossy);
    Origin::new(request.client(), agent.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn contract_session_ttl_is_whole_minutes_within_the_mounts_maximum() {
        let mounts = SessionLimits { idle_timeout: 30 * MINUTE, max_lifetime: 600 * MINUTE };
        let asked = |values: &[&str]| limits(mounts, values.iter().map(|value| value.as_bytes()));
        for (values, minutes) in [
            (&[] as &[&str], 30),
            (&["1"], 1),
            (&[" 5 "], 5),
            (&["005"], 5),
            (&["600"], 600),
            (&["601"], 600),
            (&["99999999999999999999"], 600),
            (&["0"], 30),
            (&["-1"], 30),
            (&["+1"], 30),
            (&["1.5"], 30),
            (&["1m"], 30),
            (&[""], 30),
            (&["5", "5"], 30),
        ] {
            let expected = SessionLimits { idle_timeout: minutes * MINUTE, ..mounts };
            assert_eq!(asked(values), expected, "{values:?}");
        }
    }

    #[test]
    fn contract_the_last_at_splits() {
        let profiles = Profiles::new([
            (Box::from("internal"), RealmName::native()),
            (Box::from("example.com"), RealmName::parse("acmeLDAP").unwrap()),
        ]);
        for (login, realm, name) in [
            ("admin@internal", "native", "admin"),
            ("ada@example.com@internal", "native", "ada@example.com"),
            ("ada@lab@example.com", "acmeLDAP", "ada@lab"),
            ("admin", "", "admin"),
            ("admin@", "", "admin"),
            ("admin@Internal", "", "admin"),
            ("admin@native", "", "admin"),
            ("admin@nowhere", "", "admin"),
        ] {
            let (choice, username) = profiles.split(login).unwrap();
            assert_eq!((choice, username.shown()), (RealmChoice::Named(Box::from(realm)), name), "{login}");
        }
        for login in ["@internal", "@", ""] {
            assert!(profiles.split(login).is_err(), "{login}");
        }
    }
}
