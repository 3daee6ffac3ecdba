//! The wiring of the dialect `plain`: its mounts, and `/.doorward`, where all of them have their sessions. Called by `wire.rs`.
//! Must never let two of its mounts differ in what they say of the sessions that they share.

use std::sync::Arc;

use api::Services;
use auth::Scope;
use config::{Dialect as Spoken, Mount as Section, Settings};
use dialects::{Plain, PlainParts, Reserved, ReservedParts};
use gateway::{Mount, NoRefresh};

use super::{SetupToken, attribute_fields, cap, cookie, limits, own_endpoints, scope};

fn is_plain(mount: &Section) -> bool {
    mount.dialect == Spoken::Plain
}

/// What is wrong with the settings of these mounts: the keys, and why.
pub(super) fn mistakes(settings: &Settings) -> Vec<(String, String)> {
    let mut mounts = settings.mounts.iter().filter(|mount| is_plain(mount));
    let Some(first) = mounts.next() else { return Vec::new() };
    mounts.filter_map(|mount| disagreement(first, mount)).collect()
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

fn parts(mount: &Section) -> PlainParts {
    PlainParts {
        cookie: cookie(mount),
        no_refresh_query: mount.no_refresh_query.as_deref().map(Box::from),
        realms: mount.realms.clone().into(),
        attribute_fields: attribute_fields(mount),
        basic_challenge: mount.basic_challenge,
    }
}

/// The dialect of a mount.
pub(super) fn dialect(mount: &Section) -> Plain {
    Plain::new(parts(mount))
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
                plain: parts(mount),
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
    fn contract_their_sessions_have_one_place() {
        assert_eq!(scope(&settings(PLAIN).mounts[0]).as_str(), "plain");
        let named = settings(&format!("{PLAIN}session_scope = \"lab\"\n"));
        assert_eq!(scope(&named.mounts[0]).as_str(), "lab");
    }
}
