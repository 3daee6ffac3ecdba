//! The wiring of what stands beside the mounts, at the root: where tokens are given, told of and taken back, and where everybody
//! finds the keys that they are signed with; and of the signed identity that backends get. Called by `wire.rs`.

use std::sync::Arc;

use api::Services;
use auth::Scope;
use auth::path::below_mount;
use config::{Dialect as Spoken, Settings};
use dialects::{KeySet, Tokens, TokensParts};
use gateway::{Dialect, IdentityToken, Mount, NoRefresh, RouteIdentity};
use signer::limits::KEY_SET_KEPT;

use super::{SetupToken, fusion_parts, scope};

/// The signed word about who it is that backends get.
pub(super) fn identity(token: &config::IdentityToken) -> IdentityToken {
    IdentityToken::new(&token.header, token.audience.clone())
}

/// What a route says of it.
pub(super) fn route_identity(route: &config::RouteIdentity) -> RouteIdentity {
    match route {
        config::RouteIdentity::AsMount => RouteIdentity::AsMount,
        config::RouteIdentity::Off => RouteIdentity::Off,
        config::RouteIdentity::Token(token) => RouteIdentity::Token(identity(token)),
    }
}

/// The mounts at the root.
///
/// # Errors
/// As `fusion_parts`.
pub(super) fn mounts(
    settings: &Settings,
    services: &Services,
    setup_token: Option<&SetupToken>,
) -> Result<Vec<Mount>, (String, String)> {
    let mut mounts = Vec::new();
    for path in paths(&settings.mounts) {
        let (dialect, scope): (Arc<dyn Dialect>, Scope) = match first_fusion(&settings.mounts) {
            Some(mount) if path == Tokens::PATH => {
                let fusion = fusion_parts(mount, &settings.mounts, services, setup_token)?;
                let parts = TokensParts { fusion, algorithm: settings.signing_algorithm };
                (Arc::new(Tokens::new(parts)), scope(mount))
            }
            _ => (Arc::new(KeySet::new(services.clone(), KEY_SET_KEPT)), Scope::new(KeySet::PATH)),
        };
        mounts.push(Mount {
            path: Box::from(path),
            scope,
            dialect,
            routes: Vec::new(),
            backend: None,
            strip: false,
            no_refresh: NoRefresh::default(),
            identity_token: None,
        });
    }
    Ok(mounts)
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

    fn paths_of(mounts: &[(&str, &str)]) -> Vec<&'static str> {
        let text = |(path, more): &(&str, &str)| {
            format!("[[mount]]\npath = {path:?}\nupstream = \"http://127.0.0.1:1\"\n{more}\n")
        };
        let text: String = mounts.iter().map(text).collect();
        paths(&Settings::parse("test.toml", &text, &config::System).unwrap().mounts)
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
