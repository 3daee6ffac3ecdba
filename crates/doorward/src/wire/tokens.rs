//! The wiring of what stands beside the mounts: where tokens are given, told of and taken back, where everybody finds the keys that
//! they are signed with, and where those are administered; and of the signed identity that backends get. Called by `wire.rs`.

use std::sync::Arc;
use std::time::Duration;

use api::Services;
use auth::path::below_mount;
use auth::{RealmName, Scope, SessionLimits};
use config::{Dialect as Spoken, Settings};
use dialects::{
    CookieSettings, FusionParts, KeySet, OwnEndpoints, SameSite, SecureWhen, Tokens, TokensParts,
};
use gateway::{Dialect, IdentityToken, Mount, NoRefresh, RouteIdentity};
use signer::limits::KEY_SET_KEPT;

use super::{SetupToken, fusion_parts, scope};

/// The signed word about who it is that backends get.
pub(super) fn identity(token: &config::IdentityToken) -> IdentityToken {
    IdentityToken::new(&token.header, token.audience.clone()).for_askers(token.forward_auth)
}

/// What a route says of it.
pub(super) fn route_identity(route: &config::RouteIdentity) -> RouteIdentity {
    match route {
        config::RouteIdentity::AsMount => RouteIdentity::AsMount,
        config::RouteIdentity::Off => RouteIdentity::Off,
        config::RouteIdentity::Token(token) => RouteIdentity::Token(identity(token)),
    }
}

/// The mounts at the root, and the one of the keys.
///
/// # Errors
/// As `fusion_parts`.
pub(super) fn mounts(
    settings: &Settings,
    services: &Services,
    setup_token: Option<&SetupToken>,
) -> Result<Vec<Mount>, (String, String)> {
    let mut mounts = vec![of_keys(settings, services, setup_token)?];
    for path in paths(&settings.mounts) {
        let (dialect, scope): (Arc<dyn Dialect>, Scope) = match first_fusion(&settings.mounts) {
            Some(mount) if path == Tokens::PATH => {
                let fusion = fusion_parts(mount, &settings.mounts, services, setup_token)?;
                let parts = TokensParts { fusion, algorithm: settings.signing_algorithm };
                (Arc::new(Tokens::new(parts)), scope(mount))
            }
            _ => (Arc::new(KeySet::new(services.clone(), KEY_SET_KEPT)), Scope::new(KeySet::PATH)),
        };
        mounts.push(without_backend(path, scope, dialect));
    }
    Ok(mounts)
}

fn without_backend(path: &str, scope: Scope, dialect: Arc<dyn Dialect>) -> Mount {
    Mount {
        path: Box::from(path),
        scope,
        dialect,
        routes: Vec::new(),
        backend: None,
        strip: false,
        no_refresh: NoRefresh::default(),
        identity_token: None,
    }
}

/// Where the keys are administered, whatever the mounts speak and wherever they lie: every server signs with some.
fn of_keys(
    settings: &Settings,
    services: &Services,
    setup_token: Option<&SetupToken>,
) -> Result<Mount, (String, String)> {
    let (fusion, scope) = match first_fusion(&settings.mounts) {
        Some(mount) => (fusion_parts(mount, &settings.mounts, services, setup_token)?, scope(mount)),
        // Clients come here with a password or an API key: none of the sessions that there are is of this scope.
        None => {
            let scope = Scope::new(Tokens::KEYS_PATH);
            (parts_without_sessions(settings, services, &scope), scope)
        }
    };
    let parts = TokensParts { fusion, algorithm: settings.signing_algorithm };
    Ok(without_backend(Tokens::KEYS_PATH, scope, Arc::new(Tokens::of_keys(parts))))
}

fn parts_without_sessions(settings: &Settings, services: &Services, scope: &Scope) -> FusionParts {
    FusionParts {
        services: services.clone(),
        cookie: CookieSettings {
            path: Box::from(Tokens::KEYS_PATH),
            secure: SecureWhen::Always,
            same_site: SameSite::Strict,
        },
        scope: scope.clone(),
        // No token is given here: the keys' own terms alone say how long a retired one stays.
        limits: SessionLimits { idle_timeout: Duration::ZERO, max_lifetime: Duration::ZERO },
        cap: None,
        no_refresh_query: None,
        realms: realms_of_keys(&settings.mounts).into(),
        attribute_fields: Vec::new(),
        own: OwnEndpoints(Vec::new()),
        basic_challenge: true,
        setup_token: None,
        foreknown: Arc::new(|_, _| None),
    }
}

/// Which realms are asked who administers keys, where no `fusion` mount says so: those that are asked who administers users at
/// `/.doorward/`, where somebody does.
fn realms_of_keys(all: &[config::Mount]) -> Vec<RealmName> {
    let plain = all.iter().find(|mount| matches!(mount.dialect, Spoken::Plain));
    plain.or(all.first()).map(|mount| mount.realms.clone()).unwrap_or_default()
}

/// Their paths. Where the settings mount something there themselves, that counts; a mount that takes everything is no such mount.
pub(super) fn paths(all: &[config::Mount]) -> Vec<&'static str> {
    let taken = |path: &str| {
        let covers = |mount: &config::Mount| mount.path != "/" && below_mount(path, &mount.path).is_some();
        all.iter().any(covers)
    };
    let tokens = first_fusion(all).map(|_| Tokens::PATH);
    let is_needed = tokens.is_some() || all.iter().any(is_signed_for);
    let keys = is_needed.then_some(KeySet::PATH);
    tokens.into_iter().chain(keys).filter(|path| !taken(path)).collect()
}

/// The mount whose sessions the tokens are of.
fn first_fusion(all: &[config::Mount]) -> Option<&config::Mount> {
    all.iter().find(|mount| matches!(mount.dialect, Spoken::Fusion(_)))
}

/// Whether a backend of this mount gets something signed.
fn is_signed_for(mount: &config::Mount) -> bool {
    let by_route = |route: &config::Route| matches!(route.identity_token, config::RouteIdentity::Token(_));
    mount.identity_token.is_some() || mount.routes.iter().any(by_route)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts_of(mounts: &[(&str, &str)]) -> Vec<config::Mount> {
        let text = |(path, more): &(&str, &str)| {
            format!("[[mount]]\npath = {path:?}\nupstream = \"http://127.0.0.1:1\"\n{more}\n")
        };
        let realm = "[[realm]]\nname = \"corp\"\ntype = \"native\"\n";
        let text: String = mounts.iter().map(text).chain([realm.to_owned()]).collect();
        Settings::parse("test.toml", &text, &config::System).unwrap().mounts
    }

    fn paths_of(mounts: &[(&str, &str)]) -> Vec<&'static str> {
        paths(&mounts_of(mounts))
    }

    #[test]
    fn keys_are_administered_by_those_who_administer_users() {
        let of = |mounts: &[(&str, &str)]| {
            let realms = realms_of_keys(&mounts_of(mounts));
            realms.iter().map(|realm| realm.as_str().to_owned()).collect::<Vec<_>>().join(" ")
        };
        let (ovirt, plain) = ("dialect = \"ovirt\"", "dialect = \"plain\"\nrealms = [\"corp\", \"native\"]");
        assert_eq!(of(&[("/a", ovirt)]), "native");
        assert_eq!(of(&[("/a", ovirt), ("/b", plain)]), "corp native");
    }

    #[test]
    fn what_the_settings_mount_there_counts() {
        let (tokens, keys) = (Tokens::PATH, KeySet::PATH);
        assert_eq!(paths_of(&[("/api", "")]), [tokens, keys]);
        assert_eq!(paths_of(&[("/", "")]), [tokens, keys]);
        assert_eq!(paths_of(&[("/api", ""), ("/oauth2", "")]), [keys]);
        assert_eq!(paths_of(&[("/api", ""), ("/oauth2/token", "")]), [tokens, keys]);
        assert_eq!(paths_of(&[("/api", ""), ("/.well-known", "")]), [tokens]);
    }

    #[test]
    fn keys_are_published_where_something_is_signed() {
        let plain = |more: &str| paths_of(&[("/x", &format!("dialect = \"ovirt\"\n{more}"))]);
        assert!(plain("").is_empty());
        assert_eq!(plain("identity_token = { audience = \"a\" }"), [KeySet::PATH]);
        let route = "[[mount.route]]\npath = \"/a\"\nidentity_token = { audience = \"a\" }";
        assert_eq!(plain(route), [KeySet::PATH]);
    }
}
