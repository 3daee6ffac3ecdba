//! The wiring: settings become mounts, dialects and backends. The one file that knows every room by name: removing a
//! realm, a store or a dialect is removing its folder and its lines here.

mod ovirt;
mod plain;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use api::Services;
use api::explain::Place;
use auth::path::below_mount;
use auth::permission::{Matrix, Method, Permission};
use auth::{AtCap, Moment, RealmFault, RealmMaker as _, Scope, SessionCap, SessionLimits};
use config::{AtSessionCap, CookieSecure, Dialect as Spoken, Mistakes, Settings, Upstream};
use dialects::{
    CookieSettings, Foreknowledge, Foreknown, Fusion, FusionParts, OwnEndpoints, Plain, Reserved, SameSite,
    SecureWhen,
};
use gateway::{Backends, Dialect, Endpoint, House, HouseParts, Journal, Mount, NoRefresh, Route};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use crate::core::realm_record;
use crate::realms::Judge;
use crate::tls::{self, Certificate};

/// The one-time token that allows the first start from elsewhere.
pub(crate) type SetupToken = Arc<Zeroizing<String>>;

/// A listener with its certificate, if it has one.
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// The listeners of the settings.
pub(crate) fn doors(settings: &Settings) -> Result<Vec<Door>, Mistakes> {
    let mut report = settings.report();
    let mut doors = Vec::new();
    for listen in &settings.listen {
        let certificate = match listen.tls.as_ref().map(Certificate::new) {
            None => None,
            Some(Ok(certificate)) => Some(Arc::new(certificate)),
            Some(Err(message)) => {
                report.add(&format!("{}.certificate", listen.key), message);
                continue;
            }
        };
        let tls = certificate.clone().map(tls::server);
        doors.push(Door {
            endpoint: Endpoint { address: listen.address, tls, administration: false },
            certificate,
        });
    }
    if let Some(address) = settings.admin {
        doors.push(Door {
            endpoint: Endpoint { address, tls: None, administration: true },
            certificate: None,
        });
    }
    report.finish().map(|()| doors)
}

/// Says what of the settings this build cannot do, each at its place.
pub(crate) fn check(settings: &Settings) -> Result<(), Mistakes> {
    let mut report = settings.report();
    for (key, message) in plain::mistakes(settings) {
        report.add(&key, message);
    }
    for realm in settings.realms.iter().filter(|realm| !realm.key().is_empty()) {
        if let Err(RealmFault { field, why }) = Judge.make(&realm_record(realm, Moment::default())) {
            let field = field.as_deref().map_or("type", |field| field.trim_start_matches("config."));
            report.add(&format!("{}.{field}", realm.key()), why);
        }
    }
    report.finish()
}

/// The house of the settings.
pub(crate) fn house(
    settings: &Settings,
    services: &Services,
    journal: Arc<dyn Journal>,
    setup_token: Option<&SetupToken>,
) -> Result<House, Mistakes> {
    check(settings)?;
    let mut report = settings.report();
    let client = tls::client();
    let mut mounts = vec![plain::reserved(settings, services, setup_token)];
    for one in &settings.mounts {
        match mount(one, settings, services, &client, setup_token) {
            Ok(mount) => mounts.push(mount),
            Err((key, message)) => report.add(&format!("{}.{key}", one.key), message),
        }
    }
    mounts.extend(ovirt::sso_mounts(&settings.mounts, services));
    // What is wrong with its mount was said above.
    mounts.extend(tokens::mounts(settings, services, setup_token).unwrap_or_default());
    report.finish()?;
    Ok(House::new(HouseParts {
        kernel: Arc::clone(&services.kernel),
        signatory: Arc::clone(&services.signatory),
        mounts,
        trusted_proxies: settings.trusted_proxies.clone(),
        asked_at: Box::from(Reserved::ASKED_AT),
        separate_administration: settings.admin.is_some(),
        journal,
    }))
}

fn mount(
    mount: &config::Mount,
    settings: &Settings,
    services: &Services,
    client: &Arc<ClientConfig>,
    setup_token: Option<&SetupToken>,
) -> Result<Mount, (String, String)> {
    let dialect: Arc<dyn Dialect> = match mount.dialect {
        Spoken::Ovirt => Arc::new(ovirt::dialect(mount)),
        Spoken::Plain => Arc::new(plain::dialect(mount)),
        Spoken::Fusion(_) => {
            Arc::new(Fusion::new(fusion_parts(mount, &settings.mounts, services, setup_token)?))
        }
    };
    let mut routes = Vec::new();
    for (number, one) in mount.routes.iter().enumerate() {
        routes.push(route(one, mount.upstream_timeout, client).map_err(|m| (format!("route[{number}]"), m))?);
    }
    let backend =
        backends(&mount.upstream, mount.upstream_timeout, client).map_err(|m| ("upstream".to_owned(), m))?;
    Ok(Mount {
        path: Box::from(mount.path.as_str()),
        scope: scope(mount),
        dialect,
        routes,
        backend: Some(Arc::new(backend)),
        strip: mount.strip,
        no_refresh: NoRefresh::new(&mount.no_refresh),
        identity_token: mount.identity_token.as_ref().map(tokens::identity),
    })
}

fn fusion_parts(
    mount: &config::Mount,
    all: &[config::Mount],
    services: &Services,
    setup_token: Option<&SetupToken>,
) -> Result<FusionParts, (String, String)> {
    Ok(FusionParts {
        services: services.clone(),
        cookie: cookie(mount),
        scope: scope(mount),
        limits: limits(mount),
        cap: cap(mount),
        no_refresh_query: mount.no_refresh_query.as_deref().map(Box::from),
        realms: mount.realms.clone().into(),
        attribute_fields: attribute_fields(mount),
        own: own_endpoints(mount),
        basic_challenge: mount.basic_challenge,
        setup_token: setup_token.cloned(),
        foreknown: foreknowledge(mount, all)?,
    })
}

/// Where a mount's sessions count: below it, or below all that share its name. Those of `plain` always share.
fn scope(mount: &config::Mount) -> Scope {
    let standard = if mount.dialect == Spoken::Plain { Plain::SCOPE } else { &mount.path };
    Scope::new(mount.session_scope.as_deref().unwrap_or(standard))
}

fn limits(mount: &config::Mount) -> SessionLimits {
    SessionLimits { idle_timeout: mount.idle_timeout, max_lifetime: mount.max_lifetime }
}

/// The header fields that tell a mount's backends what a user's realm says of him.
fn attribute_fields(mount: &config::Mount) -> Vec<(Box<str>, Box<str>)> {
    let fields = mount.attribute_headers.iter();
    fields.map(|(attribute, field)| (Box::from(attribute.as_str()), Box::from(field.as_str()))).collect()
}

/// Which of our endpoints a mount answers.
fn own_endpoints(mount: &config::Mount) -> OwnEndpoints {
    OwnEndpoints(mount.own.iter().map(|own| own.as_str()).collect())
}

/// What the settings alone say of requests below `mount`, which is one of `all`: for those who have it explained.
///
/// # Errors
/// The key in the mount that is wrong, and why.
fn foreknowledge(mount: &config::Mount, all: &[config::Mount]) -> Result<Foreknowledge, (String, String)> {
    let mut routes = Vec::new();
    for (number, one) in mount.routes.iter().enumerate() {
        let rule = rule(one).map_err(|message| (format!("route[{number}]"), message))?;
        routes.push(Route::new(&rule, one.public, None));
    }
    let beside = ovirt::sso_paths(all).into_iter().map(|(path, _)| path);
    let beside = beside.chain(tokens::paths(all).into_iter().map(str::to_owned));
    let paths = all.iter().map(|mount| mount.path.clone()).chain([Reserved::PATH.to_owned()]).chain(beside);
    let inner = |path: String| Some((below_mount(&path, &mount.path)?.to_owned(), path));
    let mut inner: Vec<_> = paths.filter(|path| *path != mount.path).filter_map(inner).collect();
    inner.sort_by_key(|(_, path)| std::cmp::Reverse(path.len()));
    Ok(Arc::new(move |method, below| {
        if let Some((_, path)) = inner.iter().find(|(inner, _)| below_mount(below, inner).is_some()) {
            return Some(Foreknown::OtherMount(path.clone()));
        }
        Route::public_rule(&routes, method, below).map(|rule| Foreknown::Public(rule.to_string()))
    }))
}

/// What is at a path below `mount`, which is one of `all`, and how its backend reads the path's parameters: for those who have it
/// explained.
///
/// # Errors
/// As [`foreknowledge`].
pub(crate) fn place(
    mount: &config::Mount,
    all: &[config::Mount],
    method: Method,
    below: &str,
) -> Result<(Place, Matrix), (String, String)> {
    let foreknown = foreknowledge(mount, all)?;
    Ok(match mount.dialect {
        Spoken::Ovirt | Spoken::Plain => {
            let place = match foreknown(method, below) {
                Some(Foreknown::OtherMount(path)) => Place::OtherMount(path),
                Some(Foreknown::Public(rule)) => Place::Public(Some(rule)),
                None => Place::Permission,
            };
            let is_engine = mount.dialect == Spoken::Ovirt;
            (place, if is_engine { Matrix::Stripped } else { Matrix::Strict })
        }
        Spoken::Fusion(_) => {
            (Fusion::place(&own_endpoints(mount), &foreknown, method, below), Matrix::Strict)
        }
    })
}

fn cap(mount: &config::Mount) -> Option<SessionCap> {
    let then = match mount.at_session_cap {
        AtSessionCap::EndOldest => AtCap::EndOldest,
        AtSessionCap::EndOldestOfClient => AtCap::EndOldestOfClient,
        AtSessionCap::Refuse => AtCap::Refuse,
    };
    let most = usize::try_from(mount.max_sessions_per_user).unwrap_or(usize::MAX);
    (most > 0).then_some(SessionCap { most, then })
}

fn route(route: &config::Route, answer: Duration, client: &Arc<ClientConfig>) -> Result<Route, String> {
    let rule = rule(route)?;
    let backend = match &route.upstream {
        None => None,
        Some(upstreams) => Some(Arc::new(backends(upstreams, answer, client)?)),
    };
    let identity = tokens::route_identity(&route.identity_token);
    Ok(Route::new(&rule, route.public, backend).with_identity(identity))
}

/// What a route is for, as a permission: matched as strictly.
pub(crate) fn rule(route: &config::Route) -> Result<Permission, String> {
    Permission::new(route.methods, &route.path.to_string(), [], []).map_err(|error| error.to_string())
}

fn backends(
    upstreams: &[Upstream],
    answer: Duration,
    client: &Arc<ClientConfig>,
) -> Result<Backends, String> {
    let addresses: Vec<String> = upstreams.iter().map(ToString::to_string).collect();
    Backends::new(addresses.iter().map(String::as_str), answer, client)
}

fn cookie(mount: &config::Mount) -> CookieSettings {
    CookieSettings {
        path: Box::from(mount.path.as_str()),
        secure: match mount.cookie_secure {
            CookieSecure::Auto => SecureWhen::Auto,
            CookieSecure::Always => SecureWhen::Always,
            CookieSecure::Never => SecureWhen::Never,
        },
        same_site: match mount.cookie_same_site {
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::None => SameSite::None,
            config::SameSite::Off => SameSite::Off,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the gateway reads in a field, or writes in it, is the client's or the gateway's to say, and not what a realm says of
    /// somebody.
    #[test]
    fn case_6_no_field_that_the_gateway_knows_tells_backends_something_else() {
        const MOUNT: &str = "[[mount]]\nupstream = \"http://127.0.0.1:1\"\n";
        let is_read =
            |line: String| Settings::parse("test.toml", &format!("{MOUNT}{line}\n"), &config::System).is_ok();
        let told = |name: &str| is_read(format!("attribute_headers = {{ a = \"{name}\" }}"));
        let signed =
            |name: &str| is_read(format!("identity_token = {{ audience = \"a\", header = \"{name}\" }}"));
        assert!(told("X-User-Mail") && signed("X-User"));
        assert!(gateway::known_fields().count() > 30);
        for name in gateway::known_fields() {
            let joined = name.replace('-', "");
            for spelled in [name, &name.to_uppercase(), &joined] {
                assert!(!told(spelled), "{spelled}");
                // Who is known is said there by default, in place of what the client said.
                assert_eq!(signed(spelled), name == "authorization", "{spelled}");
            }
        }
    }
}
