//! The wiring of the dialect `plain`: its mounts, and `/.doorward`, where all of them have their sessions. Called by `wire.rs`.
//! Must never let one of its session cookies come to a backend: they have `Path=/`, so browsers send them everywhere.

use std::sync::Arc;

use api::Services;
use auth::Scope;
use config::{CookieSecure, Dialect as Spoken, Mount as Section, Settings};
use dialects::{CookieSettings, Plain, PlainParts, Reserved, ReservedParts, SecureWhen};
use gateway::{Mount, NoRefresh};

use super::{SetupToken, attribute_fields, cap, cookie, limits, own_endpoints, scope};

fn is_plain(mount: &Section) -> bool {
    mount.dialect == Spoken::Plain
}

/// What is wrong with the settings of these mounts: the keys, and why.
pub(super) fn mistakes(settings: &Settings) -> Vec<(String, String)> {
    let mut mounts = settings.mounts.iter().filter(|mount| is_plain(mount));
    let Some(first) = mounts.next() else { return Vec::new() };
    let mut mistakes: Vec<_> = mounts.filter_map(|mount| disagreement(first, mount)).collect();
    if let Some(other) = settings.mounts.iter().find(|mount| !is_plain(mount)) {
        let message = format!(
            "the dialect `plain` cannot stand beside `{}` ({}) in this version: browsers send its session cookie, which \
             has Path=/, there too, and that backend would see it",
            other.dialect, other.key
        );
        mistakes.push((format!("{}.dialect", first.key), message));
    }
    if first.cookie_secure == CookieSecure::Auto && outside(settings).is_none() {
        let message = "\"auto\" cannot be told for the dialect `plain` where some clients come over TLS and others may not \
                       (a listener of each kind, or trusted_proxies): write \"always\" or \"never\"";
        mistakes.push((format!("{}.cookie_secure", first.key), message.to_owned()));
    }
    mistakes
}

/// What a mount says other than the first about their sessions, which are the same ones.
fn disagreement(first: &Section, mount: &Section) -> Option<(String, String)> {
    let key = [
        ("idle_timeout", first.idle_timeout == mount.idle_timeout),
        ("max_lifetime", first.max_lifetime == mount.max_lifetime),
        ("cookie_secure", first.cookie_secure == mount.cookie_secure),
        ("cookie_same_site", first.cookie_same_site == mount.cookie_same_site),
        ("max_sessions_per_user", first.max_sessions_per_user == mount.max_sessions_per_user),
        ("at_session_cap", first.at_session_cap == mount.at_session_cap),
        ("realms", first.realms == mount.realms),
        ("session_scope", first.session_scope == mount.session_scope),
        ("own", first.own == mount.own),
    ]
    .into_iter()
    .find_map(|(key, agrees)| (!agrees).then_some(key))?;
    let message = format!(
        "is not what {} says: the mounts of the dialect `plain` share their sessions, which begin at {}/session",
        first.key,
        Reserved::PATH
    );
    Some((format!("{}.{key}", mount.key), message))
}

/// Whether the clients' side is TLS, where it is the same for all of them.
fn outside(settings: &Settings) -> Option<bool> {
    if !settings.trusted_proxies.is_empty() {
        return None;
    }
    let mut listeners = settings.listen.iter().map(|listen| listen.tls.is_some());
    let first = listeners.next()?;
    listeners.all(|tls| tls == first).then_some(first)
}

/// The cookie of a mount. Its name is the same for all requests, so that it is known which one to keep from the backend.
fn settled_cookie(mount: &Section, settings: &Settings) -> CookieSettings {
    let cookie = cookie(mount);
    match (cookie.secure, outside(settings)) {
        (SecureWhen::Auto, Some(false)) => CookieSettings { secure: SecureWhen::Never, ..cookie },
        (SecureWhen::Auto, _) => CookieSettings { secure: SecureWhen::Always, ..cookie },
        _ => cookie,
    }
}

fn parts(mount: &Section, settings: &Settings) -> PlainParts {
    PlainParts {
        cookie: settled_cookie(mount, settings),
        no_refresh_query: mount.no_refresh_query.as_deref().map(Box::from),
        realms: mount.realms.clone().into(),
        attribute_fields: attribute_fields(mount),
        basic_challenge: mount.basic_challenge,
    }
}

/// The dialect of a mount.
pub(super) fn dialect(mount: &Section, settings: &Settings) -> Plain {
    Plain::new(parts(mount, settings))
}

/// What belongs to the gateway on every listener, with the sessions of these mounts if there is one.
pub(super) fn reserved(settings: &Settings, services: &Services, setup_token: Option<&SetupToken>) -> Mount {
    let (scope, dialect) = match settings.mounts.iter().find(|mount| is_plain(mount)) {
        None => (Scope::new(Reserved::PATH), Reserved::new()),
        Some(mount) => {
            let parts = ReservedParts {
                services: services.clone(),
                scope: scope(mount),
                limits: limits(mount),
                cap: cap(mount),
                own: own_endpoints(mount),
                setup_token: setup_token.cloned(),
                plain: parts(mount, settings),
            };
            (scope(mount), Reserved::serving(parts))
        }
    };
    Mount {
        path: Box::from(Reserved::PATH),
        scope,
        dialect: Arc::new(dialect),
        routes: Vec::new(),
        backend: None,
        strip: false,
        no_refresh: NoRefresh::default(),
        identity_token: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "[[mount]]\ndialect = \"plain\"\nupstream = \"http://127.0.0.1:1\"\n";
    const SECOND: &str = "[[mount]]\ndialect = \"plain\"\npath = \"/b\"\nupstream = \"http://127.0.0.1:1\"\n";

    fn settings(text: &str) -> Settings {
        Settings::parse("test.toml", text, &config::System).unwrap()
    }

    fn keys(text: &str) -> Vec<String> {
        mistakes(&settings(text)).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn contract_plain_mounts_share_their_sessions_and_so_their_terms() {
        assert_eq!(keys(&format!("{PLAIN}{SECOND}")), [""; 0]);
        for (line, key) in [
            ("idle_timeout = \"5m\"", "idle_timeout"),
            ("max_lifetime = \"9h\"", "max_lifetime"),
            ("cookie_secure = \"never\"", "cookie_secure"),
            ("cookie_same_site = \"strict\"", "cookie_same_site"),
            ("max_sessions_per_user = 3", "max_sessions_per_user"),
            ("realms = [\"other\"]", "realms"),
            ("session_scope = \"lab\"", "session_scope"),
            ("own = [\"session\"]", "own"),
        ] {
            assert_eq!(keys(&format!("{PLAIN}{SECOND}{line}\n")), [format!("mount[1].{key}")], "{line}");
            assert_eq!(keys(&format!("{PLAIN}{line}\n{SECOND}{line}\n")), [""; 0], "{line}");
        }
        // What is each mount's own may differ.
        let own = "basic_challenge = true\nstrip = true\nupstream_timeout = \"1s\"\n";
        assert_eq!(keys(&format!("{PLAIN}{SECOND}{own}")), [""; 0]);
    }

    #[test]
    fn case_31_no_cookie_is_given_out_that_some_backend_would_see() {
        let fusion = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n";
        assert_eq!(keys(&format!("{fusion}{PLAIN}")), ["mount[1].dialect"]);
        assert_eq!(keys(fusion), [""; 0]);
        let proxied = "trusted_proxies = [\"10.0.0.0/8\"]\n";
        assert_eq!(keys(&format!("{proxied}{PLAIN}")), ["mount[0].cookie_secure"]);
        for word in ["always", "never"] {
            assert_eq!(keys(&format!("{proxied}{PLAIN}cookie_secure = \"{word}\"\n")), [""; 0]);
        }
    }

    #[test]
    fn contract_the_cookie_is_secure_where_the_listeners_are() {
        let secure = |text: &str| {
            let settings = settings(text);
            settled_cookie(&settings.mounts[0], &settings).secure
        };
        assert_eq!(secure(PLAIN), SecureWhen::Never);
        assert_eq!(secure(&format!("{PLAIN}cookie_secure = \"always\"\n")), SecureWhen::Always);
        assert_eq!(scope(&settings(PLAIN).mounts[0]).as_str(), "plain");
        let named = settings(&format!("{PLAIN}session_scope = \"lab\"\n"));
        assert_eq!(scope(&named.mounts[0]).as_str(), "lab");
    }
}
