//! The wiring of the dialect `ovirt`: its mounts, and the endpoints beside them where clients get tokens. Called by `wire.rs`.

use std::sync::Arc;

use api::Services;
use auth::path::below_mount;
use config::{Dialect as Spoken, EndSession};
use dialects::{Ovirt, OvirtParts, Profiles, Sso, SsoParts};
use gateway::{Dialect, Mount, NoRefresh};

use super::{attribute_fields, cap, cookie, limits, scope};

/// Where clients look for tokens, whatever they were told of the API's path.
const USUAL_PARENT: &str = "/ovirt-engine";

/// The dialect of a mount.
pub(super) fn dialect(mount: &config::Mount) -> Ovirt {
    Ovirt::new(OvirtParts {
        cookie: cookie(mount),
        limits: limits(mount),
        cap: cap(mount),
        no_refresh_query: mount.no_refresh_query.as_deref().map(Box::from),
        profiles: profiles(mount),
        csrf_protection: mount.ovirt.csrf_protection,
        ends_after: mount.ovirt.end_session == EndSession::AfterResponse,
        attribute_fields: attribute_fields(mount),
    })
}

fn profiles(mount: &config::Mount) -> Profiles {
    let profiles = mount.ovirt.profiles.iter();
    Profiles::new(profiles.map(|(profile, realm)| (Box::from(profile.as_str()), realm.clone())))
}

/// The endpoints where tokens of these mounts are given and taken back, as mounts of their own without a backend.
pub(super) fn sso_mounts(all: &[config::Mount], services: &Services) -> Vec<Mount> {
    let made = sso_paths(all).into_iter().map(|(path, mount)| {
        let parts = Arc::new(SsoParts {
            services: services.clone(),
            scope: scope(mount),
            limits: limits(mount),
            cap: cap(mount),
            profiles: profiles(mount),
        });
        let gives = path.ends_with(Sso::TOKEN);
        let dialect: Arc<dyn Dialect> =
            Arc::new(if gives { Sso::giving(&parts) } else { Sso::taking(&parts) });
        Mount {
            path: path.into_boxed_str(),
            scope: scope(mount),
            dialect,
            routes: Vec::new(),
            identity_token: None,
            backend: None,
            strip: false,
            no_refresh: NoRefresh::default(),
        }
    });
    made.collect()
}

/// The paths of those endpoints, each with the mount that it is for. Where the settings mount something there themselves, that
/// counts; where two mounts would have the same ones, they are those of the one that lies beside them, and else the first's.
pub(super) fn sso_paths(all: &[config::Mount]) -> Vec<(String, &config::Mount)> {
    let mut paths: Vec<(String, &config::Mount)> = Vec::new();
    let ours = || all.iter().filter(|mount| mount.dialect == Spoken::Ovirt);
    let beside = ours().filter_map(|mount| Some((own_parent(&mount.path)?, mount)));
    let elsewhere = ours().filter(|mount| own_parent(&mount.path).is_none());
    for (parent, mount) in beside.chain(elsewhere.map(|mount| (USUAL_PARENT, mount))) {
        for end in [Sso::TOKEN].into_iter().chain(Sso::REVOKE) {
            let path = format!("{parent}{end}");
            let taken = |other: &config::Mount| {
                other.path.len() > parent.len()
                    && other.path != "/"
                    && below_mount(&path, &other.path).is_some()
            };
            if !all.iter().any(taken) && !paths.iter().any(|(other, _)| *other == path) {
                paths.push((path, mount));
            }
        }
    }
    paths
}

/// Where the endpoints of a mount are: beside it. `None` for one at the root, such as the engine's oldest one, `/api`: they are
/// where they were then.
fn own_parent(mount: &str) -> Option<&str> {
    mount.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

#[cfg(test)]
mod tests {
    use config::Settings;

    use super::*;

    fn paths(mounts: &[(&str, &str)]) -> Vec<(String, String)> {
        let text: String = mounts
            .iter()
            .map(|(path, dialect)| {
                format!(
                    "[[mount]]\npath = {path:?}\ndialect = {dialect:?}\nupstream = \"http://127.0.0.1:1\"\n"
                )
            })
            .collect();
        let settings = Settings::parse("test.toml", &text, &config::System).unwrap();
        sso_paths(&settings.mounts).into_iter().map(|(path, mount)| (path, mount.path.clone())).collect()
    }

    #[test]
    fn contract_the_token_endpoints_are_beside_the_mount() {
        let expected = |parent: &str, mount: &str| {
            ["/sso/oauth/token", "/sso/oauth/revoke", "/services/sso-logout"]
                .map(|end| (format!("{parent}{end}"), mount.to_owned()))
        };
        let usual = expected("/ovirt-engine", "/ovirt-engine/api");
        assert_eq!(paths(&[("/ovirt-engine/api", "ovirt")]), usual);
        assert_eq!(
            paths(&[("/", "fusion"), ("/ovirt-engine", "fusion"), ("/ovirt-engine/api", "ovirt")]),
            usual
        );
        assert_eq!(paths(&[("/ovirt-engine/api", "ovirt"), ("/ovirt-engine/api/v3", "ovirt")])[..3], usual);
        // Whoever is told of `/ovirt-engine/api` gets tokens that count there, whichever stands first.
        let mut all = ["/", "/api", "/ovirt-engine/api", "/lab/api"];
        for _ in 0..all.len() {
            all.rotate_left(1);
            for place in 1..all.len() {
                all.swap(0, place);
                let mut found = paths(&all.map(|path| (path, "ovirt")));
                found.sort();
                let mut both = [&usual[..], &expected("/lab", "/lab/api")].concat();
                both.sort();
                assert_eq!(found, both, "{all:?}");
            }
        }
        assert_eq!(paths(&[("/api", "ovirt"), ("/v3", "ovirt")]), expected("/ovirt-engine", "/api"));
        let two = paths(&[("/lab/one", "ovirt"), ("/api", "ovirt"), ("/lab/two", "ovirt")]);
        assert_eq!(two, [expected("/lab", "/lab/one"), expected("/ovirt-engine", "/api")].concat());
        assert_eq!(paths(&[("/", "ovirt")]), expected("/ovirt-engine", "/"));
        assert_eq!(paths(&[("/lab/api", "ovirt")]), expected("/lab", "/lab/api"));
        assert!(paths(&[("/api", "fusion")]).is_empty());
    }

    #[test]
    fn what_the_settings_mount_there_counts() {
        let with = |other: &str| {
            let paths = paths(&[("/ovirt-engine/api", "ovirt"), (other, "fusion")]);
            paths.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        assert_eq!(with("/ovirt-engine/sso"), ["/ovirt-engine/services/sso-logout"]);
        assert_eq!(
            with("/ovirt-engine/services/sso-logout"),
            ["/ovirt-engine/sso/oauth/token", "/ovirt-engine/sso/oauth/revoke"]
        );
    }
}
